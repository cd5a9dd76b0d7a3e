"""Topics in order of what improving them would save, and how each goes."""

from datetime import date, datetime, timedelta, UTC
from itertools import chain
from typing import Any

import pytest
from chispa import assert_approx_df_equality
from pyspark.sql import DataFrame, SparkSession, types as T

from cdp_lib.contracts import results
from cdp_lib.transforms.review.improvement import improvement_areas
from tests.builders import rows

AS_OF = date(2025, 3, 31)
NOW, FORMER = datetime(2025, 3, 20, tzinfo=UTC), datetime(2025, 2, 20, tzinfo=UTC)
TITLES = {"speed": "Speed", "taste": "Taste"}


def said(topic: str, complaints: int, praises: int, at: datetime = NOW, rating: float | None = None) -> list[Any]:
    tones = ["complaint"] * complaints + ["praise"] * praises
    return [{"topic": topic, "sentiment": tone, "reviewed_at": at, "rating": rating} for tone in tones]


def areas(spark: SparkSession, *reviews: list[Any], titles: dict[str, str] | None = None) -> DataFrame:
    given = [{**one, "review_id": f"r{place}"} for place, one in enumerate(chain.from_iterable(reviews))]
    frame = rows(spark, results.REVIEW_TOPIC, *given)
    return improvement_areas(frame, titles or TITLES, 30, as_of=AS_OF, time_zone="Asia/Bangkok")


def by_topic(frame: DataFrame) -> dict[str, Any]:
    return {row["topic"]: row for row in frame.collect()}


def test_a_row_tells_counts_stars_and_trend_in_words(spark: SparkSession) -> None:
    actual = areas(
        spark,
        said("speed", 12, 28, rating=2.0),
        said("speed", 0, 40, FORMER, rating=4.0),
        said("taste", 0, 10),
        said("other", 50, 0),
    )
    names = [name for name in results.IMPROVEMENT_AREA.column_names if name != "_run_id"]
    schema = T.StructType([T.StructField(one, results.IMPROVEMENT_AREA.column(one).spark_type) for one in names])
    # All: 12 of 50. Speed (12 + 2.4) / 50 = .288, taste 2.4 / 20 = .12.
    rest = ("Speed: 12 of 40 reviews of 30 days complain (30%), in the 30 days before 0%: worse.",)
    wanted = [
        ("speed", "Speed", AS_OF, 1, 40, 12, 0.3, 40 * (0.288 - 0.12), 2.0, 4.0, 0.0, "worse", *rest),
        ("taste", "Taste", AS_OF, 2, 10, 0, 0.0, 0.0, None, None, None, "new",
         "Taste: 0 of 10 reviews of 30 days complain (0%), none before."),
    ]  # fmt: skip
    assert_approx_df_equality(
        actual, spark.createDataFrame(wanted, schema), 1e-9, ignore_nullable=True, ignore_row_order=True
    )


@pytest.mark.parametrize(
    ("now", "former", "trend"),
    [
        ((12, 28), (2, 38), "worse"),
        ((2, 38), (12, 28), "better"),
        ((12, 28), (12, 28), "steady"),
        ((1, 0), (0, 1), "steady"),
        ((2, 0), (0, 2), "steady"),
        ((1, 4), (0, 0), "new"),
        ((0, 0), (9, 0), "steady"),
    ],
)
def test_a_trend_needs_more_than_a_handful(
    spark: SparkSession, now: tuple[int, int], former: tuple[int, int], trend: str
) -> None:
    found = by_topic(areas(spark, said("speed", *now), said("speed", *former, at=FORMER)))
    assert found["speed"]["trend"] == trend


def test_what_saves_most_complaints_comes_first_not_what_has_the_worst_share(spark: SparkSession) -> None:
    found = by_topic(areas(spark, said("speed", 2, 0), said("taste", 20, 20), said("price", 0, 60),
                           titles={**TITLES, "price": "Prices"}))  # fmt: skip
    assert {topic: row["rank"] for topic, row in found.items()} == {"taste": 1, "speed": 2, "price": 3}
    assert found["price"]["complaints_saved"] == 0


def test_equal_topics_are_ranked_by_name_whatever_the_order_of_rows(spark: SparkSession) -> None:
    given = [said("taste", 1, 1), said("speed", 1, 1)]
    ranks = [
        {topic: row["rank"] for topic, row in by_topic(areas(spark, *order)).items()} for order in (given, given[::-1])
    ]
    assert ranks == [{"speed": 1, "taste": 2}] * 2


def test_a_topic_that_nobody_speaks_of_is_last_and_says_so(spark: SparkSession) -> None:
    found = by_topic(areas(spark, said("taste", 0, 1)))
    row = found["speed"]
    assert (row["rank"], row["review_count"], row["complaint_share"], row["trend"]) == (2, 0, None, "steady")
    assert row["description"] == "Speed: no review of 30 days speaks of it."
    assert [one["rank"] for one in areas(spark).orderBy("topic").collect()] == [1, 2]


def test_windows_are_days_of_the_zone(spark: SparkSession) -> None:
    # Bangkok's 1 March begins at 17:00 UTC on 28 February; the window is 2 to 31 March.
    start = datetime(2025, 3, 1, 17, tzinfo=UTC)
    end = datetime(2025, 3, 31, 17, tzinfo=UTC)
    second = timedelta(seconds=1)
    moments = [
        start - second,
        start,
        end - second,
        end,
        start - timedelta(days=30),
        start - timedelta(days=30) - second,
    ]
    found = by_topic(areas(spark, *(said("speed", 1, 0, at) for at in moments)))
    assert found["speed"]["review_count"] == 2
    assert found["speed"]["former_complaint_share"] == 1.0
    without = by_topic(areas(spark, said("speed", 1, 0, moments[-1])))
    assert (without["speed"]["review_count"], without["speed"]["former_complaint_share"]) == (0, None)
