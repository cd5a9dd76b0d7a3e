"""Where everybody stands in the pack's journeys after a day: entries, moves, messages asked for, exits."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import reduce

from pyspark.sql import Column, DataFrame, functions as F

from cdp_lib.contracts.activation import JOURNEY_STATE
from cdp_lib.contracts.silver import FACT_TIME
from cdp_lib.settings.audience import days_in
from cdp_lib.settings.journey import EXIT_WHEN, Journey
from cdp_lib.settings.pack import Pack
from cdp_lib.transforms.audience.rules import holds, with_figures
from cdp_lib.transforms.journey.machine import Asked, POSITION, position_after
from cdp_lib.transforms.journey.people import entries_so_far, entries_that_end, entries_that_go_on, follow_people

Keep = Callable[[DataFrame], DataFrame]
"""Computes a frame and gives it back without its lineage: see io/checkpoints.py."""


@dataclass(frozen=True)
class Known:
    """What journeys are run on, as it is at the end of the as-of day."""

    customers: DataFrame
    """One row per golden_id: the single view with its scores."""
    facts: Mapping[str, DataFrame]
    """Entity: its facts, each with its golden_id."""
    members: DataFrame
    """Rows of gold.audience_member."""
    events: DataFrame
    """Rows of silver.identity_event."""


def next_states(former: DataFrame, known: Known, pack: Pack, as_of: date, keep: Keep) -> DataFrame:
    """Rows of ops.journey_state but for `_run_id`: every entry that was active in `former` or begins on `as_of`.

    Each customer goes as far as they can on each day after the entry's `as_of_date`, up to `as_of`. Facts count on
    their own day; memberships, `exit_when` and splits are asked once, as everything is at the end of `as_of`. So a run
    after a gap of days gives what daily runs would have given wherever only waits and facts decide.
    Entries of merged ids go on as the surviving id's, those of retired ids end (`people.py`).
    """
    followed = follow_people(former, known.events)
    entering = _entries(_present(known.members), entries_so_far(followed), pack.journeys, as_of)
    active = keep(entries_that_go_on(followed, pack.journeys).unionByName(entering))
    moved = _moved(_asked(active, known, pack, as_of), pack.journeys, as_of)
    return moved.unionByName(entries_that_end(followed, pack.journeys, as_of))


def account(states: DataFrame, former: DataFrame, as_of: date) -> DataFrame:
    """One row per journey: how many `entered`, `moved` past a step, left (`exits`), and how many `sends` are new.

    `states` are what `next_states` made of `former`.
    """
    key = list(JOURNEY_STATE.key)
    before = former.select(
        *key, F.size("path").alias("former_steps"), F.size("sends").alias("former_sends"), F.lit(True).alias("is_known")
    )
    is_new = F.col("is_known").isNull() & (F.col("entered_date") == F.lit(as_of))
    has_moved = (F.size("path") > F.coalesce("former_steps", F.lit(1))) | F.col("step").isNull()
    return (
        states.join(before, key, "left")
        .groupBy("journey_id")
        .agg(
            F.count_if(is_new).alias("entered"),
            F.count_if(has_moved).alias("moved"),
            F.sum(F.size("sends") - F.coalesce("former_sends", F.lit(0))).alias("sends"),
            F.count_if(F.col("step").isNull()).alias("exits"),
        )
    )


def _entries(members: DataFrame, so_far: DataFrame, journeys: Collection[Journey], as_of: date) -> DataFrame:
    """A first position for each member who was never inside or left long enough ago; it does not know `as_of` yet."""
    gates = F.array(*[_gate(journey) for journey in journeys])
    open_gates = F.filter(gates, lambda gate: gate["entry"] == F.col("audience_id"))
    gated = members.select("golden_id", F.explode(open_gates).alias("gate"))
    asking = gated.select("golden_id", F.col("gate.journey_id").alias("journey_id"), "gate")
    is_due = F.date_add("last_exit_date", F.col("gate.re_entry_days")) <= F.lit(as_of)
    enters = F.col("last_number").isNull() | (~F.col("is_inside") & F.coalesce(is_due, F.lit(False)))
    reached = F.struct(
        F.col("gate.step").alias("step"), F.lit(as_of).alias("reached_date"), F.lit(None).alias("outcome")
    )
    first: dict[str, Column] = {
        "entry_number": F.coalesce("last_number", F.lit(0)) + 1,
        "entered_date": F.lit(as_of),
        "step": F.col("gate.step"),
        "step_since_date": F.lit(as_of),
        "exit_reason": F.lit(None),
        "path": F.array(reached),
        "sends": F.array(),
        "as_of_date": F.lit(as_of - timedelta(days=1)),
        "config_hash": F.col("gate.config_hash"),
    }
    entering = asking.join(so_far, ["journey_id", "golden_id"], "left").where(enters)
    return entering.select(
        *[
            first.get(name, F.col(name)).cast(JOURNEY_STATE.column(name).spark_type).alias(name)
            for name in JOURNEY_STATE.content_columns
        ]
    )


def _present(members: DataFrame) -> DataFrame:
    return members.where(F.col("status") != "exit").select("audience_id", "golden_id")


def _gate(journey: Journey) -> Column:
    re_entry_days = None if journey.re_entry_after is None else days_in(journey.re_entry_after)
    return F.struct(
        F.lit(journey.entry).alias("entry"),
        F.lit(journey.id).alias("journey_id"),
        F.lit(journey.first_step).alias("step"),
        F.lit(re_entry_days).cast("int").alias("re_entry_days"),
        F.lit(journey.content_hash()).alias("config_hash"),
    )


def _asked(active: DataFrame, known: Known, pack: Pack, as_of: date) -> DataFrame:
    """Every row of `active` with a column per question and wait of each journey, but for those who may not enter."""
    conditions = {
        _answer(journey, name): condition for journey in pack.journeys for name, condition in journey.conditions.items()
    }
    with_days = _with_fact_days(active, known.facts, pack, as_of)
    if not conditions:
        return with_days
    theirs = known.customers.join(active.select("golden_id"), "golden_id", "left_semi")
    members = _present(known.members)
    figures = with_figures(theirs, tuple(conditions.values()), known.facts, members, pack=pack, as_of=as_of)
    answers = figures.select("golden_id", *[holds(one).alias(name) for name, one in conditions.items()])
    answered = with_days.join(answers, "golden_id", "left")  # answers: one row per golden_id
    is_entering = F.col("entered_date") > F.col("as_of_date")
    stays_out = [
        (F.col("journey_id") == journey.id) & _known_to_hold(_answer(journey, EXIT_WHEN))
        for journey in pack.journeys
        if journey.exit_when is not None
    ]
    return answered.where(~(is_entering & reduce(Column.__or__, stays_out, F.lit(False))))


def _with_fact_days(active: DataFrame, facts: Mapping[str, DataFrame], pack: Pack, as_of: date) -> DataFrame:
    """Every row of `active` with one array of sorted days per wait_until: those after the customer's oldest step."""
    waits = [
        (_fact_days(journey, name), step.wait_until)
        for journey in pack.journeys
        for name, step in journey.steps.items()
        if step.wait_until is not None
    ]
    since = active.groupBy("golden_id").agg(F.min("step_since_date").alias("since"))
    joined = active
    for entity in sorted({wait.did for _, wait in waits}):
        asked = {name: F.expr(wait.where or "true") for name, wait in waits if wait.did == entity}
        day = F.to_date(F.from_utc_timestamp(FACT_TIME[entity], pack.info.time_zone))
        flagged = facts[entity].select(
            "golden_id", day.alias("day"), *[is_asked_for.alias(name) for name, is_asked_for in asked.items()]
        )
        is_later = (F.col("day") > F.col("since")) & (F.col("day") <= F.lit(as_of))
        reachable = flagged.join(since, "golden_id", "inner").where(is_later)
        of_customer = reachable.groupBy("golden_id").agg(
            *[F.array_sort(F.collect_set(F.when(F.col(name), F.col("day")))).alias(name) for name in asked]
        )
        joined = joined.join(of_customer, "golden_id", "left")
    return joined


def _moved(asked: DataFrame, journeys: Collection[Journey], as_of: date) -> DataFrame:
    positions = F.coalesce(
        *[
            F.when(F.col("journey_id") == journey.id, position_after(journey, _asked_columns(journey), as_of))
            for journey in journeys
        ]
    )
    hashes = F.coalesce(
        *[F.when(F.col("journey_id") == journey.id, F.lit(journey.content_hash())) for journey in journeys]
    )
    placed = asked.select("*", positions.alias("position"), hashes.alias("today_hash"))
    has_moved = F.col("position.step").isNull() | (F.size("position.path") > F.size("path"))
    changed = {name: F.col(f"position.{name}") for name in POSITION}
    changed["as_of_date"] = F.greatest("as_of_date", F.lit(as_of))
    changed["config_hash"] = F.when(has_moved, F.col("today_hash")).otherwise(F.col("config_hash"))
    return placed.select(*[changed.get(name, F.col(name)).alias(name) for name in JOURNEY_STATE.content_columns])


def _asked_columns(journey: Journey) -> Asked:
    waits = [name for name, step in journey.steps.items() if step.wait_until is not None]
    return Asked(
        {name: _known_to_hold(_answer(journey, name)) for name in journey.conditions},
        {name: F.col(f"`{_fact_days(journey, name)}`") for name in waits},
    )


def _known_to_hold(name: str) -> Column:
    """A customer who has no row in the single view meets no condition."""
    return F.coalesce(F.col(f"`{name}`"), F.lit(False))


def _answer(journey: Journey, name: str) -> str:
    return f"{journey.id}: {name}"


def _fact_days(journey: Journey, step: str) -> str:
    return f"{journey.id}: days for {step}"
