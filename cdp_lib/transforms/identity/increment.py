"""What a day's new and changed records concern: pairs to weigh anew, and groups of records that may change.

Everything here answers for a few records what a full run would answer for them: a pair of two records that are not
concerned is as it was, and so is a component none of whose records is affected.
"""

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, functions as F

from cdp_lib.settings.identity import Identity
from cdp_lib.transforms.identity.blocking import candidate_pairs, cap_of_key
from cdp_lib.transforms.identity.exact import ID_DIGITS, max_records

_VALUE = ("identifier", "value_key")


def with_keys_of(rows: DataFrame, others: DataFrame, by: Sequence[str]) -> DataFrame:
    """The rows that have a key `by` that one of `others` has: a day's few keys pick their holders in one pass."""
    return rows.join(others.select(*by).distinct(), list(by), "left_semi").select(*rows.columns)


def records_to_compare(keys: DataFrame, keys_before: DataFrame, changed: DataFrame, caps: Sequence[int]) -> DataFrame:
    """One row per record some of whose pairs may be others than before: record_key.

    These are the changed records and, where a block grew over its rule's cap or shrank below it, all of its members:
    with the block their pairs come or go. `keys` are `block_keys` of today, those of all who share one with a changed
    record or did at least; `keys_before` those of the changed records as they were; `changed` (record_key, unique) the
    new, changed and vanished records.
    """
    counted = _touched(keys, keys_before, changed, ("key",))
    cap = cap_of_key(caps)
    has_crossed = (F.col("record_count") > cap) != (F.col("former_count") > cap)
    crossed = keys.join(counted.where(has_crossed).select("key"), "key", "left_semi")
    return changed.select("record_key").unionByName(crossed.select("record_key")).distinct()


def pairs_to_compare(keys: DataFrame, concerned: DataFrame, caps: Sequence[int]) -> DataFrame:
    """The candidate pairs one of whose records is concerned (record_key, unique), as `candidate_pairs` has them.

    `keys` are `block_keys` of today, those of all who share one with a concerned record at least.
    """
    theirs = keys.join(concerned, "record_key", "left_semi").select("key").distinct()
    pairs = candidate_pairs(keys.join(theirs, "key", "left_semi"), caps)
    return with_one_of(pairs, concerned)


def with_one_of(pairs: DataFrame, concerned: DataFrame) -> DataFrame:
    """The pairs (record_l, record_r) of which at least one record is concerned."""
    marks = concerned.select("record_key", F.lit(True).alias("is_concerned"))
    found = pairs
    for side in ("l", "r"):
        of_side = marks.select(
            F.col("record_key").alias(f"record_{side}"), F.col("is_concerned").alias(f"marked_{side}")
        )
        found = found.join(of_side, f"record_{side}", "left")
    return found.where(F.coalesce("marked_l", "marked_r")).select(*pairs.columns)


def within(pairs: DataFrame, records: DataFrame) -> DataFrame:
    """The pairs both of whose records are among `records` (record_key, unique)."""
    found = pairs
    for side in ("record_l", "record_r"):
        found = found.join(records.select(F.col("record_key").alias(side)), side, "left_semi")
    return found.select(*pairs.columns)


def records_in(pairs: DataFrame) -> DataFrame:
    """One row per record of the pairs: record_key."""
    return pairs.select(F.explode(F.array("record_l", "record_r")).alias("record_key")).distinct()


def records_tied_anew(held: DataFrame, held_before: DataFrame, changed: DataFrame, identity: Identity) -> DataFrame:
    """One row per record that shares an identifier's value with a changed one, or did: record_key.

    `held` are `held_identifiers` of today, those of all who share one with a changed record or did at least;
    `held_before` those of the changed records as they were. Values that too many records hold, before and now, tie
    nobody and are left out.
    """
    counted = _touched(held, held_before, changed, _VALUE)
    may_tie = F.least("record_count", "former_count") <= max_records(identity)
    return held.join(counted.where(may_tie).select(*_VALUE), list(_VALUE), "left_semi").select("record_key").distinct()


def affected_records(first: DataFrame, links: DataFrame) -> DataFrame:
    """One row per record whose group may change: record_key. `first`, and all that was in a component with one of them.

    `links` has record_key and component_id of every record as of the last run. Each new link, tie or decision must have
    both its records in `first`; then a component is affected as a whole or not at all.
    """
    components = links.join(first, "record_key", "left_semi").select("component_id").distinct()
    companions = links.join(components, "component_id", "left_semi").select("record_key")
    return first.select("record_key").unionByName(companions).distinct()


def with_bearers_of_own_names(affected: DataFrame, links: DataFrame) -> DataFrame:
    """The affected records, and those of people whose golden_id is an affected record's own name: record_key.

    A part that splits off founds an id from a record's name; whether that name is taken only its bearers tell. `links`
    has record_key and golden_id.
    """
    names = affected.select(own_name(F.col("record_key")).alias("golden_id"))
    bearers = links.join(names, "golden_id", "left_semi").select("record_key")
    return affected.select("record_key").unionByName(bearers).distinct()


def own_name(record_key: Column) -> Column:
    """The record's name as text, which is the golden_id that it founds."""
    return F.substring(F.lower(F.hex(record_key)), 1, ID_DIGITS)


def _touched(now: DataFrame, before: DataFrame, changed: DataFrame, by: Sequence[str]) -> DataFrame:
    """One row per key that a changed record has or had: how many records hold it today and held it before."""
    marks = changed.select("record_key", F.lit(True).alias("is_changed"))
    of_changed = now.join(changed, "record_key", "left_semi").select(*by)
    keys = of_changed.unionByName(before.select(*by)).distinct()
    held = now.join(keys, list(by), "left_semi").join(marks, "record_key", "left")
    today = held.select(*by, F.lit(1).alias("now"), F.when(F.col("is_changed"), 0).otherwise(1).alias("before"))
    earlier = before.select(*by, F.lit(0).alias("now"), F.lit(1).alias("before"))
    counted = today.unionByName(earlier).groupBy(*by)
    return counted.agg(F.sum("now").alias("record_count"), F.sum("before").alias("former_count"))
