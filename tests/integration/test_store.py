"""The Delta store: each write mode does what it promises, and a repeated write changes nothing."""

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, UTC
from pathlib import Path
from typing import Any

import deltalake
import pytest
from chispa import assert_df_equality
from pyspark.sql import DataFrame, functions as F, SparkSession

from cdp_lib.contracts.table import AppendOnce, Column, MergeByKey, number, ReplaceAll, Table, text
from cdp_lib.errors import ContractError, StorageError
from cdp_lib.io.conform import fit_to_table
from cdp_lib.io.store import DeltaStore, Stamp

MERGED = Table(
    name="silver.thing",
    purpose="One row per thing.",
    key=("thing_id",),
    columns=(
        text("thing_id", "Its id.", required=True),
        text("label", "What it is called.", pii="name"),
        number("changed", "Rises with every version.", required=True),
        Column("notes", "map<string,string>", "Anything."),
        text("_record_hash", "Content hash.", required=True),
        text("_run_id", "Run.", required=True),
    ),
    write=MergeByKey(newest_by=("changed",)),
    checks=(("label_is_short", "length(label) < 10"),),
)
APPENDED = replace(MERGED, name="bronze.thing", write=AppendOnce())
REPLACED = replace(MERGED, name="gold.thing", write=ReplaceAll())
SHAPE = "thing_id string, label string, changed bigint, notes map<string,string>"

Things = Callable[..., DataFrame]


@pytest.fixture
def store(spark: SparkSession, tmp_path: Path) -> DeltaStore:
    return DeltaStore(str(tmp_path / "shop"), lambda: spark)


@pytest.fixture
def things(spark: SparkSession) -> Things:
    return lambda *given: spark.createDataFrame([(*row, None) for row in given], SHAPE)


def put(store: DeltaStore, table: Table, frame: DataFrame, number: int = 1, **how: Any) -> int | None:
    run_id = f"run-{number}"
    with store.batch(table, fit_to_table(frame, table, run_id=run_id), **how) as batch:
        return store.write(batch, Stamp("a_job", run_id, number))


def content(store: DeltaStore, table: Table) -> DataFrame:
    return store.read(table).select("thing_id", "label", "changed")


def test_merge_adds_new_keys_and_replaces_older_versions(store: DeltaStore, things: Things) -> None:
    put(store, MERGED, things(("a", "old", 1), ("b", "kept", 5)))
    put(store, MERGED, things(("a", "new", 2), ("b", "late", 4), ("c", "first", 1)), 2)
    expected = things(("a", "new", 2), ("b", "kept", 5), ("c", "first", 1))
    assert_df_equality(content(store, MERGED), expected.drop("notes"), ignore_row_order=True, ignore_nullable=True)


@pytest.mark.parametrize("table", [MERGED, REPLACED], ids=lambda table: table.name)
def test_writing_the_same_rows_again_makes_no_commit(store: DeltaStore, things: Things, table: Table) -> None:
    put(store, table, things(("a", "x", 1), ("b", None, 1)))
    before = store.version(table)
    assert put(store, table, things(("b", None, 1), ("a", "x", 1)), 2) is None
    assert store.version(table) == before


def test_an_append_that_a_killed_run_made_is_not_made_twice(store: DeltaStore, things: Things) -> None:
    put(store, APPENDED, things(("a", "x", 1)), 7)
    put(store, APPENDED, things(("a", "x", 1)), 7)
    put(store, APPENDED, things(("b", "x", 1)), 8)
    expected = things(("a", "x", 1), ("b", "x", 1))
    assert_df_equality(content(store, APPENDED), expected.drop("notes"), ignore_row_order=True, ignore_nullable=True)


def test_the_view_after_a_merge_is_the_table_after_the_merge(store: DeltaStore, things: Things) -> None:
    put(store, MERGED, things(("a", "old", 1), ("b", "kept", 5)))
    rows = fit_to_table(things(("a", "new", 2), ("c", "first", 1)), MERGED, run_id="run-2")
    with store.batch(MERGED, rows) as batch:
        foreseen = store.after(batch).localCheckpoint()
        store.write(batch, Stamp("a_job", "run-2", 2))
    assert_df_equality(
        foreseen.drop("notes"), store.read(MERGED).drop("notes"), ignore_row_order=True, ignore_nullable=True
    )


def test_a_broken_check_is_named_and_its_row_is_not_shown(store: DeltaStore, things: Things) -> None:
    with pytest.raises(ContractError, match=r"silver\.thing: a row breaks CHECK label_is_short") as caught:
        put(store, MERGED, things(("a", "Somchai-Secret", 1)))
    assert "Secret" not in str(caught.value)
    assert content(store, MERGED).isEmpty()


def test_two_rows_of_one_key_are_refused(store: DeltaStore, things: Things) -> None:
    put(store, MERGED, things(("a", "x", 1)))
    with pytest.raises(ContractError, match=r"silver\.thing: two rows share a key"):
        put(store, MERGED, things(("a", "y", 2), ("a", "z", 3)), 2)


def test_changes_since_a_version_are_the_changed_rows(store: DeltaStore, things: Things) -> None:
    put(store, MERGED, things(("a", "old", 1), ("b", "kept", 1)))
    since = store.version(MERGED)
    put(store, MERGED, things(("a", "new", 2), ("c", "first", 1)), 2)
    changes = store.changes(MERGED, since, store.version(MERGED))
    found = {(row.thing_id, row.label, row._change_type) for row in changes.collect()}
    assert found == {("a", "old", "update_preimage"), ("a", "new", "update_postimage"), ("c", "first", "insert")}


def test_changes_of_a_replaced_table_are_refused(store: DeltaStore, things: Things) -> None:
    put(store, REPLACED, things(("a", "x", 1)))
    with pytest.raises(StorageError, match=r"gold.thing is replaced whole.*compare two versions"):
        store.changes(REPLACED, 0, 1)


def test_a_replaced_table_takes_a_new_shape_with_its_rows(store: DeltaStore, things: Things) -> None:
    put(store, REPLACED, things(("a", "x", 1)))
    wider = replace(REPLACED, columns=(*REPLACED.columns, number("size_count", "How big.")))
    put(store, wider, things(("a", "x", 1)).withColumn("size_count", F.lit(3)), 2)
    assert store.read(wider).select("size_count").collect()[0][0] == 3


def test_personal_columns_leave_no_statistics_in_the_log(store: DeltaStore, things: Things) -> None:
    put(store, MERGED, things(("a", "Somchai", 1)))
    log = Path(store.path(MERGED)) / "_delta_log"
    assert not any("Somchai" in file.read_text() for file in log.glob("*.json"))


@pytest.mark.parametrize("table", [MERGED, REPLACED], ids=lambda table: table.name)
def test_versions_of_long_ago_can_be_read(store: DeltaStore, things: Things, table: Table) -> None:
    """Delta tidies its log with every tenth commit; a table from before the contract kept it learns to."""
    put(store, table, things(("a", "first", 1)))
    path = Path(store.path(table))
    kept = f"ALTER TABLE delta.`{path}` UNSET TBLPROPERTIES ('delta.logRetentionDuration')"
    things().sparkSession.sql(kept)
    first = store.version(table)
    put(store, table, things(("a", "second", 2)), 2)
    assert "delta.logRetentionDuration" in deltalake.DeltaTable(path).metadata().configuration
    long_ago = datetime.now(UTC).timestamp() - 100 * 86_400
    for run in range(3, 14):
        for age, file in enumerate(sorted((path / "_delta_log").glob("*.json"))):
            os.utime(file, (long_ago + age, long_ago + age))
        put(store, table, things(("a", f"later {run}", run)), run)
    assert list((path / "_delta_log").glob("*.checkpoint*.parquet")), "the log was tidied"
    assert [row["label"] for row in store.read(table, first).collect()] == ["first"]


def test_any_delta_reader_opens_gold(store: DeltaStore, things: Things) -> None:
    put(store, REPLACED, things(("a", "x", 1)))
    put(store, REPLACED, things(("a", "y", 1), ("b", "x", 1)), 2)
    assert deltalake.DeltaTable(store.path(REPLACED)).to_pyarrow_table().num_rows == 2


def test_a_frame_that_does_not_fit_names_every_column(things: Things) -> None:
    frame = things(("a", "x", 1)).withColumnRenamed("label", "lable")
    with pytest.raises(ContractError, match=r"silver.thing: missing \['label'\], unexpected \['lable'\]"):
        fit_to_table(frame, MERGED, run_id="run")


def test_a_changed_contract_reaches_the_stored_table(store: DeltaStore, things: Things) -> None:
    put(store, APPENDED, things(("a", "x", 1)))
    wider = replace(APPENDED, columns=(*APPENDED.columns, number("size_count", "How big.")), checks=())
    put(store, wider, things(("b", "longer than ten", 1)).withColumn("size_count", F.lit(3)), 2)
    found = {(row.thing_id, row.size_count) for row in store.read(wider).collect()}
    assert found == {("a", None), ("b", 3)}
    with pytest.raises(ContractError, match=r"bronze\.thing: stored rows already break the new CHECK label_is"):
        put(store, APPENDED, things(("c", "x", 1)), 3)


def test_a_column_that_the_contract_no_longer_requires_may_be_null(store: DeltaStore, things: Things) -> None:
    strict = replace(
        APPENDED,
        columns=tuple(
            text("label", "What it is called.", required=True) if one.name == "label" else one
            for one in (*APPENDED.columns, text("colour", "How it looks.", required=True))
        ),
    )
    put(store, strict, things(("a", "x", 1)).withColumn("colour", F.lit("red")))

    put(store, APPENDED, things(("b", None, 1)), 2)

    assert {(row.thing_id, row.label) for row in store.read(APPENDED).collect()} == {("a", "x"), ("b", None)}


def test_a_check_that_compares_with_a_null_refuses_nothing(store: DeltaStore, things: Things) -> None:
    compared = replace(
        APPENDED,
        columns=tuple(
            number("changed", "Rises.", required=True, check="changed >= length(label)")
            if one.name == "changed"
            else one
            for one in APPENDED.columns
        ),
    )
    put(store, compared, things(("a", None, 1)))

    assert content(store, compared).collect() == [("a", None, 1)]
    with pytest.raises(ContractError, match="a row breaks CHECK changed_check"):
        put(store, compared, things(("b", "long", 1)), 2)


def test_a_stored_column_keeps_its_type(store: DeltaStore, things: Things) -> None:
    put(store, APPENDED, things(("a", "x", 1)))
    changed = replace(
        APPENDED,
        columns=tuple(text("changed", "A text now.") if one.name == "changed" else one for one in APPENDED.columns),
    )
    with pytest.raises(ContractError, match="changed was bigint, is now string"):
        put(store, changed, things(("b", "x", 1)), 2)
