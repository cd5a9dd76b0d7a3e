"""What each person likes best: products, categories, channels, stores, weekdays and hours."""

from collections.abc import Callable, Mapping
from datetime import date

from pyspark.sql import Column, DataFrame, functions as F, Window as W

from cdp_lib.transforms.purchase.lines import known_lines
from cdp_lib.transforms.purchase.timing import weekday_name

HOUR_BANDS = ("night", "morning", "afternoon", "evening")
"""Of six hours each, from midnight on."""

_KINDS: Mapping[str, str] = {
    "product": "products",
    "category": "categories",
    "channel": "channels",
    "store": "stores",
    "weekday": "weekdays",
    "hour_band": "hour_bands",
}
"""Preference kind: the column of an order with its values."""


def preferences(purchases: DataFrame, products: DataFrame, *, as_of: date, time_zone: str, top: int = 3) -> DataFrame:
    """One row per (golden_id, preference_kind, rank): a person's favourites, at most `top` of each kind.

    `purchase_count` counts the orders with the value, `share` is their part of the person's orders in which that kind
    is known (0 to 1; an order with two products counts for both), `last_at` the last of them. First comes the
    greatest count, of equals the latest, then the smaller value. Weekdays (monday to sunday) and hour bands (night
    from 00:00, morning from 06:00, afternoon from 12:00, evening from 18:00) are of the zone, by an order's first
    line. What an order took back in full does not count, nor do lines of nobody. One shuffle, by golden_id.
    """
    orders = _orders(purchases, products, as_of, time_zone)
    listed = [F.transform(column, _labelled(kind)) for kind, column in _KINDS.items()]
    values = F.concat(*listed)
    # A row without value for every kind that the order knows: its count is what a share is taken of.
    kinds = F.array_distinct(F.transform(values, lambda one: _one(one["preference_kind"], F.lit(None))))
    counted = (
        orders.select("golden_id", "last_at", F.explode(F.concat(values, kinds)).alias("of"))
        .groupBy("golden_id", "of.preference_kind", "of.value")
        .agg(F.count("*").alias("purchase_count"), F.max("last_at").alias("last_at"))
    )
    whole = W.partitionBy("golden_id", "preference_kind")
    best_first = whole.orderBy(
        F.col("value").isNull(), F.col("purchase_count").desc(), F.col("last_at").desc(), F.col("value")
    )
    order_count = F.max(F.when(F.col("value").isNull(), F.col("purchase_count"))).over(whole)
    placed = counted.withColumns({"rank": F.row_number().over(best_first), "order_count": order_count})
    return placed.filter(F.col("value").isNotNull() & (F.col("rank") <= top)).select(
        "golden_id",
        "preference_kind",
        "rank",
        "value",
        "purchase_count",
        (F.col("purchase_count") / F.col("order_count")).alias("share"),
        "last_at",
    )


def _orders(purchases: DataFrame, products: DataFrame, as_of: date, time_zone: str) -> DataFrame:
    """One row per golden_id and order that kept something, with the values of every kind in it."""
    category_of = F.broadcast(products.select("product_id", "category"))  # one row per product: bounded by the range
    lines = known_lines(purchases, as_of, time_zone).filter(F.col("golden_id").isNotNull())
    per_product = (
        lines.select(
            "golden_id", "basket_id", "product_id", "channel", "store_id", "ordered_at", "local_at", "kept_quantity"
        )
        .repartition("golden_id")
        .groupBy("golden_id", "basket_id", "product_id")
        .agg(
            F.sum("kept_quantity").alias("kept_quantity"),
            F.max(F.when(F.col("kept_quantity") > 0, F.col("ordered_at"))).alias("last_at"),
            F.min("local_at").alias("local_at"),
            F.max("channel").alias("channel"),
            F.max("store_id").alias("store_id"),
        )
    )
    kept = per_product.filter(F.col("kept_quantity") > 0).join(category_of, on="product_id", how="left")
    orders = kept.groupBy("golden_id", "basket_id").agg(
        F.max("last_at").alias("last_at"),
        F.min("local_at").alias("local_at"),
        F.collect_set("product_id").alias("products"),
        F.collect_set("category").alias("categories"),
        F.collect_set("channel").alias("channels"),
        F.collect_set("store_id").alias("stores"),
    )
    return orders.select("*", F.array(weekday_name("local_at")).alias("weekdays"), F.array(_band()).alias("hour_bands"))


def _band() -> Column:
    place = F.floor(F.hour("local_at") / 6).cast("int") + 1
    return F.element_at(F.array(*[F.lit(name) for name in HOUR_BANDS]), place)


def _labelled(kind: str) -> Callable[[Column], Column]:
    return lambda value: _one(F.lit(kind), value)


def _one(kind: Column, value: Column) -> Column:
    return F.struct(kind.alias("preference_kind"), value.cast("string").alias("value"))
