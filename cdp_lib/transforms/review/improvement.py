"""What to improve first: topics ranked by the complaints that improving them would save, with their trend."""

from collections.abc import Mapping
from datetime import date, timedelta

from pyspark.sql import Column, DataFrame, functions as F, Window as W

from cdp_lib.transforms.customer.as_of import end_of_day

PRIOR_REVIEWS = 10
"""A topic's share of complaints is drawn towards that of all topics as if so many more reviews had had it."""

SURE = 1.96
"""Standard errors between two shares for a trend: 95% sure, each topic by itself."""


def improvement_areas(
    topics: DataFrame, titles: Mapping[str, str], window_days: int, *, as_of: date, time_zone: str
) -> DataFrame:
    """One row per topic of `titles`, ranked: counts, complaints' share, stars, trend, and the row in words.

    `topics` has a row per review and topic; the window is the `window_days` days that end with `as_of`, in the zone,
    the former one those before it. `complaints_saved` is what a window as long would be spared if the topic were
    complained of as seldom as the best of the topics that are spoken of, shares being drawn towards that of all
    (PRIOR_REVIEWS); first comes the greatest, of equals the one with more complaints, more reviews,
    then the smaller name.

    A trend is told where the shares differ by Agresti and Caffo's interval for two proportions (2000: one complaint
    and one praise more on either side), so that a handful of reviews moves nothing; `new`: nobody spoke of it before.
    """
    end, start, former = (
        F.lit(end_of_day(as_of - timedelta(days=days), time_zone)) for days in (0, window_days, 2 * window_days)
    )
    is_now = (F.col("reviewed_at") >= start) & (F.col("reviewed_at") < end)
    is_former = (F.col("reviewed_at") >= former) & (F.col("reviewed_at") < start)
    per_topic = topics.groupBy("topic").agg(*_counts("", is_now), *_counts("former_", is_former))
    pairs = [F.struct(F.lit(name).alias("topic"), F.lit(title).alias("title")) for name, title in titles.items()]
    # An aggregate has a row also where there is no review.
    named = topics.agg(F.count(F.lit(1))).select(F.inline(F.array(*pairs)))
    counted = named.join(per_topic, "topic", "left").fillna(0, _COUNTS)
    saved = counted.withColumn("complaints_saved", _saved())
    whole = W.partitionBy(F.lit("all topics"))
    first = whole.orderBy(
        F.col("complaints_saved").desc(), F.col("complaint_count").desc(), F.col("review_count").desc(), "topic"
    )
    ranked = saved.select("*", F.row_number().over(first).alias("rank"), _trend().alias("trend"))
    return ranked.select(
        "topic",
        "title",
        F.lit(as_of).alias("as_of_date"),
        "rank",
        "review_count",
        "complaint_count",
        _share("").alias("complaint_share"),
        "complaints_saved",
        "mean_rating",
        "former_mean_rating",
        _share("former_").alias("former_complaint_share"),
        "trend",
        _description(window_days).alias("description"),
    )


_COUNTS = ["review_count", "complaint_count", "former_review_count", "former_complaint_count"]


def _counts(when: str, is_within: Column) -> list[Column]:
    is_complaint = is_within & (F.col("sentiment") == "complaint")
    return [
        F.count(F.when(is_within, 1)).alias(f"{when}review_count"),
        F.count(F.when(is_complaint, 1)).alias(f"{when}complaint_count"),
        F.avg(F.when(is_within, F.col("rating"))).alias(f"{when}mean_rating"),
    ]


def _share(when: str) -> Column:
    return F.try_divide(F.col(f"{when}complaint_count"), F.col(f"{when}review_count"))


def _saved() -> Column:
    whole = W.partitionBy(F.lit("all topics"))
    reviews, complaints = F.col("review_count"), F.col("complaint_count")
    of_all = F.coalesce(F.try_divide(F.sum(complaints).over(whole), F.sum(reviews).over(whole)), F.lit(0.0))
    expected = (complaints + PRIOR_REVIEWS * of_all) / (reviews + PRIOR_REVIEWS)
    # A window function may not stand in another, so the smallest share is found in a list of both figures.
    both = F.collect_list(F.when(reviews > 0, F.struct(complaints.alias("c"), reviews.alias("n")))).over(whole)
    shares = F.transform(both, lambda one: (one["c"] + PRIOR_REVIEWS * of_all) / (one["n"] + PRIOR_REVIEWS))
    return reviews * (expected - F.coalesce(F.array_min(shares), expected))


def _trend() -> Column:
    now, former = _agresti("review_count", "complaint_count"), _agresti("former_review_count", "former_complaint_count")
    margin = SURE * F.sqrt(now[1] + former[1])
    return (
        F.when(F.col("review_count") == 0, "steady")
        .when(F.col("former_review_count") == 0, "new")
        .when(now[0] - former[0] > margin, "worse")
        .when(former[0] - now[0] > margin, "better")
        .otherwise("steady")
    )


def _agresti(reviews: str, complaints: str) -> tuple[Column, Column]:
    """Share and its variance, with one complaint and one praise more."""
    count = F.col(reviews) + 2
    share = (F.col(complaints) + 1) / count
    return share, share * (1 - share) / count


def _description(days: int) -> Column:
    """E.g. `Prices: 12 of 40 reviews of 30 days complain (30%), in the 30 days before 18%: worse.`"""
    told = F.format_string(
        f"%s: %d of %d reviews of {days} days complain (%.0f%%)",
        "title",
        "complaint_count",
        "review_count",
        _share("") * 100,
    )
    before = F.format_string(f", in the {days} days before %.0f%%: %s.", _share("former_") * 100, "trend")
    return (
        F.when(F.col("review_count") == 0, F.format_string(f"%s: no review of {days} days speaks of it.", "title"))
        .when(F.col("former_review_count") == 0, F.concat(told, F.lit(", none before.")))
        .otherwise(F.concat(told, before))
    )
