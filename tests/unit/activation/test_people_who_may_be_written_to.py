"""Consent, suppression and assignment: who agreed, who left, and who is in which arm."""

from datetime import timedelta
from typing import Any

import pytest
from chispa import assert_df_equality
from pyspark.sql import functions as F, SparkSession, types as T

from cdp_lib.contracts.activation import SUPPRESSION
from cdp_lib.settings.activation import ContactPolicy
from cdp_lib.transforms.activation.assignment import arm_of, is_globally_held_out, unit_interval
from cdp_lib.transforms.activation.consent import consent_in_force, with_consent
from cdp_lib.transforms.activation.offers import offer_code
from cdp_lib.transforms.activation.suppression import suppressed_customers
from tests.unit.activation.conftest import activation, AT, consent
from tests.unit.customer.shop import facts

GRANTED, WITHDRAWN = "granted", "withdrawn"


def test_the_newest_decision_of_each_channel_is_in_force(spark: SparkSession) -> None:
    given = [
        consent("g1", "c1", GRANTED, 5),
        consent("g1", "c2", WITHDRAWN, 4),
        consent("g1", "c3", GRANTED, 4, channel="sms"),
        consent("g1", "c4", WITHDRAWN, -1, channel="sms"),
        consent(None, "c5", GRANTED, 4),
    ]
    expected = spark.createDataFrame(
        [
            ("g1", "marketing", "email", WITHDRAWN, AT - timedelta(days=4), "crm:c2"),
            ("g1", "marketing", "sms", GRANTED, AT - timedelta(days=4), "crm:c3"),
        ],
        "golden_id string, purpose string, channel string, status string, decided_at timestamp, consent string",
    )
    for order in (given, given[::-1]):
        found = consent_in_force(facts(spark, "consent", *order).repartition(3), at=AT)
        assert_df_equality(found, expected, ignore_row_order=True, ignore_nullable=True)


@pytest.mark.parametrize(
    ("given", "allowed_by"),
    [
        ([], None),
        ([("c1", GRANTED, 2, "email"), ("c2", WITHDRAWN, 1, "any")], None),
        ([("c1", WITHDRAWN, 2, "email"), ("c2", GRANTED, 1, "any")], "crm:c2"),
        ([("c1", GRANTED, 1, "email"), ("c2", WITHDRAWN, 1, "any")], None),
        ([("c1", WITHDRAWN, 1, "email"), ("c2", GRANTED, 1, "any")], None),
        ([("c1", GRANTED, 1, "email"), ("c2", WITHDRAWN, 1, "email")], None),
        ([("c1", GRANTED, 1, "email"), ("c2", GRANTED, 1, "email")], "crm:c2"),
        ([("c1", GRANTED, 0, "email")], "crm:c1"),
    ],
)
def test_of_the_channels_and_anys_decision_the_newer_counts(
    spark: SparkSession, given: list[Any], allowed_by: str | None
) -> None:
    decided = [consent("g1", name, status, days, channel=channel) for name, status, days, channel in given]
    candidates = spark.createDataFrame(
        [("g1", "marketing", "email")], "golden_id string, purpose string, channel string"
    )
    found = with_consent(candidates, consent_in_force(facts(spark, "consent", *decided), at=AT))
    (row,) = found.collect()
    assert row.asDict() == {**candidates.first().asDict(), "allowed": allowed_by is not None, "consent": allowed_by}  # type: ignore[union-attr] - one row was given


def response(golden_id: str | None, kind: str, days_ago: float, channel: str | None = "email") -> dict[str, Any]:
    at = AT - timedelta(days=days_ago)
    return {
        "golden_id": golden_id,
        "source_system": "post",
        "campaign_id": "hello",
        "response_type": kind,
        "responded_at": at,
        "channel": channel,
    }


@pytest.mark.parametrize(
    ("responses", "consents", "left"),
    [
        ([("unsubscribed", 3, "email"), ("unsubscribed", 2, "email")], [], [("email", "unsubscribed", 2)]),
        ([("complained", 3, None)], [], [("any", "complained", 3)]),
        (
            [("unsubscribed", 3, "email"), ("bounced", 3, "email")],
            [],
            [("email", "bounced", 3), ("email", "unsubscribed", 3)],
        ),
        ([("opened", 3, "email"), ("targeted", 3, "email")], [], []),
        ([("unsubscribed", 3, "email")], [(GRANTED, 2, "email", "marketing")], []),
        ([("unsubscribed", 3, "email")], [(GRANTED, 2, "any", "marketing")], []),
        ([("complained", 3, "email")], [(GRANTED, 2, "sms", "marketing")], [("email", "complained", 3)]),
        ([("complained", 3, "email")], [(GRANTED, 2, "email", "service")], [("email", "complained", 3)]),
        ([("unsubscribed", 3, "email")], [(GRANTED, 3, "email", "marketing")], [("email", "unsubscribed", 3)]),
        ([("unsubscribed", 3, "email")], [(WITHDRAWN, 2, "email", "marketing")], [("email", "unsubscribed", 3)]),
        ([("unsubscribed", 3, None)], [(GRANTED, 2, "email", "marketing")], [("any", "unsubscribed", 3)]),
        ([("bounced", 3, "email")], [(GRANTED, 2, "email", "marketing")], [("email", "bounced", 3)]),
        ([("bounced", 3, "email"), ("clicked", 2, "email")], [], []),
        ([("bounced", 3, "email"), ("clicked", 2, "sms")], [], [("email", "bounced", 3)]),
        ([("bounced", 3, "email"), ("opened", 4, "email")], [], [("email", "bounced", 3)]),
        ([("unsubscribed", 3, "email"), ("opened", 2, "email")], [], [("email", "unsubscribed", 3)]),
    ],
)
def test_who_left_stays_left_until_they_come_back(
    spark: SparkSession, responses: list[Any], consents: list[Any], left: list[Any]
) -> None:
    reactions = [response("g1", *one) for one in responses] + [response(None, "unsubscribed", 1)]
    grants = [
        consent("g1", f"c{place}", status, days, channel=channel, purpose=purpose)
        for place, (status, days, channel, purpose) in enumerate(consents)
    ]
    found = suppressed_customers(facts(spark, "campaign_response", *reactions), facts(spark, "consent", *grants))
    expected = [("g1", channel, reason, AT - timedelta(days=days), "post", "hello") for channel, reason, days in left]
    shape = T.StructType([field for field in SUPPRESSION.schema().fields if field.name != "_run_id"])
    assert_df_equality(found, spark.createDataFrame(expected, shape), ignore_row_order=True, ignore_nullable=True)


def test_a_hash_looks_drawn_and_is_always_the_same(spark: SparkSession) -> None:
    ids = spark.range(10_000).select(F.concat(F.lit("g"), F.col("id").cast("string")).alias("golden_id"))
    drawn = ids.select(
        unit_interval(F.col("golden_id"), "a").alias("a"), unit_interval(F.col("golden_id"), "b").alias("b")
    )
    row = drawn.agg(F.min("a"), F.max("a"), F.avg("a"), F.corr("a", "b")).first()
    assert row is not None
    least, most, mean, correlation = row
    assert 0 <= least < 0.01
    assert 0.99 < most < 1
    assert mean == pytest.approx(0.5, abs=0.015)
    assert correlation == pytest.approx(0, abs=0.04)
    known = (
        spark.range(1).select(unit_interval(F.lit("g1"), "a"), unit_interval(F.lit(None).cast("string"), "a")).first()
    )
    # The first 13 hex digits of SHA-256 of "a|g1", told by another program.
    assert tuple(known or ()) == (0.5051985591357968, None)


def test_arms_have_their_shares_and_stay_when_the_holdout_changes(spark: SparkSession) -> None:
    arms = [{"id": "x", "share": 0.7}, {"id": "y", "share": 0.3}]
    few, more = activation(arms=arms, holdout_share=0.1), activation(arms=arms, holdout_share=0.3)
    ids = spark.range(10_000).select(F.concat(F.lit("g"), F.col("id").cast("string")).alias("golden_id"))
    found = ids.select(
        arm_of(few).alias("few"),
        arm_of(more).alias("more"),
        arm_of(activation("other", holdout_share=0.1)).alias("other"),
        is_globally_held_out(ContactPolicy(kind="contact_policy", holdout_share=0.2)).alias("nobody"),
    )
    counts = {
        (row["few"], row["more"], row["other"], row["nobody"]): row["count"]
        for row in found.groupBy(*found.columns).count().collect()
    }
    share = {arm: sum(n for key, n in counts.items() if key[0] == arm) / 10_000 for arm in ("holdout", "x", "y")}
    assert share == {
        "holdout": pytest.approx(0.1, abs=0.01),
        "x": pytest.approx(0.63, abs=0.015),
        "y": pytest.approx(0.27, abs=0.015),
    }
    assert {key[:2] for key in counts} == {
        ("holdout", "holdout"),
        ("x", "x"),
        ("y", "y"),
        ("x", "holdout"),
        ("y", "holdout"),
    }
    both = sum(n for key, n in counts.items() if key[0] == key[2] == "holdout") / 10_000
    assert both == pytest.approx(0.01, abs=0.004)
    assert sum(n for key, n in counts.items() if key[3]) / 10_000 == pytest.approx(0.2, abs=0.015)


def test_codes_are_unique_come_again_and_need_the_salt(spark: SparkSession) -> None:
    people = spark.range(100_000).select(
        F.lit("hello").alias("activation_id"),
        F.col("id").cast("string").alias("golden_id"),
        F.lit("entry:2025-01-10").alias("occasion"),
        F.struct(
            F.lit("gift").alias("offer_id"), F.lit(None).cast("string").alias("shared"), F.lit("SUN-").alias("prefix")
        ).alias("offer"),
    )
    found = people.select(
        offer_code("pepper").alias("code"), offer_code("pepper").alias("again"), offer_code("salt").alias("other")
    )
    row = found.agg(
        F.count_distinct("code"),
        F.count_if(F.col("code").rlike("^SUN-[0-9A-HJKMNP-TV-Z]{12}$")),
        F.count_if(F.col("code") == F.col("again")),
        F.count_if(F.col("code") == F.col("other")),
    ).first()
    assert tuple(row or ()) == (100_000, 100_000, 100_000, 0)


def test_a_shared_code_is_taken_as_it_is_and_without_an_offer_there_is_none(spark: SparkSession) -> None:
    offer = "struct<offer_id:string,shared:string,prefix:string>"
    schema = f"activation_id string, golden_id string, occasion string, offer {offer}"
    given = [("hello", "g1", "e", ("gift", "SUMMER", "")), ("hello", "g2", "e", (None, None, ""))]
    found = spark.createDataFrame(given, schema).select("golden_id", offer_code("pepper").alias("code"))
    assert {row["golden_id"]: row["code"] for row in found.collect()} == {"g1": "SUMMER", "g2": None}
