"""What becomes of each row: accepted, quarantined, or known already; and how many of each, file by file."""

from pyspark.sql import DataFrame, functions as F, Window as W

ACCEPTED, QUARANTINED, DUPLICATE = "accepted", "quarantined", "duplicate"


def mark_outcomes(tagged: DataFrame, known: DataFrame | None) -> DataFrame:
    """The rows of `tagged` with `_outcome`: quarantined, duplicate or accepted.

    Quarantined: the row breaks a rule. Duplicate: an accepted row of the batch has the same `_record_hash` and comes
    first by file and row number, or `known` (one row per `_record_hash` of bronze) has it; no `known`: bronze is empty.
    The batch is shuffled once, by content.
    """
    is_good = F.size("_rules") == 0
    # Broken rows are nobody's duplicates. They are spread by place: a file of broken rows may have but one content.
    content = F.when(is_good, F.col("_record_hash")).otherwise(F.concat_ws(":", "_source_file", "_row_number"))
    batch = tagged.withColumn("_content", content)
    in_order = W.partitionBy("_content").orderBy("_source_file", "_row_number")
    is_repeated = F.row_number().over(in_order) > 1
    if known is None:
        looked_up = batch.withColumn("_is_known", F.lit(False))
    else:
        held = known.select(F.col("_record_hash").alias("_content"), F.lit(True).alias("_is_known"))
        # Bronze holds each hash once, so no row is multiplied.
        looked_up = batch.join(held, on="_content", how="left")
    is_known = F.coalesce("_is_known", F.lit(False))
    outcome = (
        F.when(~is_good, F.lit(QUARANTINED)).when(is_known | is_repeated, F.lit(DUPLICATE)).otherwise(F.lit(ACCEPTED))
    )
    return looked_up.select(*tagged.columns, outcome.alias("_outcome"))


def count_outcomes(marked: DataFrame) -> DataFrame:
    """One row per `_source_file`: rows read, accepted, quarantined, duplicate, each counted on its own."""
    outcome = F.col("_outcome")
    return marked.groupBy("_source_file").agg(
        F.count(F.lit(1)).alias("read_count"),
        F.count_if(outcome == ACCEPTED).alias("accepted_count"),
        F.count_if(outcome == QUARANTINED).alias("quarantined_count"),
        F.count_if(outcome == DUPLICATE).alias("duplicate_count"),
    )
