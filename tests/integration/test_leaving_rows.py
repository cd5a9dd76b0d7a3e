"""Rows leave a merged table in the commit that brings the others, and only those that are there and not given."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import deltalake
import pytest
from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession

from cdp_lib.contracts.table import MergeByKey
from cdp_lib.errors import ContractError
from cdp_lib.io.conform import fit_to_table
from cdp_lib.io.store import DeltaStore, Stamp
from tests.integration.test_store import APPENDED, MERGED, put, REPLACED, store, Things, things

__all__ = ["store", "things"]

Keys = Callable[..., DataFrame]
Found = set[tuple[Any, ...]]


@pytest.fixture
def keys(spark: SparkSession) -> Keys:
    return lambda *given: spark.createDataFrame([(key,) for key in given], "thing_id string")


@pytest.fixture
def abc(store: DeltaStore, things: Things) -> DeltaStore:
    put(store, MERGED, things(("a", "old", 2), ("b", "kept", 2), ("c", "kept", 2)))
    return store


def found(store: DeltaStore) -> Found:
    return {tuple(row) for row in store.read(MERGED).select("thing_id", "label", "changed").collect()}


def last_operation(store: DeltaStore) -> str:
    return str(deltalake.DeltaTable(store.path(MERGED)).history(1)[0]["operation"])


def test_rows_leave_in_the_commit_that_changes_and_adds_others(abc: DeltaStore, things: Things, keys: Keys) -> None:
    before = abc.version(MERGED)
    version = put(abc, MERGED, things(("a", "new", 3), ("d", "first", 1)), 2, gone=keys("b", "b", "nobody"))
    assert version == before + 1
    assert found(abc) == {("a", "new", 3), ("c", "kept", 2), ("d", "first", 1)}
    changes = abc.changes(MERGED, before, version).select("thing_id", "label", "_change_type").collect()
    assert {tuple(row) for row in changes} == {
        ("a", "old", "update_preimage"),
        ("a", "new", "update_postimage"),
        ("b", "kept", "delete"),
        ("d", "first", "insert"),
    }


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ([], {("a", "old", 2), ("c", "kept", 2)}),
        ([("a", "new", 3)], {("a", "new", 3), ("c", "kept", 2)}),
        ([("d", "first", 1)], {("a", "old", 2), ("c", "kept", 2), ("d", "first", 1)}),
    ],
    ids=["alone", "with a changed row", "with a new row"],
)
def test_a_row_leaves(abc: DeltaStore, things: Things, keys: Keys, given: list[Any], left: Found) -> None:
    put(abc, MERGED, things(*given), 2, gone=keys("b"))
    assert found(abc) == left


def test_a_given_row_takes_the_place_of_one_that_leaves_newer_or_not(
    abc: DeltaStore, things: Things, keys: Keys
) -> None:
    given = things(("a", "new", 3), ("b", "late", 1), ("c", "late", 1), ("d", "first", 1))
    put(abc, MERGED, given, 2, gone=keys("a", "b", "d"))
    assert found(abc) == {("a", "new", 3), ("b", "late", 1), ("c", "kept", 2), ("d", "first", 1)}


def test_keys_that_are_given_unchanged_or_unknown_make_no_commit(abc: DeltaStore, things: Things, keys: Keys) -> None:
    before = abc.version(MERGED)
    assert put(abc, MERGED, things(("a", "old", 2)), 2, gone=keys("a", "nobody")) is None
    assert put(abc, MERGED, things(), 3, gone=keys("nobody", None)) is None
    assert put(abc, MERGED, things(), 4, gone=keys()) is None
    assert abc.version(MERGED) == before


def test_new_rows_are_appended_where_nothing_leaves(abc: DeltaStore, things: Things, keys: Keys) -> None:
    put(abc, MERGED, things(("d", "first", 1)), 2, gone=keys("nobody"))
    assert last_operation(abc) == "WRITE"
    put(abc, MERGED, things(("e", "first", 1)), 3, gone=keys("d"))
    assert last_operation(abc) == "MERGE"


def test_nothing_leaves_a_table_that_does_not_exist(store: DeltaStore, things: Things, keys: Keys) -> None:
    assert put(store, MERGED, things(("a", "x", 1)), gone=keys("a", "b")) is not None
    assert found(store) == {("a", "x", 1)}


def test_a_merge_that_a_killed_run_made_is_not_made_twice(abc: DeltaStore, things: Things, keys: Keys) -> None:
    version = put(abc, MERGED, things(("a", "new", 3)), 7, gone=keys("b"))
    assert put(abc, MERGED, things(), 7, gone=keys("c")) == version
    with abc.batch(MERGED, fit_to_table(things(), MERGED, run_id="run"), gone=keys("c")) as batch:
        assert [abc.is_written(batch, Stamp("a_job", "run", number)) for number in (7, 8)] == [True, False]
    put(abc, MERGED, things(), 8, gone=keys("c"))
    assert found(abc) == {("a", "new", 3)}


def test_marks_of_a_merge_do_not_stay_in_the_session(
    abc: DeltaStore, things: Things, keys: Keys, spark: SparkSession
) -> None:
    spark.conf.set("spark.sql.join.preferSortMergeJoin", "true")
    put(abc, MERGED, things(("a", "new", 3)), 2, gone=keys("b"))
    assert spark.conf.get("spark.databricks.delta.write.txnAppId", None) is None
    assert spark.conf.get("spark.sql.join.preferSortMergeJoin") == "true"
    spark.conf.unset("spark.sql.join.preferSortMergeJoin")


def test_a_broken_check_keeps_the_rows_that_were_to_leave(abc: DeltaStore, things: Things, keys: Keys) -> None:
    before = found(abc)
    with pytest.raises(ContractError, match=r"silver\.thing: a row breaks CHECK label_is_short") as caught:
        put(abc, MERGED, things(("a", "Somchai-Secret", 3)), 2, gone=keys("b"))
    assert "Secret" not in str(caught.value)
    assert found(abc) == before


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("given", [[], [("a", "new", 3), ("d", "first", 1)]], ids=["alone", "with rows"])
def test_the_view_after_is_the_table_without_the_rows_that_leave(
    abc: DeltaStore, things: Things, keys: Keys, given: list[Any], kept: bool
) -> None:
    rows = fit_to_table(things(*given), MERGED, run_id="run-2")
    with abc.batch(MERGED, rows, gone=keys("b", "nobody"), kept=kept) as batch:
        foreseen = abc.after(batch).localCheckpoint()
        assert (batch.row_count, batch.gone_count, batch.change_count) == (len(given), 1, len(given) + 1)
        abc.write(batch, Stamp("a_job", "run-2", 2))
    stored = abc.read(MERGED).drop("notes")
    assert_df_equality(foreseen.drop("notes"), stored, ignore_row_order=True, ignore_nullable=True)


def test_only_a_merge_takes_rows_out(store: DeltaStore, things: Things, keys: Keys) -> None:
    with pytest.raises(ContractError, match=r"silver\.thing: gone rows were given, but this write replaces the whole"):
        put(store, MERGED, things(("a", "x", 1)), gone=keys("b"), whole=True)
    for table in (APPENDED, REPLACED):
        with pytest.raises(ContractError, match=rf"{table.name}: gone rows.*mode is {type(table.write).__name__}"):
            put(store, table, things(("a", "x", 1)), gone=keys("b"))


def test_rows_leave_by_their_key_alone(abc: DeltaStore, things: Things) -> None:
    with pytest.raises(
        ContractError, match=r"silver\.thing: gone rows.*missing \['thing_id'\], unexpected \['label'\]"
    ):
        put(abc, MERGED, things(), gone=things(("b", "kept", 2)).select("label"))


def test_without_an_order_every_row_that_differs_replaces(abc: DeltaStore, things: Things) -> None:
    for mode in (MergeByKey(), MergeByKey(newest_by=("thing_id",))):
        table = replace(MERGED, name="silver.plain", write=mode)
        put(abc, table, things(("a", "x", 5), ("b", "x", 5)), 1)
        put(abc, table, things(("a", "y", 1)), 2)
        assert {tuple(row) for row in abc.read(table).select("thing_id", "label").collect()} == {("a", "y"), ("b", "x")}
        assert put(abc, table, things(("a", "y", 1), ("b", "x", 5)), 3) is None
