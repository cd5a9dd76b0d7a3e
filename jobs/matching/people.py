"""Evidence of who is who into groups of records: on the driver up to its limits, on the executors above them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, ExitStack
from dataclasses import dataclass, fields, replace
from functools import reduce

from pyspark.sql import DataFrame, functions as F, SparkSession

from cdp_lib.io.caching import cached
from cdp_lib.models.identity.linkage import Limits
from cdp_lib.models.identity.people import (
    fits_one_machine,
    IdentityGraph,
    KNOWN_SCHEMA,
    PAIR_SCHEMA,
    part_records,
    SOURCE_SCHEMA,
)
from cdp_lib.models.identity.people_on_spark import IdentityFrames, part_records_on_spark
from cdp_lib.settings.identity import Identity
from cdp_lib.settings.matching import Matching
from cdp_lib.transforms.identity.comparable import comparable_records, known_fields
from cdp_lib.transforms.identity.exact import record_key
from cdp_lib.transforms.identity.increment import records_in
from jobs.matching.matchers import NamedMatcher

KNOWN_AT_MOST = 5_000_000
"""Records, of 24 bytes, whose known fields are taken whole: to pick those that the evidence names would cost more."""

BROADCAST_AT_MOST = 1_000_000
"""Rows, of some 50 bytes, that every executor takes whole."""

Keep = Callable[[DataFrame], DataFrame]
"""Computes a frame and gives it back without its lineage: see io/checkpoints.py."""


@dataclass(frozen=True)
class Evidence:
    """What speaks for and against records being one person.

    `keys` are shared exact identifiers, `pairs` scored pairs, read more than once, so computed already or cached;
    `decisions` what people decided (is_link), `records` the customer records themselves, `known` is `known_fields` of
    them, of more records too if that is cheaper.
    """

    keys: DataFrame
    pairs: DataFrame
    decisions: DataFrame
    records: DataFrame
    known: DataFrame


def no_pairs(spark: SparkSession) -> DataFrame:
    """No scored pair."""
    return spark.createDataFrame(PAIR_SCHEMA.empty_table())


def no_known(spark: SparkSession) -> DataFrame:
    """No record says anything that could be compared: where the pack matches by identifiers alone."""
    return spark.createDataFrame(KNOWN_SCHEMA.empty_table())


def known_of(records: DataFrame, matching: Matching | None) -> DataFrame:
    """Which compared fields each record says something of, where no comparable records are at hand to tell it."""
    if matching is None:
        return no_known(records.sparkSession)
    return known_fields(comparable_records(records, matching), matching)


def sent_whole(frame: DataFrame, row_count: int) -> DataFrame:
    """The frame, which Spark is told to send to the executors whole where it is small."""
    return F.broadcast(frame) if row_count <= BROADCAST_AT_MOST else frame


@contextmanager
def group_records(
    evidence: Evidence, identity: Identity, named: NamedMatcher | None, keep: Keep
) -> Iterator[DataFrame]:
    """One row per record that is not alone: record_key, component_key, cluster_key, matched_by.

    Usable while the block runs. One machine parts what fits its limits; the executors do it above them, with the same
    answer.
    """
    spark = evidence.pairs.sparkSession
    limits = _limits(identity.matching, named)
    with ExitStack() as kept:
        keys = kept.enter_context(cached(evidence.keys))
        pairs = evidence.pairs.select(*PAIR_SCHEMA.names)
        frames = IdentityFrames(keys, pairs, evidence.decisions, _listed_once(evidence, identity), evidence.known)
        key_count, pair_count, known_count = _counts(keys, pairs, evidence.known)
        if known_count > KNOWN_AT_MOST:
            frames = replace(frames, known=_named_in(frames))
        if fits_one_machine(key_count, pair_count):
            graph = IdentityGraph(*(getattr(frames, kind.name).toArrow() for kind in fields(IdentityGraph)))
            parted = part_records(graph, identity, limits)
            yield sent_whole(spark.createDataFrame(parted), parted.num_rows)
            return
        yield part_records_on_spark(frames, identity, limits, keep)


def _counts(*frames: DataFrame) -> tuple[int, ...]:
    """How many rows each has, by one query, which also computes what is cached of them."""
    places = [frame.select(F.lit(place).alias("place")) for place, frame in enumerate(frames)]
    counted = reduce(DataFrame.unionByName, places).groupBy("place").count().collect()
    found = {row["place"]: row["count"] for row in counted}
    return tuple(found.get(place, 0) for place in range(len(frames)))


def _listed_once(evidence: Evidence, identity: Identity) -> DataFrame:
    """The records of sources that list everybody once, if there are such sources: record_key, source_system."""
    once = [] if identity.matching is None else list(identity.matching.one_record_per_source)
    if not once:
        return evidence.records.sparkSession.createDataFrame(SOURCE_SCHEMA.empty_table())
    listed = evidence.records.where(F.col("source_system").isin(once))
    return listed.select(record_key().alias("record_key"), "source_system")


def _named_in(frames: IdentityFrames) -> DataFrame:
    """What is known of the records that any evidence names."""
    ends = frames.pairs.select("record_l", "record_r").unionByName(frames.decisions.select("record_l", "record_r"))
    named_records = frames.keys.select("record_key").unionByName(records_in(ends))
    return frames.known.join(named_records, "record_key", "left_semi")


def _limits(matching: Matching | None, named: NamedMatcher | None) -> Limits:
    if matching is None or named is None:
        return Limits(threshold=float("inf"), together=0.0, absent=0.0, max_component=Matching().max_component)
    return Limits(named.matcher.threshold, matching.together, matching.absent_weight, matching.max_component)
