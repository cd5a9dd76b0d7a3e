"""The list that each person gets.

How kinds share it: each kind is in order of its score (ties by product_id), and the kinds take turns as replenish,
discover, cross_sell, upsell, each until its slots are used up. Places left over go, in the same turns, to what the
kinds have beyond their slots, and last to popular products. A kind with 0 slots gets none of these either, with one
exception: a person for whom the kinds have nothing at all gets popular products even where `discover` has 0.
"""

from pyspark.sql import Column, DataFrame, functions as F, Window as W

from cdp_lib.settings.recommendation import KINDS, Recommendation
from cdp_lib.transforms.recommendation.candidates import available, discoveries, replenishments
from cdp_lib.transforms.recommendation.taste import exact_sum, habit_score


def recommendations(
    customers: DataFrame, tastes: DataFrame, neighbours: DataFrame, products: DataFrame, settings: Recommendation
) -> DataFrame:
    """One row per (golden_id, rank): what to show each of `customers`, the best first, each product once at most.

    `rank` runs from 1 to at most `per_customer`, `kind_rank` from 1 within the kind. `score` is in [0, 1] and orders
    products of one kind for one person (`replenishments`, `discoveries`, `popular_products`); kinds do not compare.
    A person without purchases gets popular products. Nothing not available is shown, nothing durable that was just
    bought, nothing given back; a person for whom nothing is left is absent.
    """
    people = customers.filter(F.col("golden_id").isNotNull()).select("golden_id").distinct()
    chosen = _chosen(tastes, neighbours, products, settings)
    known = tastes.groupBy("golden_id").agg(F.collect_set("product_id").alias("known"))
    popular = popular_products(tastes, products, settings).scalar()  # one bounded list, the same for everyone
    lists = (
        people.join(chosen, on="golden_id", how="left")
        .join(known, on="golden_id", how="left")
        .select("golden_id", "chosen", "known", popular.alias("popular"))
        .select("golden_id", _filled(settings).alias("shown"))
    )
    placed = lists.select("golden_id", F.posexplode("shown").alias("place", "one"))
    by_place = W.partitionBy("golden_id", "one.kind").orderBy("place")
    return placed.select(
        "golden_id",
        (F.col("place") + 1).alias("rank"),
        "one.product_id",
        "one.kind",
        F.row_number().over(by_place).alias("kind_rank"),
        "one.score",
        "one.reason",
    )


def popular_products(tastes: DataFrame, products: DataFrame, settings: Recommendation) -> DataFrame:
    """One row with `popular`: products that may be shown, the most bought lately first, ties by product_id.

    Popularity sums each buyer's s / (1 + s), so that one heavy buyer makes nothing popular; `score` is its share of
    the greatest, in [0, 1]. Products that nobody bought come last, with 0.
    """
    per_product = (
        tastes.filter(~F.col("is_returned"))
        .groupBy("product_id")
        .agg(exact_sum(habit_score()).alias("popularity"), F.count("*").alias("buyer_count"))
    )
    bought = F.broadcast(per_product)  # one row per product: bounded by the range
    shown = available(products).select("product_id").join(bought, on="product_id", how="left")
    popularity, buyers = F.coalesce("popularity", F.lit(0.0)), F.coalesce("buyer_count", F.lit(0))
    one = F.struct("product_id", popularity.alias("popularity"), buyers.alias("buyer_count"))
    best_first = F.struct(-popularity, F.col("product_id"))
    listed = shown.agg(
        F.min_by(one, best_first, settings.popular_products).alias("listed"), F.max(popularity).alias("most")
    )
    return listed.select(F.transform("listed", _as_popular).alias("popular"))


def _as_popular(one: Column) -> Column:
    buyers = one["buyer_count"]
    reason = F.format_string("popular: bought by %d %s", buyers, F.when(buyers == 1, "person").otherwise("people"))
    share = F.coalesce(F.try_divide(one["popularity"], F.col("most")), F.lit(0.0))
    return _shown(one["product_id"], F.lit("discover"), share, F.when(buyers > 0, reason).otherwise("not yet bought"))


def _shown(product: Column, kind: Column, score: Column, reason: Column) -> Column:
    return F.struct(product.alias("product_id"), kind.alias("kind"), score.alias("score"), reason.alias("reason"))


def _chosen(tastes: DataFrame, neighbours: DataFrame, products: DataFrame, settings: Recommendation) -> DataFrame:
    """One row per golden_id: its best candidates of all kinds in the order of the list."""
    new = discoveries(tastes, neighbours, products, settings)
    candidates = replenishments(tastes, products, settings).unionByName(new).filter(_has_slots(settings))
    by_score = W.partitionBy("golden_id", "kind").orderBy(F.col("score").desc(), F.col("product_id"))
    placed = candidates.withColumn("kind_rank", F.row_number().over(by_score))
    best = placed.filter(F.col("kind_rank") <= settings.per_customer)
    turn = F.array_position(F.array(*[F.lit(kind) for kind in KINDS]), F.col("kind"))
    order = F.struct(F.col("kind_rank") > _slots(settings), F.col("kind_rank"), turn)
    one = _shown(F.col("product_id"), F.col("kind"), F.col("score"), F.col("reason"))
    return best.groupBy("golden_id").agg(F.min_by(one, order, settings.per_customer).alias("chosen"))


def _slots(settings: Recommendation) -> Column:
    pairs = [part for kind in KINDS for part in (F.lit(kind), F.lit(getattr(settings.slots, kind)))]
    return F.element_at(F.create_map(*pairs), F.col("kind"))


def _has_slots(settings: Recommendation) -> Column:
    return F.col("kind").isin([kind for kind in KINDS if getattr(settings.slots, kind) > 0])


def _filled(settings: Recommendation) -> Column:
    """The chosen, then popular products neither chosen nor ever bought; without slots, only where none is chosen."""
    chosen = F.coalesce("chosen", F.slice("popular", 1, 0))
    taken = F.concat(chosen["product_id"], F.coalesce("known", F.array().cast("array<string>")))
    others = F.filter("popular", lambda one: ~F.array_contains(taken, one["product_id"]))
    filled = F.slice(F.concat(chosen, others), 1, settings.per_customer)
    # Looking through the popular products is dear for whoever bought much, and they have a full list anyway.
    is_full = F.size(chosen) >= (settings.per_customer if settings.slots.discover else 1)
    return F.when(is_full, chosen).otherwise(filled)
