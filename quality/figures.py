"""Figures that need more than one aggregation: one-row frames, so that all of a table cost one Spark action."""

import operator
from collections.abc import Sequence
from functools import reduce

from pyspark.sql import Column, DataFrame, functions as F

from cdp_lib.contracts.table import AppendOnce, MergeByKey, Table

CHECK_COLUMN = "check_key"
FIGURE_COLUMN = "figure"

_SMALLEST_SHARE = 1e-4
"""A bin that is empty on one side counts as this share, or the index would be infinite."""


def stack_figures(frames: Sequence[DataFrame]) -> DataFrame:
    """(check_key, figure) rows of all frames."""
    return reduce(DataFrame.unionByName, frames)


def plain_figures(rows: DataFrame, expressions: Sequence[tuple[str, str]]) -> DataFrame:
    """One row per (check key, SQL aggregate) of `expressions`, all from one scan of `rows`."""
    pairs = [
        F.struct(F.lit(key).alias(CHECK_COLUMN), F.expr(expression).cast("double").alias(FIGURE_COLUMN))
        for key, expression in expressions
    ]
    return rows.agg(F.array(*pairs).alias("pairs")).select(F.inline("pairs"))


def key_rows(table: Table, batch: DataFrame, after: DataFrame) -> DataFrame:
    """The keys among which a duplicate can stand: all, or where rows are added or merged only those the batch touches.

    Keys that the batch does not touch passed this check when they were published.
    """
    keys = list(table.key)
    if batch is after or not isinstance(table.write, MergeByKey | AppendOnce):
        return after.select(keys)
    return after.select(keys).join(batch.select(keys).distinct(), on=keys, how="left_semi")


def duplicate_count(key: str, keys: DataFrame) -> DataFrame:
    """One row: how many rows of `keys` stand there although an equal one does; nulls count as equal."""
    per_key = keys.groupBy(*keys.columns).agg((F.count(F.lit(1)) - 1).alias("extra"))
    return _figure(per_key, key, F.coalesce(F.sum("extra"), F.lit(0)))


def distinct_count(key: str, rows: DataFrame) -> DataFrame:
    """One row: the number of different rows without a null."""
    return _figure(rows.dropna(how="any").distinct(), key, F.count(F.lit(1)))


def found_share(key: str, rows: DataFrame, known: DataFrame, *, null_is_missing: bool) -> DataFrame:
    """One row: the share of `rows` that stand in `known`; both have the same columns. Null where there are no rows.

    Rows with a null are left out, or count as not found.
    """
    counted = rows if null_is_missing else rows.dropna(how="any")
    alike = [F.col(field.name).try_cast(field.dataType).alias(field.name) for field in rows.schema.fields]
    # Both sides in one aggregation, by a hash: a join would shuffle and sort the values of either. That a value which
    # is not known has the hash of a known one happens once in 10^13 where a million are known.
    asked = counted.select(_hash(rows.columns), F.lit(1).alias("value_rows"), F.lit(False).alias("is_known"))
    given = known.select(*alike).select(
        _hash(rows.columns), F.lit(0).alias("value_rows"), F.lit(True).alias("is_known")
    )
    per_value = asked.unionByName(given.where("value IS NOT NULL")).groupBy("value")
    found = per_value.agg(F.sum("value_rows").alias("value_rows"), F.bool_or("is_known").alias("is_known"))
    found_rows = F.sum(F.when(F.col("is_known"), F.col("value_rows")).otherwise(0))
    # try_divide gives null, not an error, where there are no rows.
    return _figure(found, key, F.try_divide(found_rows, F.sum("value_rows")))


def _hash(columns: Sequence[str]) -> Column:
    """64 bits that name the values; null where one of them is null."""
    is_whole = reduce(operator.and_, [F.col(name).isNotNull() for name in columns])
    return F.when(is_whole, F.xxhash64(*columns)).alias("value")


def stability_index(key: str, values: tuple[DataFrame, DataFrame], bins: int, least_rows: int) -> DataFrame:
    """One row: the population stability index of `values` = (now, before), each one numeric column `value`.

    Bins are the quantiles of before, nulls are a bin of their own; the index is the sum over the bins of
    (share now - share before) * ln(share now / share before). Null where either side has fewer than `least_rows` rows.
    """
    now, before = values
    steps = F.array(*(F.lit(step / bins) for step in range(1, bins)))
    edges = before.agg(F.percentile_approx("value", steps).alias("edges"))
    placed = [
        rows.crossJoin(F.broadcast(edges)).select(_bin().alias("bin"), F.lit(side).alias("side"))
        for side, rows in (("now", now), ("before", before))
    ]
    is_now = F.col("side") == "now"
    counts = (F.count_if(is_now).alias("now"), F.count_if(~is_now).alias("before"))
    per_bin = placed[0].unionByName(placed[1]).groupBy("bin").agg(*counts)
    shares = per_bin.crossJoin(
        F.broadcast(per_bin.agg(F.sum("now").alias("all_now"), F.sum("before").alias("all_before")))
    ).select(_share("now").alias("p"), _share("before").alias("q"), F.least("all_now", "all_before").alias("row_count"))
    index = F.sum((F.col("p") - F.col("q")) * F.log(F.col("p") / F.col("q")))
    return _figure(shares, key, F.when(F.max("row_count") >= least_rows, index))


def _bin() -> Column:
    """How many edges lie below the value; null for a null value."""
    above = F.filter("edges", lambda edge: F.col("value") > edge)
    return F.when(F.col("value").isNotNull(), F.size(F.coalesce(above, F.array().cast("array<double>"))))


def _share(side: str) -> Column:
    whole = F.col(f"all_{side}")
    return F.when(whole > 0, F.greatest(F.try_divide(F.col(side), whole), F.lit(_SMALLEST_SHARE)))


def _figure(rows: DataFrame, key: str, aggregate: Column) -> DataFrame:
    return rows.agg(aggregate.cast("double").alias(FIGURE_COLUMN)).select(F.lit(key).alias(CHECK_COLUMN), FIGURE_COLUMN)
