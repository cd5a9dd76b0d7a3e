"""Pairs compared and weighed by workers that hold all records, and by joins: one answer."""

from dataclasses import replace

import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, functions as F, SparkSession

from cdp_lib.settings.matching import Matching
from cdp_lib.transforms.identity.comparable import comparable_records
from cdp_lib.transforms.identity.held_records import held_columns, HeldRecords
from cdp_lib.transforms.identity.scoring import held_term_counts, term_counts
from jobs.matching import comparing
from jobs.matching.comparing import ByJoins, ByLookup, comparer, workers_at_once
from jobs.matching.matchers import Unkept
from jobs.matching.weighing import weigh_all
from tests.integration.people import customer_records, simulated

MATCHING = Matching()
ONE_EACH = Matching(one_record_per_source=("contacts", "loyalty_member"))


@pytest.fixture(scope="module")
def records(spark: SparkSession) -> DataFrame:
    return customer_records(spark, simulated(800)).cache()


def in_order(pairs: DataFrame) -> pa.Table:
    return pairs.drop("model_version").toArrow().sort_by([("record_l", "ascending"), ("record_r", "ascending")])


@pytest.mark.parametrize("matching", [MATCHING, ONE_EACH], ids=["any", "one_each"])
def test_records_that_workers_hold_and_records_that_are_joined_give_the_same_pairs(
    records: DataFrame, matching: Matching, monkeypatch: pytest.MonkeyPatch
) -> None:
    with weigh_all(records, matching, Unkept()) as held:
        assert held.named is not None
        matcher = held.named.matcher
        looked_up = in_order(held.pairs)
    monkeypatch.setattr(comparing, "HELD_AT_MOST", 799)
    with weigh_all(records, matching, Unkept(matcher)) as joined:
        assert in_order(joined.pairs).equals(looked_up)
    assert looked_up.num_rows > 100


def test_rules_that_are_not_used_bring_nobody_together_either_way(
    records: DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    with weigh_all(records, MATCHING, Unkept()) as trained:
        assert trained.named is not None
        every = trained.named.matcher
    some = replace(every, caps=tuple(cap if place % 3 else 0 for place, cap in enumerate(every.caps)))
    with weigh_all(records, MATCHING, Unkept(some)) as held:
        looked_up = in_order(held.pairs)
    monkeypatch.setattr(comparing, "HELD_AT_MOST", 799)
    with weigh_all(records, MATCHING, Unkept(some)) as joined:
        assert in_order(joined.pairs).equals(looked_up)
    used = {rule.name for rule, cap in zip(MATCHING.blocking, some.caps, strict=True) if cap}
    assert set(looked_up["blocking_rule"].to_pylist()) <= used


@pytest.mark.parametrize("most", [0, 3, 10_000])
def test_values_are_counted_alike_by_numpy_and_by_spark(records: DataFrame, most: int) -> None:
    matching = MATCHING.model_copy(update={"max_terms": most})
    comparable = comparable_records(records, matching).withColumn("national_id", F.lit(None).cast("string"))
    order = [("field", "ascending"), ("term", "ascending")]
    by_spark = term_counts(comparable, matching).toArrow().sort_by(order)
    held = HeldRecords(held_columns(comparable, matching).toArrow())
    assert (
        held_term_counts(held, matching).sort_by(order).equals(by_spark.cast(held_term_counts(held, matching).schema))
    )
    assert "national_id" not in by_spark["field"].to_pylist()


@pytest.mark.parametrize(
    ("master", "executor_cores", "workers"),
    [("local[4]", "1", 16), ("spark://host:7077", "4", 4), ("spark://host:7077", None, 16), ("yarn", None, 1)],
)
def test_as_many_workers_hold_records_as_an_executor_has_cores(
    master: str, executor_cores: str | None, workers: int
) -> None:
    assert workers_at_once(master, executor_cores, 16) == workers


@pytest.mark.parametrize("matching", [MATCHING, ONE_EACH], ids=["any", "one_each"])
def test_learning_by_joins_gives_the_same_matcher(
    records: DataFrame, matching: Matching, monkeypatch: pytest.MonkeyPatch
) -> None:
    with weigh_all(records, matching, Unkept()) as held:
        looked_up = held.named
    monkeypatch.setattr(comparing, "HELD_AT_MOST", 799)
    with weigh_all(records, matching, Unkept()) as joined:
        assert joined.named == looked_up


@pytest.mark.parametrize(("each", "together"), [(10, 8_000_000), (2_000_000, 21)], ids=["each", "together"])
def test_above_a_number_of_records_workers_do_not_hold_them(
    records: DataFrame, monkeypatch: pytest.MonkeyPatch, each: int, together: int
) -> None:
    """Two cores: two workers hold 11 records each, which is one more than may be held, alone or together."""
    monkeypatch.setattr(comparing, "HELD_AT_MOST", each)
    monkeypatch.setattr(comparing, "HELD_TOGETHER", together)
    comparable = comparable_records(records.limit(3), MATCHING)
    assert records.sparkSession.sparkContext.defaultParallelism == 2
    with (
        comparer(comparable, MATCHING, record_count=10) as few,
        comparer(comparable, MATCHING, record_count=11) as many,
    ):
        assert (type(few), type(many)) == (ByLookup, ByJoins)


def test_records_whose_numbers_meet_by_chance_are_joined(records: DataFrame) -> None:
    one = comparable_records(records.limit(1), MATCHING)
    with comparer(one.unionByName(one), MATCHING, record_count=2) as found:
        assert isinstance(found, ByJoins)
