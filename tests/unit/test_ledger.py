"""The ops tables are written and read without Spark."""

from dataclasses import replace
from datetime import date, datetime, UTC
from pathlib import Path

import deltalake
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import fs
from pyspark.sql.pandas.types import to_arrow_schema

from cdp_lib.contracts import ops
from cdp_lib.contracts.activation import LIST_ENTRY
from cdp_lib.errors import LockedError, WorkflowError
from cdp_lib.io.arrow_tables import open_dataset
from cdp_lib.io.ledger import History, JobState, OpsLedger, RUN_ITSELF
from cdp_lib.io.lock import held_by, is_locked, run_lock
from cdp_lib.io.selection import select_rows

NOON = datetime(2025, 1, 31, 12, 0, tzinfo=UTC)


def state(status: str, *, run: int = 1, job: str = RUN_ITSELF, minute: int = 0) -> JobState:
    return JobState(
        run_id=f"gym-daily-{run:06d}",
        run_number=run,
        workflow="daily",
        job=job,
        attempt=1,
        status=status,
        config_hash="c",
        recorded_at=NOON.replace(minute=minute),
        as_of_date=date(2025, 1, 31),
        inputs={"silver.order": 3},
        outputs={},
        owner="me",
    )


def test_a_stream_of_batches_is_one_commit(tmp_path: Path) -> None:
    ledger = OpsLedger(str(tmp_path))
    schema = to_arrow_schema(ops.JOB_RUN.schema(), timezone="UTC")
    given = [{**state("started", run=number).__dict__, "inputs": {}} for number in (1, 2, 3)]
    batches = [pa.RecordBatch.from_pylist([row], schema) for row in given]
    ledger.append_stream(ops.JOB_RUN, pa.RecordBatchReader.from_batches(schema, batches))
    assert deltalake.DeltaTable(ledger.path(ops.JOB_RUN)).version() == 0
    assert sorted(row["run_number"] for row in ledger.rows(ops.JOB_RUN)) == [1, 2, 3]


def test_a_state_comes_back_as_it_was_recorded(tmp_path: Path) -> None:
    ledger = OpsLedger(str(tmp_path))
    ledger.record(state("started"))
    ledger.record(state("succeeded", minute=1))
    assert ledger.states() == [state("started"), state("succeeded", minute=1)]


def test_local_tables_are_read_by_arrow_alone(tmp_path: Path) -> None:
    ledger = OpsLedger(str(tmp_path))
    ledger.record(state("started"))
    native = open_dataset(ledger.path(ops.JOB_RUN)).filesystem
    assert isinstance(native, fs.SubTreeFileSystem)
    assert isinstance(native.base_fs, fs.LocalFileSystem)


def test_a_ledger_that_does_not_exist_is_empty(tmp_path: Path) -> None:
    assert OpsLedger(str(tmp_path)).states() == []


def test_a_lakehouse_is_known_by_the_id_that_its_first_run_made(tmp_path: Path) -> None:
    ledger, other = OpsLedger(str(tmp_path / "one")), OpsLedger(str(tmp_path / "other"))
    assert ledger.founding() is None
    ledger.record(state("started"))
    founded = ledger.founding()
    ledger.record(state("succeeded"))
    other.record(state("started"))
    assert founded is not None
    assert founded == OpsLedger(str(tmp_path / "one")).founding() != other.founding()


def test_the_last_success_of_a_job_leaves_out_failures_and_skips() -> None:
    history = History((state("succeeded", job="a"), state("failed", run=2, job="a"), state("skipped", run=3, job="a")))
    assert history.last_success("a") == state("succeeded", job="a")
    assert history.next_run_number == 4


@pytest.mark.parametrize(
    ("states", "message"),
    [
        ((), "nothing to resume: workflow daily never ran here"),
        ((state("started"), state("succeeded", minute=1)), "nothing to resume: run gym-daily-000001 succeeded"),
    ],
)
def test_there_must_be_something_to_resume(states: tuple[JobState, ...], message: str) -> None:
    with pytest.raises(WorkflowError, match=message):
        History(states).unfinished("daily")


def test_the_run_to_resume_is_the_last_one() -> None:
    history = History((state("succeeded"), state("started", run=2), state("failed", run=2, minute=1)))
    assert history.unfinished("daily").run_number == 2


def test_the_day_is_told_by_who_read_these_very_facts_and_was_given_none() -> None:
    facts = {"silver.order": 3, "silver.event": 5}
    read = replace(state("skipped", run=2, job="a"), inputs={**facts, "silver.identity_link": 1})
    given = replace(read, run_id="given", status="succeeded", as_of_date=date(2025, 2, 28))
    runs = (replace(state("started"), as_of_date=None), replace(state("started"), run_id="given"))
    history = History((*runs, state("succeeded", job="b"), read, given, replace(read, as_of_date=None)))
    assert history.day_of(facts) == date(2025, 1, 31)
    assert history.day_of({**facts, "silver.event": 6}) is None


def test_a_second_run_is_told_who_holds_the_lakehouse(tmp_path: Path) -> None:
    with run_lock(tmp_path, "daily of gym"):
        assert is_locked(tmp_path)
        with pytest.raises(LockedError, match=r"is in use by .*@.*daily of gym"), run_lock(tmp_path, "another"):
            pass
    assert not is_locked(tmp_path)


def test_a_holder_without_a_note_is_still_named(tmp_path: Path) -> None:
    assert held_by(tmp_path) == "another run (it left no note yet)"


def test_whoever_may_not_open_the_lock_goes_by_the_holders_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*given: object, **named: object) -> None:
        raise PermissionError(".lock")

    with run_lock(tmp_path, "daily of shop"), monkeypatch.context() as patch:
        patch.setattr("cdp_lib.io.lock.FileLock.acquire", refused)
        assert is_locked(tmp_path)
    monkeypatch.setattr("cdp_lib.io.lock.FileLock.acquire", refused)
    assert not is_locked(tmp_path)


def entries(*names: str) -> pa.RecordBatchReader:
    schema = to_arrow_schema(LIST_ENTRY.schema(), timezone="UTC")
    shared = {"activation_id": "ads", "destination": "wall", "golden_id": "g", "told_at": NOON}
    shared |= {"run_id": "r", "intent_id": "i"}
    given = [{"entry_id": name, "identifiers": {"email": f"hash of {name}"}, **shared} for name in names]
    return pa.Table.from_pylist(given, schema).to_reader()


def test_rows_are_added_once_and_dropped_by_their_key(tmp_path: Path) -> None:
    ledger = OpsLedger(str(tmp_path))
    keys = pa.table({"entry_id": ["a", "c"]})
    assert ledger.drop(LIST_ENTRY, keys.to_reader()) == 0
    assert [ledger.add_new(LIST_ENTRY, entries(*names)) for names in ("ab", "bc", "abc", "")] == [2, 1, 0, 0]
    kept = {row["entry_id"]: row["identifiers"] for row in ledger.rows(LIST_ENTRY)}
    assert kept == {name: {"email": f"hash of {name}"} for name in "abc"}
    version = deltalake.DeltaTable(ledger.path(LIST_ENTRY)).version()
    assert [ledger.drop(LIST_ENTRY, keys.to_reader()) for _ in range(2)] == [2, 0]
    assert [row["entry_id"] for row in ledger.rows(LIST_ENTRY)] == ["b"]
    assert deltalake.DeltaTable(ledger.path(LIST_ENTRY)).version() == version + 1


def test_a_table_of_an_earlier_version_is_given_the_columns_that_it_lacks(tmp_path: Path) -> None:
    ledger, both = OpsLedger(str(tmp_path)), ("entry_id", "removal_id")
    older = replace(LIST_ENTRY, columns=tuple(one for one in LIST_ENTRY.columns if one.name != "removal_id"))
    ledger.append(older, entries("a").read_all().to_pylist())
    assert select_rows(ledger.path(LIST_ENTRY), both) == [{"entry_id": "a", "removal_id": None}]
    assert ledger.add_new(LIST_ENTRY, entries("a", "b")) == 1
    (other,) = entries("c").read_all().to_pylist()
    ledger.append(LIST_ENTRY, [{**other, "removal_id": "i2"}])
    found = [(row["entry_id"], row["removal_id"]) for row in select_rows(ledger.path(LIST_ENTRY), both)]
    assert sorted(found, key=str) == [("a", None), ("b", None), ("c", "i2")]


def test_a_column_is_changed_where_it_differs_and_nothing_else(tmp_path: Path) -> None:
    ledger = OpsLedger(str(tmp_path))
    given = pa.table({"entry_id": ["a", "stranger"], "removal_id": ["i2", "i3"]})
    assert ledger.change(LIST_ENTRY, given.to_reader(), "removal_id") == 0
    ledger.add_new(LIST_ENTRY, entries("a", "b"))
    assert [ledger.change(LIST_ENTRY, given.to_reader(), "removal_id") for _ in range(2)] == [1, 0]
    stored = {row["entry_id"]: (row["removal_id"], row["intent_id"]) for row in ledger.rows(LIST_ENTRY)}
    assert stored == {"a": ("i2", "i"), "b": (None, "i")}
    assert deltalake.DeltaTable(ledger.path(LIST_ENTRY)).version() == 2


def test_what_was_dropped_is_forgotten_when_it_is_old_enough(tmp_path: Path) -> None:
    ledger, folder = OpsLedger(str(tmp_path)), tmp_path / "ops" / "list_entry"
    assert ledger.forget(LIST_ENTRY, hours=0) == 0
    ledger.add_new(LIST_ENTRY, entries("a", "b"))
    ledger.drop(LIST_ENTRY, pa.table({"entry_id": ["a"]}).to_reader())
    (folder / "half-written.parquet").write_bytes(b"of a run that was killed")
    assert ledger.forget(LIST_ENTRY, hours=1) == 0
    assert (deltalake.DeltaTable(str(folder)).version(), len(list(folder.glob("*.parquet")))) == (2, 3)

    assert ledger.forget(LIST_ENTRY, hours=0) == 2
    (only,) = folder.glob("*.parquet")
    assert pq.read_table(only)["entry_id"].to_pylist() == ["b"]
    version = deltalake.DeltaTable(str(folder)).version()
    assert ledger.forget(LIST_ENTRY, hours=0) == 0
    assert deltalake.DeltaTable(str(folder)).version() == version
    assert [row["entry_id"] for row in ledger.rows(LIST_ENTRY)] == ["b"]


def test_what_people_are_found_by_has_no_statistics(tmp_path: Path) -> None:
    ledger = OpsLedger(str(tmp_path))
    ledger.add_new(LIST_ENTRY, entries("a"))
    log = "".join(file.read_text() for file in Path(ledger.path(LIST_ENTRY)).glob("_delta_log/*.json"))
    assert "hash of a" not in log
