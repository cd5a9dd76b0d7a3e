"""Who may be told something: members whose turn it is, what journeys ask for, and how lists differ from audiences."""

from collections.abc import Callable, Sequence

from pyspark.sql import Column, DataFrame, functions as F

from cdp_lib.settings.activation import HOLDOUT
from cdp_lib.transforms.activation.ledger import EMPTYING, last_rebuilds, list_states, reached_before, REBUILD
from cdp_lib.transforms.activation.ways import Moment, PlanInputs, Way

FIRST = "first"
"""Occasion of the first intent for a member of a list; later ones name the intent before them."""


def occasions_of_members(members: DataFrame, facts: Column) -> DataFrame:
    """One row per member and way that is no list: its facts, golden_id, occasion (`entry:<date>`), entered_date."""
    present = members.where(F.col("status") != "exit")
    audience = F.col("audience_id")
    sent = _ways_where(facts, lambda way: (way["audience_id"] == audience) & ~way["is_synced"])
    named = present.select("golden_id", "entered_date", sent)
    occasion = F.concat(F.lit("entry:"), F.col("entered_date").cast("string"))
    return named.select("way.*", "golden_id", occasion.alias("occasion"), "entered_date")


def occasions_of_journeys(sends: DataFrame, facts: Column, moment: Moment) -> DataFrame:
    """One row per message that a journey asked for of late, lists aside; entered_date is null.

    Of late: up to the as-of date, and not so many days before it that the activation sends it no more.
    """
    # Of merged people both may have been on the same way: one message for both.
    due = (
        sends.where(F.col("due_date") <= F.lit(moment.as_of))
        .groupBy("activation_id", "golden_id", "occasion")
        .agg(F.max("due_date").alias("due_date"))
    )
    asked = F.col("activation_id")
    sent = _ways_where(facts, lambda way: (way["activation_id"] == asked) & ~way["is_synced"])
    named = due.select("golden_id", "occasion", "due_date", sent)
    is_of_late = F.col("due_date") > F.date_sub(F.lit(moment.as_of), F.col("way.send_days"))
    no_entry = F.lit(None).cast("date").alias("entered_date")
    return named.where(is_of_late).select("way.*", "golden_id", "occasion", no_entry)


def with_turn(candidates: DataFrame, states: DataFrame, moment: Moment) -> DataFrame:
    """Every candidate with `operation`, `is_before` and the occasion that its intent will have.

    Its turn has passed where the activation reached the person, under whatever id, on that occasion or on a later entry
    or repetition. A member is due again once the last time lies `repeat_days` back on the clock, for it is people's
    patience that is measured; until then a new entry has to wait as well. An occasion whose intents expired is
    numbered: intents never share an id.
    """
    joined = candidates.join(reached_before(states), ["activation_id", "golden_id"], "left")
    reached = F.array_contains("occasions", F.col("occasion"))
    reached = F.coalesce(reached, F.lit(False)) | F.coalesce(F.col("last_date") >= F.col("entered_date"), F.lit(False))
    rest = F.lit(moment.at) - F.make_dt_interval(days=F.col("repeat_days"))
    is_member = F.col("entered_date").isNotNull()
    has_rested = is_member & (F.col("last_planned_at") <= rest)
    is_due_again = reached & F.coalesce(has_rested, F.lit(False))
    is_resting = F.coalesce(is_member & ~has_rested, F.lit(False))
    occasion = F.when(is_due_again, F.lit(f"repeat:{moment.as_of}")).otherwise(F.col("occasion"))
    is_before = (reached & ~is_due_again) | is_resting
    turned = joined.select("*", occasion.alias("_occasion"), is_before.alias("is_before"))
    times = F.size(F.filter("expired", lambda one: one == F.col("_occasion")))
    numbered = F.when(times > 0, F.concat("_occasion", F.lit("#"), times.cast("string")))
    kept = [name for name in candidates.columns if name not in ("occasion", "entered_date")]
    return turned.select(
        *kept,
        F.coalesce(numbered, "_occasion").alias("occasion"),
        F.col("first_operation").alias("operation"),
        "is_before",
    )


def wanted_on_lists(inputs: PlanInputs, facts: Column, moment: Moment) -> DataFrame:
    """activation_id and golden_id, each pair once: who is in a list's audience, or on a journey that put them on it."""
    present = inputs.members.where(F.col("status") != "exit")
    audience = F.col("audience_id")
    kept = _ways_where(facts, lambda way: (way["audience_id"] == audience) & way["is_synced"])
    of_audiences = present.select("golden_id", kept).select("way.activation_id", "golden_id")
    asked = F.col("activation_id")
    put_on = inputs.journey_members.where(F.col("due_date") <= F.lit(moment.as_of)).select(
        "golden_id", _ways_where(facts, lambda way: (way["activation_id"] == asked) & way["is_synced"])
    )
    # Several journeys, or several entries of merged people, may keep somebody on one list.
    return of_audiences.unionByName(put_on.select("way.activation_id", "golden_id")).distinct()


def list_members(wanted: DataFrame, states: DataFrame, facts: Column) -> DataFrame:
    """One row per list and person who is wanted on it (`wanted_on_lists`), or is believed to be on it.

    The way's facts, golden_id, `is_member`, `is_listed`, `is_open`, and the structs `listed` and `ended` of the ledger.
    """
    members = wanted.select("activation_id", "golden_id", F.lit(True).alias("is_member"))
    synced = F.transform(F.filter(facts, lambda way: way["is_synced"]), lambda way: way["activation_id"])
    known = list_states(states.where(F.array_contains(synced, F.col("activation_id"))))
    both = members.join(known, ["activation_id", "golden_id"], "full")
    # One row per activation.
    dated = both.join(F.broadcast(last_rebuilds(states)), "activation_id", "left")
    is_current = F.coalesce(F.col("listed.planned_at") >= F.col("rebuilt_at"), F.lit(True))
    is_listed = F.coalesce(F.col("listed.operation").isin("add", "update"), F.lit(False)) & is_current
    asked = F.col("activation_id")
    return dated.select(
        _ways_where(facts, lambda way: way["activation_id"] == asked),
        "golden_id",
        F.coalesce("is_member", F.lit(False)).alias("is_member"),
        is_listed.alias("is_listed"),
        F.coalesce("is_open", F.lit(False)).alias("is_open"),
        "listed",
        "ended",
    ).select("way.*", "golden_id", "is_member", "is_listed", "is_open", "listed", "ended")


def with_difference(people: DataFrame, ways: Sequence[Way], moment: Moment) -> DataFrame:
    """The rows of `list_members` that may have to be told, with `operation`, `occasion` and `is_before`.

    `people` also have is_noted, is_known_twice, address, arm, allowed, is_suppressed and payload_hash. `is_before`: the
    list has the member as the audience does; or an intent is not over yet; or the channel refused just this before.
    Where a list can only be taken anew and somebody must leave it, everybody else is planned; where there is nobody
    else, all who are on it are removed. That needs no address, nor does the removal of somebody whom an entry finds: a
    member whose address is gone is removed by it. An occasion names the intent before it, so that a chain cannot be
    doubled.
    """
    judged = _judged(people)
    told = _with_whole_lists(judged.where(F.col("must_leave") | F.col("is_member")), ways)
    is_anew = F.col("is_anew") & ~F.col("must_leave")
    is_emptied = F.col("is_emptied") & F.col("must_leave")
    asked = F.when(F.col("must_leave"), F.lit("remove")).when(F.col("is_changed") & ~is_anew, F.col("change_operation"))
    operation = F.coalesce(asked, "first_operation")
    before = F.coalesce("ended.intent_id", F.lit(FIRST))
    whole = F.when(is_anew, F.lit(f"{REBUILD}:{moment.as_of}:")).when(is_emptied, F.lit(f"{EMPTYING}:{moment.as_of}:"))
    is_as_wanted = F.col("is_listed") & ~F.col("must_leave") & ~F.col("is_changed") & ~is_anew
    is_found = is_emptied | (F.col("must_leave") & F.col("is_noted"))
    needs_address = (F.col("needs_address") & ~is_found).alias("needs_address")
    named = told.where(~F.col("must_leave") | F.col("can_remove") | is_emptied).select(
        *[needs_address if name == "needs_address" else name for name in people.columns],
        is_as_wanted.alias("_is_as_wanted"),
        operation.alias("operation"),
        F.concat(F.coalesce(whole, F.lit("")), before).alias("occasion"),
    )
    is_before = F.col("is_open") | F.col("_is_as_wanted") | _was_refused(F.col("operation"))
    return named.select(*people.columns, "operation", "occasion", is_before.alias("is_before"))


def _judged(people: DataFrame) -> DataFrame:
    """With `must_leave`, `is_changed`, and `can_stay`: whether a list that is taken anew would have the member.

    Changed is also whom the list knows by more than one entry: telling it anew takes off what is theirs no more.
    """
    is_wanted = F.col("is_member") & F.col("allowed") & ~F.col("is_suppressed") & (F.col("arm") != HOLDOUT)
    is_same = F.col("listed.payload_hash").eqNullSafe(F.col("payload_hash"))
    is_reached = F.col("address").isNotNull() | ~F.col("needs_address")
    is_taken = F.col("is_open") | ~_was_refused(F.col("first_operation"))
    is_lost = F.col("is_noted") & ~is_reached
    return people.select(
        "*",
        (F.col("is_listed") & (~is_wanted | is_lost)).alias("must_leave"),
        (F.col("is_listed") & is_wanted & (~is_same | F.col("is_known_twice"))).alias("is_changed"),
        (is_wanted & is_reached & is_taken).alias("can_stay"),
    )


def _was_refused(operation: Column) -> Column:
    """Whether the last that is over is the same asked for in vain, or the member held out as now."""
    is_rejected = (F.col("ended.status") == "rejected") & F.col("ended.payload_hash").eqNullSafe(F.col("payload_hash"))
    is_still_held_out = (F.col("ended.status") == "held_out") & (F.col("arm") == HOLDOUT)
    is_same = F.col("ended.operation") == operation
    return F.coalesce(is_same & (is_rejected | is_still_held_out), F.lit(False))


def _with_whole_lists(judged: DataFrame, ways: Sequence[Way]) -> DataFrame:
    """With `is_anew` and `is_emptied`: what becomes of the whole list, where somebody must leave and cannot alone.

    It is emptied where nobody would be in the new one and the channel can do it, else taken anew.
    """
    if not any(way.is_rebuilt for way in ways):
        return judged.select("*", F.lit(False).alias("is_anew"), F.lit(False).alias("is_emptied"))
    lists = (
        judged.where(F.col("is_rebuilt"))
        .groupBy("activation_id")
        .agg(F.max("must_leave").alias("_has_leavers"), F.max("can_stay").alias("_has_stayers"))
    )
    # One row per activation.
    joined = judged.join(F.broadcast(lists), "activation_id", "left")
    has_leavers = F.coalesce("_has_leavers", F.lit(False))
    is_emptied = has_leavers & F.col("can_empty") & ~F.coalesce("_has_stayers", F.lit(False))
    return joined.select(*judged.columns, (has_leavers & ~is_emptied).alias("is_anew"), is_emptied.alias("is_emptied"))


def _ways_where(facts: Column, is_asked: Callable[[Column], Column]) -> Column:
    return F.explode(F.filter(facts, is_asked)).alias("way")
