"""Order lines as purchases: which count, what they keep, and which basket they lie in."""

from datetime import date

from pyspark.sql import Column, DataFrame, functions as F

from cdp_lib.transforms.customer.as_of import end_of_day


def known_lines(purchases: DataFrame, as_of: date, time_zone: str) -> DataFrame:
    """Lines up to the end of the as-of day in the zone that have a product and a time, with three columns more.

    `local_at` is the clock time in the zone. `basket_id` is the order or, where that is unknown, the person's day;
    null where neither is known. `kept_quantity` is in items, negative where the line takes a purchase back.
    """
    is_usable = (F.col("ordered_at") < F.lit(end_of_day(as_of, time_zone))) & F.col("product_id").isNotNull()
    local_at = F.from_utc_timestamp("ordered_at", time_zone)
    day_of_person = F.concat(F.lit("day "), local_at.cast("date").cast("string"), F.lit(" "), F.col("golden_id"))
    return purchases.filter(is_usable).withColumns(
        {
            "local_at": local_at,
            "basket_id": F.coalesce("order_id", day_of_person),
            "kept_quantity": kept_quantity(),
        }
    )


def kept_quantity() -> Column:
    """Items of a line, negative for a refund; an unknown quantity, or 0 of what was paid for, is one.

    A decimal: of doubles .1 + .2 - .3 kg would be left.
    """
    is_refund = (F.col("quantity") < 0) | (F.col("paid_amount") < 0)
    is_unsaid = F.col("quantity").isNull() | ((F.col("quantity") == 0) & (F.col("paid_amount") != 0))
    size = F.when(is_unsaid, F.lit(1)).otherwise(F.abs("quantity")).cast("decimal(18,3)")
    return F.when(is_refund, -size).otherwise(size)
