import pytest
from chispa import assert_df_equality
from pyspark.sql import DataFrame, functions as F, SparkSession

from cdp_lib.transforms.ingest.outcome import count_outcomes, mark_outcomes

TAGGED = "_source_file string, _row_number bigint, _record_hash string, _rules array<string>"
Row = tuple[str, int, str, list[str]]


def tagged(spark: SparkSession, *rows: Row) -> DataFrame:
    return spark.createDataFrame(list(rows), TAGGED)


def known(spark: SparkSession, *hashes: str) -> DataFrame:
    return spark.createDataFrame([(one,) for one in hashes], "_record_hash string")


def check(spark: SparkSession, actual: DataFrame, *rows: tuple[str, int, str, list[str], str]) -> None:
    expected = spark.createDataFrame(list(rows), f"{TAGGED}, _outcome string")
    assert_df_equality(actual, expected, ignore_row_order=True, ignore_nullable=True)


def test_the_first_row_by_file_and_number_is_accepted_and_its_repeats_are_duplicates(spark: SparkSession) -> None:
    batch = tagged(spark, ("b", 1, "h", []), ("a", 10, "h", []), ("a", 9, "h", []), ("a", 1, "other", []))
    check(
        spark,
        mark_outcomes(batch, None),
        ("a", 1, "other", [], "accepted"),
        ("a", 9, "h", [], "accepted"),
        ("a", 10, "h", [], "duplicate"),
        ("b", 1, "h", [], "duplicate"),
    )


def test_what_bronze_has_is_a_duplicate_and_new_content_is_accepted(spark: SparkSession) -> None:
    batch = tagged(spark, ("a", 1, "h", []), ("a", 2, "changed", []))
    check(
        spark,
        mark_outcomes(batch, known(spark, "h", "unrelated")),
        ("a", 1, "h", [], "duplicate"),
        ("a", 2, "changed", [], "accepted"),
    )


@pytest.mark.parametrize("has_bronze", [False, True])
def test_a_broken_row_is_quarantined_and_nobodys_duplicate(spark: SparkSession, has_bronze: bool) -> None:
    batch = tagged(spark, ("a", 1, "h", ["r"]), ("a", 2, "h", ["r"]), ("a", 3, "h", []))
    check(
        spark,
        mark_outcomes(batch, known(spark, "unrelated") if has_bronze else None),
        ("a", 1, "h", ["r"], "quarantined"),
        ("a", 2, "h", ["r"], "quarantined"),
        ("a", 3, "h", [], "accepted"),
    )


def test_a_broken_row_that_bronze_has_is_quarantined(spark: SparkSession) -> None:
    batch = tagged(spark, ("a", 1, "h", ["r"]))
    check(spark, mark_outcomes(batch, known(spark, "h")), ("a", 1, "h", ["r"], "quarantined"))


@pytest.mark.parametrize("has_bronze", [False, True])
def test_no_rows_give_no_rows(spark: SparkSession, has_bronze: bool) -> None:
    check(spark, mark_outcomes(tagged(spark), known(spark, "h") if has_bronze else None))


def test_order_and_partitions_change_nothing(spark: SparkSession) -> None:
    rows = [(f"f{n % 3}", n, f"h{n % 7}", ["r"] if n % 5 == 0 else []) for n in range(60)]
    bronze = known(spark, "h1", "h3")
    expected = mark_outcomes(tagged(spark, *rows), bronze)
    shuffled = mark_outcomes(tagged(spark, *reversed(rows)).repartition(7), bronze)
    assert_df_equality(shuffled, expected, ignore_row_order=True)


@pytest.mark.parametrize("has_bronze", [False, True])
def test_the_batch_is_shuffled_once(spark: SparkSession, has_bronze: bool) -> None:
    batch = tagged(spark, ("a", 1, "h", [])).repartition(3)
    bronze = known(spark, "h").hint("merge") if has_bronze else None
    marked = mark_outcomes(batch, bronze)
    plan = marked._jdf.queryExecution().executedPlan().toString()
    exchanges = plan.count("Exchange hashpartitioning(_content")
    # With bronze: its own hashes are shuffled beside the batch's rows.
    assert exchanges == (2 if has_bronze else 1)


def test_each_outcome_is_counted_on_its_own(spark: SparkSession) -> None:
    marked = spark.createDataFrame(
        [("a", "accepted"), ("a", "accepted"), ("a", "duplicate"), ("a", "quarantined"), ("b", "accepted")],
        "_source_file string, _outcome string",
    )
    expected = spark.createDataFrame(
        [("a", 4, 2, 1, 1), ("b", 1, 1, 0, 0)],
        "_source_file string, read_count bigint, accepted_count bigint, quarantined_count bigint, "
        "duplicate_count bigint",
    )
    assert_df_equality(count_outcomes(marked), expected, ignore_row_order=True, ignore_nullable=True)


def test_an_outcome_that_nobody_knows_shows_in_the_sum(spark: SparkSession) -> None:
    marked = spark.createDataFrame([("a", "lost"), ("a", "accepted")], "_source_file string, _outcome string")
    parts = F.expr("accepted_count + quarantined_count + duplicate_count").alias("parts")
    actual = count_outcomes(marked).select("read_count", parts)
    expected = spark.createDataFrame([(2, 1)], "read_count bigint, parts bigint")
    assert_df_equality(actual, expected, ignore_nullable=True)
