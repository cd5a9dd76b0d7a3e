"""Which products are bought by the same people.

Cosine between products over their buyers (Sarwar and others, "Item-based collaborative filtering", WWW 2001,
section 3.1.1), where a buyer's entry is ln(1 + orders): one who buys a product weekly tells more, but not tenfold.
Beside it stand the weights of a model of the same counts, for the products that it knows (`cdp_lib.models.ease`).
"""

from pyspark.sql import Column, DataFrame, functions as F

from cdp_lib.settings.recommendation import Recommendation
from cdp_lib.transforms.recommendation.taste import exact_sum

MODELLED = 10.0
"""What a weight counts beside a similarity in choosing neighbours: weights are a tenth as large. Chosen on months of
Complete Journey before its holdout; from 5 to 20 it makes no difference beyond chance."""


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


def product_figures(comparable: DataFrame) -> DataFrame:
    """One row per product that somebody's row in `comparable` holds: its `code`, `norm` and `buyer_count`."""
    product = comparable.select(F.explode("products").alias("one")).select("one.*")
    return product.groupBy("product_id").agg(
        product_code().alias("code"),
        F.sqrt(exact_sum(F.col("weight") * F.col("weight"))).alias("norm"),
        F.count("*").alias("buyer_count"),
    )


def shared_buyers(comparable: DataFrame) -> DataFrame:
    """One row per (left_code, right_code) of products with a buyer in common, the left one with the smaller id.

    `together` sums the products of the two weights, `shared_buyer_count` counts people. Pairs are made within a
    person's own row, so that no purchases are joined with themselves: one shuffle by pair, after a first sum where the
    rows lie. The dearest frame of the room: whoever reads it twice keeps it.
    """
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


def most_bought(figures: DataFrame, settings: Recommendation) -> DataFrame:
    """One row per product that the model knows: code and buyer_count of the `modelled_products` with most buyers.

    Ties go to the smaller product_id.
    """
    by_buyers = (F.col("buyer_count").desc(), F.col("product_id"))
    return figures.orderBy(*by_buyers).limit(settings.modelled_products).select("code", "buyer_count")


def shared_among(shared: DataFrame, products: DataFrame) -> DataFrame:
    """The rows of `shared` whose two products are both in `products`: left_code, right_code, shared_buyer_count."""
    left, right = (F.broadcast(products.select(F.col("code").alias(name))) for name in ("left_code", "right_code"))
    among = shared.join(left, on="left_code", how="left_semi").join(right, on="right_code", how="left_semi")
    return among.select("left_code", "right_code", "shared_buyer_count")


def neighbours(shared: DataFrame, figures: DataFrame, weights: DataFrame, settings: Recommendation) -> DataFrame:
    """One row per (product_id, neighbour_id): how alike two products are by their buyers, the most alike first.

    `similarity` is in (0, 1]; `weight` in [-1, 1] tells what the first adds to the case for the second, 0 where
    `weights` (code, neighbour_code, weight) says nothing; `shared_buyer_count` counts people with both. Most alike is
    the greatest similarity + MODELLED * weight, ties by neighbour_id; `place` runs from 1 to at most
    `settings.neighbours` for each product. A product that shares no buyer is absent.
    """
    left, right = (
        figures.select(
            F.col("code").alias(f"{side}_code"),
            F.col("product_id").alias(f"{side}_id"),
            F.col("norm").alias(f"{side}_norm"),
        )
        for side in ("left", "right")
    )
    similarity = F.least(F.lit(1.0), F.col("together") / (F.col("left_norm") * F.col("right_norm")))
    # Both sides hold one row per product: bounded by the range.
    pairs = (
        shared.join(F.broadcast(left), on="left_code", how="inner")
        .join(F.broadcast(right), on="right_code", how="inner")
        .select("left_id", "left_code", "right_id", "right_code", similarity.alias("similarity"), "shared_buyer_count")
    )
    both_ways = pairs.select(F.explode(F.array(_seen_from("left", "right"), _seen_from("right", "left"))).alias("pair"))
    # Bounded by modelled_products and what each keeps.
    known = both_ways.select("pair.*").join(F.broadcast(weights), on=["code", "neighbour_code"], how="left")
    weight = F.coalesce("weight", F.lit(0.0))
    alike = known.withColumns({"weight": weight, "likeness": F.col("similarity") + F.lit(MODELLED) * weight})
    one = F.struct("neighbour_id", "similarity", "weight", "shared_buyer_count")
    most_alike = F.struct(-F.col("likeness"), F.col("neighbour_id"))
    # A bounded aggregate keeps the best as rows come; a window would sort every pair of a product first.
    best = alike.groupBy("product_id").agg(F.min_by(one, most_alike, settings.neighbours).alias("best"))
    placed = best.select("product_id", F.posexplode("best").alias("before", "one"))
    return placed.select(
        "product_id",
        "one.neighbour_id",
        "one.similarity",
        "one.weight",
        "one.shared_buyer_count",
        (F.col("before") + 1).alias("place"),
    )


def product_code(product_id: str | Column = "product_id") -> Column:
    """A whole number that stands for the product where rows are many: sums by numbers take a fraction of the time.

    64 bits of xxHash: among a million products two share a number with a chance of 1 in 37 million.
    """
    return F.xxhash64(product_id)


def _seen_from(product: str, neighbour: str) -> Column:
    return F.struct(
        F.col(f"{product}_id").alias("product_id"),
        F.col(f"{product}_code").alias("code"),
        F.col(f"{neighbour}_id").alias("neighbour_id"),
        F.col(f"{neighbour}_code").alias("neighbour_code"),
        "similarity",
        "shared_buyer_count",
    )
