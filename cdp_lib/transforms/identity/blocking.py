"""Candidate pairs: records that agree on the keys of at least one blocking rule, and pairs of strangers to learn from."""

from collections.abc import Sequence

import pyarrow as pa
from pyspark.sql import Column, DataFrame, functions as F

from cdp_lib.settings.matching import Matching

_STRANGERS_PER_BLOCK = 64
"""Members of a block of random records: 2,016 pairs of many different people."""


def block_keys(comparable: DataFrame, matching: Matching) -> DataFrame:
    """One row per record and rule that it has a key for: record_key, source_system, rule (from 0), key (64-bit hash).

    Two keys that meet by chance only add a pair, which is then compared like any other.
    """
    keys = [_key(place, rule.on) for place, rule in enumerate(matching.blocking)]
    keyed = comparable.select("record_key", "source_system", F.posexplode(F.array(*keys)).alias("rule", "key"))
    return keyed.where(F.col("key").isNotNull())


def block_sizes(keys: DataFrame) -> DataFrame:
    """How many blocks of which size each rule makes: rule, record_count, block_count. Blocks of one record are left out."""
    sized = keys.groupBy("rule", "key").agg(F.count(F.lit(1)).alias("record_count"))
    return sized.where(F.col("record_count") > 1).groupBy("rule", "record_count").agg(F.count("key").alias("block_count"))


def choose_caps(sizes: pa.Table, matching: Matching, *, record_count: int) -> tuple[int, ...]:
    """The largest block that each rule may compare: its max_records, or less where the pairs would be too many.

    `sizes` is `block_sizes`. The smallest blocks come first, whichever their rule: what few records share tells most.
    Pairs are counted before those that several rules find are made one.
    """
    rows = sorted(sizes.to_pylist(), key=lambda row: row["record_count"])
    limits = [rule.max_records for rule in matching.blocking]
    budget = max(matching.pairs_per_record * record_count, matching.least_pairs)
    largest = 1
    for row in rows:
        size = row["record_count"]
        budget -= row["block_count"] * size * (size - 1) // 2 if size <= limits[row["rule"]] else 0
        if budget < 0:
            break
        largest = size
    return tuple(min(limit, largest) for limit in limits)


def candidate_pairs(keys: DataFrame, matching: Matching, caps: Sequence[int]) -> DataFrame:
    """One row per pair of records (record_l < record_r) that a rule brings together: the first such rule, from 0.

    Left out: blocks above their rule's cap (`dropped_blocks` tells them), and two records of a source that lists
    everybody once.
    """
    kept = _blocks(keys).where(F.col("record_count").between(2, _of_rule(caps)))
    pairs = _pairs_within(kept, matching, "rule")
    # All pairs of a record lie together, so that naming each pair once and joining its left record shuffle once.
    by_left = pairs.repartition("record_l")
    return by_left.groupBy("record_l", "record_r").agg(F.min("rule").alias("rule"))


def dropped_blocks(sizes: DataFrame, matching: Matching, caps: Sequence[int]) -> DataFrame:
    """One row per rule and size of blocks that were too large to compare: blocking_rule, record_count, block_count."""
    dropped = sizes.where(F.col("record_count") > _of_rule(caps))
    return dropped.select(rule_name(matching).alias("blocking_rule"), "record_count", "block_count")


def random_pairs(comparable: DataFrame, matching: Matching, *, record_count: int) -> DataFrame:
    """About `random_pairs` pairs of records drawn at random (all of them if there are fewer): record_l, record_r.

    The draw depends on the records alone. Records come in groups of 64 random ones, and so many groups as are needed.
    """
    groups = max(record_count // _STRANGERS_PER_BLOCK, 1)
    pairs_each = _STRANGERS_PER_BLOCK * (_STRANGERS_PER_BLOCK - 1) // 2
    wanted = matching.random_pairs // pairs_each + 1
    group = F.pmod(F.xxhash64("record_key", F.lit("random pairs")), F.lit(groups))
    keys = comparable.select("record_key", "source_system", F.lit(0).alias("rule"), group.alias("key"))
    blocks = _blocks(keys.where(F.col("key") < wanted))
    return _pairs_within(blocks, matching).repartition("record_l")


def rule_name(matching: Matching) -> Column:
    """The name of the row's `rule`."""
    return F.get(F.array(*(F.lit(rule.name) for rule in matching.blocking)), F.col("rule"))


def _key(place: int, expressions: tuple[str, ...]) -> Column:
    values = [F.expr(expression) for expression in expressions]
    is_whole = F.lit(True)
    for value in values:
        is_whole = is_whole & value.isNotNull()
    return F.when(is_whole, F.xxhash64(F.lit(place), *values))


def _blocks(keys: DataFrame) -> DataFrame:
    member = F.struct("record_key", "source_system")
    return keys.groupBy("rule", "key").agg(
        F.collect_list(member).alias("members"), F.count(F.lit(1)).alias("record_count")
    )


def _pairs_within(blocks: DataFrame, matching: Matching, *carried: str) -> DataFrame:
    """Every pair of a block's members, the smaller record first; not two of a source that lists everybody once."""
    ordered = blocks.select(*carried, F.sort_array("members").alias("members"))
    lefts = ordered.select(*carried, "members", F.posexplode("members").alias("place", "left"))
    # A slice past the end is empty, so the last member explodes to nothing.
    others = F.explode(F.slice("members", F.col("place") + 2, F.size("members"))).alias("right")
    both = lefts.select(*carried, "left", others)
    if matching.one_record_per_source:
        is_once = F.col("left.source_system").isin(list(matching.one_record_per_source))
        both = both.where(~(is_once & (F.col("left.source_system") == F.col("right.source_system"))))
    return both.select(
        *carried, F.col("left.record_key").alias("record_l"), F.col("right.record_key").alias("record_r")
    )


def _of_rule(caps: Sequence[int]) -> Column:
    return F.get(F.array(*(F.lit(cap) for cap in caps)), F.col("rule"))
