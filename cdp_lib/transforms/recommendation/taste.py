"""What each person buys, and how much of that still holds.

Everything else in this room reads these rows: the purchases themselves are passed over once.
"""

from datetime import date

from pyspark.sql import Column, DataFrame, functions as F

from cdp_lib.settings.recommendation import Recommendation
from cdp_lib.transforms.purchase.lines import known_lines

UNIT = 10**9
"""Weights are summed as whole billionths: such sums are the same in whatever order the rows come."""


def exact_sum(weight: Column) -> Column:
    """The sum of a column of weights to nine decimals, whatever the order of the rows."""
    return F.sum(in_units(weight)) / F.lit(UNIT)


def in_units(weight: Column) -> Column:
    """Whole billionths, halves up; `F.round` would make a decimal number of every row and take ten times as long."""
    return F.floor(weight * F.lit(UNIT) + F.lit(0.5))


def tastes(purchases: DataFrame, settings: Recommendation, *, as_of: date, time_zone: str) -> DataFrame:
    """One row per (golden_id, product_id): how often and how lately a person bought the product.

    `purchase_count` counts orders that kept some of it; `last_days` are whole local days from the last of them to
    `as_of`; `strength` sums 0.5 ** (days / half_life_days) over them. `is_returned`: in all nothing was kept, and
    then the other figures are 0 or null. Lines without golden_id, product_id or ordered_at do not count.

    The result is laid out by golden_id, and the rest of the room keeps that layout: one shuffle of the purchases.
    """
    of_people = known_lines(purchases, as_of, time_zone).filter(F.col("golden_id").isNotNull())
    per_order = (
        of_people.select(
            "golden_id", "product_id", "basket_id", "kept_quantity", F.col("local_at").cast("date").alias("day")
        )
        .repartition("golden_id")
        .groupBy("golden_id", "product_id", "basket_id")
        .agg(F.sum("kept_quantity").alias("kept_quantity"), F.min("day").alias("day"))
    )
    days = F.when(F.col("kept_quantity") > 0, F.datediff(F.lit(as_of), "day"))
    in_all = per_order.groupBy("golden_id", "product_id").agg(
        F.count(days).alias("purchase_count"),
        F.min(days).alias("last_days"),
        exact_sum(F.pow(F.lit(0.5), days / F.lit(settings.half_life_days))).alias("strength"),
        (F.sum("kept_quantity") <= 0).alias("is_returned"),
    )
    is_kept = ~F.col("is_returned")
    return in_all.select(
        "golden_id",
        "product_id",
        F.when(is_kept, F.col("purchase_count")).otherwise(F.lit(0)).cast("bigint").alias("purchase_count"),
        F.when(is_kept, F.col("last_days")).cast("int").alias("last_days"),
        F.when(is_kept, F.col("strength")).otherwise(F.lit(0.0)).alias("strength"),
        "is_returned",
    )


def habit_score() -> Column:
    """Strength s as s / (1 + s): 0 for long forgotten, 0.5 for one order today, near 1 for a daily habit."""
    return F.col("strength") / (F.col("strength") + F.lit(1.0))
