"""Reactions: who answered after the assignment, whose code was redeemed, and the rows that people read."""

from datetime import date
from decimal import Decimal
from typing import Any

from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession

from cdp_lib.contracts import activation
from cdp_lib.transforms.campaign.figures import campaign_rows
from cdp_lib.transforms.campaign.reactions import code_uses, reaction_counts, redemptions
from tests.builders import rows
from tests.unit.campaign.scene import campaign, day, kpi, merges, pack_of, people
from tests.unit.customer.shop import facts

AS_OF = date(2025, 1, 31)
FIFTH = day(5)
REDEEMED = "activation_id string, golden_id string, reacted_at timestamp"
COUNTS = (
    "activation_id string, arm string, opened_count bigint, clicked_count bigint, bounced_count bigint, "
    "unsubscribed_count bigint, redeemed_count bigint"
)


def same(actual: DataFrame, wanted: DataFrame) -> None:
    assert_df_equality(actual, wanted, ignore_row_order=True, ignore_nullable=True, ignore_column_order=True)


def response(golden_id: str | None, kind: str, at: Any = FIFTH, **more: Any) -> dict[str, Any]:
    return {"golden_id": golden_id, "campaign_id": "hello", "response_type": kind, "responded_at": at, **more}


def issued(spark: SparkSession, *given: tuple[str, str, Any], **more: Any) -> DataFrame:
    """Codes: customer, code, issued_at."""
    named = [{"golden_id": who, "offer_code": code, "issued_at": at} for who, code, at in given]
    return rows(spark, activation.OFFER_CODE, *[{"activation_id": "hello", **row, **more} for row in named])


def test_customers_are_counted_once_per_reaction_after_their_assignment(spark: SparkSession) -> None:
    who = people(
        spark,
        ("hello", "a", "x", day(3), False),
        ("hello", "b", "y", day(3), False),
        ("hello", "c", "holdout", day(3), False),
        ("hello", "d", "y", day(3), True),
    )
    responses = facts(
        spark,
        "campaign_response",
        response("a", "opened"),
        response("a", "opened", day(6)),
        response("a", "clicked", day(3)),
        response("b", "opened", day(2)),
        response("b", "bounced", day(31, 23)),
        response("b", "unsubscribed", day(32)),
        response("b", "sent"),
        response("b", "opened", campaign_id="another"),
        response("d", "opened"),
        response("forwarded_to", "opened"),
        response(None, "opened"),
    )
    redeemed = spark.createDataFrame([("hello", "c", day(4)), ("hello", "a", day(2))], REDEEMED)
    found = reaction_counts(who, responses.repartition(3), redeemed, as_of=AS_OF, time_zone="UTC")
    wanted = spark.createDataFrame(
        [
            ("hello", "x", 1, 1, 0, 0, 0),
            ("hello", "y", 1, 0, 1, 0, 0),
            ("hello", "all", 2, 1, 1, 0, 0),
            ("hello", "holdout", 0, 0, 0, 0, 1),
        ],
        COUNTS,
    )
    same(found, wanted)


def test_a_code_is_used_by_orders_and_redemptions_however_it_is_typed(spark: SparkSession) -> None:
    responses = facts(
        spark,
        "campaign_response",
        response("a", "redeemed", offer_code=" free-1 "),
        response("a", "redeemed", offer_code=""),
        response("a", "redeemed"),
        response("a", "sent", offer_code="FREE-1"),
    )
    orders = facts(
        spark,
        "order",
        {"golden_id": "b", "ordered_at": day(4), "attributes": {"offer_code": "Free-2"}},
        {"golden_id": "b", "ordered_at": day(4), "attributes": {"other": "x"}},
        {"golden_id": "b", "ordered_at": day(4)},
    )
    wanted = [("a", "FREE-1", day(5)), ("b", "FREE-2", day(4))]
    same(
        code_uses(responses, orders),
        spark.createDataFrame(wanted, "golden_id string, offer_code string, used_at timestamp"),
    )


def test_an_offer_is_redeemed_by_whom_it_was_given_to_under_any_id_and_not_before(spark: SparkSession) -> None:
    codes = issued(
        spark, ("old", "free-1", day(3)), ("b", "FREE-2", day(3)), ("c", "ALL", day(3)), ("c", "ALL", day(4))
    )
    elsewhere = issued(spark, ("c", "ALL", day(9)), activation_id="later")
    uses = spark.createDataFrame(
        [
            ("new", "FREE-1", day(3)),
            ("b", "FREE-1", day(4)),
            ("b", "FREE-2", day(2)),
            ("c", "ALL", day(5)),
            ("d", "ALL", day(5)),
            (None, "ALL", day(5)),
        ],
        "golden_id string, offer_code string, used_at timestamp",
    )
    found = redemptions(uses, codes.unionByName(elsewhere), merges(spark, ("old", "new")))
    same(found, spark.createDataFrame([("hello", "new", day(3)), ("hello", "c", day(5))], REDEEMED))


def test_rows_have_every_account_and_the_mean_of_the_measure_that_counts(spark: SparkSession) -> None:
    pack = pack_of(
        campaign("hello", kpi("spend", select="sum(paid_amount)"), kpi("orders"), use_case="C2"), campaign("plain")
    )
    accounts = spark.createDataFrame(
        [("hello", arm, "email", 3) for arm in ("x", "y", "all", "holdout")]
        + [("plain", "x", "sms", 1), ("former", "x", "push", 1)],
        "activation_id string, arm string, channel string, planned_count bigint",
    )
    reactions = spark.createDataFrame([("hello", "x", 2, 1, 0, 0, 0)], COUNTS)
    statistics = spark.createDataFrame(
        [
            ("hello", "spend", "x", 2, Decimal("5.00")),
            ("hello", "spend", "y", 3, Decimal("7.50")),
            ("hello", "spend", "holdout", 1, Decimal("1.00")),
            ("hello", "orders", "x", 2, Decimal("99.00")),
        ],
        "activation_id string, kpi string, arm string, customer_count bigint, value_sum decimal(38,6)",
    )
    found = campaign_rows(accounts, reactions, statistics, pack, as_of=AS_OF)
    answered, silent = (2, 1, 0, 0, 0), (0, 0, 0, 0, 0)
    wanted = spark.createDataFrame(
        [
            ("hello", "x", "email", 3, *answered, 2, 2.5, "C2", "spend", AS_OF),
            ("hello", "y", "email", 3, *silent, 3, 2.5, "C2", "spend", AS_OF),
            ("hello", "all", "email", 3, *silent, 5, 2.5, "C2", "spend", AS_OF),
            ("hello", "holdout", "email", 3, *silent, 1, 1.0, "C2", "spend", AS_OF),
            ("plain", "x", "sms", 1, *silent, 0, None, None, None, AS_OF),
            ("former", "x", "push", 1, *silent, 0, None, None, None, AS_OF),
        ],
        f"activation_id string, arm string, channel string, planned_count bigint, {COUNTS.split('arm string, ')[1]}, "
        "kpi_customer_count bigint, kpi_mean double, use_case string, kpi string, as_of_date date",
    )
    same(found, wanted)


def test_without_anything_there_is_nothing(spark: SparkSession) -> None:
    responses, orders = facts(spark, "campaign_response"), facts(spark, "order")
    redeemed = redemptions(code_uses(responses, orders), issued(spark), merges(spark))
    found = reaction_counts(people(spark), responses, redeemed, as_of=AS_OF, time_zone="UTC")
    same(found, spark.createDataFrame([], COUNTS))
