"""What another grouping of the same records would change."""

from decimal import Decimal

from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession

from cdp_lib.transforms.identity.difference import changed_people, summed_changes

CHANGED = (
    "golden_id string, record_count bigint, part_count bigint, joined_count bigint, total_amount decimal(18,2), "
    "currency string, is_merge boolean, is_split boolean"
)


def links(spark: SparkSession, **people: str) -> DataFrame:
    rows = [("crm", record, person) for person, records in people.items() for record in records]
    return spark.createDataFrame(rows, "source_system string, source_record_id string, golden_id string")


def clusters(spark: SparkSession, *groups: str) -> DataFrame:
    rows = [("crm", record, f"c{place}") for place, group in enumerate(groups) for record in group]
    return spark.createDataFrame(rows, "source_system string, source_record_id string, cluster_id string")


def customers(spark: SparkSession, **amounts: str) -> DataFrame:
    rows = [(person, Decimal(amount), "EUR") for person, amount in amounts.items()]
    return spark.createDataFrame(rows, "golden_id string, total_amount decimal(18,2), currency string")


def test_merges_and_splits_are_told_by_person_with_what_they_spent(spark: SparkSession) -> None:
    changed = changed_people(
        links(spark, P="ab", Q="c", R="de", S="fg", T="h"),
        clusters(spark, "abc", "d", "e", "fg", "h"),
        customers(spark, P="10.00", Q="5.00", R="7.50", S="1.00"),
    )
    expected = spark.createDataFrame(
        [
            ("P", 2, 1, 1, Decimal("10.00"), "EUR", True, False),
            ("Q", 1, 1, 1, Decimal("5.00"), "EUR", True, False),
            ("R", 2, 2, 0, Decimal("7.50"), "EUR", False, True),
        ],
        CHANGED,
    )

    assert_df_equality(changed, expected, ignore_row_order=True, ignore_nullable=True)
    summed = {(row["change"], row["person_count"], row["total_amount"]) for row in summed_changes(changed).collect()}
    assert summed == {("merge", 2, Decimal("15.00")), ("split", 1, Decimal("7.50"))}


def test_a_person_who_gives_a_record_to_another_is_both_and_counts_once(spark: SparkSession) -> None:
    changed = changed_people(links(spark, P="ab", Q="c"), clusters(spark, "a", "bc"), customers(spark))
    summed = summed_changes(changed).select("change", "person_count", "record_count", "currency").collect()

    assert {tuple(row) for row in summed} == {("both", 1, 2, None), ("merge", 1, 1, None)}


def test_another_person_met_in_two_parts_is_one_other(spark: SparkSession) -> None:
    changed = changed_people(links(spark, A="ab", B="cd"), clusters(spark, "ac", "bd"), customers(spark))

    assert {(row["golden_id"], row["part_count"], row["joined_count"]) for row in changed.collect()} == {
        ("A", 2, 1),
        ("B", 2, 1),
    }


def test_the_same_grouping_under_other_names_changes_nobody(spark: SparkSession) -> None:
    changed = changed_people(links(spark, P="ab", Q="c"), clusters(spark, "c", "ab"), customers(spark, P="1.00"))

    assert changed.count() == 0
