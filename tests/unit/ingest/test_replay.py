from typing import Any

from pyspark.sql import DataFrame, functions as F, SparkSession

from cdp_lib.settings.source import Source
from cdp_lib.transforms.ingest.contract import apply_contract, raw_rows_of_quarantine
from tests.unit.ingest.loans import assert_same_rows, COLUMNS, raw, source


def quarantined(spark: SparkSession, contract: Source, *given: dict[str, Any]) -> DataFrame:
    """Broken rows as the quarantine table holds them, with what a replay reads of it."""
    tagged = apply_contract(raw(spark, contract, *given), contract, time_zone="UTC")
    return tagged.where(F.size("_rules") > 0).select(
        F.concat(F.lit("q"), "_row_number").alias("quarantine_id"),
        F.col("_raw_row").alias("raw_row"),
        F.col("_file_hash").alias("file_hash"),
        F.lit(1).cast("bigint").alias("try_count"),
        "_source_file",
        "_row_number",
    )


def test_raw_rows_come_back_as_they_were(spark: SparkSession) -> None:
    contract = source()
    given = (
        {"loan_id": 'l"1', "member": "สมชาย", "fee": "dear", "_rescued": {"shelf": "s"}},
        {"_malformed": 'l2,"m'},
        {"loan_id": "", "member": None, "fee": "1"},
    )
    back = raw_rows_of_quarantine(quarantined(spark, contract, *given), contract)
    expected = raw(spark, contract, *given).select(
        "*",
        F.concat(F.lit("q"), "_row_number").alias("_quarantine_id"),
        F.lit(1).cast("bigint").alias("_try_count"),
    )
    assert_same_rows(back, expected)


def test_a_replay_under_a_mended_contract_keeps_the_rows_marks(spark: SparkSession) -> None:
    broken = quarantined(spark, source(), {"loan_id": "l1", "member": "m1", "fee": "free", "_rescued": {"shelf": "s"}})
    mended = source(
        {**COLUMNS, "fee": {"type": "decimal(18,2)"}, "place": {"type": "string", "header": "shelf", "optional": True}},
        null_values=["", "free"],
    )
    actual = apply_contract(raw_rows_of_quarantine(broken, mended), mended, time_zone="UTC").drop("_record_hash")
    expected = spark.createDataFrame(
        [("l1", "m1", None, "s", "in/a.csv", 1, "f", "q1", 1, None, [], None)],
        "loan_id string, member string, fee decimal(18,2), place string, _source_file string, _row_number bigint, "
        "_file_hash string, _quarantine_id string, _try_count bigint, _rescued map<string,string>, "
        "_rules array<string>, _raw_row string",
    )
    assert_same_rows(actual, expected)


def test_a_replay_under_the_same_contract_is_refused_again_with_the_same_raw_row(spark: SparkSession) -> None:
    contract = source()
    broken = quarantined(spark, contract, {"loan_id": "l1", "fee": "dear"}, {"_malformed": "x"})
    again = apply_contract(raw_rows_of_quarantine(broken, contract), contract, time_zone="UTC")
    actual = again.select(F.col("_quarantine_id").alias("quarantine_id"), F.col("_raw_row").alias("raw_row"))
    assert_same_rows(actual, broken.select("quarantine_id", "raw_row"))
