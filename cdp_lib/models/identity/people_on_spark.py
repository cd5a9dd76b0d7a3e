"""Evidence about records into people where it is too much for one machine: whole components to each executor."""

from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame, functions as F, Window as W

from cdp_lib.models.identity.connected_records import connected_records
from cdp_lib.models.identity.linkage import Limits
from cdp_lib.models.identity.people import (
    DECISION_SCHEMA,
    IdentityGraph,
    KEY_SCHEMA,
    KNOWN_SCHEMA,
    PAIR_SCHEMA,
    part_records,
    PERSON_SCHEMA,
    SOURCE_SCHEMA,
)
from cdp_lib.settings.identity import Identity

RECORDS_PER_BUCKET = 200_000
"""Records of components that one call of `part_records` sees: some 100 MB of evidence."""

_PERSON = "record_key binary, component_key binary, cluster_key binary, matched_by string"

_EVIDENCE = {
    "first": "binary",
    "second": "binary",
    "number": "int",
    "weight": "double",
    "flag": "boolean",
    "name": "string",
    "bits": "bigint",
}
_KINDS = {
    "keys": (KEY_SCHEMA, ("first", "number", "second")),
    "pairs": (PAIR_SCHEMA, ("first", "second", "weight", "flag")),
    "decisions": (DECISION_SCHEMA, ("first", "second", "flag")),
    "sources": (SOURCE_SCHEMA, ("first", "name")),
    "known": (KNOWN_SCHEMA, ("first", "bits")),
}
"""Of each kind of evidence the columns, and under which names they travel together."""


@dataclass(frozen=True)
class IdentityFrames:
    """The tables of an IdentityGraph as frames: the same columns, of any number of rows."""

    keys: DataFrame
    pairs: DataFrame
    decisions: DataFrame
    sources: DataFrame
    known: DataFrame


def part_records_on_spark(
    frames: IdentityFrames, identity: Identity, limits: Limits, checkpoint: Callable[[DataFrame], DataFrame]
) -> DataFrame:
    """What `part_records` returns for the same evidence, computed by the executors.

    Components are found by all of them together; then each component goes as a whole, with the evidence about its
    records, to one call of `part_records`: nothing outside a component changes what happens in it. One component must
    fit one executor. `checkpoint` computes a frame and gives it back without its lineage, which the result reads, so it
    must live as long.
    """
    members = checkpoint(connected_records(_links(frames, limits), checkpoint))
    bucket_count = members.count() // RECORDS_PER_BUCKET + 1
    bucket = F.pmod(F.xxhash64("component_key"), F.lit(bucket_count)).alias("bucket")
    home = members.select("record_key", "component_key", bucket)
    evidence = _evidence(frames, home)

    def part(rows: pa.Table) -> pa.Table:
        return part_records(_graph(rows), identity, limits).cast(PERSON_SCHEMA)

    return evidence.groupBy("bucket").applyInArrow(part, schema=_PERSON)


def _links(frames: IdentityFrames, limits: Limits) -> DataFrame:
    """What makes components, as pairs of records: shared values, linked pairs, link decisions."""
    holders = W.partitionBy("identifier", "value_key")
    shared = frames.keys.select(
        F.col("record_key").alias("record_l"), F.min("record_key").over(holders).alias("record_r")
    )
    is_link = (F.col("match_weight") >= limits.threshold) & ~F.col("is_vetoed")
    linked = frames.pairs.where(is_link).select("record_l", "record_r")
    decided = frames.decisions.where("is_link").select("record_l", "record_r")
    return shared.unionByName(linked).unionByName(decided)


def _evidence(frames: IdentityFrames, home: DataFrame) -> DataFrame:
    """All evidence about records of one component, one below the other: bucket, kind, and what _EVIDENCE names."""
    of_records = {"keys": frames.keys, "sources": frames.sources, "known": frames.known}
    of_pairs = {"pairs": frames.pairs, "decisions": frames.decisions}
    left = home.select(F.col("record_key").alias("record_l"), "component_key", "bucket")
    right = home.select(F.col("record_key").alias("record_r"), F.col("component_key").alias("component_r"))
    parts = [_travelling(kind, frame.join(home, "record_key", "inner")) for kind, frame in of_records.items()]
    for kind, frame in of_pairs.items():
        placed = frame.join(left, "record_l", "inner").join(right, "record_r", "inner")
        parts.append(_travelling(kind, placed.where("component_key = component_r")))
    whole = parts[0]
    for more in parts[1:]:
        whole = whole.unionByName(more)
    return whole


def _travelling(kind: str, placed: DataFrame) -> DataFrame:
    schema, names = _KINDS[kind]
    column_of = dict(zip(names, schema.names, strict=True))

    def travels_as(name: str) -> Column:
        value = F.col(column_of[name]) if name in column_of else F.lit(None)
        return value.cast(_EVIDENCE[name]).alias(name)

    return placed.select("bucket", F.lit(kind).alias("kind"), *map(travels_as, _EVIDENCE))


def _graph(rows: pa.Table) -> IdentityGraph:
    """The evidence as the tables that it came from."""
    tables = {}
    for kind, (schema, names) in _KINDS.items():
        own = rows.filter(pc.equal(rows["kind"], kind)).select(list(names))
        tables[kind] = own.rename_columns(schema.names).cast(schema)
    return IdentityGraph(**tables)
