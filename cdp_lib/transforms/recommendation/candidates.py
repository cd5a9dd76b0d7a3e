"""What each person might be shown, by kind, each with a score and the reason for it."""

from pyspark.sql import Column, DataFrame, functions as F, Window as W

from cdp_lib.settings.recommendation import Recommendation
from cdp_lib.transforms.recommendation.similarity import product_code
from cdp_lib.transforms.recommendation.taste import habit_score, in_units, UNIT

_PLACES = 2**20
"""More products than a person ever buys: a pull and the place of its cause fit into one whole number."""

_ALIKE = 2.0
"""What likeness to the person's habits counts beside the model's weights; chosen on months before the holdout."""


def available(products: DataFrame) -> DataFrame:
    """Products that may be shown: those not known to be out of stock."""
    return products.filter(F.coalesce("is_available", F.lit(True)) & F.col("product_id").isNotNull())


def replenishments(tastes: DataFrame, products: DataFrame, settings: Recommendation) -> DataFrame:
    """One row per (golden_id, product_id) that a person bought and may be shown again.

    `score` is s / (1 + s) of the taste's strength, in [0, 1). A durable product rests `durable_rest_days` after its
    last purchase; what was given back, is not available or not in `products` is absent.
    """
    has_rested = ~F.coalesce("is_durable", F.lit(False)) | (F.col("last_days") >= settings.durable_rest_days)
    shown = F.broadcast(available(products).select("product_id", "is_durable"))  # a range: bounded
    bought = tastes.filter(~F.col("is_returned") & (F.col("purchase_count") > 0))
    reason = F.format_string(
        "bought %d %s, last %d %s ago",
        "purchase_count", _plural("purchase_count", "time"), "last_days", _plural("last_days", "day"),
    )  # fmt: skip
    due = bought.join(shown, on="product_id", how="inner").filter(has_rested)
    return due.select(
        "golden_id",
        "product_id",
        F.lit("replenish").alias("kind"),
        habit_score().alias("score"),
        reason.alias("reason"),
    )


def discoveries(tastes: DataFrame, neighbours: DataFrame, products: DataFrame, settings: Recommendation) -> DataFrame:
    """One row per (golden_id, product_id) new to a person and like something bought: discover, cross_sell or upsell.

    `score` is p / (1 + p), in [0, 1), of the pull p: twice the mean similarity to what the person buys, weighted by how
    strong each habit is, plus the model's weights of all that was bought; the reason names the product that adds most.
    `upsell`: dearer, within the settings' ratios, than an often bought product of the same category, and liked by its
    buyers. Else `cross_sell`: in a category of which the person bought nothing, having bought of another. Else, and
    where categories or prices are unknown, `discover`. A kind without slots does not occur: its products go to the next
    kind in that order.
    What is not available or not in `products`, or was ever bought, is absent, and so is what comes
    after the `per_customer` best of its kind (ties by product_id).
    """
    habits = _habits(tastes, products, settings)
    scored = _scored(habits, _near(neighbours, products, settings), settings)
    best = _best(scored, habits, products, settings)
    # One row per person, laid out as the other side is; only now, as it is wide.
    by_place = F.sort_array(F.collect_list(F.struct("place", "product_id", "price")))
    listed = habits.groupBy("golden_id").agg(by_place.alias("habits")).hint("shuffle_hash")
    told = best.join(listed, on="golden_id", how="inner").withColumns(
        {"cause": _habit_at("cause"), "cheaper": _habit_at("cheaper")}
    )
    return told.select("golden_id", "product_id", "kind", "score", _why_new().alias("reason"))


def _best(scored: DataFrame, habits: DataFrame, products: DataFrame, settings: Recommendation) -> DataFrame:
    """The best `per_customer` of each kind for each person, with kind and score."""
    shown = _described(available(products)).withColumn("code", product_code())
    per_person = habits.groupBy("golden_id").agg(F.collect_set("category").alias("categories"))
    profiles = per_person.hint("shuffle_hash")  # one row per person, laid out as the other side is
    told = scored.join(F.broadcast(shown), on="code", how="inner").join(profiles, on="golden_id", how="inner")
    pull = F.col("pull") / F.lit(UNIT)
    graded = told.select(
        "golden_id", "product_id", "category", "price", "cause", "cheaper",
        _kind(settings).alias("kind"), (pull / (F.lit(1.0) + pull)).alias("score"),
    )  # fmt: skip
    by_score = W.partitionBy("golden_id", "kind").orderBy(F.col("score").desc(), F.col("product_id"))
    placed = graded.withColumn("kind_rank", F.row_number().over(by_score))
    return placed.filter(F.col("kind_rank") <= settings.per_customer)


def _habits(tastes: DataFrame, products: DataFrame, settings: Recommendation) -> DataFrame:
    """Every taste with its place among the person's, the strongest first, and its product's category and price.

    `share` is the habit over those of the person's that pull, 0 for one that does not; `has_pull` tells which do.
    """
    person = W.partitionBy("golden_id")
    place = F.row_number().over(person.orderBy(F.col("strength").desc(), F.col("product_id")))
    known = F.broadcast(_described(products))  # a range: bounded
    told = tastes.join(known, on="product_id", how="left").select(
        "golden_id", "product_id", "category", "price", "purchase_count",
        place.alias("place"), habit_score().alias("habit"),
    )  # fmt: skip
    has_pull = (F.col("place") <= settings.products_per_customer) & (F.col("purchase_count") > 0)
    pulling = F.when(has_pull, F.col("habit")).otherwise(F.lit(0.0))
    share = F.coalesce(F.try_divide(pulling, F.sum(in_units(pulling)).over(person) / F.lit(UNIT)), F.lit(0.0))
    return told.select(
        "golden_id", "product_id", "category", "price", "purchase_count", "place",
        share.alias("share"), has_pull.alias("has_pull"),
    )  # fmt: skip


def _described(products: DataFrame) -> DataFrame:
    return products.select("product_id", "category", F.col("price_amount").cast("double").alias("price"))


def _near(neighbours: DataFrame, products: DataFrame, settings: Recommendation) -> DataFrame:
    """One row per product that is anybody's neighbour: its own neighbours and, marked as known, itself.

    Neighbourhood goes both ways before its cut to the nearest, so that whatever can be reached has a row.
    """
    this, other = (F.broadcast(_described(products).alias(side)) for side in ("this", "other"))  # a range: bounded
    ratio = F.try_divide(F.col("other.price"), F.col("this.price"))
    is_dearer = (F.col("other.category") == F.col("this.category")) & ratio.between(
        settings.upsell.least_ratio, settings.upsell.most_ratio
    )
    there = (
        neighbours.alias("near")
        .join(this, on=F.col("near.product_id") == F.col("this.product_id"), how="left")
        .join(other, on=F.col("near.neighbour_id") == F.col("other.product_id"), how="left")
        .select(
            "near.product_id", "near.neighbour_id", "near.similarity", "near.weight",
            F.coalesce(is_dearer, F.lit(False)).alias("is_dearer"), F.lit(False).alias("is_known"),
        )
    )  # fmt: skip
    here = neighbours.filter(F.col("place") == 1).select(
        "product_id", F.col("product_id").alias("neighbour_id"), F.lit(0.0).alias("similarity"),
        F.lit(0.0).alias("weight"), F.lit(False).alias("is_dearer"), F.lit(True).alias("is_known"),
    )  # fmt: skip
    one = F.struct(product_code("neighbour_id").alias("code"), "similarity", "weight", "is_dearer", "is_known")
    # The order within the list does not matter: all that is made of it is a sum or a greatest.
    return there.unionByName(here).groupBy("product_id").agg(F.collect_list(one).alias("near"))


def _scored(habits: DataFrame, near: DataFrame, settings: Recommendation) -> DataFrame:
    """One row per (golden_id, code) of products new to the person and near a habit, with the places of its causes.

    No purchases are joined with purchases: a habit brings its neighbours and itself, so one sum over them tells the
    pull and what is known. All figures have a fixed width, which keeps the sum in a hash table; and the rows lie by
    golden_id already, so nothing is shuffled.
    """
    reached = (
        habits.join(F.broadcast(near), on="product_id", how="inner")  # range times neighbours: bounded
        .withColumn("one", F.explode("near"))
        .filter(F.col("has_pull") | F.col("one.is_known"))
    )
    is_often = F.col("purchase_count") >= settings.upsell.least_purchases
    pull = F.lit(_ALIKE) * F.col("share") * F.col("one.similarity") + F.col("one.weight")
    is_cheaper = F.col("one.is_dearer") & is_often & (pull > 0)
    found = reached.groupBy("golden_id", F.col("one.code").alias("code")).agg(
        F.sum(in_units(pull)).alias("pull"),
        F.max(_with_place(pull)).alias("cause"),
        F.max(F.when(is_cheaper, _with_place(pull))).alias("cheaper"),
        F.max(F.col("one.is_known").cast("int")).alias("is_known"),
    )
    return found.filter((F.col("is_known") == 0) & (F.col("pull") > 0))


def _with_place(pull: Column) -> Column:
    """Greater for a stronger pull, then for an earlier place."""
    return in_units(pull) * F.lit(_PLACES) + F.lit(_PLACES - 1) - F.col("place")


def _habit_at(code: str) -> Column:
    return F.try_element_at(F.col("habits"), (F.lit(_PLACES - 1) - F.col(code) % F.lit(_PLACES)).cast("int"))


def _kind(settings: Recommendation) -> Column:
    is_upsell = F.col("cheaper").isNotNull() & F.lit(settings.slots.upsell > 0)
    is_other = (F.size("categories") > 0) & ~F.array_contains("categories", F.col("category"))
    is_elsewhere = is_other & F.lit(settings.slots.cross_sell > 0)
    return F.when(is_upsell, "upsell").when(F.coalesce(is_elsewhere, F.lit(False)), "cross_sell").otherwise("discover")


def _why_new() -> Column:
    ratio = F.try_divide(F.col("price"), F.col("cheaper.price"))
    dearer = F.format_string("often bought with %s, at %.2f times its price", "cheaper.product_id", ratio)
    alike = F.format_string("often bought with %s", "cause.product_id")
    elsewhere = F.format_string("new category %s, often bought with %s", "category", "cause.product_id")
    return F.when(F.col("kind") == "upsell", dearer).when(F.col("kind") == "cross_sell", elsewhere).otherwise(alike)


def _plural(count: str, word: str) -> Column:
    return F.when(F.col(count) == 1, word).otherwise(f"{word}s")
