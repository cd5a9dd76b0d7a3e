"""What a job may touch: the tables it declared, at the versions its run recorded, and nothing else."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime, time, timedelta
from functools import cached_property, reduce
from typing import Any

from pyspark.sql import DataFrame, functions as F, SparkSession

from cdp_lib.contracts import ops
from cdp_lib.contracts.silver import ENTITIES, FACT_TIME
from cdp_lib.contracts.table import Table
from cdp_lib.errors import near_miss, WorkflowError
from cdp_lib.io.checkpoints import checkpoints, folder_of_run
from cdp_lib.io.conform import fit_to_table
from cdp_lib.io.ledger import JobState, OpsLedger
from cdp_lib.io.local_rows import local_rows
from cdp_lib.io.store import Stamp
from cdp_lib.workflow.job import Job
from cdp_lib.workflow.judging import Judge
from cdp_lib.workflow.services import RunInfo, Sending, Services

log = logging.getLogger(__name__)


class JobContext:
    """The world of one job in one run."""

    def __init__(self, job: Job, run: RunInfo, services: Services, pinned: JobState, previous: JobState | None) -> None:
        self.run = run
        self.pack = services.pack
        self.settings = services.settings
        self.landing = services.landing
        self._job = job
        self._services = services
        self._inputs = pinned.inputs
        self._before = pinned.outputs
        self._previous = previous
        self.is_full = previous is None or previous.config_hash != pinned.config_hash
        """Nothing of an earlier run may be built on: the first run, or what shapes the job changed."""
        self.previous_as_of = None if previous is None else previous.as_of_date
        self.published: dict[str, int] = {}
        self._last_days: dict[tuple[str, int | None], date | None] = {}
        own = (*job.read_tables(self.pack), *job.written_tables(self.pack))
        self._judge = Judge(job.name, own, run, services, self._last_day_of_facts)

    @property
    def spark(self) -> SparkSession:
        """The run's session, built at first use."""
        return self._services.session()

    @cached_property
    def as_of(self) -> date:
        """The last day that the run knows: as asked for, else the last local day of any fact."""
        return self.run.as_of or self._last_day_of_facts({})

    def read(self, table: Table) -> DataFrame:
        """The table at the version that this run recorded; no rows where it does not exist."""
        self._declared(table, "reads", self._job.read_tables(self.pack))
        return self._services.store.read(table, self._inputs.get(table.name))

    def former(self, table: Table) -> DataFrame:
        """The table as this job read it in its last completed run; no rows on the first run."""
        self._declared(table, "reads", self._job.read_tables(self.pack))
        version = None if self._previous is None else self._previous.inputs.get(table.name)
        return self._services.store.read(table, version) if version is not None else self._empty(table)

    def changes(self, table: Table) -> DataFrame:
        """Rows changed since this job's last completed run, with `_change_type`; all rows as inserts when `is_full`."""
        self._declared(table, "reads", self._job.read_tables(self.pack))
        upto = self._inputs.get(table.name)
        since = None if self.is_full or self._previous is None else self._previous.inputs.get(table.name)
        if upto is None:
            return self._empty(table).withColumn("_change_type", F.lit("insert"))
        return self._services.store.changes(table, since, upto)

    def has_changed(self, table: Table) -> bool:
        """Whether the table has a version that this job has not worked on yet."""
        upto = self._inputs.get(table.name)
        known = None if self.is_full or self._previous is None else self._previous.inputs.get(table.name)
        return upto is not None and upto != known

    def recall(self, table: Table) -> DataFrame:
        """What this job, or one after it, wrote in earlier runs: as it was before this run, also in a second try."""
        return self._remembered(table, self._before.get(table.name))

    def recall_as_told(self, table: Table, log: Table) -> DataFrame:
        """`recall` of a table whose changes are told in `log`, which is written after it: as it was when last told.

        That is another version only where an earlier run ended between the two, and this one is a new run.
        """
        if self.goes_on:
            return self.recall(table)
        told, since = self._before.get(log.name), 0 if self._previous is None else self._previous.run_number
        begun = [state for state in self._services.ledger.states() if state.status == "started"]
        own = [state.outputs for state in begun if state.job == self._job.name and state.run_number > since]
        # Who first found the log as it is now found the table as it was told there.
        version = next((found.get(table.name) for found in own if found.get(log.name) == told), None)
        return self._remembered(table, version)

    def write(
        self, table: Table, frame: DataFrame, *, whole: bool = False, kept: bool = False, gone: DataFrame | None = None
    ) -> int:
        """Fit, judge and publish; the number of rows that came, changed or left. Nothing changed: no commit.

        `whole`: the frame is all of the table, whatever its write mode. `kept`: the job has cached what its rows come
        from. `gone`: keys of rows that leave a MergeByKey table in the same commit; a row of the frame that has such a
        key comes in the stored one's place, newer or not.
        Raises ContractError where the frame or `gone` does not fit, QualityError where an error-level check fails; then
        the table stays as it was.
        """
        self._declared(table, "writes", self._job.written_tables(self.pack))
        fitted = fit_to_table(frame, table, run_id=self.run.run_id)
        with self._services.store.batch(table, fitted, whole=whole, kept=kept, gone=gone) as batch:
            # Rows that this run published before it was cut off were judged then, and stand in the table now.
            if not batch.is_empty and not self._services.store.is_written(batch, self._stamp):
                self._judge.before_write(batch)
                version = self._services.store.write(batch, self._stamp)
                if version is not None:
                    self.published[table.name] = batch.change_count
                    self._services.reporter.step(self._job.name, f"{table.name}: {batch.change_count:,} rows")
            return batch.change_count

    def judge_age(self, table: Table) -> None:
        """Judge how old the table's newest row is, where this run has not written it: time alone makes a table stale.

        Raises QualityError as `write` does.
        """
        if table.name not in self.published:
            self._judge.age_of(table)

    def withhold(self, table: Table, check: str, observed: str) -> None:
        """Publish nothing of the table and tell why, in figures: what it held stays served, and the run goes on."""
        self._declared(table, "writes", self._job.written_tables(self.pack))
        row = {
            "run_id": self.run.run_id,
            "job": self._job.name,
            "table_name": table.name,
            "expectation": check,
            "column_name": "",
            "severity": "withhold",
            "success": False,
            "observed": observed,
            "checked_at": self._services.ledger.clock(),
        }
        self.record(ops.QUALITY_RESULT, [row])
        self.say(f"{table.name} is withheld: {observed}")

    def withheld_last(self, table: Table) -> frozenset[str]:
        """Checks for which the table was withheld when it was last due; none where it was published then."""
        told = [row for row in self.recorded(ops.QUALITY_RESULT) if row["table_name"] == table.name]
        rows = [row for row in told if row["severity"] == "withhold" and not row["success"]]
        if not rows:
            return frozenset()
        newest = max(rows, key=lambda row: row["checked_at"])
        since = [
            state
            for state in self._services.ledger.states()
            if state.job == newest["job"] and state.status == "succeeded" and state.run_id != newest["run_id"]
        ]
        if any(state.recorded_at > newest["checked_at"] for state in since):
            return frozenset()
        return frozenset(row["expectation"] for row in rows if row["run_id"] == newest["run_id"])

    def published_before(self, table: Table) -> dict[date, int]:
        """As-of date: the newest version of the table that this job published as of it, earlier runs only.

        A run that withheld the table left the version of the run before, which is that one's.
        """
        found: dict[int, date] = {}
        for state in self._services.ledger.states():
            version = state.outputs.get(table.name) if state.job == self._job.name else None
            is_earlier = state.status == "succeeded" and state.run_id != self.run.run_id
            if version is not None and is_earlier and state.as_of_date is not None:
                found.setdefault(version, state.as_of_date)
        return {as_of: version for version, as_of in found.items()}

    def read_version(self, table: Table, version: int) -> DataFrame:
        """The job's own output as it was at a version that `published_before` names."""
        return self._remembered(table, version)

    def record(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add rows to an ops table."""
        self._services.ledger.append(table, rows)

    def record_once(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add the rows whose key the ops table does not have: a run that was cut off may have added some before."""
        self._services.ledger.append_new(table, rows)

    def recorded(self, table: Table) -> list[dict[str, Any]]:
        """All rows of an ops table."""
        return self._services.ledger.rows(table)

    @property
    def models(self) -> Any:
        """The registry of the pack's models (cdp_lib.models.registry), built at first use."""
        return self._services.models()

    @property
    def goes_on(self) -> bool:
        """Whether the job's own tables stand as its last completed run left them: nothing half done lies between."""
        previous = {} if self._previous is None else dict(self._previous.outputs)
        return bool(previous) and all(self._before.get(name) == version for name, version in previous.items())

    def checkpoints(self) -> AbstractContextManager[Callable[[DataFrame], DataFrame]]:
        """A place for checkpoints of an iterative algorithm, emptied at the end."""
        return checkpoints(self.spark, folder_of_run(self._services.store.root))

    def input_version(self, table: Table) -> int | None:
        """The version of an input that this run pinned; None: it does not exist."""
        return self._inputs.get(table.name)

    def reached(self, point: str) -> None:
        """Name a point of the job, for fault tests."""
        self._services.failpoint(f"{point}:{self._job.name}")

    @property
    def sending(self) -> Sending:
        """Whether this run sends, and as of which moment."""
        return self._services.sending

    def now(self) -> datetime:
        """The clock: for what happens outside the lakehouse, never for figures."""
        return self._services.ledger.clock()

    @property
    def ledger(self) -> OpsLedger:
        """The ops tables, for jobs that note down deeds outside the lakehouse as they happen."""
        return self._services.ledger

    def newest(self, table: Table) -> DataFrame:
        """A table of the job as it stands now: its own output with what this run has added, or an input.

        An input is asked so where a figure of yesterday does harm: whether somebody may still be written to.
        """
        if table not in self._job.read_tables(self.pack):
            self._declared(table, "writes", self._job.written_tables(self.pack))
        return self._services.store.read(table)

    @property
    def folder(self) -> str:
        """The pack's folder in the lakehouse."""
        return self._services.store.root

    def say(self, message: str) -> None:
        """Tell the person who watches how far the job is."""
        self._services.reporter.step(self._job.name, message)

    @property
    def _stamp(self) -> Stamp:
        return Stamp(self._job.name, self.run.run_id, self.run.run_number)

    def _remembered(self, table: Table, version: int | None) -> DataFrame:
        self._declared(table, "remembers", self._job.remembered_tables(self.pack))
        return self._services.store.read(table, version) if version is not None else self._empty(table)

    def _empty(self, table: Table) -> DataFrame:
        return local_rows(self.spark, table.schema())

    def _declared(self, table: Table, how: str, declared: Iterable[Table]) -> None:
        names = [one.name for one in declared]
        if table.name not in names:
            raise WorkflowError(
                f"jobs/{self._job.name}.py: {table.name} is not among its declared {how}."
                f"{near_miss(table.name, names)} Add it to {how}=(...)."
            )

    def _last_day_of_facts(self, about_to_be_written: Mapping[str, DataFrame]) -> date:
        """The last local day of any published fact, or of facts that are about to be published.

        Facts of a day to come are left out: one till whose clock is wrong would make everybody a customer of long ago.
        """
        store = self._services.store
        asked: dict[tuple[str, int | None], DataFrame] = {}
        for table in (ENTITIES[name] for name in FACT_TIME):
            if table.name in about_to_be_written:
                asked[table.name, None] = about_to_be_written[table.name]
            version = store.version(table)
            if version is not None:
                asked[table.name, version] = store.read(table, version)
        unknown = {place: facts for place, facts in asked.items() if place not in self._last_days}
        told = self._last_days | self._days_of(unknown)
        self._last_days = {place: day for place, day in told.items() if place[1] is not None}
        days = [day for place in asked if (day := told[place]) is not None]
        if not days:
            raise WorkflowError(
                f"pack {self.pack.name} holds no fact dated up to today, so the as-of date is unknown. Give --as-of."
            )
        return max(days)

    def _days_of(self, facts: Mapping[tuple[str, int | None], DataFrame]) -> dict[tuple[str, int | None], date | None]:
        """The last local day up to today of each table's facts, in one query."""
        tomorrow = self.run.started_at.astimezone(self.pack.info.zone).date() + timedelta(days=1)
        midnight = F.lit(datetime.combine(tomorrow, time(), tzinfo=self.pack.info.zone))
        times = {ENTITIES[name].name: F.col(column) for name, column in FACT_TIME.items()}
        asked = [
            rows.where(times[name] < midnight).agg(F.lit(place).alias("place"), F.max(times[name]).alias("last"))
            for place, ((name, _), rows) in enumerate(facts.items())
        ]
        if not asked:
            return {}
        day = F.to_date(F.from_utc_timestamp("last", self.pack.info.time_zone)).alias("day")
        found = {
            row["place"]: row["day"] for row in reduce(DataFrame.unionByName, asked).select("place", day).collect()
        }
        return {key: found[place] for place, key in enumerate(facts)}
