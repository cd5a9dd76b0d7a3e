"""The pairs that people should judge: the most uncertain first, in words, no more than asked for."""

from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession, types as T

from cdp_lib.contracts.identity import IDENTITY_LINK
from cdp_lib.contracts.matching import match_pair, REVIEW_PAIR
from cdp_lib.settings.matching import BlockingRule, Comparison, Matching
from cdp_lib.transforms.identity.review import review_pairs
from tests.unit.identity.steps import by_hash, day, frame, id_of, LINK_SCHEMA, SOURCE

THRESHOLD = 10.0
MATCHING = Matching(
    blocking=(BlockingRule(on=("email",)),),
    comparisons=(Comparison(field="email", kind="email"), Comparison(field="birth_date", kind="birth_date")),
    review_bits=5.0,
    review_pairs=3,
)
PAIR = match_pair(MATCHING)
DECISIONS = T.StructType(
    [
        T.StructField("record_l", T.BinaryType()),
        T.StructField("record_r", T.BinaryType()),
        T.StructField("is_link", T.BooleanType()),
    ]
)


def pair(one: str, other: str, weight: float, **more: Any) -> dict[str, Any]:
    left, right = by_hash(one, other)
    filled = {"blocking_rule": "email", "email_level": 4, "match_probability": 0.5, "is_vetoed": False}
    filled |= {"model_version": "gym-match/1", "_run_id": "r"}
    return {**filled, "record_l": id_of(left), "record_r": id_of(right), "match_weight": weight, **more}


def links(spark: SparkSession, *groups: str) -> DataFrame:
    """Records by person."""
    rows = [
        {"source_system": SOURCE, "source_record_id": record, "golden_id": f"person {group}", "linked_at": day(1)}
        for group in groups
        for record in group.split()
    ]
    return frame(spark, rows, LINK_SCHEMA)


def decided(spark: SparkSession, *pairs: str) -> DataFrame:
    keys = [[bytes.fromhex(id_of(record)) for record in by_hash(*one.split())] for one in pairs]
    return frame(spark, [{"record_l": left, "record_r": right, "is_link": True} for left, right in keys], DECISIONS)


def review(spark: SparkSession, *pairs: dict[str, Any], judged: tuple[str, ...] = (), **settings: Any) -> list[dict]:
    """The pairs put to people, in their order."""
    found = review_pairs(
        frame(spark, pairs, PAIR.schema()),
        links(spark, "a b", "c", "d", "e", "f"),
        decided(spark, *judged),
        MATCHING.model_copy(update=settings),
        threshold=THRESHOLD,
    )
    assert set(found.columns) == set(REVIEW_PAIR.content_columns)
    return sorted(found.toArrow().to_pylist(), key=lambda row: row["place"])


def names(rows: list[dict]) -> list[str]:
    return [" ".join(sorted(row[f"source_record_id_{side}"] for side in "lr")) for row in rows]


def test_the_nearest_to_the_threshold_come_first_from_either_side_and_no_more_than_asked(spark: SparkSession) -> None:
    rows = review(
        spark, pair("a", "b", 12.0), pair("a", "c", 9.5), pair("a", "d", 14.9), pair("a", "e", 6.0), pair("a", "f", 4.9)
    )
    assert names(rows) == ["a c", "a b", "a e"]
    assert [row["place"] for row in rows] == [1, 2, 3]


def test_pairs_too_far_vetoed_or_judged_are_left_out_and_make_room_for_others(spark: SparkSession) -> None:
    rows = review(
        spark,
        pair("a", "b", 10.0),
        pair("a", "c", 10.0, is_vetoed=True),
        pair("a", "d", 15.1),
        pair("a", "e", 15.0),
        pair("a", "f", 5.0),
        judged=("b a", "c d"),
    )
    assert sorted(names(rows)) == ["a e", "a f"]


def test_a_row_says_who_is_meant_how_well_they_agree_and_whether_they_are_one_person(spark: SparkSession) -> None:
    together, apart = review(spark, pair("a", "b", 10.0, birth_date_level=3), pair("c", "d", 10.5, email_level=None))
    left, right = by_hash("a", "b")
    assert together == {
        "place": 1,
        "record_l": id_of(left),
        "record_r": id_of(right),
        "source_system_l": SOURCE,
        "source_record_id_l": left,
        "source_system_r": SOURCE,
        "source_record_id_r": right,
        "blocking_rule": "email",
        "agreement": [("email", "same"), ("birth_date", "one slip of the key")],
        "match_weight": 10.0,
        "match_probability": 0.5,
        "is_together": True,
        "model_version": "gym-match/1",
    }
    assert (apart["is_together"], apart["agreement"]) == (False, [])


def test_equally_uncertain_pairs_are_ordered_by_their_records_whatever_the_order_of_rows(spark: SparkSession) -> None:
    pairs = [pair("a", "b", 11.0), pair("c", "d", 9.0), pair("e", "f", 11.0)]
    expected = sorted(pairs, key=lambda one: (one["record_l"], one["record_r"]))
    for order in (pairs, pairs[::-1]):
        assert [row["record_l"] for row in review(spark, *order)] == [one["record_l"] for one in expected]


def test_a_pair_of_a_record_that_no_link_knows_is_left_out_without_a_gap(spark: SparkSession) -> None:
    rows = review(spark, pair("a", "unknown", 10.0), pair("a", "b", 11.0))
    assert [(row["place"], name) for row, name in zip(rows, names(rows), strict=True)] == [(1, "a b")]


@pytest.mark.parametrize("asked", [0, 3])
def test_without_pairs_or_with_none_asked_for_the_list_is_empty(spark: SparkSession, asked: int) -> None:
    given = [pair("a", "b", 10.0)] if asked == 0 else []
    assert review(spark, *given, review_pairs=asked) == []


def test_the_links_may_carry_what_their_table_has(spark: SparkSession) -> None:
    assert set(LINK_SCHEMA.names) == set(IDENTITY_LINK.content_columns)
