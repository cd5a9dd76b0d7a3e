"""What happened to golden ids in a run, and which id stands for an old one today."""

from datetime import datetime

from pyspark.sql import Column, DataFrame, functions as F

from cdp_lib.contracts.silver import RECORD_KEY
from cdp_lib.transforms.identity.golden_id import instant_of_run

_SAID = ("event_type", "golden_id", "into_golden_id", *RECORD_KEY, "cause")


def event_rows(assigned: DataFrame, events: DataFrame, *, run_id: str, occurred_at: datetime) -> DataFrame:
    """The run's rows of silver.identity_event but for `_run_id`, which the writer adds; none when nothing changed.

    `assigned` comes from `assign_golden_ids`, `events` are those before the run. About a record: `assign` (its first
    id), `move` (from golden_id to into_golden_id). About a person: `merge` (golden_id is from now on into_golden_id),
    `split` (its records went several ways; into_golden_id as for a merge, null where it lives on), `retire` (no record
    is left). When an id is merged, ids that had been merged into it get a merge into the new one as well, cause
    `heir_merged`: each old id is one step from today's, however long the chain was.
    """
    told = assigned.select(F.explode(F.array_compact(F.array(*_events_of_record(), *_events_of_id()))).alias("event"))
    all_told = told.select("event.*").unionByName(_forwards_of_forwards(assigned, events))
    named = F.to_json(F.array(F.lit(run_id), *[name for name in _SAID if name != "cause"]))
    return all_told.select(
        F.sha2(named, 256).alias("identity_event_id"), *_SAID, instant_of_run(occurred_at).alias("occurred_at")
    )


def resolve(events: DataFrame, golden_ids: DataFrame) -> DataFrame:
    """One row per row of `golden_ids` (golden_id): the id that stands for it today, `current_golden_id`.

    Null: the person was retired, no record is left. An id that no merge or retirement names stands for itself. Three
    joins, whatever the length of the chain, because `event_rows` keeps every old id one step from a living one.
    """
    merges = events.where(F.col("event_type") == "merge").select("golden_id", "into_golden_id")
    merged_away = merges.select(F.col("golden_id").alias("into_golden_id"))
    latest = merges.join(merged_away, "into_golden_id", "left_anti")
    retired = events.where(F.col("event_type") == "retire").select(
        F.col("golden_id").alias("standing"), F.lit(True).alias("is_retired")
    )
    forwarded = golden_ids.join(latest, "golden_id", "left").select(
        "golden_id", F.coalesce("into_golden_id", "golden_id").alias("standing")
    )
    return forwarded.join(retired, "standing", "left").select(
        "golden_id", F.when(F.col("is_retired").isNull(), F.col("standing")).alias("current_golden_id")
    )


def _events_of_record() -> list[Column]:
    former, now = F.col("former_golden_id"), F.col("golden_id")
    is_moved = former.isNotNull() & now.isNotNull() & (former != now)
    moved_by = F.when(F.col("is_keeper"), "ids_merged").otherwise("id_split")
    return [
        F.when(former.isNull(), _event("assign", "golden_id", about_record=True, cause=F.lit("record_is_new"))),
        F.when(is_moved, _event("move", "former_golden_id", into=now, about_record=True, cause=moved_by)),
    ]


def _events_of_id() -> list[Column]:
    """Told by the one row that speaks for the former id."""
    speaks = F.col("speaks_for_id")
    heir = F.when(~F.col("former_golden_id").eqNullSafe(F.col("golden_id")), F.col("golden_id"))
    is_merged = speaks & F.col("is_keeper") & heir.isNotNull()
    is_split = speaks & F.col("is_split")
    return [
        F.when(is_merged, _event("merge", "former_golden_id", into=heir, cause=F.lit("records_joined"))),
        F.when(is_split, _event("split", "former_golden_id", into=heir, cause=F.lit("records_parted"))),
        F.when(speaks & F.col("is_gone"), _event("retire", "former_golden_id", cause=F.lit("no_record_left"))),
    ]


def _event(
    event_type: str, golden_id: str, *, cause: Column, into: Column | None = None, about_record: bool = False
) -> Column:
    nothing = F.lit(None).cast("string")
    return F.struct(
        F.lit(event_type).alias("event_type"),
        F.col(golden_id).alias("golden_id"),
        (nothing if into is None else into).alias("into_golden_id"),
        *[(F.col(name) if about_record else nothing).alias(name) for name in RECORD_KEY],
        cause.alias("cause"),
    )


def _forwards_of_forwards(assigned: DataFrame, events: DataFrame) -> DataFrame:
    """Merges for the ids that stood behind an id which is merged in this run."""
    is_merged = F.col("speaks_for_id") & F.col("is_keeper") & (F.col("former_golden_id") != F.col("golden_id"))
    merged_now = assigned.where(is_merged).select(
        F.col("former_golden_id").alias("into_golden_id"), F.col("golden_id").alias("heir")
    )
    earlier = events.where(F.col("event_type") == "merge").select("golden_id", "into_golden_id")
    return earlier.join(merged_now, "into_golden_id", "inner").select(
        F.lit("merge").alias("event_type"),
        "golden_id",
        F.col("heir").alias("into_golden_id"),
        *[F.lit(None).cast("string").alias(name) for name in RECORD_KEY],
        F.lit("heir_merged").alias("cause"),
    )
