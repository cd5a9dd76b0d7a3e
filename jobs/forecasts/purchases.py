"""Order lines with who bought them and how: what patterns, preferences and recommendations are made from."""

from pyspark.sql import DataFrame, functions as F

from cdp_lib.contracts import identity, silver
from cdp_lib.contracts.table import Table
from cdp_lib.transforms.purchase.products import products_once
from cdp_lib.workflow.context import JobContext

PURCHASE_READS: tuple[Table, ...] = (silver.ORDER_LINE, silver.ORDER, silver.PRODUCT, identity.IDENTITY_LINK)
"""What a job must declare to look at purchases and products."""

_ORDER = ("source_system", "order_id")


def purchases_of(ctx: JobContext) -> DataFrame:
    """One row per order line; golden_id null: nobody known; channel, store_id null: the order says none."""
    lines = ctx.read(silver.ORDER_LINE).select(
        *_ORDER, "person_id", "product_id", "ordered_at", "quantity", "paid_amount"
    )
    orders = ctx.read(silver.ORDER).select(*_ORDER, "channel", "store_id")  # one row per order: its key
    people = ctx.read(identity.IDENTITY_LINK).select(
        "source_system", F.col("source_record_id").alias("person_id"), "golden_id"
    )  # one row per record: its key
    known = lines.join(orders, list(_ORDER), "left").join(people, ["source_system", "person_id"], "left")
    return known.select(
        "golden_id",
        "product_id",
        F.concat_ws(":", *_ORDER).alias("order_id"),
        "ordered_at",
        "quantity",
        "paid_amount",
        "channel",
        "store_id",
    )


def products_of(ctx: JobContext) -> DataFrame:
    """One row per product, those without a catalogue entry included."""
    return products_once(ctx.read(silver.PRODUCT), ctx.read(silver.ORDER_LINE))
