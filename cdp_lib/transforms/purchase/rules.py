"""What is bought together: association rules of one item with one other.

Support, confidence and lift as of Agrawal, Imielinski and Swami, "Mining association rules", SIGMOD 1993, and Brin
and others, "Dynamic itemset counting", SIGMOD 1997 (lift, there called interest).
"""

from pyspark.sql import Column, DataFrame, functions as F, Window as W

from cdp_lib.settings.purchase_pattern import PurchasePattern
from cdp_lib.transforms.purchase.baskets import ALL, as_patterns

LEVELS = {"product": "products", "category": "categories"}
"""Level of a rule: the column of a basket with its items."""


def association_rules(baskets: DataFrame, level: str, settings: PurchasePattern) -> DataFrame:
    """One pattern per rule subject -> object, `rule_product` or `rule_category`: who has the one takes the other.

    Counts are of baskets with at most `max_basket_products` products: `support_count` with both, `subject_count` and
    `object_count` with the one, `basis_count` of all. `support_share` = both / all; `confidence` = both / subject;
    `lift` = confidence / (object / all), where 1 means that the two have nothing to do with each other. Each subject
    keeps its `rules_per_subject` rules of the greatest lift, ties by support, then object.

    Pairs are made within a basket's own row: no basket is joined with another; one shuffle by pair of what each
    partition summed first.
    """
    items = F.col(LEVELS[level])
    counted = baskets.filter(_is_counted(settings)).select(items.alias("items"))
    single = counted.select(F.explode("items").alias("item")).groupBy("item").agg(F.count("*").alias("item_count"))
    places = counted.select(F.posexplode("items").alias("place", "left"), "items")
    later = F.slice("items", F.col("place") + 2, F.size("items"))
    pairs = places.select("left", F.explode(later).alias("right")).groupBy("left", "right")
    often = pairs.agg(F.count("*").alias("support_count")).filter(F.col("support_count") >= settings.min_support_count)
    ways = (
        F.struct(F.col(subject).alias("subject"), F.col(other).alias("object"), "support_count")
        for subject, other in (("left", "right"), ("right", "left"))
    )
    rules = often.select(F.explode(F.array(*ways)).alias("rule")).select("rule.*")
    return as_patterns(
        _best(_graded(rules, single, counted), settings).withColumn("pattern_type", F.lit(f"rule_{level}"))
    )


def _graded(rules: DataFrame, single: DataFrame, counted: DataFrame) -> DataFrame:
    subject = single.select(F.col("item").alias("subject"), F.col("item_count").alias("subject_count"))
    other = single.select(F.col("item").alias("object"), F.col("item_count").alias("object_count"))
    confidence = F.col("support_count") / F.col("subject_count")
    return (
        rules.join(F.broadcast(subject), on="subject", how="inner")  # one row per item: bounded by the range
        .join(F.broadcast(other), on="object", how="inner")
        .withColumn("basis_count", counted.agg(F.count("*")).scalar())
        .withColumns(
            {
                "measure": F.lit("rule"),
                "support_share": F.col("support_count") / F.col("basis_count"),
                "confidence": confidence,
                "lift": confidence * F.col("basis_count") / F.col("object_count"),
                "unit": F.lit("baskets"),
            }
        )
    )


def _best(rules: DataFrame, settings: PurchasePattern) -> DataFrame:
    by_lift = W.partitionBy("subject").orderBy(F.col("lift").desc(), F.col("support_count").desc(), F.col("object"))
    return rules.withColumn("place", F.row_number().over(by_lift)).filter(F.col("place") <= settings.rules_per_subject)


def _is_counted(settings: PurchasePattern) -> Column:
    return F.size("products") <= settings.max_basket_products


def baskets_left_out(baskets: DataFrame, settings: PurchasePattern) -> DataFrame:
    """One pattern, `basket_left_out`: how many baskets the rules leave out for their size, and what share that is.

    Absent where there is no basket.
    """
    counts = baskets.agg(F.count_if(~_is_counted(settings)).alias("support_count"), F.count("*").alias("basis_count"))
    return as_patterns(
        counts.filter(F.col("basis_count") > 0).withColumns(
            {
                "pattern_type": F.lit("basket_left_out"),
                "subject": F.lit(ALL),
                "object": F.lit(ALL),
                "measure": F.lit("baskets"),
                "support_share": F.col("support_count") / F.col("basis_count"),
                "unit": F.lit("baskets"),
            }
        )
    )
