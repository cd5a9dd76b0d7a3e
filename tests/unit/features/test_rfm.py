"""Scores and segments of recency, frequency and spend."""

import random

import numpy as np
import pyarrow as pa
import pytest
from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession

from cdp_lib.models.quantiles import rfm_bounds, score_bounds
from cdp_lib.settings.segmentation import RFM_SEGMENTS
from cdp_lib.transforms.features.cards import segment_cards
from cdp_lib.transforms.features.rfm import rfm_segments, rfm_steps, step_counts

BOUNDS = {"recency": (10, 20, 40, 80), "frequency": (2, 4, 8), "monetary": (300, 400, 500, 600)}
STEPS = "golden_id string, recency bigint, frequency bigint, monetary bigint"


def segment_of(spark: SparkSession, recency: int, frequency: int, monetary: int) -> tuple:
    steps = spark.createDataFrame([("a", recency, frequency, monetary)], STEPS)
    row = rfm_segments(steps.select("golden_id"), steps, BOUNDS).collect()[0]
    return (row["recency_score"], row["frequency_score"], row["monetary_score"], row["segment"])


@pytest.mark.parametrize(
    ("figures", "expected"),
    [
        ((5, 9, 700), (5, 5, 5, "champions")),
        ((30, 9, 700), (3, 5, 5, "loyal")),
        ((15, 3, 350), (4, 3, 2, "potential_loyal")),
        ((5, 1, 900), (5, 1, 5, "new")),
        ((15, 1, 900), (4, 1, 5, "promising")),
        ((30, 3, 450), (3, 3, 3, "need_attention")),
        ((30, 1, 100), (3, 1, 1, "about_to_sleep")),
        ((90, 9, 900), (1, 5, 5, "cannot_lose")),
        ((90, 5, 450), (1, 4, 3, "at_risk")),
        ((90, 1, 900), (1, 1, 5, "hibernating")),
    ],
)
def test_each_cell_has_its_name(spark: SparkSession, figures: tuple, expected: tuple) -> None:
    assert segment_of(spark, *figures) == expected


def test_a_value_on_a_bound_has_the_better_recency_and_the_lower_spend(spark: SparkSession) -> None:
    assert segment_of(spark, 10, 2, 300)[:3] == (5, 2, 1)
    assert segment_of(spark, 11, 3, 301)[:3] == (4, 3, 2)


def test_who_never_bought_is_in_a_segment_without_scores(spark: SparkSession) -> None:
    people = spark.createDataFrame([("a",)], "golden_id string")
    row = rfm_segments(people, spark.createDataFrame([], STEPS), BOUNDS).collect()[0]

    assert tuple(row) == ("a", None, None, None, "no_purchase", RFM_SEGMENTS["no_purchase"])


def test_steps_tell_days_and_a_per_cent_of_spend(spark: SparkSession) -> None:
    given = [("a", 3.0, 4.0, 100.0), ("refunded", 3.0, 0.0, -5.0)]
    frame = spark.createDataFrame(given, "golden_id string, recency_days double, frequency double, total_amount double")

    assert sorted(tuple(row) for row in rfm_steps(frame).collect()) == [("a", 3, 5, 461), ("refunded", 3, 1, 0)]


def test_bounds_part_customers_into_equal_parts_and_keep_equal_values_together() -> None:
    assert score_bounds(np.arange(1, 11), np.ones(10, dtype=np.int64), 5) == (2, 4, 6, 8)
    assert score_bounds(np.array([3, 1]), np.array([1, 99]), 5) == (1, 1, 1, 1)
    assert score_bounds(np.array([], dtype=np.int64), np.array([], dtype=np.int64), 5) == ()


def test_frequency_is_scored_among_those_who_came_again() -> None:
    counted = pa.table(
        {
            "measure": ["frequency"] * 5,
            "step": [1, 2, 3, 4, 5],
            "customer_count": [9_996, 1, 1, 1, 1],
        }
    )
    assert rfm_bounds(counted)["frequency"] == (2, 3, 4)


def test_order_and_partitions_change_nothing(spark: SparkSession) -> None:
    draw = random.Random(3)
    given = [(f"c{place}", draw.randrange(99), draw.randrange(1, 9), draw.randrange(700)) for place in range(60)]
    steps = spark.createDataFrame(given, STEPS)
    other = steps.orderBy("monetary").repartition(5)

    def found(frame: DataFrame) -> DataFrame:
        return rfm_segments(frame.select("golden_id"), frame, rfm_bounds(step_counts(frame).toArrow()))

    assert_df_equality(found(steps), found(other), ignore_row_order=True)


def test_a_card_tells_medians_beside_everybodys(spark: SparkSession) -> None:
    members = spark.createDataFrame(
        [("a", "x", "Ex"), ("b", "x", "Ex"), ("c", "y", "Why"), ("d", "y", "Why")],
        "golden_id string, segment string, segment_name string",
    )
    figures = spark.createDataFrame(
        [("a", 1.0, 2.5), ("b", 3.0, None), ("c", 2000.0, None)], "golden_id string, days double, spend double"
    )
    cards = {
        row["segment"]: row for row in segment_cards(members, figures, {"days": "days", "spend": "spent"}).collect()
    }

    assert (cards["x"]["customer_count"], cards["x"]["customer_share"], cards["x"]["segment_name"]) == (2, 0.5, "Ex")
    assert cards["x"]["figures"] == {"days": 2.0, "spend": 2.5}
    assert cards["x"]["description"] == "50.0% of customers. Median: 2 days (all: 3), 2.50 spent (all: 2.50)."
    assert cards["y"]["figures"] == {"days": 2000.0}
    assert cards["y"]["description"] == "50.0% of customers. Median: 2,000 days (all: 3)."
