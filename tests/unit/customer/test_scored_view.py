"""The single view with scores: one row per customer, null without a score."""

from dataclasses import replace
from datetime import date

from chispa import assert_df_equality
from pyspark.sql import SparkSession

from cdp_lib.contracts import results, scores
from cdp_lib.settings.forecast import Churn, LifetimeValue
from cdp_lib.settings.identity import Identity
from cdp_lib.settings.pack import Pack, PackInfo
from cdp_lib.settings.segmentation import Segmentation
from cdp_lib.settings.source import Source
from cdp_lib.transforms.customer.scored_view import scored_customers
from tests.builders import rows

INFO = PackInfo(kind="pack", id="deli", currency="EUR", time_zone="UTC")
PACK = Pack(
    INFO,
    (),
    Identity(kind="identity"),
    churn=Churn(),
    lifetime_value=LifetimeValue(),
    segmentations=(Segmentation(kind="segmentation", id="rfm", method="rfm"),),
)


def test_scores_stand_beside_the_customer_and_are_null_without_one(spark: SparkSession) -> None:
    customers = spark.createDataFrame([("a",), ("b",)], "golden_id string")
    day = date(2025, 1, 1)
    published = {
        "gold.churn_score": rows(
            spark,
            scores.CHURN_SCORE,
            {"golden_id": "a", "churn_probability": 0.25, "churn_band": "low", "top_reasons": ["x"], "as_of_date": day},
        ),
        "gold.segment_member": rows(
            spark,
            scores.SEGMENT_MEMBER,
            {"segmentation_id": "rfm", "golden_id": "a", "segment": "new", "segment_name": "New customers"},
            {"segmentation_id": "gone", "golden_id": "a", "segment": "z", "segment_name": "Z"},
        ),
    }
    found = scored_customers(customers, published, PACK)

    wanted = spark.createDataFrame(
        [
            ("a", None, None, None, None, None, 0.25, "low", ["x"], "new", "New customers"),
            ("b", None, None, None, None, None, None, None, None, None, None),
        ],
        "golden_id string, predicted_purchase_count double, cltv_amount decimal(18,2), cltv_low_amount decimal(18,2), "
        "cltv_high_amount decimal(18,2), probability_alive double, churn_probability double, churn_band string, "
        "top_reasons array<string>, segment_rfm string, segment_rfm_name string",
    )
    assert_df_equality(found, wanted, ignore_row_order=True, ignore_nullable=True)


def test_a_pack_that_asks_for_nothing_has_the_single_view_alone(spark: SparkSession) -> None:
    customers = spark.createDataFrame([("a",)], "golden_id string")
    plain = replace(PACK, churn=None, lifetime_value=None, segmentations=())
    assert scored_customers(customers, {}, plain).columns == ["golden_id"]


def test_credited_referrals_are_counted_and_zero_for_who_brought_nobody(spark: SparkSession) -> None:
    feed = {"to": "referral", "map": {"referral_id": "id", "referred_at": "at", "source_updated_at": "at"}}
    body = {
        "kind": "source",
        "id": "club",
        "read": {"format": "csv", "path": "*.csv"},
        "key": ["id"],
        "columns": {"id": {"type": "string"}, "at": {"type": "timestamp"}},
        "feeds": [feed],
    }
    club = Pack(INFO, (Source.model_validate(body),), Identity(kind="identity"))
    customers = spark.createDataFrame([("a",), ("b",)], "golden_id string")
    told = [("a", "credited"), ("a", "credited"), ("a", "already_credited"), ("b", "self_referral"), (None, "credited")]
    referrals = rows(
        spark, results.REFERRAL_CREDIT, *[{"referrer_golden_id": who, "status": status} for who, status in told]
    )
    schema = "golden_id string, credited_referral_count bigint"

    found = scored_customers(customers, {results.REFERRAL_CREDIT.name: referrals}, club)
    wanted = spark.createDataFrame([("a", 2), ("b", 0)], schema)
    assert_df_equality(found, wanted, ignore_row_order=True, ignore_nullable=True)

    not_yet = spark.createDataFrame([("a", None), ("b", None)], schema)
    assert_df_equality(scored_customers(customers, {}, club), not_yet, ignore_row_order=True, ignore_nullable=True)
    assert scores.score_tables(club) == (results.REFERRAL_CREDIT,)
