"""What a job asks of the gate: of a table before it is published, and of one that stands."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

from pyspark.sql import DataFrame

from cdp_lib.contracts import ops
from cdp_lib.contracts.rule_references import tables_by_name
from cdp_lib.contracts.table import Table
from cdp_lib.errors import QualityError
from cdp_lib.io.store import Batch
from cdp_lib.workflow.services import GateRequest, RunInfo, Services


@dataclass(frozen=True)
class Judge:
    """The gate, as one job of one run asks it; every verdict goes to ops.quality_result.

    `own` are the tables that the job declares; `last_day` is the last local day of any published fact, or of facts
    about to be published, by table.
    """

    job: str
    own: tuple[Table, ...]
    run: RunInfo
    services: Services
    last_day: Callable[[Mapping[str, DataFrame]], date]

    def before_write(self, batch: Batch) -> None:
        """Raises QualityError where an error-level check of the table as it will be fails."""
        self._ask(self._request(batch.table, batch.rows, self.services.store.after(batch), is_written=True))

    def age_of(self, table: Table) -> None:
        """Judge how old the newest row of a table that stands is. Raises QualityError as `before_write` does."""
        if self.services.store.version(table) is not None:
            rows = self.services.store.read(table)
            self._ask(self._request(table, rows, rows, is_written=False))

    def _request(self, table: Table, batch: DataFrame, after: DataFrame, *, is_written: bool) -> GateRequest:
        store = self.services.store
        return GateRequest(
            run_id=self.run.run_id,
            job=self.job,
            table=table,
            batch=batch,
            after=after,
            before=lambda: None if store.version(table) is None else store.read(table),
            neighbour=self._neighbour,
            as_of=lambda: self.run.as_of or self.last_day({table.name: batch} if is_written else {}),
            is_written=is_written,
        )

    def _ask(self, request: GateRequest) -> None:
        verdict = self.services.gate(request)
        self.services.ledger.append(ops.QUALITY_RESULT, verdict.rows)
        if not verdict.success:
            raise QualityError(verdict.message)

    def _neighbour(self, name: str) -> DataFrame | None:
        """A table as it is published now, whether the job reads it or not: a rule that compares with it only looks."""
        pack, store = self.services.pack, self.services.store
        known = tables_by_name(pack) | {table.name: table for table in self.own}
        return store.read(known[name]) if name in known and store.version(known[name]) is not None else None
