"""The single view with scores: one row per customer, null without a score."""

from dataclasses import replace
from datetime import date

from chispa import assert_df_equality
from pyspark.sql import SparkSession

from cdp_lib.contracts import scores
from cdp_lib.settings.forecast import Churn, LifetimeValue
from cdp_lib.settings.identity import Identity
from cdp_lib.settings.pack import Pack, PackInfo
from cdp_lib.settings.segmentation import Segmentation
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
