"""Entries follow people: an id that was merged away goes on as the one that stands for it, a retired one ends."""

from collections.abc import Collection
from datetime import date

from pyspark.sql import Column, DataFrame, functions as F, Window as W

from cdp_lib.contracts.activation import JOURNEY_STATE
from cdp_lib.settings.audience import days_in
from cdp_lib.settings.journey import Journey
from cdp_lib.transforms.identity.history import resolve
from cdp_lib.transforms.journey.machine import left_with

RETIRED, MERGED, JOURNEY_REMOVED = "retired", "merged", "journey_removed"
"""Reasons to leave that have nothing to do with a step."""


def follow_people(former: DataFrame, events: DataFrame) -> DataFrame:
    """Every row of `former` (ops.journey_state) with the person it belongs to today.

    `person`: the id that stands for its golden_id by `events` (silver.identity_event), null for a retired one.
    `is_active`: the entry is not over. `place`: 1 for the entry that goes on, of a person's active entries into a
    journey the oldest; of equally old ones their own id's before those of merged ids. `last_number`: the greatest
    entry_number of the person in the journey. `other_exit_date`: when the person left the journey last under another
    id than the entry's; null: never.
    """
    standing = resolve(events, former.select("golden_id").distinct())  # one row per golden_id
    of_person = W.partitionBy("journey_id", F.coalesce("current_golden_id", "golden_id"))
    is_other = ~F.col("golden_id").eqNullSafe(F.col("current_golden_id"))
    oldest_first = of_person.orderBy(F.col("step").isNull(), "entered_date", is_other, "golden_id", "entry_number")
    exits = F.collect_list(F.when(_is_exit(), F.struct("golden_id", "step_since_date"))).over(of_person)
    of_others = F.filter(exits, lambda one: one["golden_id"] != F.col("golden_id"))
    return former.join(standing, "golden_id", "left").select(
        *former.columns,
        F.array_max(F.transform(of_others, lambda one: one["step_since_date"])).alias("other_exit_date"),
        F.col("current_golden_id").alias("person"),
        F.col("step").isNotNull().alias("is_active"),
        F.row_number().over(oldest_first).alias("place"),
        F.max("entry_number").over(of_person).alias("last_number"),
    )


def entries_that_go_on(followed: DataFrame, journeys: Collection[Journey]) -> DataFrame:
    """Active entries into the journeys, in the columns of `follow_people`'s input: one per journey and person.

    None of who has been through the journey under another id, and might not have entered again. An entry that comes
    from a merged id is a new entry of the person, who has no message of it yet: what was sent stays told in the old
    row. Its path goes on.
    """
    is_own = F.col("golden_id") == F.col("person")
    no_sends = F.array().cast(JOURNEY_STATE.column("sends").spark_type)
    changed = {
        "golden_id": F.col("person"),
        "entry_number": F.when(is_own, F.col("entry_number")).otherwise(F.col("last_number") + 1),
        "sends": F.when(is_own, F.col("sends")).otherwise(no_sends),
    }
    going = followed.where(_goes_on(journeys))
    return going.select(*[changed.get(name, F.col(name)).alias(name) for name in JOURNEY_STATE.content_columns])


def entries_that_end(followed: DataFrame, journeys: Collection[Journey], as_of: date) -> DataFrame:
    """Active entries that end because of whose they are: `retired`, `merged`, or of a journey that is gone."""
    known = [journey.id for journey in journeys]
    stays = _goes_on(journeys) & (F.col("golden_id") == F.col("person"))
    reason = (
        F.when(F.col("person").isNull(), RETIRED)
        .when(~F.col("journey_id").isin(*known), JOURNEY_REMOVED)
        .otherwise(MERGED)
    )
    changed = {
        "step": F.lit(None).cast("string"),
        "step_since_date": F.lit(as_of),
        "exit_reason": reason,
        "path": left_with(F.col("path"), reason),
        "as_of_date": F.lit(as_of),
    }
    ended = followed.where(F.col("is_active") & ~stays)
    return ended.select(*[changed.get(name, F.col(name)).alias(name) for name in JOURNEY_STATE.content_columns])


def entries_so_far(followed: DataFrame) -> DataFrame:
    """One row per journey and person: `is_inside`, `last_number`, and `last_exit_date`, null: none yet."""
    return followed.groupBy("journey_id", F.col("person").alias("golden_id")).agg(
        F.max("is_active").alias("is_inside"),
        F.max("entry_number").alias("last_number"),
        F.max(F.when(_is_exit(), F.col("step_since_date"))).alias("last_exit_date"),
    )


def _is_exit() -> Column:
    return F.col("step").isNull() & (F.col("exit_reason") != MERGED)


def _goes_on(journeys: Collection[Journey]) -> Column:
    """Of each entry; never null."""
    rest = F.lit(None).cast("int")
    for journey in journeys:
        if journey.re_entry_after is not None:
            rest = F.when(F.col("journey_id") == journey.id, days_in(journey.re_entry_after)).otherwise(rest)
    exit_date = F.col("other_exit_date")
    might_enter = exit_date.isNull() | F.coalesce(F.date_add(exit_date, rest) <= F.col("entered_date"), F.lit(False))
    is_known = F.col("journey_id").isin(*[journey.id for journey in journeys])
    return F.col("is_active") & (F.col("place") == 1) & F.col("person").isNotNull() & is_known & might_enter
