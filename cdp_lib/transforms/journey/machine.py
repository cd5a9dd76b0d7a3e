"""The state machine of a journey as one column: a customer's position, moved on day by day.

Days and steps are walked inside the row: a gap of many days is one pass over the customers, and no longer a plan.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from pyspark.sql import Column, functions as F, types as T

from cdp_lib.contracts.activation import JOURNEY_STATE
from cdp_lib.settings.audience import days_in
from cdp_lib.settings.journey import END, EXIT_WHEN, Journey, Step

POSITION = ("step", "step_since_date", "exit_reason", "path", "sends")
"""Columns of ops.journey_state that the machine moves."""

SENT = "sent"
"""How a step is left that sends something."""

STEP_REMOVED = "step_removed"
"""Reason to leave a step that the journey no longer has. Who meets `exit_when` leaves with that as the reason."""

_TYPE = T.StructType(
    [
        *[T.StructField(name, JOURNEY_STATE.column(name).spark_type) for name in POSITION],
        T.StructField("is_settled", T.BooleanType()),
    ]
)
"""A position, and whether nothing more can happen to it on the day at hand."""


@dataclass(frozen=True)
class Asked:
    """Columns with what the machine asks of a customer."""

    answers: Mapping[str, Column]
    """Name in `Journey.conditions`: whether the condition holds, never null."""
    fact_days: Mapping[str, Column]
    """Step with a wait_until: the days of the customer's facts, null for none."""


@dataclass(frozen=True)
class _Way:
    """A way out of a step; of a step's ways the first that is open is taken."""

    name: str
    step: Step
    outcome: str
    to: str
    is_open: Callable[[Column, Column], Column]
    """Of the position and the day."""


def position_after(journey: Journey, asked: Asked, as_of: date) -> Column:
    """The position of the row's customer at the end of `as_of`: a struct with the columns `POSITION`.

    The row is an entry that is not over, known up to its `as_of_date`; one that is known beyond `as_of` stays as it is.
    Leaving by `exit_when`, or from a step that the journey no longer has, comes before any move.
    """
    start = F.struct(*POSITION, F.lit(False).alias("is_settled")).cast(_TYPE)
    today = F.lit(as_of)
    days = F.sequence(F.date_add("as_of_date", 1), today)
    walked = F.aggregate(days, start, lambda now, day: _after_day(journey, asked, now, day))
    meets_exit = asked.answers.get(EXIT_WHEN, F.lit(False))
    return (
        F.when(F.col("as_of_date") > today, start)
        .when(meets_exit, _over(start, EXIT_WHEN, today))
        .when(~F.col("step").isin(*journey.steps), _over(start, STEP_REMOVED, today))
        .when(F.col("as_of_date") == today, start)
        .otherwise(walked)
    )


def left_with(path: Column, outcome: Column) -> Column:
    """The path, its last step left with that outcome."""
    last = F.size(path) - 1
    return F.transform(path, lambda at, place: F.when(place == last, at.withField("outcome", outcome)).otherwise(at))


def _after_day(journey: Journey, asked: Asked, now: Column, day: Column) -> Column:
    """On one day nobody leaves a waiting step twice, or passes an instant step twice between two waiting ones."""
    waiting = sum(not step.is_instant for step in journey.steps.values())
    rounds = F.sequence(F.lit(1), F.lit(len(journey.steps) * (waiting + 1)))
    awake = now.withField("is_settled", F.lit(False)).cast(_TYPE)
    return F.aggregate(
        rounds,
        awake,
        lambda here, _: F.when(here["is_settled"], here).otherwise(_after_move(journey, asked, here, day)),
    )


def _after_move(journey: Journey, asked: Asked, now: Column, day: Column) -> Column:
    stays = now.withField("is_settled", F.lit(True)).cast(_TYPE)
    position = F.when(now["step"].isNull(), stays)
    for way in _ways(journey, asked):
        is_taken = (now["step"] == way.name) & way.is_open(now, day)
        position = position.when(is_taken, _taken(journey, way, now, day))
    return position.otherwise(stays)


def _ways(journey: Journey, asked: Asked) -> Iterator[_Way]:
    for name, step in journey.steps.items():
        if step.wait is not None:
            yield _Way(name, step, "done", step.then, _days_are_over(days_in(step.wait)))
        elif step.wait_until is not None:
            within = days_in(step.wait_until.within)
            yield _Way(name, step, "then", step.then, _has_fact(asked.fact_days[name], within))
            yield _Way(name, step, "else", step.else_, _days_are_over(within))
        elif step.split is not None:
            yield _Way(name, step, "then", step.then, _answered(asked.answers[name]))
            yield _Way(name, step, "else", step.else_, _answered(F.lit(True)))
        elif step.send is not None:
            yield _Way(name, step, SENT, step.then, _answered(F.lit(True)))
        else:
            yield _Way(name, step, str(step.exit), END, _answered(F.lit(True)))


def _answered(answer: Column) -> Callable[[Column, Column], Column]:
    return lambda now, day: answer


def _days_are_over(count: int) -> Callable[[Column, Column], Column]:
    return lambda now, day: day >= F.date_add(now["step_since_date"], count)


def _has_fact(fact_days: Column, within: int) -> Callable[[Column, Column], Column]:
    """Of the days after that on which the step was reached: what led there does not lead on."""

    def is_open(now: Column, day: Column) -> Column:
        end = F.least(day, F.date_add(now["step_since_date"], within))
        led_on = F.exists(fact_days, lambda fact: (fact > now["step_since_date"]) & (fact <= end))
        return F.coalesce(led_on, F.lit(False))

    return is_open


def _taken(journey: Journey, way: _Way, now: Column, day: Column) -> Column:
    path = left_with(now["path"], F.lit(way.outcome))
    sends = now["sends"] if way.step.send is None else _sent(journey, way, now, day)
    if way.to == END:
        return _position(None, day, way.step.exit or END, path, sends)
    reached = F.struct(F.lit(way.to).alias("step"), day.alias("reached_date"), F.lit(None).alias("outcome"))
    return _position(way.to, day, None, F.concat(path, F.array(reached)), sends)


def _sent(journey: Journey, way: _Way, now: Column, day: Column) -> Column:
    visits = F.size(F.filter(now["path"], lambda at: at["step"] == way.name)).cast("string")
    entry = F.col("entry_number").cast("string")
    occasion = F.concat(F.lit(f"journey:{journey.id}:"), entry, F.lit(f":{way.name}:"), visits)
    message = F.struct(F.lit(way.step.send).alias("activation_id"), occasion.alias("occasion"), day.alias("due_date"))
    return F.concat(now["sends"], F.array(message))


def _over(now: Column, reason: str, day: Column) -> Column:
    return _position(None, day, reason, left_with(now["path"], F.lit(reason)), now["sends"])


def _position(step: str | None, day: Column, reason: str | None, path: Column, sends: Column) -> Column:
    parts = (F.lit(step), day, F.lit(reason), path, sends, F.lit(False))
    return F.struct(*[part.alias(name) for part, name in zip(parts, _TYPE.names, strict=True)]).cast(_TYPE)
