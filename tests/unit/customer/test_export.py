from datetime import date, datetime
from decimal import Decimal

import pytest
from chispa import assert_df_equality
from pyspark.sql import functions as F, SparkSession

from cdp_lib.contracts.identity import IDENTITY_LINK
from cdp_lib.errors import ConfigError
from cdp_lib.settings.export import Export
from cdp_lib.transforms.customer.export import also_known_as, export_rows
from tests.builders import rows
from tests.unit.customer.shop import at

CUSTOMERS = "golden_id string, customer_id string, total_amount decimal(18,2), last_order_at timestamp, as_of_date date"


def export_of(**more: object) -> Export:
    columns = {"Golden_ID": "golden_id", "Total spend": "total_amount", "Last": "last_order_at", "Day": "as_of_date"}
    return Export.model_validate({"kind": "export", "id": "file", "columns": columns, **more})


def given(spark: SparkSession):
    day = date(2025, 1, 31)
    return spark.createDataFrame(
        [
            ("g3", "c1", Decimal("5.00"), at("2025-01-31 18:30"), day),
            ("g1", "c2", Decimal("5.00"), None, day),
            ("g2", None, Decimal("1.00"), at("2025-01-01 00:00"), day),
            ("g4", "c4", None, None, day),
        ],
        CUSTOMERS,
    ).repartition(3)


def test_rows_have_literal_headers_local_times_and_a_total_order(spark: SparkSession) -> None:
    actual = export_rows(given(spark), export_of(order_by=["Total spend"]), time_zone="Asia/Bangkok")
    day = date(2025, 1, 31)
    expected = spark.createDataFrame(
        [
            ("g4", None, None, day),
            ("g2", Decimal("1.00"), datetime(2025, 1, 1, 7), day),  # noqa: DTZ001 - a wall clock has no zone
            ("g1", Decimal("5.00"), None, day),
            ("g3", Decimal("5.00"), datetime(2025, 2, 1, 1, 30), day),  # noqa: DTZ001 - a wall clock has no zone
        ],
        "Golden_ID string, `Total spend` decimal(18,2), Last timestamp_ntz, Day date",
    )
    assert_df_equality(actual, expected)


def test_where_chooses_customers_and_without_order_they_are_sorted_by_golden_id(spark: SparkSession) -> None:
    export = export_of(columns={"who": "upper(golden_id)"}, where="total_amount >= 5")
    expected = spark.createDataFrame([("G1",), ("G3",)], "who string")
    assert_df_equality(export_rows(given(spark), export, time_zone="UTC"), expected)


def links(spark: SparkSession):
    held = [("g3", "crm", "c1"), ("g3", "till", "c9"), ("g3", "crm", "c0"), ("g1", "till", "c2"), ("g1", "web", "w1"),
            ("g2", "till", "t2"), ("g5", "till", "t5")]  # fmt: skip
    return rows(
        spark, IDENTITY_LINK,
        *[{"golden_id": g, "source_system": s, "source_record_id": r} for g, s, r in held],
    ).repartition(3)  # fmt: skip


def test_the_companion_lists_every_other_id_of_the_exported_customers(spark: SparkSession) -> None:
    export = export_of(columns={"customer_id": "customer_id"}, also_known_as={"column": "customer_id"})
    expected = spark.createDataFrame(
        [(None, "t2", "till"), ("c1", "c0", "crm"), ("c1", "c9", "till"), ("c2", "w1", "web")],
        "customer_id string, also_known_as string, source_system string",
    )
    assert_df_equality(also_known_as(links(spark), given(spark), export), expected, ignore_nullable=True)


def test_the_companion_keeps_to_the_sources_and_customers_asked_for(spark: SparkSession) -> None:
    export = export_of(
        columns={"customer_id": "customer_id"},
        where="total_amount >= 5",
        also_known_as={"column": "customer_id", "source_systems": ["web", "crm"]},
    )
    expected = spark.createDataFrame(
        [("c1", "c0", "crm"), ("c2", "w1", "web")], "customer_id string, also_known_as string, source_system string"
    )
    assert_df_equality(also_known_as(links(spark), given(spark), export), expected, ignore_nullable=True)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({}, "export file: it declares no also_known_as"),
        ({"also_known_as": {"column": "golden_idd"}}, "export file: .*unknown column 'golden_idd'"),
    ],
)
def test_a_companion_that_is_not_declared_or_names_nothing_is_an_error(spark: SparkSession, more, message) -> None:
    with pytest.raises(ConfigError, match=message):
        also_known_as(rows(spark, IDENTITY_LINK), given(spark).filter(F.lit(False)), export_of(**more))
