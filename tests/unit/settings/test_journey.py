"""What is wrong with a journey is told with its place and near miss."""

from collections.abc import Callable

import pytest

from cdp_lib.settings.journey import Journey
from cdp_lib.settings.pack import Pack
from tests.unit.settings.conftest import LoadFaults

AUDIENCES = "kind: audience\nid: new_members\nwhere: {trait: visit_count, gte: 1}\n"
ACTIVATIONS = """\
kind: destination
id: outbox
connector: drop
---
kind: activation
id: hello
destination: outbox
---
kind: activation
id: to_all
audience: new_members
destination: outbox
"""
JOURNEY = """\
kind: journey
id: welcome
entry: new_members
exit_when: {trait: visit_count, gte: 9}
steps:
  hope: {wait_until: {did: order, where: paid_amount > 5, within: 3d}, then: ask, else: remind}
  remind: {send: hello, then: ask}
  ask: {split: {did: order, window: 7d, gte: 2}, then: rest, else: bye}
  rest: {wait: 2d, then: hope}
  bye: {exit: lost}
"""


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("entry: new_members", "entry: members", "entry: unknown audience 'members'. Did you mean 'new_members'?"),
        (
            "visit_count, gte: 9",
            "visit_counts, gte: 9",
            "exit_when.trait: unknown trait 'visit_counts'. Did you mean 'visit_count'?",
        ),
        ("then: rest, else", "then: rets, else", "steps.ask.then: unknown step 'rets'. Did you mean 'rest'?"),
        ("else: bye}", "else: by}", "steps.ask.else: unknown step 'by'. Did you mean 'bye'?"),
        ("send: hello", "send: helo", "steps.remind.send: unknown activation 'helo'. Did you mean 'hello'?"),
        (
            "send: hello",
            "send: to_all",
            "steps.remind.send: activation 'to_all' is sent to audience 'new_members': leave out its audience",
        ),
        (
            "did: order, where",
            "did: ordr, where",
            "steps.hope.wait_until.did: unknown entity 'ordr'. Did you mean 'order'?",
        ),
        (
            "paid_amount > 5",
            "paid_amont > 5",
            "steps.hope.wait_until.where: unknown column 'paid_amont' in 'paid_amont > 5'. Did you mean 'paid_amount'?",
        ),
        (
            "paid_amount > 5",
            "sum(paid_amount) > 5",
            "steps.hope.wait_until.where: 'sum(paid_amount) > 5' aggregates rows, but only one row is looked at here",
        ),
        (
            "{did: order, window",
            "{did: ordr, window",
            "steps.ask.split.did: unknown entity 'ordr'. Did you mean 'order'?",
        ),
        ("else: remind}", "else: ask}", "steps.remind: no way leads from 'hope' to it: remove it, or lead there"),
        (
            "rest: {wait: 2d, then: hope}",
            "rest: {wait: 0d, then: ask}",
            "steps.ask: goes round on one day without an end: ask -> rest -> ask. Put a wait of 1d or more into it",
        ),
        (
            "bye: {exit: lost}",
            "bye: {send: hello, then: bye}",
            "steps.bye: goes round on one day without an end: bye -> bye. Put a wait of 1d or more into it",
        ),
        ("exit: lost", "exit: lost, then: rest", "steps.bye: the journey ends at an exit: remove then"),
        ("exit: lost", "exit: ''", "steps.bye.exit: String should have at least 1 character (found '')"),
        (
            "exit: lost",
            "exit: lost, wait: 1d",
            "steps.bye: a step says one of wait, wait_until, split, send, exit; this one says wait and exit",
        ),
        ("wait: 2d", "wait: 2", "steps.rest.wait: Input should be a valid string (found 2)"),
        ("wait: 2d", "wait: two", "steps.rest: 'two' is not a number of days such as 7d"),
        ("within: 3d", "within: 0d", "steps.hope.wait_until.within: within is one day at least"),
        ("then: hope}", "then: hope, else: bye}", "steps.rest: only wait_until and split have an else"),
        ("exit_when:", "re_entry_after: 0d\nexit_when:", "re_entry_after: re_entry_after is one day at least"),
        (
            "steps:",
            "steps:\n  end: {wait: 1d}",
            "steps: 'end' has a meaning of its own in a journey; give the step another name",
        ),
        (
            "steps:",
            "steps:\n  exit_when: {wait: 1d}",
            "steps: 'exit_when' has a meaning of its own in a journey; give the step another name",
        ),
    ],
)
def test_one_fault_gives_one_message(faults_of: LoadFaults, old: str, new: str, fault: str) -> None:
    assert old in JOURNEY
    faults = faults_of(audiences=AUDIENCES, activations=ACTIVATIONS, journeys=JOURNEY.replace(old, new))
    (found,) = [fault for fault in faults if fault.startswith("journeys.yml")]
    assert found == f"journeys.yml: journeys[0].{fault}"


def test_every_fault_is_told_at_once(faults_of: LoadFaults) -> None:
    text = JOURNEY.replace("entry: new_members", "entry: nobody_knows").replace("then: hope", "then: hop")
    faults = faults_of(audiences=AUDIENCES, activations=ACTIVATIONS, journeys=text)
    assert [fault.split(": ")[1] for fault in faults] == ["journeys[0].entry", "journeys[0].steps.rest.then"]


def test_a_step_is_followed_by_a_wait_or_by_none() -> None:
    steps = {
        "first": {"send": "hello", "then": "ask"},
        "ask": {"split": {"trait": "visit_count", "gte": 1}, "then": "rest", "else": "bye"},
        "rest": {"wait": "2d", "then": "last"},
        "last": {"send": "hello", "then": "pause"},
        "pause": {"wait": "0d"},
        "bye": {"exit": "lost"},
    }
    journey = Journey.model_validate({"kind": "journey", "id": "walk", "entry": "regulars", "steps": steps})
    assert {name: journey.waits_after(name) for name in steps} == {
        "first": True,
        "ask": True,
        "rest": False,
        "last": False,
        "pause": False,
        "bye": False,
    }
    circle = {**steps, "pause": {"wait": "1d", "then": "first"}}
    again = Journey.model_validate({"kind": "journey", "id": "walk", "entry": "regulars", "steps": circle})
    assert again.waits_after("last")
    assert "last" in again.reached_from("last")


def test_a_circle_with_a_wait_is_a_way_to_live_and_end_needs_no_step(load: Callable[..., Pack]) -> None:
    text = JOURNEY.replace("then: rest, else: bye", "then: rest, else: end").replace("  bye: {exit: lost}\n", "")
    (journey,) = load(audiences=AUDIENCES, activations=ACTIVATIONS, journeys=text).journeys
    assert isinstance(journey, Journey)
    assert journey.first_step == "hope"
    assert list(journey.conditions) == ["exit_when", "ask"]
    assert [name for name, step in journey.steps.items() if step.is_instant] == ["remind", "ask"]
