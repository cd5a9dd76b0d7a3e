"""What each review is about, from what a text model said of its words, its stars, and what the writer ticked."""

from collections.abc import Collection
from datetime import date

from pyspark.sql import Column, DataFrame, functions as F

from cdp_lib.settings.review_topics import OTHER
from cdp_lib.transforms.customer.as_of import end_of_day

RATING_WEIGHT = 1.0
"""Log-odds of a complaint that each star below three adds to those of the words, and each above takes away. One star
makes a complaint e^2 = 7 times as likely as the words alone; a clear complaint outweighs four stars."""

_MIDDLE_STARS = 3


def review_texts(reviews: DataFrame) -> DataFrame:
    """One row per distinct `review_text` in which something is written."""
    return reviews.select("review_text").where(F.col("review_text").rlike(r"\S")).distinct()


def review_topics(
    reviews: DataFrame, links: DataFrame, said: DataFrame, topics: Collection[str], until: tuple[date, str]
) -> DataFrame:
    """One row per review and topic of it: golden_id (null: nobody known), stars, sentiment, probability.

    `said` has a row per text: review_text, and topics, probabilities and complaint_log_odds side by side. Where the
    words tell no topic of the pack (`topics`), the one that the writer ticked counts, with probability 1; else the
    review is about `other`. A complaint is what words and stars together make more likely than not; even odds are
    praise. Reviews without words and stars say nothing and are absent, as are those after `until`: a day and its zone.
    """
    people = links.select("source_system", F.col("source_record_id").alias("person_id"), "golden_id")
    known = (
        reviews.where(F.col("reviewed_at") < F.lit(end_of_day(*until)))
        .join(people, ["source_system", "person_id"], "left")  # one row per record: identity_link's key
        .join(said, "review_text", "left")  # one row per text
    )
    about = known.select(
        "source_system", "review_id", "golden_id", "reviewed_at", "rating", F.explode(_told(topics)).alias("about")
    )
    stars = RATING_WEIGHT * (_MIDDLE_STARS - F.coalesce("rating", F.lit(_MIDDLE_STARS)))
    is_complaint = F.col("about.complaint_log_odds") + stars > 0
    return about.select(
        "source_system",
        "review_id",
        "about.topic",
        "golden_id",
        "reviewed_at",
        "rating",
        F.when(is_complaint, "complaint").otherwise("praise").alias("sentiment"),
        "about.probability",
    )


def _told(topics: Collection[str]) -> Column:
    """The review's topics; null where nothing was said."""
    by_words = F.transform(
        F.arrays_zip("topics", "probabilities", "complaint_log_odds"),
        lambda one: _about(one["topics"], one["probabilities"], one["complaint_log_odds"]),
    )
    has_words = F.col("topics").isNotNull()
    is_told = has_words & (F.get("topics", F.lit(0)) != OTHER)
    odds = F.coalesce(F.get("complaint_log_odds", F.lit(0)), F.lit(0.0))
    is_ticked = (has_words | F.col("rating").isNotNull()) & F.col("topic").isin(*topics)
    nothing = F.when(F.col("rating").isNotNull(), F.array(_about(F.lit(OTHER), F.lit(1.0), F.lit(0.0))))
    return (
        F.when(is_told, by_words)
        .when(is_ticked, F.array(_about(F.col("topic"), F.lit(1.0), odds)))
        .when(has_words, by_words)
        .otherwise(nothing)
    )


def _about(topic: Column, probability: Column, odds: Column) -> Column:
    return F.struct(topic.alias("topic"), probability.alias("probability"), odds.alias("complaint_log_odds"))
