"""Candidate pairs: records that agree on the keys of a blocking rule, and pairs of strangers to learn from."""

import operator
from collections.abc import Sequence
from functools import partial, reduce
from itertools import chain

import pyarrow as pa
from pyspark.sql import Column, DataFrame, functions as F, GroupedData

from cdp_lib.settings.matching import Matching
from cdp_lib.transforms.identity.pairing import pairs_of_blocks, RULE_BITS

BLOCK_KEYS = "block_keys"

_STRANGERS_PER_BLOCK = 64
"""Members of a block of random records: 2,016 pairs of many different people."""

_MOST_STRANGERS = 8 * _STRANGERS_PER_BLOCK
"""So many a group never has by chance."""


def block_keys(comparable: DataFrame, matching: Matching, caps: Sequence[int] | None = None) -> DataFrame:
    """One row per record and rule that it has a key for: record_key, key (64 bits; the last RULE_BITS name the rule).

    Rules whose cap is 0 are left out. Two keys that meet by chance only add a pair, which is then compared like any
    other. Where sources list everybody once, `source` is that source, null for any other.
    """
    return kept_keys(with_block_keys(comparable, matching, caps), matching)


def with_block_keys(comparable: DataFrame, matching: Matching, caps: Sequence[int] | None = None) -> DataFrame:
    """One row per record: record_key, source_system, `block_keys`: an array of its keys, null for rules it has none of.

    Rules whose cap is 0 are left out. Applying all rules costs more than keeping what they give.
    """
    used = {place: rule.on for place, rule in enumerate(matching.blocking) if caps is None or caps[place] > 0}
    # Rules share their parts, which cost far more than their hashes: each is a column of its own, computed once.
    parts = {text: f"_part_{place}" for place, text in enumerate(dict.fromkeys(chain.from_iterable(used.values())))}
    parted = comparable.select(
        "record_key", "source_system", *(F.expr(text).alias(name) for text, name in parts.items())
    )
    keys = F.array(*(_key(place, [F.col(parts[text]) for text in on]) for place, on in used.items()))
    return parted.select("record_key", "source_system", keys.cast("array<bigint>").alias(BLOCK_KEYS))


def kept_keys(keyed: DataFrame, matching: Matching) -> DataFrame:
    """What `block_keys` says of records that hold their keys (`with_block_keys`)."""
    # In a step of its own, so that Spark compiles the rules: inside the generator it would interpret them row by row.
    # And `outer`, for before a plain explode it would apply them all once more to ask whether there is a key.
    held = keyed.select("record_key", *listed_source(matching), F.col(BLOCK_KEYS).alias("keys"))
    each = held.select(*held.columns[:-1], F.explode_outer("keys").alias("key"))
    return each.where(F.col("key").isNotNull())


def block_sizes(keys: DataFrame, *, one_in: int = 1) -> DataFrame:
    """How many blocks of which size (2 or more) each rule makes: rule, record_count, block_count.

    With `one_in` above 1 only so many keys are looked at, chosen by their hash, and block_count is scaled up: blocks
    are seen whole or not at all, so the sizes are right and the counts about right, at a fraction of the shuffle.
    """
    seen = keys.where(F.pmod(F.shiftright("key", RULE_BITS), F.lit(one_in)) == 0)
    sized = seen.groupBy("key").agg(F.count(F.lit(1)).alias("record_count"))
    counted = sized.where(F.col("record_count") > 1).groupBy(rule_of_key().alias("rule"), "record_count")
    return counted.agg((F.count("key") * one_in).alias("block_count"))


def choose_caps(sizes: pa.Table, matching: Matching, *, record_count: int) -> tuple[int, ...]:
    """The largest block that each rule may compare, 0 for none: its max_records, or less if its pairs were too many.

    `sizes` is `block_sizes`. The smallest blocks come first: what few records share tells most. Each rule may make
    pairs_per_record pairs for every record, or least_pairs; one that could compare less than two thirds of the records
    that it brings together is left out.
    """
    budget = max(matching.pairs_per_record * record_count, matching.least_pairs)
    rows = sizes.to_pylist()
    of_rule = ([row for row in rows if row["rule"] == place] for place in range(len(matching.blocking)))
    return tuple(_cap(own, rule.max_records, budget) for own, rule in zip(of_rule, matching.blocking, strict=True))


def _cap(sizes: list[dict[str, int]], limit: int, budget: int) -> int:
    held = sum(row["record_count"] * row["block_count"] for row in sizes)
    pairs = compared = cap = 0
    for row in sorted(sizes, key=lambda row: row["record_count"]):
        size, blocks = row["record_count"], row["block_count"]
        pairs += blocks * size * (size - 1) // 2
        if size > limit or pairs > budget:
            break
        compared += size * blocks
        cap = size
    return cap if compared * 3 >= held * 2 else 0


def candidate_pairs(keys: DataFrame, caps: Sequence[int]) -> DataFrame:
    """One row per pair of records (record_l < record_r) that a rule brings together: the first such rule, from 0.

    Left out: blocks above their rule's cap (silver.match_key tells how many), and two records of a source that lists
    everybody once.
    """
    return _pairs_by_left(keys, caps).agg(F.min("rule").alias("rule"))


def with_strangers(keyed: DataFrame, matching: Matching, *, record_count: int) -> DataFrame:
    """Records that hold the keys of every rule (`with_block_keys`), and behind those the key of a random group or null.

    About `random_pairs` pairs (all if they are fewer) share such a group. The draw depends on the records alone: they
    come in groups of 64 random ones, and so many groups as are needed. Such a group is one more block, so that drawn
    and candidate pairs are made and compared in one go.
    """
    pairs_each = _STRANGERS_PER_BLOCK * (_STRANGERS_PER_BLOCK - 1) // 2
    group = F.pmod(F.xxhash64("record_key", F.lit("random pairs")), F.lit(max(record_count // _STRANGERS_PER_BLOCK, 1)))
    own = F.when(group < matching.random_pairs // pairs_each + 1, _named(group, strangers_place(matching)))
    return keyed.withColumn(BLOCK_KEYS, F.concat(BLOCK_KEYS, F.array(own)))


def strangers_place(matching: Matching) -> int:
    """The place of the rule that draws at random, behind all others."""
    return len(matching.blocking)


def candidate_and_random_pairs(keyed: DataFrame, matching: Matching, caps: Sequence[int]) -> DataFrame:
    """The `candidate_pairs`, and pairs of records drawn at random, for records with their keys (`with_strangers`).

    record_l, record_r, rule (null for a random pair that no rule brings together), is_random.
    """
    place = strangers_place(matching)
    caps = with_strangers_cap(caps)
    keys = kept_keys(keyed, matching).where(cap_of_key(caps) > 0)
    return _pairs_by_left(keys, caps).agg(
        F.min(F.when(F.col("rule") < place, F.col("rule"))).alias("rule"),
        F.bool_or(F.col("rule") == place).alias("is_random"),
    )


def with_strangers_cap(caps: Sequence[int]) -> tuple[int, ...]:
    """The caps of the rules, and behind them that of the rule that draws at random."""
    return (*caps, _MOST_STRANGERS)


def _pairs_by_left(keys: DataFrame, caps: Sequence[int]) -> GroupedData:
    """Pairs (record_l, record_r) with each `rule` that brings them together."""
    # In Python: windows that count a block and name its members to each of them take three times as long.
    # By a hash of the key: rows that a join has put together by the key itself Spark would leave where they are, and
    # then, running, may change to a join that puts nothing together, since mapInArrow cannot say what it relies on.
    spread = keys.withColumnRenamed("record_key", "record").repartition(F.hash("key")).sortWithinPartitions("key")
    pairs = spread.mapInArrow(partial(pairs_of_blocks, tuple(caps)), "record_l binary, record_r binary, rule int")
    # All pairs of a record lie together, so that naming each pair once and joining its left record shuffle once.
    return pairs.repartition("record_l").groupBy("record_l", "record_r")


def rule_name(matching: Matching) -> Column:
    """The name of the row's `rule`."""
    return F.get(F.array(*(F.lit(rule.name) for rule in matching.blocking)), F.col("rule"))


def _key(place: int, values: Sequence[Column]) -> Column:
    is_whole = reduce(operator.and_, [value.isNotNull() for value in values])
    return F.when(is_whole, _named(F.xxhash64(F.lit(place), *values), place))


def _named(block: Column, place: int) -> Column:
    """The key of a block that belongs to the rule at this place."""
    return F.shiftleft(block, RULE_BITS).bitwiseOR(F.lit(place).cast("bigint"))


def listed_source(matching: Matching) -> list[Column]:
    """`source`, where sources list everybody once: that source, null for any other. No column where none does."""
    listed = list(matching.one_record_per_source)
    if not listed:
        return []
    return [F.when(F.col("source_system").isin(listed), F.col("source_system")).alias("source")]


def cap_of_key(caps: Sequence[int]) -> Column:
    """The cap of the rule that the row's `key` belongs to."""
    return F.get(F.array(*(F.lit(cap) for cap in caps)), rule_of_key())


def rule_of_key() -> Column:
    """The place, from 0, of the rule that the row's `key` belongs to."""
    return F.col("key").bitwiseAND(F.lit(2**RULE_BITS - 1)).cast("int")
