"""What lists were told of their members: what finds them again when nothing else is known of them any more."""

from pyspark.sql import DataFrame, functions as F

from cdp_lib.transforms.activation.ledger import OPEN

_LIST = ("activation_id", "destination", "golden_id")


def entries_left(entries: DataFrame, states: DataFrame) -> DataFrame:
    """entry_id of entries that are on no list any more: what takes them off was accepted, or no list ever took them.

    `entries` are rows of ops.list_entry, `states` of `last_states`. An entry stays while an intent about it is open,
    and where a removal was refused.
    """
    known = states.select("intent_id", "status")
    told = known.select("intent_id", F.col("status").alias("told_status"))
    removed = known.select(F.col("intent_id").alias("removal_id"), F.col("status").alias("removal_status"))
    joined = entries.join(told, "intent_id", "left").join(removed, "removal_id", "left")  # one row per intent each
    was_never = ~F.col("told_status").isin("accepted", *OPEN)
    is_off = F.col("removal_status") == "accepted"
    return joined.where(F.coalesce(was_never, F.lit(False)) | F.coalesce(is_off, F.lit(False))).select("entry_id")


def with_entries(people: DataFrame, entries: DataFrame) -> DataFrame:
    """Every row of `list_members` with `is_noted` and `is_known_twice`: an entry finds the person on the list, or more.

    Who is noted is listed too. `entries` are rows of ops.list_entry under today's ids that are on their lists. Of
    merged people one may be off the list and the other not: the ledger's last intent cannot tell that. More entries
    than one are what the list was told of either, or an address that is the member's no more.
    """
    noted = entries.groupBy(*_LIST).agg(F.count("*").alias("_entry_count"))
    joined = people.join(noted, list(_LIST), "left")
    count = F.coalesce("_entry_count", F.lit(0))
    is_listed = (F.col("is_listed") | ((count > 0) & ~F.col("is_open"))).alias("is_listed")
    kept = [is_listed if name == "is_listed" else F.col(name) for name in people.columns]
    return joined.select(*kept, (count > 0).alias("is_noted"), (count > 1).alias("is_known_twice"))


def told_before(entries: DataFrame) -> DataFrame:
    """One row per activation_id, destination and golden_id: `told_before`, each identifiers once, and `entry_ids`.

    `entries` are rows of ops.list_entry under today's ids: of merged people all that was told under either id.
    """
    entry = F.struct("entry_id", F.map_entries("identifiers").alias("identifiers"))
    listed = entries.groupBy(*_LIST).agg(F.array_sort(F.collect_list(entry)).alias("listed"))
    each_once = F.array_distinct(F.col("listed.identifiers"))
    return listed.select(
        *_LIST,
        F.col("listed.entry_id").alias("entry_ids"),
        F.transform(each_once, F.map_from_entries).alias("told_before"),
    )
