from datetime import date
from decimal import Decimal

import pytest
from chispa import assert_df_equality
from pyspark.sql import functions as F, SparkSession, types as T

from cdp_lib.contracts.gold import customer
from cdp_lib.contracts.identity import GOLDEN_RECORD
from cdp_lib.errors import ContractError
from cdp_lib.transforms.customer.single_view import carry_over, observe, single_view
from tests.builders import rows
from tests.unit.customer.shop import at, facts, pack_of, people, trait

AS_OF = date(2025, 1, 31)
PACK = pack_of(
    trait("country", "upper(country)", "golden_record", type="string"),
    trait("count_7d", "count(*)", window="7d"),
    trait("days_known", "datediff(as_of_date, to_date(first_order_at))", "customer", type="int"),
)
SCHEMA = T.StructType(
    [T.StructField(name, customer(PACK).column(name).spark_type) for name in customer(PACK).content_columns]
)


def golden(golden_id: str, **more: object) -> dict[str, object]:
    return {"golden_id": golden_id, "source_systems": ["till"], **more}


def test_everyone_with_a_golden_record_has_a_row_in_the_contracts_columns(spark: SparkSession) -> None:
    records = rows(
        spark,
        GOLDEN_RECORD,
        golden("ann", first_name="Ann", email="ann@example.com", country="th", birth_date=date(1990, 2, 28)),
        golden("bob", record_count=2),
    )
    orders = facts(
        spark,
        "order",
        {"golden_id": "ann", "ordered_at": at("2025-01-01 10:00"), "paid_amount": "3.00"},
        {"golden_id": "ann", "ordered_at": at("2025-01-30 10:00"), "paid_amount": "4.50"},
        {"golden_id": "gone", "ordered_at": at("2025-01-30 10:00"), "paid_amount": "9.00"},
    )
    ann = (
        "ann", AS_OF, "Ann", None, "ann@example.com", None, date(1990, 2, 28), None, None, None, 1, ["till"],
        at("2025-01-01 10:00"), at("2025-01-30 10:00"), 2, Decimal("7.50"), "USD", "TH", 1, 30,
    )  # fmt: skip
    bob = (
        "bob", AS_OF, None, None, None, None, None, None, None, None, 2, ["till"],
        None, None, 0, Decimal("0.00"), "USD", None, 0, None,
    )  # fmt: skip
    actual = single_view(records, {"order": orders}, PACK, as_of=AS_OF)
    assert_df_equality(actual, spark.createDataFrame([ann, bob], SCHEMA), ignore_row_order=True, ignore_nullable=True)


def test_no_golden_records_give_no_rows(spark: SparkSession) -> None:
    actual = single_view(rows(spark, GOLDEN_RECORD), {"order": facts(spark, "order")}, PACK, as_of=AS_OF)
    assert_df_equality(actual, spark.createDataFrame([], SCHEMA), ignore_nullable=True)


def test_touched_rows_are_replaced_or_vanish_and_the_others_stay(spark: SparkSession) -> None:
    schema = "golden_id string, order_count bigint"
    previous = spark.createDataFrame(
        [("ann", 1, AS_OF), ("bob", 2, AS_OF), ("cy", 3, AS_OF)], f"{schema}, as_of_date date"
    )
    observed = spark.createDataFrame([("bob", 20), ("dee", 4)], schema)
    actual = carry_over(previous, people(spark, "bob", "cy", "dee"), observed)
    expected = spark.createDataFrame([("ann", 1), ("bob", 20), ("dee", 4)], schema)
    assert_df_equality(actual, expected, ignore_row_order=True)


def test_a_new_trait_cannot_be_carried_over(spark: SparkSession) -> None:
    observed = observe(rows(spark, GOLDEN_RECORD), {"order": facts(spark, "order")}, PACK, as_of=AS_OF)
    previous = people(spark, "ann").withColumn("order_count", F.lit(1))
    with pytest.raises(
        ContractError, match=r"gold.customer: its last version lacks .*'count_7d'.*compute every customer anew"
    ):
        carry_over(previous, people(spark, "ann"), observed)
