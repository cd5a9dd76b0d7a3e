"""The ops tables: small facts born on the driver, appended and read by delta-rs, so that no JVM is needed for them."""

import getpass
import os
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, UTC
from typing import Any

import deltalake
import pyarrow as pa
from deltalake.exceptions import TableNotFoundError
from pyarrow import fs
from pyspark.sql.pandas.types import to_arrow_schema

from cdp_lib.contracts import ops
from cdp_lib.contracts.table import Table
from cdp_lib.errors import WorkflowError
from cdp_lib.io.arrow_tables import open_dataset
from cdp_lib.io.declared import STATISTICS_COLUMNS, table_properties

RUN_ITSELF = "*"


def utc_now() -> datetime:
    """The clock: asked here and nowhere else."""
    return datetime.now(UTC)


def owner() -> str:
    """Who runs this process: user@host:pid."""
    return f"{getpass.getuser()}@{socket.gethostname()}:{os.getpid()}"


@dataclass(frozen=True)
class JobState:
    """One row of ops.job_run."""

    run_id: str
    run_number: int
    workflow: str
    job: str
    attempt: int
    status: str
    config_hash: str
    recorded_at: datetime
    as_of_date: date | None = None
    seconds: float | None = None
    inputs: Mapping[str, int] = field(default_factory=dict)
    outputs: Mapping[str, int] = field(default_factory=dict)
    watched: str | None = None
    error: str | None = None
    owner: str = ""

    @property
    def has_ended_well(self) -> bool:
        """Whether the job is done in this run."""
        return self.status in ("succeeded", "skipped")


class OpsLedger:
    """Append and read the ops tables of one pack at `<root>/ops/<noun>`."""

    def __init__(self, root: str, clock: Callable[[], datetime] = utc_now) -> None:
        self.root = root.rstrip("/")
        self.clock = clock
        self._whole: set[str] = set()

    def path(self, table: Table) -> str:
        """Where the table lies."""
        return f"{self.root}/{table.layer}/{table.noun}"

    def founding(self) -> tuple[str, int] | None:
        """The lakehouse's id for this pack, and when its first run began, in milliseconds since 1970; None before it.

        Delta made the id with ops.job_run, and keeps it. A copy of the lakehouse has the same.
        """
        stored = self._stored(ops.JOB_RUN)
        return None if stored is None else (str(stored.metadata().id), stored.metadata().created_time)

    def append(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add rows in one commit; none, no commit."""
        if rows:
            self._widen(table)
            deltalake.write_deltalake(
                self.path(table), _filled(table, rows), mode="append", configuration=_statistics(table)
            )

    def append_new(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add those of the rows whose key the table does not have, in one commit; none, no commit."""
        if rows:
            self.add_new(table, _filled(table, rows).to_reader())

    def append_stream(self, table: Table, batches: pa.RecordBatchReader) -> None:
        """Add any number of rows in one commit. Batches stream through: they are never all in memory."""
        self._widen(table)
        deltalake.write_deltalake(self.path(table), batches, mode="append", configuration=_statistics(table))

    def append_once(self, table: Table, batches: pa.RecordBatchReader, writer: str, number: int) -> bool:
        """Add any number of rows in one commit, unless `writer` has committed this or a greater number before.

        `number` rises with every run. Whether rows were added. Batches stream through: they are never all in memory.
        """
        stored = self._stored(table)
        known = None if stored is None else stored.transaction_version(writer)
        if known is not None and known >= number:
            return False
        self._widen(table)
        done = deltalake.CommitProperties(app_transactions=[deltalake.Transaction(writer, number)])
        deltalake.write_deltalake(
            self.path(table), batches, mode="append", configuration=_statistics(table), commit_properties=done
        )
        return True

    def add_new(self, table: Table, batches: pa.RecordBatchReader) -> int:
        """Add the rows whose key the table does not have, in one commit; how many. None is new: no commit."""
        self._widen(table)
        schema = to_arrow_schema(table.schema(), timezone="UTC")
        stored = deltalake.DeltaTable.create(
            self.path(table), schema=schema, mode="ignore", configuration=_statistics(table)
        )
        done = _merged(stored, table, batches).when_not_matched_insert_all().execute()
        return int(done["num_target_rows_inserted"])

    def change(self, table: Table, batches: pa.RecordBatchReader, column: str) -> int:
        """Give the rows of these keys their new value of the column, in one commit; how many. None differs: no commit.

        A key that the table does not have changes nothing.
        """
        stored = self._stored(table)
        if stored is None:
            return 0
        differs = f"there.{column} IS DISTINCT FROM given.{column}"
        changing = _merged(stored, table, batches).when_matched_update({column: f"given.{column}"}, predicate=differs)
        return int(changing.execute()["num_target_rows_updated"])

    def drop(self, table: Table, keys: pa.RecordBatchReader) -> int:
        """Take the rows with these keys out, in one commit; how many. None is there: no commit.

        Older versions of the table have them until they are forgotten.
        """
        stored = self._stored(table)
        if stored is None:
            return 0
        return int(_merged(stored, table, keys).when_matched_delete().execute()["num_target_rows_deleted"])

    def forget(self, table: Table, *, hours: int) -> int:
        """Delete data files that no version of so many hours ago or later has; how many. None is there: no commit.

        Older versions can be read no more. Half-written files of killed runs go too.
        """
        stored = self._stored(table)
        if stored is None:
            return 0
        unread = stored.vacuum(hours, enforce_retention_duration=False, full=True)
        # The log names files that an earlier call has deleted; to delete them again would commit twice for nothing.
        found = open_dataset(self.path(table)).filesystem.get_file_info(unread)
        there = [one.path for one in found if one.type != fs.FileType.NotFound]
        if there:
            stored.vacuum(hours, dry_run=False, enforce_retention_duration=False, full=True)
        return len(there)

    def _widen(self, table: Table) -> None:
        """Add the columns that a table of an earlier version of the suite lacks; its rows have null there.

        A table is looked at once: afterwards it has them.
        """
        stored = None if table.name in self._whole else self._stored(table)
        if stored is None:
            return
        known = {field.name for field in stored.schema().fields}
        declared = deltalake.Schema.from_arrow(to_arrow_schema(table.schema(), timezone="UTC"))
        lacking = [deltalake.Field(one.name, one.type) for one in declared.fields if one.name not in known]
        if lacking:
            stored.alter.add_columns(lacking)
        self._whole.add(table.name)

    def _stored(self, table: Table) -> deltalake.DeltaTable | None:
        """The newest version of the table; None where there is none."""
        try:
            return deltalake.DeltaTable(self.path(table))
        except TableNotFoundError:
            return None

    def rows(self, table: Table) -> list[dict[str, Any]]:
        """All rows, in no order; none where the table does not exist."""
        try:
            stored = open_dataset(self.path(table)).to_table()
        except TableNotFoundError:
            return []
        maps = [field.name for field in stored.schema if pa.types.is_map(field.type)]
        found = stored.to_pylist()
        return [{**row, **{name: dict(row[name] or ()) for name in maps}} for row in found]

    def record(self, state: JobState) -> None:
        """Add one state of a job."""
        self.append(ops.JOB_RUN, [state.__dict__])

    def states(self) -> list[JobState]:
        """Every state ever recorded, in order of time."""
        order = {"started": 0}
        found = [JobState(**row) for row in self.rows(ops.JOB_RUN)]
        return sorted(
            found, key=lambda state: (state.run_number, state.recorded_at, state.attempt, order.get(state.status, 1))
        )

    def history(self) -> "History":
        """Every state, to be asked."""
        return History(tuple(self.states()))


def _filled(table: Table, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """The rows as the table has them, null for columns that they do not name."""
    schema = to_arrow_schema(table.schema(), timezone="UTC")
    return pa.Table.from_pylist([{name: row.get(name) for name in table.column_names} for row in rows], schema)


def _statistics(table: Table) -> dict[str, str]:
    """Only a new table takes them: Delta's log must not hold the least and greatest of people's ids."""
    return {STATISTICS_COLUMNS: table_properties(table)[STATISTICS_COLUMNS]}


def _merged(stored: deltalake.DeltaTable, table: Table, given: pa.RecordBatchReader) -> deltalake.table.TableMerger:
    same = " AND ".join(f"there.{name} = given.{name}" for name in table.key)
    return stored.merge(given, predicate=same, source_alias="given", target_alias="there")


@dataclass(frozen=True)
class History:
    """What earlier runs recorded, asked in the runner's words."""

    states: tuple[JobState, ...]

    @property
    def next_run_number(self) -> int:
        """One more than any run had."""
        return max((state.run_number for state in self.states), default=0) + 1

    def last_run(self, workflow: str) -> JobState | None:
        """The newest state of the newest run of the workflow."""
        of_runs = [state for state in self.states if state.workflow == workflow and state.job == RUN_ITSELF]
        return of_runs[-1] if of_runs else None

    def last_success(self, job: str) -> JobState | None:
        """The job's newest completed state, whichever run it was in; skipped ones did not run."""
        done = [state for state in self.states if state.job == job and state.status == "succeeded"]
        return done[-1] if done else None

    def day_of(self, facts: Mapping[str, int]) -> date | None:
        """The data's last day, as the newest job found it that read these versions of the facts; None: no job did.

        A run that was given a day tells none.
        """
        given = {state.run_id for state in self.states if state.job == RUN_ITSELF and state.as_of_date is not None}
        done = [state for state in self.states if state.has_ended_well and state.run_id not in given]
        told = [state.as_of_date for state in done if state.as_of_date and facts.items() <= state.inputs.items()]
        return told[-1] if told else None

    def of_run(self, run_id: str, job: str) -> tuple[JobState, ...]:
        """The job's states in one run, in order of time."""
        return tuple(state for state in self.states if state.run_id == run_id and state.job == job)

    def was_disturbed(self, success: JobState, config_hash: str) -> bool:
        """Whether a later try of the job, under other settings than these, did not end well.

        What it wrote before it ended may stand in the job's tables.
        """
        later = self.states[self.states.index(success) + 1 :]
        return any(state.job == success.job and state.config_hash != config_hash for state in later)

    def half_done(self, run_id: str) -> tuple[str, ...]:
        """The jobs that a run began and did not end well, in the order that it began them."""
        own = [state for state in self.states if state.run_id == run_id and state.job != RUN_ITSELF]
        ended = {state.job for state in own if state.has_ended_well}
        return tuple(dict.fromkeys(state.job for state in own if state.job not in ended))

    def overtaken_by(self, run: JobState, jobs: Iterable[str]) -> JobState | None:
        """A newer run's state of one of these jobs, which the run did not end: it stands on newer tables than the run.

        To go on with the run would write older versions over the newer ones.
        """
        names = set(jobs) - {state.job for state in self.states if state.run_id == run.run_id and state.has_ended_well}
        newer = [state for state in self.states if state.run_number > run.run_number and state.job in names]
        return next((state for state in newer if state.status != "skipped"), None)

    def unfinished(self, workflow: str) -> JobState:
        """The run that `--resume` goes on with; raises WorkflowError where the last one ended well or none exists."""
        last = self.last_run(workflow)
        if last is None:
            raise WorkflowError(f"nothing to resume: workflow {workflow} never ran here. Run it without --resume.")
        if last.status == "succeeded":
            raise WorkflowError(f"nothing to resume: run {last.run_id} succeeded. Run without --resume.")
        return last
