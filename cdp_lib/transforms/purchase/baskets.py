"""What lay in one basket together; every pattern is read from these rows."""

from datetime import date

from pyspark.sql import DataFrame, functions as F, types as T

from cdp_lib.transforms.purchase.lines import known_lines

ALL = "all"
"""Subject or object of a pattern that is not about one product, category, hour or day."""

PATTERN_TYPES: dict[str, T.DataType] = {
    "pattern_type": T.StringType(),
    "subject": T.StringType(),
    "object": T.StringType(),
    "measure": T.StringType(),
    "support_count": T.LongType(),
    "subject_count": T.LongType(),
    "object_count": T.LongType(),
    "basis_count": T.LongType(),
    "support_share": T.DoubleType(),
    "confidence": T.DoubleType(),
    "lift": T.DoubleType(),
    "value": T.DoubleType(),
    "unit": T.StringType(),
}
"""The columns of every pattern, in order; (pattern_type, subject, object, measure) is the key."""


def as_patterns(found: DataFrame) -> DataFrame:
    """The rows with every column of a pattern: null for what does not apply."""
    return found.select(
        *[
            (F.col(name) if name in found.columns else F.lit(None)).cast(kind).alias(name)
            for name, kind in PATTERN_TYPES.items()
        ]
    )


def baskets(purchases: DataFrame, products: DataFrame, *, as_of: date, time_zone: str) -> DataFrame:
    """One row per basket that kept something: its person (null: anonymous), clock time, products and categories.

    `local_at` is the first line's time in the zone; `products` and `categories` are distinct and sorted; a product
    that is not in `products`, or has no category, adds none. What an order took back in full is not in its basket;
    lines of neither order nor person lie in no basket. One shuffle, by basket_id.
    """
    category_of = F.broadcast(products.select("product_id", "category"))  # one row per product: bounded by the range
    lines = known_lines(purchases, as_of, time_zone).filter(F.col("basket_id").isNotNull())
    per_product = (
        lines.select("basket_id", "golden_id", "product_id", "local_at", "kept_quantity")
        .repartition("basket_id")
        .groupBy("basket_id", "product_id")
        .agg(
            F.max("golden_id").alias("golden_id"),
            F.min("local_at").alias("local_at"),
            F.sum("kept_quantity").alias("kept_quantity"),
        )
    )
    kept = per_product.filter(F.col("kept_quantity") > 0).join(category_of, on="product_id", how="left")
    return kept.groupBy("basket_id").agg(
        F.max("golden_id").alias("golden_id"),
        F.min("local_at").alias("local_at"),
        F.sort_array(F.collect_set("product_id")).alias("products"),
        F.sort_array(F.collect_set("category")).alias("categories"),
    )
