"""Where people go next: from the category of one period to that of the next."""

from datetime import date, timedelta

from pyspark.sql import Column, DataFrame, functions as F

from cdp_lib.settings.purchase_pattern import PurchasePattern
from cdp_lib.transforms.purchase.baskets import as_patterns


def category_migrations(baskets: DataFrame, settings: PurchasePattern, *, as_of: date) -> DataFrame:
    """One pattern per move: `migration_first` from a person's first category, `migration_main` from the main one.

    Both lead from the period of `migration_days` before the last one to the main category of the last one, which ends
    with `as_of`. The main category is in most of the period's baskets, the first in its first basket, ties by name.
    Counts are of people with a category in both periods: `support_count` moved so, `subject_count` started and
    `object_count` ended there, `basis_count` in all. `confidence` = moved / started; `lift` = confidence over the
    share that ended there at all.
    """
    spans = _spans(baskets, settings, as_of)
    start, end = F.col("of.subject"), F.col("object")
    people = spans.filter(F.col("main_before").isNotNull() & F.col("main_after").isNotNull())
    moves = people.select(
        F.explode(F.array(_move("migration_first", "first_before"), _move("migration_main", "main_before"))).alias(
            "of"
        ),
        F.col("main_after").alias("object"),
    )
    counted = moves.groupBy("of.pattern_type", start.alias("subject"), end.alias("object")).agg(
        F.count("*").alias("support_count")
    )
    return as_patterns(_graded(counted, settings))


def _move(pattern_type: str, start: str) -> Column:
    return F.struct(F.lit(pattern_type).alias("pattern_type"), F.col(start).alias("subject"))


def _spans(baskets: DataFrame, settings: PurchasePattern, as_of: date) -> DataFrame:
    """One row per golden_id: first and main category of the period before, main category of the last period."""
    day = F.col("local_at").cast("date")
    last = as_of - timedelta(days=settings.migration_days)
    earliest = last - timedelta(days=settings.migration_days)
    in_reach = F.col("golden_id").isNotNull() & (day > F.lit(earliest))
    bought = baskets.filter(in_reach).select(
        "golden_id", "local_at", (day > F.lit(last)).alias("is_last"), F.explode("categories").alias("category")
    )
    per_category = bought.groupBy("golden_id", "is_last", "category").agg(
        F.count("*").alias("basket_count"), F.min("local_at").alias("first_at")
    )
    most = F.struct(-F.col("basket_count"), F.col("category"))
    return per_category.groupBy("golden_id").agg(
        F.min(F.when(~F.col("is_last"), F.struct("first_at", "category")))["category"].alias("first_before"),
        F.min(F.when(~F.col("is_last"), most))["category"].alias("main_before"),
        F.min(F.when(F.col("is_last"), most))["category"].alias("main_after"),
    )


def _graded(counted: DataFrame, settings: PurchasePattern) -> DataFrame:
    """The moves with their totals; moves are at most categories squared, so the totals are small frames."""
    starts = counted.groupBy("pattern_type", "subject").agg(F.sum("support_count").alias("subject_count"))
    ends = counted.groupBy("pattern_type", "object").agg(F.sum("support_count").alias("object_count"))
    all_moves = counted.groupBy("pattern_type").agg(F.sum("support_count").alias("basis_count"))
    confidence = F.col("support_count") / F.col("subject_count")
    return (
        counted.filter(F.col("support_count") >= settings.min_support_count)
        .join(starts, on=["pattern_type", "subject"], how="inner")
        .join(ends, on=["pattern_type", "object"], how="inner")
        .join(all_moves, on="pattern_type", how="inner")
        .withColumns(
            {
                "measure": F.lit("move"),
                "support_share": F.col("support_count") / F.col("basis_count"),
                "confidence": confidence,
                "lift": confidence * F.col("basis_count") / F.col("object_count"),
                "unit": F.lit("people"),
            }
        )
    )
