"""The two records of each pair side by side, and their fields graded in levels."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import chain

import pyarrow as pa
from pyspark.core.broadcast import Broadcast
from pyspark.sql import Column, DataFrame, functions as F, types as T

from cdp_lib.settings.matching import Comparison, Matching
from cdp_lib.transforms.identity.blocking import strangers_place
from cdp_lib.transforms.identity.comparable import comparable_fields
from cdp_lib.transforms.identity.grading import grade_field, Sides
from cdp_lib.transforms.identity.held_blocks import HeldBlocks
from cdp_lib.transforms.identity.held_records import HeldRecords, record_number, term_key
from cdp_lib.transforms.identity.pairing import Ints


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
    return met.mapInArrow(partial(_graded, matching), _with_levels(met.drop(*sides).schema.fields, matching))


GRADED_AT_ONCE = 200_000
"""Some 200 MB of a worker's memory while they are compared."""

PLACES = ("place_l", "place_r")
"""Where the records of a pair are held, that of the lesser key on the left."""


def compare_held_pairs(pairs: DataFrame, held: Broadcast[HeldRecords], matching: Matching) -> DataFrame:
    """One row per pair of records that are held: its other columns, `place_l`, `place_r`, and each `<field>_level`.

    Levels are those of `compare_pairs`, without its joins.
    """
    numbered = pairs.withColumns({f"record_{side}": record_number(f"record_{side}") for side in "lr"})
    others = [field for field in pairs.schema.fields if field.name not in ("record_l", "record_r")]
    return numbered.mapInArrow(partial(_looked_up, held, matching), _placed(others, matching))


def compare_held_blocks(
    tasks: DataFrame, blocks: Broadcast[HeldBlocks], held: Broadcast[HeldRecords], matching: Matching
) -> DataFrame:
    """One row per pair that the blocks make: `place_l`, `place_r`, rule, is_random, and each `<field>_level`.

    A rule is null for a pair that was drawn and that no rule brings together. `tasks` (part, parts) name the parts that
    the pairs are made in, each by the worker that has its row.
    """
    made = [T.StructField("rule", T.IntegerType()), T.StructField("is_random", T.BooleanType())]
    return tasks.mapInArrow(partial(compared_blocks, blocks, held, matching), _placed(made, matching))


def compared_blocks(
    blocks: Broadcast[HeldBlocks],
    held: Broadcast[HeldRecords],
    matching: Matching,
    tasks: Iterator[pa.RecordBatch],
) -> Iterator[pa.RecordBatch]:
    """What `compare_held_blocks` says of the tasks, in the worker that has them."""
    records = held.value
    for task in chain.from_iterable(batch.to_pylist() for batch in tasks):
        for meeting in blocks.value.meetings(task["part"], task["parts"], strangers_place(matching)):
            rule = pa.array(meeting.rule, mask=meeting.rule < 0)
            made = pa.RecordBatch.from_pydict({"rule": rule, "is_random": pa.array(meeting.is_random)})
            left, right = records.in_order(meeting.one, meeting.other)
            for first in range(0, len(left), GRADED_AT_ONCE):
                some = slice(first, first + GRADED_AT_ONCE)
                yield _told(records, left[some], right[some], made.slice(first, GRADED_AT_ONCE), matching)


def _placed(others: Sequence[T.StructField], matching: Matching) -> T.StructType:
    places = [T.StructField(name, T.IntegerType()) for name in PLACES]
    return _with_levels([*places, *others], matching)


def _term(entry: Comparison) -> Column:
    left, right = F.col(f"{entry.field}_l"), F.col(f"{entry.field}_r")
    return F.when(left == right, term_key(left)).alias(f"{entry.field}_term")


def _with_levels(fields: Sequence[T.StructField], matching: Matching) -> T.StructType:
    return T.StructType([*fields, *(T.StructField(f"{field}_level", T.ByteType()) for field in matching.fields)])


def _graded(matching: Matching, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The batches with levels in place of the values that they grade."""
    fields = comparable_fields(matching)
    for batch in batches:
        sides = {field: Sides(batch[f"{field}_l"], batch[f"{field}_r"]) for field in fields}
        yield _and_levels(batch.drop_columns([f"{field}_{side}" for field in fields for side in "lr"]), sides, matching)


def _looked_up(
    held: Broadcast[HeldRecords], matching: Matching, batches: Iterator[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """The batches with places and levels for the numbers of records."""
    records = held.value
    for batch in batches:
        left, right = (records.places(batch[f"record_{side}"]) for side in "lr")
        yield _told(records, left, right, batch.drop_columns(["record_l", "record_r"]), matching)


def _told(records: HeldRecords, left: Ints, right: Ints, others: pa.RecordBatch, matching: Matching) -> pa.RecordBatch:
    """The pairs in these places, with their other columns, and their levels."""
    sides = {
        field: Sides(records.values(field, left), records.values(field, right)) for field in comparable_fields(matching)
    }
    places = {name: pa.array(side, pa.int32()) for name, side in zip(PLACES, (left, right), strict=True)}
    columns = places | dict(zip(others.schema.names, others.columns, strict=True))
    return pa.RecordBatch.from_pydict(columns | _levels(sides, matching))


def _and_levels(batch: pa.RecordBatch, sides: Mapping[str, Sides], matching: Matching) -> pa.RecordBatch:
    columns = dict(zip(batch.schema.names, batch.columns, strict=True))
    return pa.RecordBatch.from_pydict(columns | _levels(sides, matching))


def _levels(sides: Mapping[str, Sides], matching: Matching) -> dict[str, pa.Array]:
    return {f"{entry.field}_level": grade_field(entry, sides) for entry in matching.comparisons}
