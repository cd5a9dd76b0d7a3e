"""The two records of each pair side by side, and their fields graded in levels."""

from collections.abc import Iterator
from functools import partial

import pyarrow as pa
from pyspark.sql import Column, DataFrame, functions as F, types as T

from cdp_lib.settings.matching import Comparison, Matching
from cdp_lib.transforms.identity.comparable import comparable_fields
from cdp_lib.transforms.identity.grading import grade_field, Sides


def compare_pairs(pairs: DataFrame, comparable: DataFrame, matching: Matching) -> DataFrame:
    """One row per pair: its columns, `<field>_term` (hash of a value agreed on), `<field>_level` of every comparison.

    `pairs` holds record_l and record_r; `comparable` (unique by record_key) are the records as `comparable_records`
    returns them. Terms are null below the highest level and for fields without term frequency.
    """
    fields = comparable_fields(matching)
    left = comparable.select(
        F.col("record_key").alias("record_l"), *(F.col(field).alias(f"{field}_l") for field in fields)
    )
    right = comparable.select(
        F.col("record_key").alias("record_r"), *(F.col(field).alias(f"{field}_r") for field in fields)
    )
    # A table in memory of the records, which are unique and slim, spares the sorting of both sides.
    of_left = pairs.join(left.hint("shuffle_hash"), "record_l", "inner")
    both = of_left.join(right.hint("shuffle_hash"), "record_r", "inner")
    sides = [f"{field}_{side}" for field in fields for side in "lr"]
    terms = [_term(entry) for entry in matching.comparisons if entry.term_frequency]
    met = both.select(*pairs.columns, *terms, *sides)
    levels = [T.StructField(f"{field}_level", T.ByteType()) for field in matching.fields]
    return met.mapInArrow(partial(_graded, matching), T.StructType([*met.drop(*sides).schema.fields, *levels]))


def term_key(value: Column) -> Column:
    """The name of a value where its frequency is kept: a hash, so that no model holds a person's data."""
    return F.xxhash64(value)


def _term(entry: Comparison) -> Column:
    left, right = F.col(f"{entry.field}_l"), F.col(f"{entry.field}_r")
    return F.when(left == right, term_key(left)).alias(f"{entry.field}_term")


def _graded(matching: Matching, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The batches with levels in place of the values that they grade."""
    fields = comparable_fields(matching)
    for batch in batches:
        sides = {field: Sides(batch[f"{field}_l"], batch[f"{field}_r"]) for field in fields}
        levels = {f"{entry.field}_level": grade_field(entry, sides) for entry in matching.comparisons}
        passed = batch.drop_columns([f"{field}_{side}" for field in fields for side in "lr"])
        yield pa.RecordBatch.from_pydict(dict(zip(passed.schema.names, passed.columns, strict=True)) | levels)
