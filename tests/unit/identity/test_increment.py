"""Whom a day's news concerns: no one too few, beside a plain computation of what changed."""

from collections.abc import Iterable
from itertools import combinations
from random import Random

import pytest
from pyspark.sql import DataFrame, SparkSession

from cdp_lib.io.caching import cached
from cdp_lib.settings.identity import Identity
from cdp_lib.transforms.identity.increment import (
    affected_records,
    pairs_to_compare,
    records_in,
    records_tied_anew,
    records_to_compare,
    with_bearers_of_own_names,
    with_one_of,
    within,
)
from cdp_lib.transforms.identity.pairing import RULE_BITS

CAPS = (3, 2)
IDENTITY = Identity.model_validate({"kind": "identity", "identifiers": [{"field": "card", "max_records": 3}]})

State = dict[int, tuple[int | None, int | None]]
"""Record: its block by either rule."""


def name(record: int) -> bytes:
    return record.to_bytes(16, "big")


def keys(spark: SparkSession, state: State, records: Iterable[int] | None = None) -> DataFrame:
    chosen = state if records is None else [record for record in records if record in state]
    rows = [
        (bytearray(name(record)), (block << RULE_BITS) | rule)
        for record in chosen
        for rule, block in enumerate(state[record])
        if block is not None
    ]
    return spark.createDataFrame(rows, "record_key binary, key bigint")


def records(spark: SparkSession, chosen: Iterable[int]) -> DataFrame:
    return spark.createDataFrame([(bytearray(name(record)),) for record in chosen], "record_key binary")


def numbers(frame: DataFrame) -> set[int]:
    return {int.from_bytes(row["record_key"], "big") for row in frame.collect()}


def pairs_of(state: State) -> dict[tuple[int, int], int]:
    """Each candidate pair and its first rule, by a plain loop."""
    found: dict[tuple[int, int], int] = {}
    for rule in (1, 0):
        blocks: dict[int, list[int]] = {}
        for record, of_rule in state.items():
            if of_rule[rule] is not None:
                blocks.setdefault(of_rule[rule], []).append(record)
        for members in blocks.values():
            if len(members) <= CAPS[rule]:
                found |= dict.fromkeys(combinations(sorted(members), 2), rule)
    return found


@pytest.mark.usefixtures("planned_anew")
def test_blocks_stay_whole_where_spark_changes_the_join_that_chose_their_keys(spark: SparkSession) -> None:
    state: State = {record: (record % 40, None) for record in range(120)}
    with cached(keys(spark, state).repartition(8, "record_key")) as spread:
        found = pairs_to_compare(spread, records(spark, range(0, 120, 3)), CAPS).count()

    assert found == sum(1 for left, right in pairs_of(state) if left % 3 == 0 or right % 3 == 0)


@pytest.mark.parametrize("seed", range(4))
def test_pairs_that_are_not_concerned_are_as_they_were_and_the_others_are_found(spark: SparkSession, seed: int) -> None:
    random = Random(seed)
    before: State = {record: (random.randrange(9), random.choice([None, 0, 1, 2, 3])) for record in range(1, 25)}
    now = dict(before)
    for record in random.sample(sorted(before), 3):
        now[record] = (random.randrange(9), random.choice([None, 0, 1, 2, 3]))
    for record in random.sample(sorted(before), 2):
        now.pop(record, None)
    now |= {record: (random.randrange(9), random.randrange(4)) for record in range(30, 34)}
    changed = sorted({record for record in before.keys() | now.keys() if before.get(record) != now.get(record)})

    concerned = numbers(
        records_to_compare(keys(spark, now), keys(spark, before, changed), records(spark, changed), CAPS)
    )
    found = pairs_to_compare(keys(spark, now), records(spark, concerned), CAPS)

    others_before = {pair: rule for pair, rule in pairs_of(before).items() if not concerned & set(pair)}
    others_now = {pair: rule for pair, rule in pairs_of(now).items() if not concerned & set(pair)}
    assert others_now == others_before
    fresh = {
        (int.from_bytes(row["record_l"], "big"), int.from_bytes(row["record_r"], "big")): row["rule"]
        for row in found.collect()
    }
    assert fresh == {pair: rule for pair, rule in pairs_of(now).items() if concerned & set(pair)}


def test_a_block_that_grows_over_its_cap_concerns_all_its_members(spark: SparkSession) -> None:
    now: State = {1: (7, None), 2: (7, None), 3: (7, None), 4: (7, None), 5: (8, None)}
    concerned = records_to_compare(keys(spark, now), keys(spark, {}), records(spark, [4]), CAPS)

    assert numbers(concerned) == {1, 2, 3, 4}


def test_a_block_that_stays_below_its_cap_concerns_the_new_record_alone(spark: SparkSession) -> None:
    now: State = {1: (7, None), 2: (7, None), 3: (7, None)}
    concerned = records_to_compare(keys(spark, now), keys(spark, {}), records(spark, [3]), CAPS)

    assert numbers(concerned) == {3}


def held(spark: SparkSession, cards: dict[int, str]) -> DataFrame:
    rows = [(bytearray(name(record)), 0, bytearray(card.encode())) for record, card in cards.items()]
    return spark.createDataFrame(rows, "record_key binary, identifier int, value_key binary")


def test_those_who_share_a_value_now_or_did_are_tied_anew(spark: SparkSession) -> None:
    now = held(spark, {1: "a", 2: "a", 3: "b", 4: "b", 5: "c"})
    before = held(spark, {1: "b"})

    assert numbers(records_tied_anew(now, before, records(spark, [1]), IDENTITY)) == {1, 2, 3, 4}


def test_a_value_that_ties_nobody_before_and_after_concerns_nobody(spark: SparkSession) -> None:
    now = held(spark, dict.fromkeys(range(1, 7), "front desk"))

    assert numbers(records_tied_anew(now, held(spark, {}), records(spark, [6]), IDENTITY)) == set()


def test_a_value_that_becomes_too_frequent_concerns_all_who_hold_it(spark: SparkSession) -> None:
    now = held(spark, dict.fromkeys(range(1, 5), "front desk"))

    assert numbers(records_tied_anew(now, held(spark, {}), records(spark, [4]), IDENTITY)) == {1, 2, 3, 4}


def test_a_component_is_affected_as_a_whole(spark: SparkSession) -> None:
    rows = [(bytearray(name(record)), component) for record, component in [(1, "x"), (2, "x"), (3, "y")]]
    links = spark.createDataFrame(rows, "record_key binary, component_id string")

    assert numbers(affected_records(records(spark, [1, 9]), links)) == {1, 2, 9}


def test_people_who_bear_an_affected_records_name_are_asked_too(spark: SparkSession) -> None:
    rows = [(bytearray(name(2)), name(1).hex()), (bytearray(name(3)), name(3).hex())]
    links = spark.createDataFrame(rows, "record_key binary, golden_id string")

    assert numbers(with_bearers_of_own_names(records(spark, [1]), links)) == {1, 2}


def test_pairs_are_chosen_by_one_or_both_records(spark: SparkSession) -> None:
    both = [(bytearray(name(1)), bytearray(name(2))), (bytearray(name(2)), bytearray(name(3)))]
    pairs = spark.createDataFrame(both, "record_l binary, record_r binary")

    assert with_one_of(pairs, records(spark, [1])).count() == 1
    assert numbers(records_in(within(pairs, records(spark, [2, 3])))) == {2, 3}
    assert with_one_of(pairs, records(spark, [])).columns == ["record_l", "record_r"]
