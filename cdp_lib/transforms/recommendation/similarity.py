"""Which products are bought by the same people.

Cosine between products over their buyers (Sarwar and others, "Item-based collaborative filtering", WWW 2001,
section 3.1.1), where a buyer's entry is ln(1 + orders): one who buys a product weekly tells more, but not tenfold.
"""

from pyspark.sql import Column, DataFrame, functions as F, Window as W

from cdp_lib.settings.recommendation import Recommendation
from cdp_lib.transforms.recommendation.taste import exact_sum


def comparable_products(tastes: DataFrame, settings: Recommendation) -> DataFrame:
    """One row per golden_id: the products that say which are alike, and how many were left out for being too many.

    `products` holds (product_id, weight) by product_id, of products with at least `min_buyers` buyers; where a person
    has more than `products_per_customer`, the strongest (ties by product_id). `left_out_count` counts the others.
    """
    bought = tastes.filter(~F.col("is_returned"))
    known = bought.groupBy("product_id").agg(F.count("*").alias("buyer_count"))  # one row per product: bounded
    enough = F.broadcast(known.filter(F.col("buyer_count") >= settings.min_buyers))
    weight = F.log1p(F.col("purchase_count").cast("double"))
    product = F.struct("product_id", weight.alias("weight"))
    strongest = F.struct(-F.col("strength"), F.col("product_id"))
    limit = settings.products_per_customer
    per_person = (
        bought.join(enough, on="product_id", how="inner")
        .groupBy("golden_id")
        .agg(F.min_by(product, strongest, limit).alias("products"), F.count("*").alias("product_count"))
    )
    return per_person.select(
        "golden_id",
        F.sort_array("products").alias("products"),
        F.greatest(F.lit(0), F.col("product_count") - F.lit(limit)).alias("left_out_count"),
    )


def neighbours(comparable: DataFrame, settings: Recommendation) -> DataFrame:
    """One row per (product_id, neighbour_id): how alike two products are by their buyers, the most alike first.

    `similarity` is in (0, 1]; `shared_buyer_count` counts people with both; `place` runs from 1 to at most
    `settings.neighbours` for each product, ties by neighbour_id. A product that shares no buyer is absent.

    Pairs are made within a person's own row, so that no purchases are joined with themselves: one shuffle by pair,
    after a first sum where the rows lie, and a second of the bounded pairs by product.
    """
    product = comparable.select(F.explode("products").alias("one")).select("one.*")
    norm = product.groupBy("product_id").agg(F.sqrt(exact_sum(F.col("weight") * F.col("weight"))).alias("norm"))
    left, right = (
        norm.select(
            product_code().alias(f"{side}_code"),
            F.col("product_id").alias(f"{side}_id"),
            F.col("norm").alias(f"{side}_norm"),
        )
        for side in ("left", "right")
    )
    similarity = F.least(F.lit(1.0), F.col("together") / (F.col("left_norm") * F.col("right_norm")))
    # Both sides hold one row per product: bounded by the range.
    pairs = (
        _pairs(comparable)
        .join(F.broadcast(left), on="left_code", how="inner")
        .join(F.broadcast(right), on="right_code", how="inner")
        .select("left_id", "right_id", similarity.alias("similarity"), "shared_buyer_count")
    )
    both_ways = pairs.select(
        F.explode(F.array(_seen_from("left_id", "right_id"), _seen_from("right_id", "left_id"))).alias("pair")
    ).select("pair.*")
    by_likeness = W.partitionBy("product_id").orderBy(F.col("similarity").desc(), F.col("neighbour_id"))
    placed = both_ways.withColumn("place", F.row_number().over(by_likeness))
    return placed.filter(F.col("place") <= settings.neighbours)


def product_code(product_id: str | Column = "product_id") -> Column:
    """A whole number that stands for the product where rows are many: sums by numbers take a fraction of the time.

    64 bits of xxHash: among a million products two share a number with a chance of 1 in 37 million.
    """
    return F.xxhash64(product_id)


def _pairs(comparable: DataFrame) -> DataFrame:
    """One row per two products with a buyer in common, as codes; the left one has the smaller product_id."""
    coded = comparable.select(
        F.transform(
            "products", lambda one: F.struct(product_code(one["product_id"]).alias("code"), one["weight"].alias("w"))
        ).alias("products")
    )
    ordered = coded.select(F.posexplode("products").alias("place", "left"), "products")
    later = F.slice(F.col("products"), F.col("place") + 2, F.size("products"))
    pairs = ordered.select("left", F.explode(later).alias("right"))
    return pairs.groupBy(F.col("left.code").alias("left_code"), F.col("right.code").alias("right_code")).agg(
        exact_sum(F.col("left.w") * F.col("right.w")).alias("together"), F.count("*").alias("shared_buyer_count")
    )


def _seen_from(product: str, neighbour: str) -> Column:
    return F.struct(
        F.col(product).alias("product_id"),
        F.col(neighbour).alias("neighbour_id"),
        "similarity",
        "shared_buyer_count",
    )
