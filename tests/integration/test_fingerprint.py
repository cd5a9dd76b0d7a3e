"""Equal content has one fingerprint, whatever its order; what differs by a null or a place has another."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from cdp_lib.contracts.table import Column, number, ReplaceAll, Table, text
from cdp_lib.io.fingerprint import fingerprint

TABLE = Table(
    name="gold.thing",
    purpose="One row per thing.",
    key=("thing_id",),
    columns=(
        text("thing_id", "Its id."),
        text("label", "A text."),
        text("nickname", "Another."),
        number("size_count", "A number."),
        Column("parts", "array<string>", "A list."),
        Column("notes", "map<string,timestamp>", "A map."),
        text("_run_id", "Run."),
    ),
    write=ReplaceAll(),
)
Row = tuple[Any, ...]
Frame = Callable[..., DataFrame]
ONE: Row = ("a", None, "x", 1, ["x", None], {}, "run-1")
TWO: Row = ("b", "b", "b", None, None, None, "run-1")


@pytest.fixture
def frame(spark: SparkSession) -> Frame:
    return lambda *rows: spark.createDataFrame(list(rows), TABLE.schema())


def test_order_partitions_and_lineage_do_not_matter(frame: Frame) -> None:
    again = frame((*TWO[:-1], "run-2"), (*ONE[:-1], "run-2")).repartition(3)
    assert fingerprint(frame(ONE, TWO), TABLE) == fingerprint(again, TABLE)


@pytest.mark.parametrize(
    "other",
    [
        (ONE,),
        (ONE, TWO, TWO),
        (ONE, ONE, TWO, TWO),
        (("a", "x", None, *ONE[3:]), TWO),
        (("a", "", *ONE[2:]), TWO),
        ((*ONE[:3], 2, *ONE[4:]), TWO),
        ((*ONE[:4], [None, "x"], *ONE[5:]), TWO),
        (ONE, (*TWO[:4], [], *TWO[5:])),
        (ONE, (*TWO[:5], {}, "run-1")),
    ],
)
def test_what_differs_has_another(frame: Frame, other: tuple[Row, ...]) -> None:
    assert fingerprint(frame(ONE, TWO), TABLE) != fingerprint(frame(*other), TABLE)


def test_a_stored_hash_stands_for_the_row(frame: Frame) -> None:
    hashed = replace(TABLE, columns=(*TABLE.columns, text("_record_hash", "Content hash.")))
    rows = frame(ONE, TWO).selectExpr("*", "thing_id AS _record_hash")
    assert fingerprint(rows, hashed) == fingerprint(rows.drop("label"), hashed)
    assert fingerprint(rows, hashed) != fingerprint(rows.limit(1), hashed)


def test_an_empty_frame_has_one(frame: Frame) -> None:
    assert fingerprint(frame(), TABLE) == (0, 0, 0, 0, 0)
