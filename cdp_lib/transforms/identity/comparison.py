"""The two records of each pair side by side, and their fields graded in levels."""

from collections.abc import Iterator, Mapping
from functools import partial

import pyarrow as pa
from pyspark.core.broadcast import Broadcast
from pyspark.sql import Column, DataFrame, functions as F, types as T

from cdp_lib.settings.matching import Comparison, Matching
from cdp_lib.transforms.identity.comparable import comparable_fields
from cdp_lib.transforms.identity.grading import grade_field, Sides
from cdp_lib.transforms.identity.held_records import HeldRecords, term_key


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
    return met.mapInArrow(partial(_graded, matching), _with_levels(met.drop(*sides), matching))


def compare_held_pairs(pairs: DataFrame, held: Broadcast[HeldRecords], matching: Matching) -> DataFrame:
    """One row per pair of records that are held: its columns, and the `<field>_level` of every comparison.

    `pairs` hold record_l and record_r as `record_number`. Levels are those of `compare_pairs`, without its joins.
    """
    return pairs.mapInArrow(partial(_looked_up, held, matching), _with_levels(pairs, matching))


def _term(entry: Comparison) -> Column:
    left, right = F.col(f"{entry.field}_l"), F.col(f"{entry.field}_r")
    return F.when(left == right, term_key(left)).alias(f"{entry.field}_term")


def _with_levels(pairs: DataFrame, matching: Matching) -> T.StructType:
    levels = [T.StructField(f"{field}_level", T.ByteType()) for field in matching.fields]
    return T.StructType([*pairs.schema.fields, *levels])


def _graded(matching: Matching, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The batches with levels in place of the values that they grade."""
    fields = comparable_fields(matching)
    for batch in batches:
        sides = {field: Sides(batch[f"{field}_l"], batch[f"{field}_r"]) for field in fields}
        yield _and_levels(batch.drop_columns([f"{field}_{side}" for field in fields for side in "lr"]), sides, matching)


def _looked_up(
    held: Broadcast[HeldRecords], matching: Matching, batches: Iterator[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """The batches with the levels of the records that they name."""
    records, fields = held.value, comparable_fields(matching)
    for batch in batches:
        left, right = (records.places(batch[f"record_{side}"]) for side in "lr")
        sides = {field: Sides(records.values(field, left), records.values(field, right)) for field in fields}
        yield _and_levels(batch, sides, matching)


def _and_levels(batch: pa.RecordBatch, sides: Mapping[str, Sides], matching: Matching) -> pa.RecordBatch:
    levels = {f"{entry.field}_level": grade_field(entry, sides) for entry in matching.comparisons}
    return pa.RecordBatch.from_pydict(dict(zip(batch.schema.names, batch.columns, strict=True)) | levels)
