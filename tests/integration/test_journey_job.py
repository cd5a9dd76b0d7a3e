"""The journey job day by day, cut off and resumed; the same journey simulated; and where customers stand."""

import io
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from rich.console import Console

from cdp_lib.contracts.activation import JOURNEY_STATE
from cdp_lib.errors import ConfigError, StorageError
from cdp_lib.settings.settings import MlflowSettings
from cdp_lib.workflow.progress import PlainLines
from cdp_lib.workflow.runner import RunOptions
from jobs.compose import job_named, Suite
from jobs.journeys import journey_named, show_journeys, show_simulation, simulate, Simulation
from tests.integration.cut_off import cut_off_at, PowerCutError
from tests.integration.shop import FIRST_DAY, Purchase, Shop, shop

pytestmark = pytest.mark.slow

DOCUMENTS = """
kind: audience
id: buyers
where: {trait: order_count, gte: 1}
---
kind: destination
id: outbox
connector: drop
settings: {path: out}
---
kind: activation
id: hello
destination: outbox
---
kind: journey
id: care
entry: buyers
steps:
  hope: {wait_until: {did: order, where: paid_amount > 5, within: 2d}, then: thank, else: remind}
  thank: {send: hello, then: rest}
  rest: {wait: 1d}
  remind: {send: hello, then: lost}
  lost: {exit: silent}
---
kind: journey
id: asking
entry: buyers
exit_when: {did: order, where: paid_amount < 6, gte: 1}
steps: {pause: {wait: 30d}}
"""
ENTERED = FIRST_DAY + timedelta(days=5)
SECOND, THIRD = ENTERED + timedelta(days=1), ENTERED + timedelta(days=2)
PURCHASES = [
    Purchase("ann", FIRST_DAY, "9.00"),
    Purchase("bob", FIRST_DAY, "9.00"),
    Purchase("ann", SECOND, "9.00"),
    Purchase("bob", SECOND, "5.00"),
]


@pytest.fixture
def opened(spark: SparkSession, tmp_path: Path, mlflow_store: MlflowSettings) -> Shop:
    return shop(spark, tmp_path / "kiosk", tmp_path / "lake", mlflow_store, DOCUMENTS)


def run_day(suite: Suite, as_of: date, told: io.StringIO, *, resume: bool = False) -> None:
    """The audience and the journeys of one day."""
    jobs = [job_named(name) for name in ("gold_audience", "ops_journey")]
    suite.run(RunOptions("daily", as_of=as_of, resume=resume), jobs, PlainLines(told))


def of_care(one: Shop) -> dict[str, tuple[Any, ...]]:
    """Customer: step, exit reason, steps with outcomes, messages and their days, in journey `care`."""
    return {
        row["golden_id"]: (
            row["step"],
            row["exit_reason"],
            [(at["step"], at["outcome"]) for at in row["path"]],
            [(send["occasion"], send["due_date"]) for send in row["sends"]],
        )
        for row in one.collected(JOURNEY_STATE)
        if row["journey_id"] == "care"
    }


def printed(show: Any, *given: Any) -> str:
    """What a command shows, each line's spaces squeezed."""
    to = Console(file=io.StringIO(), width=200)
    show(to, *given)
    return "\n".join(" ".join(line.split()) for line in to.file.getvalue().splitlines())


AFTER: Mapping[date, dict[str, tuple[Any, ...]]] = {
    ENTERED: {name: ("hope", None, [("hope", None)], []) for name in ("ann", "bob")},
    SECOND: {
        "ann": (
            "rest",
            None,
            [("hope", "then"), ("thank", "sent"), ("rest", None)],
            [("journey:care:1:thank:1", SECOND)],
        ),
        "bob": ("hope", None, [("hope", None)], []),
    },
    THIRD: {
        "ann": (
            None,
            "end",
            [("hope", "then"), ("thank", "sent"), ("rest", "done")],
            [("journey:care:1:thank:1", SECOND)],
        ),
        "bob": (
            None,
            "silent",
            [("hope", "else"), ("remind", "sent"), ("lost", "silent")],
            [("journey:care:1:remind:1", THIRD)],
        ),
    },
}


def test_three_days_one_of_them_cut_off_and_a_simulation_tell_the_same(opened: Shop) -> None:
    opened.publish(PURCHASES)
    told = io.StringIO()
    run_day(opened.suite, ENTERED, told)
    assert of_care(opened) == AFTER[ENTERED]
    assert "journey care: 2 entered, 0 moved, 0 sends, 0 exits" in told.getvalue()

    with pytest.raises(PowerCutError):
        run_day(cut_off_at(opened.suite, "after:ops_journey"), SECOND, told)
    assert of_care(opened) == AFTER[SECOND]
    version = opened.suite.store.version(JOURNEY_STATE)
    run_day(opened.suite, SECOND, told, resume=True)
    assert opened.suite.store.version(JOURNEY_STATE) == version
    assert told.getvalue().count("journey care: 0 entered, 1 moved, 1 sends, 0 exits") == 2

    run_day(opened.suite, THIRD, told)
    assert of_care(opened) == AFTER[THIRD]
    assert "journey care: 0 entered, 2 moved, 1 sends, 2 exits" in told.getvalue()
    shown = printed(show_journeys, opened.suite)
    assert "at hope 0\nat thank 0\nat rest 0\nat remind 0\nat lost 0\nended: end 1\nended: silent 1" in shown
    assert "at pause 1\nended: exit_when 1" in shown

    version = opened.suite.store.version(JOURNEY_STATE)
    outcomes = {("hope", "then"): 1, ("hope", "else"): 1, ("thank", "sent"): 1, ("rest", "done"): 1}
    outcomes |= {("remind", "sent"): 1, ("lost", "silent"): 1}
    sends = {("hello", FIRST_DAY): 1, ("hello", FIRST_DAY + timedelta(days=7)): 1}
    found = simulate(opened.suite, "care", ENTERED, THIRD)
    assert found == Simulation(2, outcomes, sends, {"end": 1, "silent": 1})
    asked = Simulation(2, {("pause", None): 1, ("pause", "exit_when"): 1}, {}, {"exit_when": 1})
    assert simulate(opened.suite, "asking", ENTERED, THIRD) == asked
    assert opened.suite.store.version(JOURNEY_STATE) == version
    assert not list((Path(opened.suite.store.root) / "_checkpoints").glob("*/*"))

    care = journey_named(opened.suite.pack, "care")
    shown = printed(show_simulation, care, found, (ENTERED, THIRD))
    assert "journey care, 2024-01-06 to 2024-01-08: 2 entered" in shown
    assert "hope 2 else 1, then 1 0" in shown
    assert "hello 2024-01-08 1" in shown
    assert "Assumed: today's members of 'buyers' enter on 2024-01-06" in shown


def test_an_order_of_the_day_of_entry_does_not_end_the_wait_that_it_led_to(opened: Shop) -> None:
    first = [Purchase(name, ENTERED, "9.00") for name in ("ann", "bob")]
    opened.publish([*first, Purchase("bob", SECOND, "9.00")])
    for today in (ENTERED, SECOND, THIRD):
        run_day(opened.suite, today, io.StringIO())
    reminded = [("hope", "else"), ("remind", "sent"), ("lost", "silent")]
    found = of_care(opened)
    assert found["ann"] == (None, "silent", reminded, [("journey:care:1:remind:1", THIRD)])
    assert found["bob"] == AFTER[THIRD]["ann"]


def test_what_cannot_be_simulated_is_told_with_its_cure(opened: Shop) -> None:
    with pytest.raises(ConfigError, match=r"pack kiosk: unknown journey 'cara'\. Did you mean 'care'\?"):
        simulate(opened.suite, "cara", ENTERED, THIRD)
    with pytest.raises(ConfigError, match="--to 2024-01-06 is before --from 2024-01-08: swap them"):
        simulate(opened.suite, "care", THIRD, ENTERED)
    with pytest.raises(StorageError, match=r"gold/customer does not exist\. First: cdp run daily"):
        simulate(opened.suite, "care", ENTERED, THIRD)
    with pytest.raises(StorageError, match=r"ops/journey_state does not exist\. First: cdp run daily"):
        show_journeys(Console(), opened.suite)
    empty = replace(opened.suite.pack, journeys=())
    with pytest.raises(ConfigError, match=r"pack kiosk declares no journey\. Add one to its journeys\.yml"):
        journey_named(empty, "care")
