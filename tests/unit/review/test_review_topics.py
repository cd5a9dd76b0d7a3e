"""Reviews joined with their writers and with what a model said of their words."""

from datetime import date, datetime, UTC
from typing import Any

from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession, types as T

from cdp_lib.contracts import identity, results, silver
from cdp_lib.models.topics.topic_model import SCHEMA
from cdp_lib.transforms.review.topics import review_texts, review_topics
from tests.builders import rows

UNTIL = (date(2025, 3, 31), "Asia/Bangkok")
AT = datetime(2025, 3, 1, 12, tzinfo=UTC)
SAID: list[tuple[str, list[str], list[float], list[float]]] = [
    ("slow, tasty", ["speed", "taste"], [0.9, 0.6], [1.5, -2.0]),
    ("slow", ["speed"], [0.8], [0.5]),
    ("hm", ["other"], [0.7], [0.5]),
]


def told(spark: SparkSession, *reviews: dict[str, Any]) -> DataFrame:
    given = [{"source_system": "web", "reviewed_at": AT, **one} for one in reviews]
    links = [{"source_system": "web", "source_record_id": "p1", "golden_id": "g1"}]
    return review_topics(
        rows(spark, silver.REVIEW, *given),
        rows(spark, identity.IDENTITY_LINK, *links),
        spark.createDataFrame(SAID, SCHEMA),
        ("speed", "taste"),
        UNTIL,
    )


def expected(spark: SparkSession, *given: tuple[Any, ...]) -> DataFrame:
    names = results.REVIEW_TOPIC.column_names[:-2]
    schema = T.StructType([T.StructField(one, results.REVIEW_TOPIC.column(one).spark_type) for one in names])
    return spark.createDataFrame([("web", *row) for row in given], schema)


def check(actual: DataFrame, wanted: DataFrame) -> None:
    assert_df_equality(actual, wanted, ignore_row_order=True, ignore_nullable=True)


def test_a_review_has_a_row_per_topic_with_its_own_tone(spark: SparkSession) -> None:
    actual = told(spark, {"review_id": "r", "person_id": "p1", "review_text": "slow, tasty", "rating": 3.0})
    check(
        actual,
        expected(
            spark,
            ("r", "speed", "g1", AT, 3.0, "complaint", 0.9),
            ("r", "taste", "g1", AT, 3.0, "praise", 0.6),
        ),
    )


def test_stars_weigh_with_words_and_even_odds_are_praise(spark: SparkSession) -> None:
    stars = {"one": 1.0, "three": 3.0, "four": 4.0, "none": None}
    actual = told(spark, *({"review_id": name, "review_text": "slow", "rating": stars[name]} for name in stars))
    tone = {"one": "complaint", "three": "complaint", "four": "praise", "none": "complaint"}
    check(actual, expected(spark, *((name, "speed", None, AT, stars[name], tone[name], 0.8) for name in stars)))
    even = told(spark, {"review_id": "r", "rating": 3.0})
    check(even, expected(spark, ("r", "other", None, AT, 3.0, "praise", 1.0)))


def test_what_was_ticked_counts_where_words_tell_no_topic(spark: SparkSession) -> None:
    actual = told(
        spark,
        {"review_id": "words first", "review_text": "slow", "topic": "taste"},
        {"review_id": "ticked", "review_text": "hm", "topic": "taste"},
        {"review_id": "stars only", "rating": 1.0, "topic": "taste"},
        {"review_id": "unknown", "review_text": "hm", "topic": "parking"},
        {"review_id": "unticked", "review_text": "hm"},
    )
    check(
        actual,
        expected(
            spark,
            ("words first", "speed", None, AT, None, "complaint", 0.8),
            ("ticked", "taste", None, AT, None, "complaint", 1.0),
            ("stars only", "taste", None, AT, 1.0, "complaint", 1.0),
            ("unknown", "other", None, AT, None, "complaint", 0.7),
            ("unticked", "other", None, AT, None, "complaint", 0.7),
        ),
    )


def test_reviews_that_say_nothing_or_come_later_are_absent(spark: SparkSession) -> None:
    first_after = datetime(2025, 3, 31, 17, tzinfo=UTC)
    actual = told(
        spark,
        {"review_id": "silent"},
        {"review_id": "ticked alone", "topic": "taste"},
        {"review_id": "late", "review_text": "slow", "reviewed_at": first_after},
        {"review_id": "in time", "review_text": "slow", "reviewed_at": first_after.replace(hour=16)},
    )
    at = first_after.replace(hour=16)
    check(actual, expected(spark, ("in time", "speed", None, at, None, "complaint", 0.8)))


def test_reviews_with_the_same_words_stay_apart(spark: SparkSession) -> None:
    both = [{"review_id": name, "review_text": "slow", "person_id": who} for name, who in (("a", "p1"), ("b", "p2"))]
    wanted = [("a", "speed", "g1", AT, None, "complaint", 0.8), ("b", "speed", None, AT, None, "complaint", 0.8)]
    check(told(spark, *both), expected(spark, *wanted))
    check(told(spark, *reversed(both)).repartition(5), expected(spark, *wanted))
    check(told(spark), expected(spark))


def test_each_text_is_given_to_the_model_once(spark: SparkSession) -> None:
    given = ["slow", "slow", None, "", " \n", "👍", "Slow"]
    reviews = rows(spark, silver.REVIEW, *({"review_text": text} for text in given))
    wanted = spark.createDataFrame([("slow",), ("👍",), ("Slow",)], "review_text string")
    check(review_texts(reviews), wanted)
