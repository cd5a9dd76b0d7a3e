"""`cdp journey`: what a journey would have done in the past, and where customers stand in it now."""

from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Annotated

import typer
from pyspark.sql import DataFrame, functions as F
from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

from cdp_lib.contracts import activation, gold
from cdp_lib.errors import ConfigError, near_miss, StorageError
from cdp_lib.io.checkpoints import checkpoints, folder_of_look
from cdp_lib.io.local_rows import local_rows
from cdp_lib.io.selection import count_rows
from cdp_lib.settings.journey import Journey
from cdp_lib.settings.pack import Pack
from cdp_lib.transforms.journey.states import Known, next_states
from jobs.compose import build_suite, Place, Suite
from jobs.ops_journey import known_from
from jobs.options import EnvOption, LakehouseOption, PackOption, told_plainly

app = typer.Typer(help="Journeys: try one on past days, and see where customers stand.", no_args_is_help=True)
console = Console()

Keep = Callable[[DataFrame], DataFrame]

ASSUMED = (
    "Assumed: today's members of '{entry}' enter on {first}, or later where exit_when kept them out; traits, scores, "
    "segments and audiences are today's; facts and `did` questions are those of each day. Nothing was written or sent."
)


@app.command("simulate")
def simulate_command(
    pack: PackOption,
    journey: Annotated[str, typer.Option("--journey", help="The journey's id.")],
    first: Annotated[str, typer.Option("--from", help="YYYY-MM-DD: the day on which customers enter.")],
    last: Annotated[str, typer.Option("--to", help="YYYY-MM-DD: the last day.")],
    lakehouse: LakehouseOption = None,
    env: EnvOption = "local",
) -> None:
    """Run a journey day by day on past events; nothing is written."""
    with told_plainly():
        suite = build_suite(Place(pack, None, lakehouse, env))
        period = (_day("--from", first), _day("--to", last))
        show_simulation(console, journey_named(suite.pack, journey), simulate(suite, journey, *period), period)


@app.command("status")
def status_command(pack: PackOption, lakehouse: LakehouseOption = None, env: EnvOption = "local") -> None:
    """Where customers stand in each journey, as of the last run."""
    with told_plainly():
        show_journeys(console, build_suite(Place(pack, None, lakehouse, env)))


@dataclass(frozen=True)
class Simulation:
    """What came out of a simulated period, counted over all entries."""

    entered: int
    outcomes: dict[tuple[str, str | None], int]
    """(step, outcome): how often the step was left so; outcome None: who waits there now."""
    sends: dict[tuple[str, date], int]
    """(activation, Monday of the week): messages that fell due."""
    exits: dict[str, int]
    """Reason: entries that ended so."""


@dataclass
class _Standing:
    """Entries of one journey by where they stand."""

    at: Counter[str] = field(default_factory=Counter)
    over: Counter[str] = field(default_factory=Counter)


def journey_named(pack: Pack, name: str) -> Journey:
    """The pack's journey; raises ConfigError with a near-miss."""
    known = {journey.id: journey for journey in pack.journeys}
    if not known:
        raise ConfigError(f"pack {pack.name} declares no journey. Add one to its journeys.yml.")
    if name not in known:
        raise ConfigError(f"pack {pack.name}: unknown journey '{name}'.{near_miss(name, known)}")
    return known[name]


def simulate(suite: Suite, name: str, first: date, last: date) -> Simulation:
    """What the journey would have done from `first` to `last`, by the rules of `ASSUMED`.

    Raises ConfigError for an unknown journey or a period that ends before it begins, StorageError where there is
    nothing to run it on yet.
    """
    pack = replace(suite.pack, journeys=(journey_named(suite.pack, name),))
    if last < first:
        raise ConfigError(f"--to {last} is before --from {first}: swap them")
    for table in (gold.customer(pack), activation.AUDIENCE_MEMBER):
        if suite.store.version(table) is None:
            raise StorageError(
                f"{suite.store.path(table)} does not exist. First: cdp run daily --pack {suite.place.pack}"
            )
    known = known_from(pack, suite.store.read, lambda table: suite.store.version(table) is not None)
    with ExitStack() as kept:
        keep = kept.enter_context(checkpoints(suite.session(), folder_of_look(suite.store.root)))
        return _counted(_walked(suite, known, pack, _days(pack.journeys[0], first, last), keep))


def _days(journey: Journey, first: date, last: date) -> list[date]:
    """The days that the journey is run on: each, unless facts and waits alone decide; then a run walks all days."""
    if not journey.conditions and journey.re_entry_after is None:
        return sorted({first, last})
    return [first + timedelta(days=passed) for passed in range((last - first).days + 1)]


def _walked(suite: Suite, known: Known, pack: Pack, days: Iterable[date], keep: Keep) -> DataFrame:
    """Every entry at the end of the last day. The members are today's, so no identity event lies behind them."""
    now = replace(known, events=known.events.limit(0))
    table = activation.JOURNEY_STATE
    states = local_rows(suite.session(), table.schema()).select(*table.content_columns)
    for day in days:
        over = states.where(F.col("step").isNull())
        states = keep(next_states(states, now, pack, day, keep).unionByName(over))
    return states


def _counted(states: DataFrame) -> Simulation:
    """Collected by step, outcome, activation and week: as many rows as the journey has, whoever went through it."""
    reached = states.select(F.explode("path").alias("at")).groupBy("at.step", "at.outcome").count()
    sends = states.select(F.explode("sends").alias("send"))
    week = F.to_date(F.date_trunc("week", F.col("send.due_date"))).alias("week")
    weekly = sends.groupBy("send.activation_id", week).count()
    exits = states.where(F.col("step").isNull()).groupBy("exit_reason").count()
    by_step, by_week, by_reason = reached.collect(), weekly.collect(), exits.collect()
    waiting = sum(row["count"] for row in by_step if row["outcome"] is None)
    return Simulation(
        entered=waiting + sum(row["count"] for row in by_reason),
        outcomes={(row["step"], row["outcome"]): row["count"] for row in by_step},
        sends={(row["activation_id"], row["week"]): row["count"] for row in by_week},
        exits={row["exit_reason"]: row["count"] for row in by_reason},
    )


def show_simulation(to: Console, journey: Journey, found: Simulation, period: tuple[date, date]) -> None:
    """Steps, messages by week and exits, and what was assumed."""
    to.print(f"journey {journey.id}, {period[0]} to {period[1]}: {found.entered:,} entered", highlight=False)
    steps = Grid("step", "reached", "left", "waiting now", box=None)
    for step in journey.steps:
        left = {outcome: count for (name, outcome), count in found.outcomes.items() if name == step and outcome}
        waiting = found.outcomes.get((step, None), 0)
        told = ", ".join(f"{escape(outcome)} {count:,}" for outcome, count in sorted(left.items()))
        steps.add_row(step, f"{waiting + sum(left.values()):,}", told, f"{waiting:,}")
    to.print(steps)
    if found.sends:
        sends = Grid("activation", "week from", "messages", box=None)
        for (name, week), count in sorted(found.sends.items()):
            sends.add_row(name, str(week), f"{count:,}")
        to.print(sends)
    if found.exits:
        exits = Grid("exit", "entries", box=None)
        for reason, count in sorted(found.exits.items()):
            exits.add_row(escape(reason), f"{count:,}")
        to.print(exits)
    to.print(ASSUMED.format(entry=journey.entry, first=period[0]), highlight=False, markup=False, soft_wrap=True)


def show_journeys(to: Console, suite: Suite) -> None:
    """Per journey of the table: who is at which step, and how many entries ended for which reason. Needs no Spark."""
    table = activation.JOURNEY_STATE
    if suite.store.version(table) is None:
        raise StorageError(f"{suite.store.path(table)} does not exist. First: cdp run daily --pack {suite.place.pack}")
    written = {journey.id: journey for journey in suite.pack.journeys}
    found: dict[str, _Standing] = {name: _Standing() for name in written}
    for row in count_rows(suite.store.path(table), ("journey_id", "step", "exit_reason")):
        standing = found.setdefault(row["journey_id"], _Standing())
        if row["step"] is None:
            standing.over[row["exit_reason"]] += row["row_count"]
        else:
            standing.at[row["step"]] += row["row_count"]
    for name, standing in found.items():
        steps = list(written[name].steps) if name in written else []
        grid = Grid(name, "entries", box=None)
        for step in [*steps, *sorted(set(standing.at) - set(steps))]:
            grid.add_row(f"at {step}", f"{standing.at[step]:,}")
        for reason, count in sorted(standing.over.items()):
            grid.add_row(f"ended: {escape(reason)}", f"{count:,}")
        to.print(grid)


def _day(option: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{option} {text!r} is not a date such as 2025-01-31") from None
