"""What a customer's purchases say at a cut day, and what came true after it.

A value at a cut uses nothing after the cut: rows of later days never enter, so training on an earlier cut sees what
scoring would have seen then. Days are calendar days in the pack's zone.
"""

from collections.abc import Sequence
from datetime import date, timedelta

from pyspark.sql import Column, DataFrame, functions as F

from cdp_lib.contracts.purchases import FEATURES, LABELS, WINDOWS, YEAR_DAYS
from cdp_lib.transforms.purchase.lines import kept_quantity


def purchase_days(orders: DataFrame, time_zone: str, lines: DataFrame | None = None) -> DataFrame:
    """One row per golden_id and day with an order: purchase_date, amount, item_count, is_purchase, again_product_count.

    `orders` are rows of silver.order with golden_id. `amount` is the day's net spend, refunds subtracted; a day of
    refunds, cancelled and wholly returned orders alone is no purchase, though its amount counts. `item_count` is null
    where no purchase of the day tells it. `again_product_count` are the products that the customer bought on that day
    for the second time, counting days: of `lines`, rows of silver.order_line with golden_id; null: none known that day.
    The rows of a customer lie together, so that what follows needs no other shuffle.
    """
    dated = orders.select("golden_id", _local_date(time_zone), "paid_amount", "item_count")
    days = (
        dated.repartition("golden_id")
        .groupBy("golden_id", "purchase_date")
        .agg(
            F.sum("paid_amount").cast("decimal(18,2)").alias("amount"),
            F.sum(F.when(is_purchase(), F.col("item_count"))).alias("item_count"),
            F.max(is_purchase()).alias("is_purchase"),
        )
    )
    if lines is None:
        return days.withColumn("again_product_count", F.lit(None).cast("bigint"))
    # Joined by customer alone: by day as well, Spark would shuffle both sides again.
    again = days.join(_bought_again(lines, time_zone), "golden_id", "left")
    return again.withColumn("again_product_count", F.try_element_at("by_day", "purchase_date")).drop("by_day")


def _local_date(time_zone: str) -> Column:
    return F.to_date(F.from_utc_timestamp("ordered_at", time_zone)).alias("purchase_date")


def _bought_again(lines: DataFrame, time_zone: str) -> DataFrame:
    """One row per golden_id that bought a known product; `by_day`: of each such day, the products bought again."""
    bought = lines.where(F.col("product_id").isNotNull() & (kept_quantity() > 0))
    of_product = (
        bought.select("golden_id", "product_id", _local_date(time_zone))
        .repartition("golden_id")
        .groupBy("golden_id", "product_id")
        .agg(F.array_sort(F.collect_set("purchase_date")).alias("days"))
    )
    placed = of_product.select("golden_id", F.posexplode("days").alias("place", "day"))
    of_day = placed.groupBy("golden_id", "day").agg(F.count_if(F.col("place") == 1).alias("again"))
    return of_day.groupBy("golden_id").agg(F.map_from_entries(F.collect_list(F.struct("day", "again"))).alias("by_day"))


def is_purchase() -> Column:
    """Whether something remains of an order: money, or the items of a basket that cost nothing (redeemed, given).

    A cancelled or wholly returned order comes with neither.
    """
    paid, items = F.col("paid_amount"), F.coalesce("item_count", F.lit(0))
    return (paid > 0) | ((paid == 0) & (items > 0))


def discounted(days: DataFrame, cut: date, yearly_rate: float) -> DataFrame:
    """The same purchase days with each `amount` as it is worth on the cut day, a double: later money counts less."""
    if not yearly_rate:
        return days
    years = F.datediff("purchase_date", F.lit(cut)) / YEAR_DAYS
    worth = F.col("amount").cast("double") * F.pow(F.lit(1 + yearly_rate), -years)
    return days.withColumns({"amount": worth})


def purchase_features(days: DataFrame, cut: date, first_day: date) -> DataFrame:
    """One row per golden_id with a purchase up to the cut day: the columns of `contracts.purchases.FEATURES`.

    `first_day` is that of the business's first purchase, which every cut with customers knows.
    """
    known = days.where(F.col("purchase_date") <= F.lit(cut))
    is_purchase = F.col("is_purchase")
    ago = F.datediff(F.lit(cut), F.col("purchase_date"))
    spent = F.col("amount")
    bought_on = F.when(is_purchase, F.col("purchase_date"))
    summed = known.groupBy("golden_id").agg(
        F.array_sort(F.collect_list(F.when(is_purchase, ago))).alias("ages"),
        F.avg(F.when(is_purchase & (spent > 0), spent)).alias("monetary_amount"),
        F.sum(spent).alias("total_amount"),
        F.min_by(F.when(is_purchase, spent), bought_on).alias("first_amount"),
        *[F.count(F.when(is_purchase & (ago < days), 1)).alias(f"purchase_count_{days}d") for days in WINDOWS],
        *[F.coalesce(F.sum(F.when(ago < days, spent)), F.lit(0)).alias(f"amount_{days}d") for days in WINDOWS],
        F.sum("item_count").alias("item_count"),
        F.max_by(F.when(is_purchase, F.col("item_count")), bought_on).alias("last_item_count"),
        F.sum("again_product_count").alias("repeated_product_count"),
    )
    bought = summed.where(F.size("ages") > 0).select(
        "*",
        (F.size("ages") - 1).alias("frequency"),
        F.element_at("ages", 1).alias("recency_days"),
        F.element_at("ages", -1).alias("tenure_days"),
        F.get("ages", F.lit(1)).alias("previous_recency_days"),
        _largest_gap(F.col("ages")).alias("largest_gap_days"),
        F.lit((cut - first_day).days).alias("history_days"),
    )
    spread = F.col("tenure_days") - F.col("recency_days")
    with_gap = bought.select("*", F.try_divide(spread, F.col("frequency")).alias("mean_gap_days"))
    return with_gap.select("golden_id", *[F.col(column.name).cast("double") for column in FEATURES[1:]])


def purchase_standing(days: DataFrame, cut: date, ends: Sequence[int]) -> DataFrame:
    """One row per golden_id with a purchase up to the cut: `standing`, from 0, by days since the last purchase.

    0: at most `ends[0]` days, and so on; len(ends): more than the last of them. Customers with a second purchase day
    stand len(ends) + 1 higher, so that there are 2 x (len(ends) + 1) standings.
    """
    bought = days.where(F.col("is_purchase") & (F.col("purchase_date") <= F.lit(cut)))
    last = bought.groupBy("golden_id").agg(
        F.max("purchase_date").alias("last"), F.count(F.lit(1)).alias("purchase_days")
    )
    ago = F.datediff(F.lit(cut), F.col("last"))
    span = sum((F.when(ago > end, 1).otherwise(0) for end in ends), F.lit(0))
    repeats = F.when(F.col("purchase_days") > 1, len(ends) + 1).otherwise(0)
    return last.select("golden_id", (span + repeats).cast("int").alias("standing"))


def purchase_labels(days: DataFrame, cut: date, horizon_days: int) -> DataFrame:
    """One row per golden_id with a purchase up to the cut: `contracts.purchases.LABELS` over (cut, cut + N days]."""
    end = cut + timedelta(days=horizon_days)
    is_known = F.col("is_purchase") & (F.col("purchase_date") <= F.lit(cut))
    is_future = (F.col("purchase_date") > F.lit(cut)) & (F.col("purchase_date") <= F.lit(end))
    is_future_purchase = is_future & F.col("is_purchase")
    counted = days.groupBy("golden_id").agg(
        F.max(is_known).alias("is_known"),
        F.count(F.when(is_future_purchase, 1)).alias("future_purchase_count"),
        F.coalesce(F.sum(F.when(is_future, F.col("amount"))), F.lit(0)).alias("future_amount"),
    )
    labelled = counted.where("is_known").select("*", (F.col("future_purchase_count") > 0).alias("has_purchase"))
    return labelled.select("golden_id", *[F.col(column.name).cast("double") for column in LABELS[1:]])


def _largest_gap(ages: Column) -> Column:
    """The largest step between two ascending ages in a row; null for a single one."""
    later, earlier = F.slice(ages, F.lit(1), F.size(ages) - 1), F.slice(ages, F.lit(2), F.size(ages) - 1)
    return F.array_max(F.zip_with(earlier, later, lambda old, new: old - new))
