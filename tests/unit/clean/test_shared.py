"""Shared values: masked by count, given back, and kept right by looking at part of the records."""

import random
from collections.abc import Sequence

import pytest
from chispa import assert_df_equality
from pyspark.sql import DataFrame, functions as F, SparkSession

from cdp_lib.errors import ContractError
from cdp_lib.transforms.clean.shared import affected_by, mask_shared, unmask_shared

SCHEMA = (
    "source_system string, source_record_id string, email string, phone string, "
    "rejected array<struct<field: string, value: string, reason: string>>"
)
LIMITS = {"email": 1, "phone": 2}
Row = tuple[str, str | None, str | None]


def records(spark: SparkSession, rows: Sequence[Row]) -> DataFrame:
    """Rows of (record id, email, phone), nothing rejected."""
    return spark.createDataFrame([("crm", key, email, phone, []) for key, email, phone in rows], SCHEMA)


def assert_same(actual: DataFrame, expected: DataFrame) -> None:
    assert_df_equality(actual, expected, ignore_row_order=True, ignore_nullable=True)


def test_value_held_by_more_records_than_its_limit_is_nulled_and_noted(spark: SparkSession) -> None:
    given = records(
        spark, [("1", "a@x.org", "+661"), ("2", "a@x.org", "+661"), ("3", "b@x.org", "+662"), ("4", None, None)]
    )

    expected = spark.createDataFrame(
        [
            ("crm", "1", None, "+661", [("email", "a@x.org", "shared")]),
            ("crm", "2", None, "+661", [("email", "a@x.org", "shared")]),
            ("crm", "3", "b@x.org", "+662", []),
            ("crm", "4", None, None, []),
        ],
        SCHEMA,
    )
    assert_same(mask_shared(given, LIMITS), expected)


def test_notes_stay_in_order_of_field_among_earlier_ones(spark: SparkSession) -> None:
    early = [("birth_date", "soon", "invalid"), ("gender", "?", "placeholder")]
    rows = [("crm", str(number), "a@x.org", "+661", early) for number in range(3)]
    noted = [early[0], ("email", "a@x.org", "shared"), early[1], ("phone", "+661", "shared")]

    masked = mask_shared(spark.createDataFrame(rows, SCHEMA), LIMITS)

    assert_same(masked, spark.createDataFrame([("crm", str(number), None, None, noted) for number in range(3)], SCHEMA))


def test_nulls_are_no_shared_value(spark: SparkSession) -> None:
    given = records(spark, [(str(number), None, None) for number in range(5)])

    assert_same(mask_shared(given, LIMITS), given)


def test_one_record_in_several_rows_counts_once(spark: SparkSession) -> None:
    given = records(spark, [("1", "a@x.org", None)] * 4)

    assert_same(mask_shared(given, LIMITS), given)


def test_same_record_id_in_another_system_is_another_record(spark: SparkSession) -> None:
    given = spark.createDataFrame([("crm", "1", "a@x.org", None, []), ("pos", "1", "a@x.org", None, [])], SCHEMA)

    note = [("email", "a@x.org", "shared")]
    expected = spark.createDataFrame([("crm", "1", None, None, note), ("pos", "1", None, None, note)], SCHEMA)
    assert_same(mask_shared(given, LIMITS), expected)


def test_value_is_counted_in_its_own_field_only(spark: SparkSession) -> None:
    given = records(spark, [("1", "same", None), ("2", None, "same")])

    assert_same(mask_shared(given, LIMITS), given)


def test_no_limits_and_no_records_change_nothing(spark: SparkSession) -> None:
    given = records(spark, [("1", "a@x.org", None), ("2", "a@x.org", None)])

    assert_same(mask_shared(given, {}), given)
    assert_same(mask_shared(records(spark, []), LIMITS), records(spark, []))
    assert_same(affected_by(given, records(spark, []), ["email"]), records(spark, []))
    assert_same(affected_by(records(spark, []), given, ["email"]), records(spark, []))
    assert_same(affected_by(given, given, []), records(spark, []))


def test_unmask_gives_back_what_mask_took_and_mask_takes_it_again(spark: SparkSession) -> None:
    early = [("email", "n/a", "placeholder")]
    rows = [("crm", "1", "a@x.org", "+661", []), ("crm", "2", "a@x.org", "+661", []), ("crm", "3", None, "+661", early)]
    given = spark.createDataFrame(rows, SCHEMA)

    masked = mask_shared(given, LIMITS)

    assert_same(unmask_shared(masked), given)
    assert_same(mask_shared(unmask_shared(masked), LIMITS), masked)


def test_order_and_partitions_change_nothing(spark: SparkSession) -> None:
    given = records(spark, _random_rows(random.Random(3), 60))

    shuffled = given.orderBy(F.desc("source_record_id")).repartition(5)

    assert_same(mask_shared(shuffled, LIMITS), mask_shared(given.coalesce(1), LIMITS))


def test_value_that_falls_to_its_limit_again_is_given_back(spark: SparkSession) -> None:
    stored = mask_shared(
        records(spark, [("1", "a@x.org", None), ("2", "a@x.org", None), ("3", "b@x.org", None)]), LIMITS
    )
    changed = records(spark, [("2", "c@x.org", None)])

    affected = affected_by(changed, stored, ["email"])

    assert_same(affected, records(spark, [("1", "a@x.org", None)]))
    assert_same(
        mask_shared(changed.unionByName(affected), LIMITS),
        records(spark, [("1", "a@x.org", None), ("2", "c@x.org", None)]),
    )


def test_affected_record_keeps_the_mask_of_a_value_that_nobody_touched(spark: SparkSession) -> None:
    crowd = [(str(number), f"e{number}@x.org", "+661") for number in range(4)]
    stored = mask_shared(records(spark, crowd), LIMITS)
    changed = records(spark, [("9", "e0@x.org", None)])

    affected = affected_by(changed, stored, list(LIMITS))

    expected = spark.createDataFrame([("crm", "0", "e0@x.org", None, [("phone", "+661", "shared")])], SCHEMA)
    assert_same(affected, expected)


@pytest.mark.parametrize("seed", range(4))
def test_incremental_masking_equals_masking_everything(spark: SparkSession, seed: int) -> None:
    dice = random.Random(seed)
    current = {key: (email, phone) for key, email, phone in _random_rows(dice, 40)}
    stored = mask_shared(_of(spark, current), LIMITS)
    for _ in range(2):
        changes = {str(dice.randrange(50)): row[1:] for row in _random_rows(dice, dice.choice((1, 4, 12)))}
        current |= changes
        changed = _of(spark, changes)

        renewed = mask_shared(changed.unionByName(affected_by(changed, stored, list(LIMITS))), LIMITS)
        untouched = stored.join(renewed, ["source_system", "source_record_id"], "left_anti")
        stored = untouched.unionByName(renewed).localCheckpoint()

        assert_same(stored, mask_shared(_of(spark, current), LIMITS))


def test_erased_records_give_values_back_to_the_others(spark: SparkSession) -> None:
    stored = mask_shared(records(spark, [("1", "a@x.org", None), ("2", "a@x.org", None)]), LIMITS)
    gone = records(spark, [("2", None, None)])

    affected = affected_by(gone, stored, ["email"])

    assert_same(mask_shared(affected, LIMITS), records(spark, [("1", "a@x.org", None)]))


def test_counting_takes_one_shuffle_for_all_fields(spark: SparkSession, capsys: pytest.CaptureFixture[str]) -> None:
    mask_shared(records(spark, _random_rows(random.Random(1), 5)), LIMITS).explain()

    plan = capsys.readouterr().out.split("== Initial Plan ==")[0]
    shuffles = [line for line in plan.splitlines() if "Exchange hashpartitioning" in line]
    assert len(set(shuffles)) <= len(LIMITS)
    assert "SortMergeJoin" not in plan


@pytest.mark.parametrize(
    ("limits", "message"),
    [({"emial": 3}, r"no STRING column 'emial'\. Did you mean 'email'"), ({"phone": 0}, "limit of 'phone' is 0")],
)
def test_wrong_limits_are_refused(spark: SparkSession, limits: dict[str, int], message: str) -> None:
    given = records(spark, [])

    with pytest.raises(ContractError, match=message):
        mask_shared(given, limits)


def test_wrong_field_is_refused_in_either_frame(spark: SparkSession) -> None:
    given = records(spark, [])

    with pytest.raises(ContractError, match="no STRING column 'phone'"):
        affected_by(given, given.drop("phone"), ["phone"])


def _of(spark: SparkSession, rows: dict[str, tuple[str | None, str | None]]) -> DataFrame:
    return records(spark, [(key, *values) for key, values in rows.items()])


def _random_rows(dice: random.Random, count: int) -> list[Row]:
    """Records whose few values are often shared, and sometimes missing."""
    emails = [None, *(f"e{number}@x.org" for number in range(20))]
    phones = [None, *(f"+66{number}" for number in range(12))]
    return [(str(number), dice.choice(emails), dice.choice(phones)) for number in range(count)]
