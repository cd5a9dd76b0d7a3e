"""What is known of each intent, who was in which arm, and whether the account of what was sent adds up."""

import pytest
from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession

from cdp_lib.contracts import activation, identity
from cdp_lib.errors import AccountError
from cdp_lib.transforms.campaign.intents import assigned_counts, delivery_accounts, exposures, intents, unbalanced
from jobs.gold_campaign import check_accounts
from tests.builders import rows
from tests.unit.campaign.scene import day, deliveries, merges, people, states

ACCOUNTS = (
    "activation_id string, arm string, channel string, planned_count bigint, sent_count bigint, accepted_count bigint, "
    "rejected_count bigint, unknown_count bigint"
)


def same(actual: DataFrame, wanted: DataFrame) -> None:
    assert_df_equality(actual, wanted, ignore_row_order=True, ignore_nullable=True, ignore_column_order=True)


def last_of(spark: SparkSession, *of_intents: list[dict]) -> dict[str, tuple[str, bool]]:
    found = intents(deliveries(spark, *of_intents)).collect()
    return {row["golden_id"]: (row["status"], row["is_sent"]) for row in found}


def test_the_last_state_is_that_of_the_last_try_and_an_end_outweighs_its_beginning(spark: SparkSession) -> None:
    late = {"recorded_at": day(9)}
    found = last_of(
        spark,
        states("answered", "a", "accepted", "planned") + states("answered", "a", "sent", **late),
        states("in_flight", "a", "planned", "sent"),
        states("again", "a", "planned", "sent", "rejected") + states("again", "a", "planned", attempt=2),
        states("twice", "a", "planned", "sent", "rejected") + states("twice", "a", "sent", "accepted", attempt=2),
        states("settled", "a", "sent", "unknown") + states("settled", "a", "accepted", **late),
        states("too_late", "a", "planned", "expired"),
        states("nobody", "holdout", "held_out"),
    )
    assert found == {
        "answered": ("accepted", True),
        "in_flight": ("sent", True),
        "again": ("planned", False),
        "twice": ("accepted", True),
        "settled": ("accepted", True),
        "too_late": ("expired", False),
        "nobody": ("held_out", False),
    }


def test_accounts_count_intents_by_arm_and_leave_those_held_out_aside(spark: SparkSession) -> None:
    given = [
        states("a", "short", "planned", "sent", "accepted"),
        states("b", "short", "planned", "expired"),
        states("c", "long", "planned", "sent", "rejected"),
        states("d", "long", "planned", "sent", "unknown", channel="sms", planned_at=day(2)),
        states("e", "holdout", "held_out"),
    ]
    wanted = spark.createDataFrame(
        [
            ("hello", "short", "email", 2, 1, 1, 0, 0),
            ("hello", "long", "sms", 2, 2, 0, 1, 1),
            ("hello", "all", "sms", 4, 3, 1, 1, 1),
            ("hello", "holdout", "email", 0, 0, 0, 0, 0),
        ],
        ACCOUNTS,
    )
    repeated = deliveries(spark, *given, *given).repartition(3)
    same(delivery_accounts(intents(repeated)), wanted)


def test_what_was_sent_and_has_no_end_is_an_error_with_its_figures(spark: SparkSession) -> None:
    known = intents(
        deliveries(
            spark,
            states("a", "short", "planned", "sent", "accepted"),
            states("b", "short", "planned", "sent"),
            states("c", "long", "planned", "rejected"),
            states("d", "long", "planned", "sent", "accepted", activation_id="fine"),
        )
    )
    wrong = unbalanced(delivery_accounts(known)).orderBy("activation_id", "arm").collect()
    with pytest.raises(AccountError) as caught:
        check_accounts(wrong)
    assert str(caught.value).startswith(
        "ops.delivery: activation hello, arm long: 0 sent, but 0 accepted + 1 rejected + 0 unknown; "
        "activation hello, arm short: 2 sent, but 1 accepted + 0 rejected + 0 unknown. "
    )
    check_accounts([])


def test_without_arms_everybody_is_counted_once_and_held_to_account(spark: SparkSession) -> None:
    known = intents(
        deliveries(
            spark,
            states("a", "all", "planned", "sent", "accepted"),
            states("b", "all", "planned", "sent"),
            states("c", "holdout", "held_out"),
        )
    )
    accounts = delivery_accounts(known)
    wanted = [("hello", "all", "email", 2, 2, 1, 0, 0), ("hello", "holdout", "email", 0, 0, 0, 0, 0)]
    same(accounts, spark.createDataFrame(wanted, ACCOUNTS))
    with pytest.raises(AccountError, match=r"activation hello, arm all: 2 sent, but 1 accepted \+ 0 rejected"):
        check_accounts(unbalanced(accounts).collect())


def test_a_person_is_exposed_once_from_the_first_intent_under_todays_id(spark: SparkSession) -> None:
    known = intents(
        deliveries(
            spark,
            states("old", "a", "planned", "expired", planned_at=day(3)),
            states("b", "holdout", "held_out", planned_at=day(2)),
            states("b", "holdout", "held_out", planned_at=day(9), number=2),
            states("left", "a", "planned", operation="remove"),
            states("gone", "a", "planned"),
        )
    )
    events = merges(spark, ("old", "new")).unionByName(
        rows(spark, identity.IDENTITY_EVENT, {"event_type": "retire", "golden_id": "gone"})
    )
    wanted = people(spark, ("hello", "new", "a", day(3), False), ("hello", "b", "holdout", day(2), False))
    same(exposures(known, events), wanted)


def test_people_of_two_ids_or_two_arms_are_crossed_whichever_arms_they_were(spark: SparkSession) -> None:
    given = [
        states("a1", "holdout", "held_out", planned_at=day(1)),
        states("a2", "short", "planned", planned_at=day(2)),
        states("b1", "short", "planned"),
        states("b2", "short", "planned"),
        states("c", "short", "planned", planned_at=day(5)),
        states("c", "long", "planned", planned_at=day(5)),
        states("d1", "short", "planned"),
        states("d2", "long", "planned", activation_id="other"),
    ]
    events = merges(spark, ("a1", "a2"), ("b1", "b2"), ("d1", "d2"))
    wanted = people(
        spark,
        ("hello", "a2", "short", day(1), True),
        ("hello", "b2", "short", day(1), True),
        ("hello", "c", "long", day(5), True),
        ("hello", "d2", "short", day(1), False),
        ("other", "d2", "long", day(1), False),
    )
    same(exposures(intents(deliveries(spark, *given)), events), wanted)
    same(exposures(intents(deliveries(spark, *given[::-1]).repartition(3)), events), wanted)


def test_sizes_of_arms_are_those_of_the_draw_whoever_merged_since(spark: SparkSession) -> None:
    known = intents(
        deliveries(
            spark,
            states("a1", "holdout", "held_out"),
            states("a2", "short", "planned"),
            states("c", "short", "planned", planned_at=day(1)),
            states("c", "long", "planned", planned_at=day(2)),
            states("left", "short", "planned", operation="remove"),
        )
    )
    wanted = spark.createDataFrame(
        [("hello", "holdout", 1), ("hello", "short", 2)], "activation_id string, arm string, customer_count bigint"
    )
    same(assigned_counts(known), wanted)


def test_without_deliveries_there_is_nobody_and_nothing(spark: SparkSession) -> None:
    known = intents(rows(spark, activation.DELIVERY))
    nothing = rows(spark, identity.IDENTITY_EVENT)
    same(delivery_accounts(known), spark.createDataFrame([], ACCOUNTS))
    same(exposures(known, nothing), people(spark))
