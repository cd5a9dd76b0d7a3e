"""Which pairs are looked at: keys, caps, what is reported, and strangers."""

from datetime import date

import pyarrow as pa
import pytest
from chispa import assert_df_equality
from pyspark.sql import functions as F

from cdp_lib.contracts.silver import CUSTOMER_RECORD
from cdp_lib.models.identity.matcher import rule_rows
from cdp_lib.settings.matching import BlockingRule, Matching
from cdp_lib.transforms.identity.blocking import (
    block_keys,
    block_sizes,
    candidate_and_random_pairs,
    candidate_pairs,
    choose_caps,
    with_block_keys,
    with_strangers,
)
from cdp_lib.transforms.identity.comparable import comparable_records
from tests.builders import rows
from tests.unit.identity.steps import hash_of, id_of

MATCHING = Matching(blocking=(BlockingRule(on=("email",)), BlockingRule(on=("last_name", "birth_date"))))
NO_CAP = (300, 300)
PAIRS_SCHEMA = "record_l binary, record_r binary, rule int"


def _comparable(spark, *given, matching=MATCHING):
    """Records a, b, c, ... in order."""
    named = [{"source_system": "crm", "source_record_id": chr(97 + place)} | row for place, row in enumerate(given)]
    return comparable_records(rows(spark, CUSTOMER_RECORD, *named), matching)


def _pairs(spark, *expected):
    ordered = [(*sorted(bytes.fromhex(id_of(name)) for name in pair), rule) for *pair, rule in expected]
    return spark.createDataFrame([(bytearray(a), bytearray(b), rule) for a, b, rule in ordered], PAIRS_SCHEMA)


def _assert_same(actual, expected):
    assert_df_equality(actual, expected, ignore_row_order=True, ignore_nullable=True)


def _candidates(comparable, *, matching=MATCHING, caps=NO_CAP):
    return candidate_pairs(block_keys(comparable, matching, caps), caps)


def _candidates_and_strangers(comparable, *, matching=MATCHING, caps=NO_CAP):
    keyed = with_strangers(with_block_keys(comparable, matching), matching, record_count=comparable.count())
    return candidate_and_random_pairs(keyed, matching, caps)


def test_records_meet_by_any_rule_and_a_pair_names_the_first(spark):
    comparable = _comparable(
        spark,
        {"email": "x@a.test", "last_name": "Ray", "attributes": None},
        {"email": "X@a.test", "last_name": "Ray"},
        {"email": "y@a.test", "last_name": "Ray"},
    )

    _assert_same(_candidates(comparable), _pairs(spark, ("a", "b", 0)))


def test_a_null_in_a_rule_meets_nobody(spark):
    comparable = _comparable(spark, {"last_name": "Ray"}, {"last_name": "Ray"})

    _assert_same(_candidates(comparable), _pairs(spark))


def test_a_pair_that_two_rules_find_stands_once(spark):
    born = date(1980, 2, 3)
    person = {"email": "x@a.test", "last_name": "Ray", "birth_date": born}
    comparable = _comparable(spark, person, person, {"last_name": "ray", "birth_date": born})

    expected = _pairs(spark, ("a", "b", 0), ("a", "c", 1), ("b", "c", 1))
    _assert_same(_candidates(comparable), expected)


def test_a_placeholder_on_many_records_brings_nobody_together_and_is_reported(spark):
    comparable = _comparable(spark, *[{"email": "none@a.test"}] * 5, {"email": "x@a.test"}, {"email": "x@a.test"})
    sizes = block_sizes(block_keys(comparable, MATCHING)).toArrow()

    _assert_same(_candidates(comparable, caps=(4, 4)), _pairs(spark, ("f", "g", 0)))
    by_email, by_birthday = rule_rows(sizes, [rule.name for rule in MATCHING.blocking], (4, 4))
    assert by_email == {
        "blocking_rule": "email",
        "max_records": 4,
        "block_count": 2,
        "dropped_block_count": 1,
        "dropped_record_count": 5,
    }
    assert (by_birthday["block_count"], by_birthday["dropped_block_count"]) == (0, 0)


def test_two_records_of_a_source_that_lists_everybody_once_are_not_compared(spark):
    matching = MATCHING.model_copy(update={"one_record_per_source": ("crm",)})
    comparable = _comparable(
        spark,
        {"email": "x@a.test"},
        {"email": "x@a.test"},
        {"email": "x@a.test", "source_system": "till"},
        matching=matching,
    )

    found = _candidates(comparable, matching=matching)

    till = bytes.fromhex(hash_of("c", "till")[:32])
    pairs = [(*sorted((bytes.fromhex(id_of(name)), till)), 0) for name in ("a", "b")]
    _assert_same(found, spark.createDataFrame([(bytearray(a), bytearray(b), 0) for a, b, _ in pairs], PAIRS_SCHEMA))


def test_rows_shuffled_over_other_partitions_give_the_same_pairs(spark):
    people = [{"email": f"{place % 4}@a.test"} for place in range(12)]
    comparable = _comparable(spark, *people)

    shuffled = comparable.orderBy(F.xxhash64("record_key")).repartition(5)

    _assert_same(_candidates(shuffled), _candidates(comparable))


def _sizes(*given):
    return pa.table(dict(zip(("rule", "record_count", "block_count"), zip(*given, strict=True), strict=True)))


@pytest.mark.parametrize(
    ("sizes", "caps"),
    [
        (((0, 2, 10), (0, 9, 1)), (9, 0)),
        # 10 + 36 + 66 pairs are more than 100: the largest block is left out.
        (((0, 2, 10), (0, 9, 1), (0, 12, 1)), (9, 0)),
        # Most records of the second rule stand in blocks that would make too many pairs.
        (((0, 2, 10), (1, 2, 3), (1, 40, 1)), (2, 0)),
    ],
)
def test_caps_keep_the_smallest_blocks_and_leave_out_a_rule_too_loose_for_so_many(sizes, caps):
    small = MATCHING.model_copy(update={"least_pairs": 100})

    assert choose_caps(_sizes(*sizes), small, record_count=50) == caps


def test_a_rule_never_exceeds_its_own_limit():
    strict = Matching(blocking=(BlockingRule(on=("email",), max_records=5),))

    assert choose_caps(_sizes((0, 5, 10), (0, 6, 1)), strict, record_count=50) == (5,)


def test_sizes_of_some_keys_stand_for_all(spark):
    people = [{"email": f"{place // 2}@a.test"} for place in range(400)]
    keys = block_keys(_comparable(spark, *people), MATCHING)

    (row,) = block_sizes(keys, one_in=4).collect()

    assert (row["rule"], row["record_count"]) == (0, 2)
    assert row["block_count"] == pytest.approx(200, rel=0.35)


def test_few_records_are_all_strangers_to_each_other(spark):
    comparable = _comparable(spark, *[{"email": f"{place // 2}@a.test"} for place in range(5)])

    found = _candidates_and_strangers(comparable)

    together = {("a", "b"), ("c", "d")}
    every = [(a, b) for place, a in enumerate("abcde") for b in "abcde"[place + 1 :]]
    expected = _pairs(spark, *[(*pair, 0 if pair in together else None) for pair in every])
    _assert_same(found.drop("is_random"), expected)
    assert {row["is_random"] for row in found.collect()} == {True}


def test_a_rule_that_is_not_used_brings_nobody_together_but_by_chance(spark):
    people = [
        {"email": f"{place % 2}@a.test", "last_name": "Ray", "birth_date": date(1980, 2, 3)} for place in range(3)
    ]
    found = _candidates_and_strangers(_comparable(spark, *people), caps=(0, 300))

    _assert_same(found.drop("is_random"), _pairs(spark, ("a", "b", 1), ("a", "c", 1), ("b", "c", 1)))


def test_about_so_many_pairs_are_drawn_as_asked_and_candidates_are_all_there(spark):
    matching = MATCHING.model_copy(update={"random_pairs": 1_000})
    people = [{"email": f"{place // 2}@a.test"} for place in range(1_000)]
    comparable = _comparable(spark, *[row | {"source_record_id": f"{place:04}"} for place, row in enumerate(people)])

    found = _candidates_and_strangers(comparable, matching=matching).cache()

    drawn = found.where("is_random").count()
    assert drawn == pytest.approx(2_016, rel=0.35)
    assert found.where("rule = 0").count() == 500
    assert found.count() == found.where("is_random OR rule IS NOT NULL").count() < 500 + drawn + 1
