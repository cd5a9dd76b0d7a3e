"""The fashion shop's table 2: its columns literally, its definitions by hand-computed rows."""

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

from chispa import assert_df_equality
from pyspark.sql import SparkSession

from cdp_lib.contracts.identity import GOLDEN_RECORD, IDENTITY_LINK
from cdp_lib.io.yaml_files import load_pack
from cdp_lib.transforms.customer.export import also_known_as, export_rows
from cdp_lib.transforms.customer.single_view import single_view
from tests.builders import rows
from tests.unit.customer.shop import at, facts

PACKS = Path(__file__).parents[3] / "conf" / "packs"
TABLE_2 = [
    "customer_id", "customer_age", "customer_gender", "total_spend", "first_time_shop", "last_time_shop", "shop_times",
    "frequency", "lifetime", "average_spending_per_transaction",
]  # fmt: skip


def wall(*parts: int) -> datetime:
    return datetime(*parts)  # noqa: DTZ001 - the export's times are the shop's wall clock


def test_the_export_is_table_2_with_its_definitions(spark: SparkSession) -> None:
    pack = load_pack("fashion_shop", PACKS)
    export = next(export for export in pack.exports if export.id == "customer_single_view")
    records = rows(
        spark,
        GOLDEN_RECORD,
        {"golden_id": "g1", "source_record_id": "C2", "gender": "female", "attributes": {"customer_age": "34"}},
        {"golden_id": "g2", "source_record_id": "C1", "birth_date": date(1990, 4, 2), "attributes": {}},
        {"golden_id": "g3", "source_record_id": "C3", "gender": "male", "attributes": {"customer_age": "old"}},
        {"golden_id": "g4", "source_record_id": "C4"},
    )
    given = [
        # 31 December 22:00 and 1 March 09:00 in the shop: 60 days apart by calendar, 91 days before the as-of date.
        {"golden_id": "g1", "ordered_at": at("2025-01-01 03:00"), "paid_amount": "10.00"},
        {"golden_id": "g1", "ordered_at": at("2025-02-01 15:30"), "paid_amount": "20.00"},
        {"golden_id": "g1", "ordered_at": at("2025-03-01 14:00"), "paid_amount": "0.01"},
        # One cart on the as-of date: the timeframe is at least 1.
        {"golden_id": "g2", "ordered_at": at("2025-04-01 23:00"), "paid_amount": "99.99"},
        # Exactly 30 days before the as-of date: a timeframe of 1.
        {"golden_id": "g3", "ordered_at": at("2025-03-02 17:00"), "paid_amount": "0.02"},
        {"golden_id": "g3", "ordered_at": at("2025-03-02 17:00"), "paid_amount": "0.01"},
        # After the as-of date: not yet known.
        {"golden_id": "g3", "ordered_at": at("2025-04-02 04:00"), "paid_amount": "50.00"},
        # Web orders of which nothing remains, before the first purchase and after the last, and of who bought nothing.
        {"golden_id": "g1", "ordered_at": at("2024-06-01 12:00"), "status": "cancelled"},
        {"golden_id": "g1", "ordered_at": at("2025-03-30 12:00"), "status": "returned"},
        {"golden_id": "g4", "ordered_at": at("2025-03-30 12:00"), "status": "returned"},
    ]
    carts = facts(spark, "order", *[{"status": "paid", **order} for order in given])
    view = single_view(records, {"order": carts}, pack, as_of=date(2025, 4, 1))
    actual = export_rows(view, export, time_zone=pack.info.time_zone)
    noon = wall(2025, 3, 2, 12)
    expected = spark.createDataFrame(
        [
            ("C1", 34, None, Decimal("99.99"), wall(2025, 4, 1, 19), wall(2025, 4, 1, 19), 1, 1.0, 0, Decimal("99.99")),
            (
                "C2", 34, "female", Decimal("30.01"), wall(2024, 12, 31, 22), wall(2025, 3, 1, 9), 3, 3 / 4, 60,
                Decimal("10.00"),
            ),
            ("C3", None, "male", Decimal("0.03"), noon, noon, 2, 2.0, 0, Decimal("0.02")),
            ("C4", None, None, Decimal("0.00"), None, None, 0, None, None, None),
        ],
        "customer_id string, customer_age int, customer_gender string, total_spend decimal(18,2), "
        "first_time_shop timestamp_ntz, last_time_shop timestamp_ntz, shop_times bigint, frequency double, "
        "lifetime int, average_spending_per_transaction decimal(18,2)",
    )  # fmt: skip
    assert actual.columns == TABLE_2
    assert_df_equality(actual, expected, ignore_nullable=True)


def test_other_ids_of_a_person_stand_in_the_companion(spark: SparkSession) -> None:
    pack = load_pack("fashion_shop", PACKS)
    export = next(export for export in pack.exports if export.id == "customer_single_view")
    customers = spark.createDataFrame([("g1", "C2")], "golden_id string, customer_id string")
    links = rows(
        spark,
        IDENTITY_LINK,
        *[
            {"golden_id": "g1", "source_system": source, "source_record_id": record}
            for source, record in (("crm_customer", "C2"), ("shop_visits", "C7"), ("eshop_account", "A1"))
        ],
    )
    expected = spark.createDataFrame(
        [("C2", "A1", "eshop_account"), ("C2", "C7", "shop_visits")],
        "customer_id string, also_known_as string, source_system string",
    )
    assert_df_equality(also_known_as(links, customers, export), expected, ignore_nullable=True)


def test_every_zone_that_the_pack_writes_is_its_own() -> None:
    pack = load_pack("fashion_shop", PACKS)
    texts = [trait.select for trait in pack.traits if "from_utc_timestamp" in trait.select]
    assert texts
    assert all(text.count(f"'{pack.info.time_zone}'") == text.count("from_utc_timestamp") for text in texts)
