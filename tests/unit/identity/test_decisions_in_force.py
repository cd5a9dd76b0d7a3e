"""Of what people decided about two records, the newest holds."""

from datetime import datetime, timedelta, UTC
from typing import Any

import pytest
from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession

from cdp_lib.contracts.identity import IDENTITY_OVERRIDE
from cdp_lib.transforms.identity.decisions import decisions_in_force
from cdp_lib.transforms.identity.exact import hash_of_record, record_hash
from tests.unit.identity.steps import by_hash, frame, id_of, SOURCE

NOON = datetime(2025, 1, 1, 12, tzinfo=UTC)
SCHEMA = "record_l binary, record_r binary, is_link boolean"


def override(left: str, right: str, decision: str, minute: int = 0, override_id: str = "a") -> dict[str, Any]:
    return {
        "override_id": override_id,
        "source_system_l": SOURCE,
        "source_record_id_l": left,
        "source_system_r": SOURCE,
        "source_record_id_r": right,
        "decision": decision,
        "decided_at": NOON + timedelta(minutes=minute),
        "decided_by": "me@here",
        "origin": "command",
    }


def in_force(spark: SparkSession, *overrides: dict[str, Any]) -> DataFrame:
    return decisions_in_force(frame(spark, overrides, IDENTITY_OVERRIDE.schema()))


def held(spark: SparkSession, *decisions: tuple[str, str, bool]) -> DataFrame:
    found = [(*(bytes.fromhex(id_of(one)) for one in by_hash(*pair)), is_link) for *pair, is_link in decisions]
    return spark.createDataFrame(found, SCHEMA)


def test_the_newest_decision_about_a_pair_holds_whichever_record_it_names_first(spark: SparkSession) -> None:
    actual = in_force(
        spark,
        override("a", "b", "unlink", 2),
        override("b", "a", "link", 3),
        override("a", "b", "unlink", 1),
        override("b", "c", "unlink", 1),
    )
    expected = held(spark, ("a", "b", True), ("b", "c", False))
    assert_df_equality(actual, expected, ignore_row_order=True, ignore_nullable=True)


def test_a_withdrawn_decision_is_absent_until_another_is_made(spark: SparkSession) -> None:
    actual = in_force(
        spark,
        override("a", "b", "link", 1),
        override("b", "a", "withdraw", 2),
        override("c", "d", "withdraw", 1),
        override("c", "d", "unlink", 2),
    )
    assert_df_equality(actual, held(spark, ("c", "d", False)), ignore_row_order=True, ignore_nullable=True)


def test_of_two_decisions_at_one_instant_the_greater_id_holds(spark: SparkSession) -> None:
    overrides = [override("a", "b", "link", override_id="b"), override("a", "b", "unlink", override_id="a")]
    for order in (overrides, overrides[::-1]):
        actual = in_force(spark, *order)
        assert_df_equality(actual, held(spark, ("a", "b", True)), ignore_row_order=True, ignore_nullable=True)


def test_no_decision_and_one_about_a_single_record_hold_nothing(spark: SparkSession) -> None:
    expected = held(spark)
    assert_df_equality(in_force(spark), expected, ignore_nullable=True)
    assert_df_equality(in_force(spark, override("a", "a", "link")), expected, ignore_nullable=True)


def test_a_record_at_hand_has_the_name_that_spark_gives_it(spark: SparkSession) -> None:
    ids = [
        "1",
        "Zoë",
        "中文",
        "😀",
        'a"b',
        "a\\b",
        "a/b",
        "tab\tline\nfeed\rback\bform\f",
        "\x00\x1f\x7f\u2028",
        "<&'>",
        " ",
    ]
    found = spark.createDataFrame([("crm", one) for one in ids], "source_system string, source_record_id string")
    rows = found.select("source_record_id", record_hash().alias("hash")).collect()
    assert {row["source_record_id"]: row["hash"] for row in rows} == {one: hash_of_record("crm", one) for one in ids}


@pytest.mark.parametrize("partitions", [1, 5])
def test_order_and_partitions_change_nothing(spark: SparkSession, partitions: int) -> None:
    overrides = [override("a", "b", decision, minute) for minute, decision in enumerate(("link", "withdraw", "unlink"))]
    shuffled = frame(spark, overrides[::-1], IDENTITY_OVERRIDE.schema()).repartition(partitions)
    assert_df_equality(decisions_in_force(shuffled), held(spark, ("a", "b", False)), ignore_nullable=True)
