"""The products that people bought or could buy, each once."""

from pyspark.sql import Column, DataFrame, functions as F

_KEPT = ("name", "category", "department", "price_amount", "is_available", "is_durable")


def products_once(products: DataFrame, lines: DataFrame) -> DataFrame:
    """One row per product_id of the catalogues or of any order line.

    `products` are rows of silver.product. What was only ever bought is known by its id alone: its other columns are
    null.
    """
    bought = lines.where(F.col("product_id").isNotNull()).select("product_id").distinct()
    return catalogue_entries(products).join(bought, "product_id", "full").select("product_id", *_KEPT)


def catalogue_entries(products: DataFrame) -> DataFrame:
    """One row per product_id of silver.product: what the sources that list it know together.

    Each source has its newest word there. Of a column that several know the newest one counts, ties by source; null
    only where none knows it. Only availability is no matter of who spoke last: `is_available` is false where any source
    says so, else true where any does.
    """
    told = [_newest_known(name).alias(name) for name in _KEPT if name != "is_available"]
    is_available = F.bool_and("is_available").alias("is_available")  # of those that say anything
    return products.groupBy("product_id").agg(*told, is_available)


def _newest_known(name: str) -> Column:
    newest_first = F.struct(-F.unix_micros("source_updated_at"), F.col("source_system"))
    return F.min_by(name, F.when(F.col(name).isNotNull(), newest_first))
