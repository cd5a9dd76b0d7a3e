"""Features of purchases: figures at a cut, and nothing after it."""

import random
from datetime import date, datetime, timedelta, UTC
from decimal import Decimal

import pytest
from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession

from cdp_lib.contracts import silver
from cdp_lib.contracts.purchases import FEATURES, LABELS
from cdp_lib.transforms.features.purchases import (
    discounted,
    purchase_days,
    purchase_features,
    purchase_labels,
    purchase_standing,
)
from tests.builders import rows

CUT, FIRST = date(2025, 6, 30), date(2024, 1, 1)
ZONE = "Asia/Bangkok"


def orders(spark: SparkSession, *given: tuple[str, str, str], items: int | None = None) -> DataFrame:
    """Orders of (golden_id, local day or instant, amount)."""
    made = [
        {"order_id": f"o{place}", "person_id": who, "ordered_at": _at(when), "paid_amount": paid, "item_count": items}
        for place, (who, when, paid) in enumerate(given)
    ]
    return rows(spark, silver.ORDER, *made).withColumnRenamed("person_id", "golden_id")


def lines(spark: SparkSession, *given: tuple[str, str, str | None, str]) -> DataFrame:
    """Order lines of (golden_id, local day or instant, product, quantity)."""
    names = ("line_id", "person_id", "ordered_at", "product_id", "quantity")
    made = [
        dict(zip(names, (f"l{place}", who, _at(when), what, Decimal(size)), strict=True))
        for place, (who, when, what, size) in enumerate(given)
    ]
    return rows(spark, silver.ORDER_LINE, *made).withColumnRenamed("person_id", "golden_id")


def _at(when: str) -> datetime:
    return datetime.fromisoformat(when if "T" in when else f"{when}T05:00:00").replace(tzinfo=UTC)


def features(frame: DataFrame, cut: date = CUT) -> dict[str, dict[str, float | None]]:
    made = purchase_features(purchase_days(frame, ZONE), cut, FIRST)
    return {row["golden_id"]: row.asDict() for row in made.collect()}


def test_figures_of_a_customer_with_three_purchase_days_and_a_refund(spark: SparkSession) -> None:
    given = [
        ("a", "2025-01-01", "10.00"),
        ("a", "2025-01-01", "5.00"),
        ("a", "2025-03-02", "0.00"),
        ("a", "2025-06-10", "30.00"),
        ("a", "2025-06-12", "-4.00"),
    ]
    found = features(orders(spark, *given, items=2))["a"]

    assert found == {
        "golden_id": "a",
        "frequency": 2.0,
        "recency_days": 20.0,
        "tenure_days": 180.0,
        "monetary_amount": 22.5,
        "total_amount": 41.0,
        "first_amount": 15.0,
        "purchase_count_30d": 1.0,
        "purchase_count_90d": 1.0,
        "purchase_count_180d": 2.0,
        "purchase_count_365d": 3.0,
        "amount_30d": 26.0,
        "amount_90d": 26.0,
        "amount_180d": 26.0,
        "amount_365d": 41.0,
        "mean_gap_days": 80.0,
        "largest_gap_days": 100.0,
        "item_count": 8.0,
        "previous_recency_days": 120.0,
        "last_item_count": 2.0,
        "repeated_product_count": None,
        "history_days": 546.0,
    }


def test_one_purchase_has_no_gaps_and_refunds_alone_are_no_customer(spark: SparkSession) -> None:
    found = features(orders(spark, ("once", "2025-06-30", "9.00"), ("refunded", "2025-06-29", "-9.00")))

    assert set(found) == {"once"}
    assert [found["once"][name] for name in ("frequency", "recency_days", "tenure_days")] == [0.0, 0.0, 0.0]
    unknown = ("mean_gap_days", "largest_gap_days", "item_count", "previous_recency_days", "last_item_count")
    assert [found["once"][name] for name in unknown] == [None] * 5


@pytest.mark.parametrize("items", [None, 0])
def test_an_order_of_which_nothing_remains_is_no_purchase(spark: SparkSession, items: int | None) -> None:
    bought = orders(spark, ("a", "2025-05-01", "9.00"), items=1)
    cancelled = orders(spark, ("a", "2025-06-20", "0.00"), ("never", "2025-06-20", "0.00"), items=items)
    redeemed = orders(spark, ("redeems", "2025-06-20", "0.00"), items=2)
    found = features(bought.unionByName(cancelled).unionByName(redeemed))

    assert {who: row["recency_days"] for who, row in found.items()} == {"a": 60.0, "redeems": 10.0}
    assert [found["a"][name] for name in ("frequency", "item_count")] == [0.0, 1.0]


def test_the_last_basket_is_that_of_the_last_purchase_day_known_or_not(spark: SparkSession) -> None:
    told = orders(
        spark, ("a", "2025-01-01", "9.00"), ("b", "2025-06-01", "9.00"), ("b", "2025-06-02", "-9.00"), items=3
    )
    untold = orders(spark, ("a", "2025-02-01", "9.00"))
    found = features(told.unionByName(untold))

    assert [found[who]["last_item_count"] for who in ("a", "b")] == [None, 3.0]
    assert [found[who]["previous_recency_days"] for who in ("a", "b")] == [180.0, None]


def test_products_bought_on_more_than_one_day_are_counted_once_and_by_the_day_they_became_so(
    spark: SparkSession,
) -> None:
    dates = ["2025-05-01", "2025-05-02", "2025-06-10", "2025-06-30", "2025-07-02"]
    bought = orders(spark, *[(who, day, "9.00") for who in ("a", "once", "unknown") for day in dates])
    of_a = [
        ("a", dates[0], "tea", "1"),
        ("a", dates[0], "tea", "1"),  # twice on one day is not yet again
        ("a", dates[1], "tea", "2"),
        ("a", dates[2], "tea", "1"),  # the third day makes no second product
        ("a", dates[0], "cup", "1"),
        ("a", dates[1], "cup", "-1"),  # taken back
        ("a", dates[2], None, "1"),
        ("a", dates[3], None, "1"),
        ("a", dates[0], "jam", "1"),
        ("a", "2025-06-30T20:00:00", "jam", "1"),  # the 1st of July in Bangkok, where nothing was ordered
        ("a", dates[2], "pie", "1"),
        ("a", dates[4], "pie", "1"),  # after the cut
    ]
    known = lines(spark, *of_a, ("once", dates[0], "tea", "1"))

    def counts(cut: date) -> dict[str, float | None]:
        made = purchase_features(purchase_days(bought, ZONE, known), cut, FIRST)
        return {row["golden_id"]: row["repeated_product_count"] for row in made.collect()}

    assert counts(CUT) == {"a": 1.0, "once": 0.0, "unknown": None}
    assert counts(date(2025, 5, 1)) == {"a": 0.0, "once": 0.0, "unknown": None}
    assert counts(date(2025, 7, 2)) == {"a": 2.0, "once": 0.0, "unknown": None}


def test_the_rows_of_a_customer_are_shuffled_once_also_with_what_was_bought_again(spark: SparkSession) -> None:
    bought, known = orders(spark, ("a", "2025-05-01", "9.00")), lines(spark, ("a", "2025-05-01", "tea", "1"))
    plan = purchase_days(bought, ZONE, known)._jdf.queryExecution().executedPlan().toString()  # type: ignore[operator]

    assert plan.count("Exchange hashpartitioning") == 2, "one of orders, one of lines"


def test_days_are_those_of_the_packs_zone(spark: SparkSession) -> None:
    # 20:00 UTC is 3 o'clock of the next day in Bangkok: after the cut.
    found = features(orders(spark, ("late", "2025-06-30T20:00:00", "9.00"), ("early", "2025-06-30T16:00:00", "9.00")))

    assert set(found) == {"early"}


def test_a_window_begins_the_day_after(spark: SparkSession) -> None:
    found = features(orders(spark, ("out", "2025-05-31", "9.00"), ("in", "2025-06-01", "9.00")))

    assert [found[who]["purchase_count_30d"] for who in ("out", "in")] == [0.0, 1.0]


def test_labels_are_what_came_true_in_the_horizon(spark: SparkSession) -> None:
    given = [
        ("comes", "2025-06-30", "9.00"),
        ("comes", "2025-07-30", "7.00"),
        ("comes", "2025-07-31", "8.00"),
        ("stays away", "2025-06-01", "9.00"),
        ("returns", "2025-06-01", "9.00"),
        ("returns", "2025-07-02", "-9.00"),
        ("new", "2025-07-02", "9.00"),
    ]
    found = purchase_labels(purchase_days(orders(spark, *given), ZONE), CUT, 30)

    assert sorted(tuple(row) for row in found.collect()) == [
        ("comes", 1.0, 7.0, 1.0),
        ("returns", 0.0, -9.0, 0.0),
        ("stays away", 0.0, 0.0, 0.0),
    ]


@pytest.mark.parametrize("cut", [CUT, date(2025, 3, 1)])
def test_nothing_after_the_cut_is_seen(spark: SparkSession, cut: date) -> None:
    draw = random.Random(5)
    known = [(f"c{draw.randrange(9)}", str(cut - timedelta(days=draw.randrange(300))), "5.00") for _ in range(80)]
    future = [(f"c{draw.randrange(12)}", str(cut + timedelta(days=1 + draw.randrange(90))), "7.00") for _ in range(80)]

    def seen(*given: tuple[str, str, str]) -> DataFrame:
        of_products = lines(spark, *[(who, when, f"p{place % 3}", "1") for place, (who, when, _) in enumerate(given)])
        days = purchase_days(orders(spark, *given, items=2), ZONE, of_products)
        return purchase_features(days, cut, FIRST)

    before, after = seen(*known), seen(*known, *future)

    assert before.where("repeated_product_count > 0").count() > 0
    assert_df_equality(after, before, ignore_row_order=True, ignore_nullable=True)


def test_order_and_partitions_of_rows_change_nothing(spark: SparkSession) -> None:
    draw = random.Random(7)
    dated = [(f"c{draw.randrange(5)}", str(CUT - timedelta(days=draw.randrange(400)))) for _ in range(90)]
    given = [(who, when, f"{draw.random():.2f}") for who, when in dated]
    frame = orders(spark, *given)
    one = purchase_features(purchase_days(frame, ZONE), CUT, FIRST)
    other = purchase_features(purchase_days(frame.orderBy("paid_amount").repartition(5), ZONE), CUT, FIRST)

    assert_df_equality(one, other, ignore_row_order=True)


def test_columns_are_those_of_the_contract_also_of_no_orders(spark: SparkSession) -> None:
    none = purchase_days(orders(spark).limit(0), ZONE)

    assert purchase_features(none, CUT, FIRST).columns == [column.name for column in FEATURES]
    assert purchase_labels(none, CUT, 30).columns == [column.name for column in LABELS]
    assert purchase_features(none, CUT, FIRST).collect() == purchase_labels(none, CUT, 30).collect() == []


def test_where_customers_stand_goes_by_their_last_purchase_and_whether_it_was_their_first(spark: SparkSession) -> None:
    given = [
        ("fresh", "2025-06-20", "1.00"),
        ("edge", "2025-05-31", "1.00"),
        ("gone", "2025-01-01", "1.00"),
        ("back", "2025-01-01", "1.00"),
        ("back", "2025-06-25", "1.00"),
        ("twice a day", "2025-06-25", "1.00"),
        ("twice a day", "2025-06-25T06:00:00", "1.00"),
        ("refunded", "2025-01-01", "1.00"),
        ("refunded", "2025-06-25", "-1.00"),
        ("later", "2025-07-01", "1.00"),
    ]
    found = purchase_standing(purchase_days(orders(spark, *given), ZONE), CUT, (30, 90))

    wanted = [("fresh", 0), ("edge", 0), ("gone", 2), ("back", 3), ("twice a day", 0), ("refunded", 2)]
    expected = spark.createDataFrame(wanted, "golden_id string, standing int")
    assert_df_equality(found, expected, ignore_row_order=True, ignore_nullable=True)
    none = orders(spark, *given).limit(0)
    assert purchase_standing(purchase_days(none, ZONE), CUT, (30, 90)).collect() == []


def test_later_money_is_worth_less_on_the_cut_day(spark: SparkSession) -> None:
    days = purchase_days(orders(spark, ("a", "2025-06-30", "100.00"), ("a", "2026-06-30", "110.00")), ZONE)

    worth = {row["purchase_date"]: row["amount"] for row in discounted(days, CUT, 0.1).collect()}
    assert worth[CUT] == 100.0
    assert worth[date(2026, 6, 30)] == pytest.approx(110 / 1.1 ** (365 / 365.25))
    assert discounted(days, CUT, 0.0).columns == discounted(days, CUT, 0.1).columns == days.columns
