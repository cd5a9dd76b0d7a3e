"""KPIs: which facts count after and before, whose window has passed, and the sums that a comparison needs."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession

from cdp_lib.errors import ContractError
from cdp_lib.settings.pack import Pack
from cdp_lib.transforms.campaign.measures import kpi_values, measures_of, sufficient_statistics
from tests.unit.campaign.scene import campaign, day, kpi, pack_of, people
from tests.unit.customer.shop import facts

AS_OF = date(2025, 1, 31)
VALUES = "activation_id string, kpi string, golden_id string, arm string, value decimal(18,6), before decimal(18,6)"


def order(golden_id: str | None, at: Any, paid: str = "1.00", **more: Any) -> dict[str, Any]:
    return {"golden_id": golden_id, "ordered_at": at, "paid_amount": paid, **more}


def same(actual: DataFrame, wanted: DataFrame) -> None:
    assert_df_equality(actual, wanted, ignore_row_order=True, ignore_nullable=True)


def values(spark: SparkSession, pack: Pack, who: DataFrame, *orders: dict[str, Any]) -> dict[tuple, tuple]:
    """(activation, kpi, customer): (value, before)."""
    found = kpi_values(who, {"order": facts(spark, "order", *orders)}, pack, as_of=AS_OF).collect()
    return {
        (row["activation_id"], row["kpi"], row["golden_id"]): (float(row["value"]), float(row["before"]))
        for row in found
    }


def test_facts_count_from_the_assignment_to_the_windows_end_and_as_long_before(spark: SparkSession) -> None:
    pack = pack_of(campaign("hello", kpi()))
    who = people(spark, ("hello", "a", "x", day(10, 12), False))
    outside = [order("a", day(3, 11)), order("a", day(17, 12)), order(None, day(11)), order("other", day(11))]
    before, after = (
        [order("a", day(3, 12)), order("a", day(10, 11))],
        [order("a", day(10, 12)), order("a", day(17, 11))],
    )
    found = kpi_values(who, {"order": facts(spark, "order", *outside, *before, *after[:1], *after)}, pack, as_of=AS_OF)
    wanted = spark.createDataFrame([("hello", "orders", "a", "x", Decimal(3), Decimal(2))], VALUES)
    same(found, wanted)


def test_who_did_nothing_counts_as_zero_and_who_crossed_does_not_count(spark: SparkSession) -> None:
    pack = pack_of(campaign("hello", kpi("spend", select="sum(paid_amount)")))
    who = people(spark, ("hello", "idle", "holdout", day(10), False), ("hello", "both", "x", day(10), True))
    assert values(spark, pack, who, order("both", day(11))) == {("hello", "spend", "idle"): (0, 0)}


def test_a_window_has_passed_when_it_ends_with_the_as_of_day_in_the_packs_zone(spark: SparkSession) -> None:
    who = people(
        spark,
        ("hello", "just", "x", day(25), False),
        ("hello", "not_yet", "x", day(25, 1), False),
    )
    assert set(values(spark, pack_of(campaign("hello", kpi())), who)) == {("hello", "orders", "just")}
    west = pack_of(campaign("hello", kpi()), time_zone="America/New_York")
    assert set(values(spark, west, who)) == {("hello", "orders", "just"), ("hello", "orders", "not_yet")}


def test_each_activation_has_its_own_measures_over_its_own_days(spark: SparkSession) -> None:
    pack = pack_of(
        campaign(
            "hello",
            kpi("spend", select="sum(paid_amount)", where="channel = 'app'"),
            kpi("places", select="count_distinct(store_id)", window="14d"),
        ),
        campaign("late", kpi("orders")),
    )
    who = people(spark, ("hello", "a", "x", day(5), False), ("late", "a", "x", day(12), False))
    orders = [
        order("a", day(6), "2.50", channel="app", store_id="s1"),
        order("a", day(7), "9.00", channel="shop", store_id="s1"),
        order("a", day(8), "4.00", store_id=None),
        order("a", day(13), "1.00", channel="app", store_id="s2"),
    ]
    wanted = {
        ("hello", "spend", "a"): (2.5, 0.0),
        ("hello", "places", "a"): (2.0, 0.0),
        ("late", "orders", "a"): (1.0, 3.0),
    }
    assert values(spark, pack, who, *orders) == wanted
    assert values(spark, pack, who.repartition(3), *orders[::-1]) == wanted


def test_sums_are_exact_and_by_arm(spark: SparkSession) -> None:
    given = [
        ("hello", "spend", "a", "x", Decimal("0.10"), Decimal("2.00")),
        ("hello", "spend", "b", "x", Decimal("0.20"), Decimal("3.00")),
        ("hello", "spend", "c", "holdout", Decimal("-1.00"), Decimal("0.00")),
    ]
    found = sufficient_statistics(spark.createDataFrame(given, VALUES))
    assert {
        row["arm"]: [row["customer_count"], *[str(row[place].normalize()) for place in range(4, 9)]]
        for row in found.collect()
    } == {"x": [2, "0.3", "0.05", "5", "13", "0.8"], "holdout": [1, "-1", "1", "0", "0", "0"]}


@pytest.mark.parametrize(
    ("select", "is_money"),
    [
        ("sum(paid_amount)", True),
        ("SUM( paid_amount )", True),
        ("sum(item_count)", False),
        ("count(*)", False),
        ("count_distinct(paid_amount)", False),
    ],
)
def test_only_a_sum_of_amounts_is_money(select: str, is_money: bool) -> None:
    assert [one.is_money for one in measures_of(pack_of(campaign("hello", kpi(select=select))))] == [is_money]


def test_quantities_are_decimals_and_no_money() -> None:
    of_lines = {"id": "pieces", "from": "order_line", "select": "sum(quantity)"}
    assert [one.is_money for one in measures_of(pack_of(campaign("hello", of_lines)))] == [False]


def test_another_aggregate_is_refused() -> None:
    with pytest.raises(
        ContractError, match=r"activation hello: kpi orders: 'max\(paid_amount\)' is none of count, count"
    ):
        measures_of(pack_of(campaign("hello", kpi(select="max(paid_amount)"))))


def test_an_unknown_column_or_an_entity_without_facts_is_named(spark: SparkSession) -> None:
    pack = pack_of(campaign("hello", kpi("spend", select="sum(paid_amont)")))
    with pytest.raises(
        ContractError, match=r"kpi spend: 'order' has no column 'paid_amont'. Did you mean 'paid_amount'"
    ):
        values(spark, pack, people(spark))
    with pytest.raises(ContractError, match="no facts of 'order' were given for kpi spend"):
        kpi_values(people(spark), {}, pack, as_of=AS_OF)


def test_without_people_or_measures_there_are_no_values(spark: SparkSession) -> None:
    who = people(spark, ("hello", "a", "x", day(10), False))
    nothing = spark.createDataFrame([], VALUES)
    same(kpi_values(who, {}, pack_of(campaign("hello")), as_of=AS_OF), nothing)
    assert values(spark, pack_of(campaign("hello", kpi())), people(spark)) == {}
