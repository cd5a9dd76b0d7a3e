"""The products that people bought or could buy, each once."""

from pyspark.sql import DataFrame, functions as F, Window as W

_KEPT = ("name", "category", "department", "price_amount", "is_available", "is_durable")


def products_once(products: DataFrame, lines: DataFrame) -> DataFrame:
    """One row per product_id of the catalogues or of any order line.

    Where several sources list a product the newest row counts, ties by source. What was only ever bought is known by
    its id alone: its other columns are null.
    """
    newest = W.partitionBy("product_id").orderBy(F.col("source_updated_at").desc(), F.col("source_system"))
    placed = products.withColumn("place", F.row_number().over(newest))
    listed = placed.where(F.col("place") == 1).select("product_id", *_KEPT)
    bought = lines.where(F.col("product_id").isNotNull()).select("product_id").distinct()
    return listed.join(bought, "product_id", "full").select("product_id", *_KEPT)
