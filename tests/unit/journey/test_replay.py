"""Gaps, repeats and the order of rows change nothing; a plain walk in Python says where everybody is."""

import random
from datetime import date, timedelta
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from tests.unit.journey.travellers import after, assert_states, day, entry, known, order, pack_of, states

CARE = """
id: care
steps:
  hope: {wait_until: {did: order, within: 3d}, then: thank, else: rest}
  thank: {send: mail, then: more}
  more: {wait_until: {did: order, where: paid_amount > 5, within: 2d}, then: hope, else: rest}
  rest: {wait: 2d, then: nudge}
  nudge: {send: mail, then: last}
  last: {wait_until: {did: order, within: 1d}, then: hope, else: bye}
  bye: {exit: silent}
"""
WAITS = {"hope": (3, "thank", "rest", 0.0), "more": (2, "hope", "rest", 5.0), "last": (1, "hope", "bye", 0.0)}
LAST = 14
RUNS = (2, 3, 7, LAST)
SEED = 20250114


class Walk:
    """One customer's way by the rules of settings/journey.py, told independently: one day after the other."""

    def __init__(self, name: str, orders: list[tuple[int, float]]) -> None:
        self.name, self.orders = name, orders
        self.step: str | None = "hope"
        self.since = 1
        self.path: list[list[Any]] = [["hope", 1, None]]
        self.sends: list[tuple[str, int, int]] = []
        self.ended: tuple[int, str] | None = None

    def go(self, step: str, today: int, outcome: str) -> None:
        self.path[-1][2] = outcome
        self.path.append([step, today, None])
        self.step, self.since = step, today

    def day(self, today: int) -> None:
        while self.step is not None and self.moved(self.step, today):
            pass

    def moved(self, step: str, today: int) -> bool:
        if step in WAITS:
            within, then, other, above = WAITS[step]
            end = self.since + within
            if any(self.since < on <= min(end, today) and paid > above for on, paid in self.orders):
                self.go(then, today, "then")
                return True
            if today >= end:
                self.go(other, today, "else")
            return today >= end
        if step == "rest":
            if today >= self.since + 2:
                self.go("nudge", today, "done")
                return True
            return False
        if step == "bye":
            self.path[-1][2], self.step, self.ended = "silent", None, (today, "silent")
            return False
        visits = sum(at[0] == step for at in self.path)
        self.sends.append((step, visits, today))
        self.go("more" if step == "thank" else "last", today, "sent")
        return True


def crowd(size: int) -> dict[str, list[tuple[int, float]]]:
    """Customer: days and amounts of orders, some of them before the entry, on the same day, or none at all."""
    draw = random.Random(SEED)
    return {
        f"c{number:02}": [
            (draw.randint(1, LAST), draw.choice([1.0, 5.0, 9.0])) for _ in range(draw.choice([0, 1, 2, 5, 9]))
        ]
        for number in range(size)
    }


def walked(people: dict[str, list[tuple[int, float]]]) -> list[dict[str, Any]]:
    entries = []
    for name, orders in people.items():
        walk = Walk(name, orders)
        for today in range(1, LAST + 1):
            walk.day(today)
        path = [(step, on, outcome) for step, on, outcome in walk.path]
        entries.append(entry(name, *path, known=LAST, ended=walk.ended, sends=walk.sends))
    return entries


def without_known(frame: DataFrame) -> DataFrame:
    """Who is through early is not in later frames: up to when they are known differs, nothing else may."""
    return frame.drop("as_of_date")


def test_one_run_after_a_gap_many_runs_and_a_plain_walk_agree(spark: SparkSession) -> None:
    pack, people = pack_of(CARE), crowd(30)
    orders = [order(name, f"{on:02}", f"{paid:.2f}") for name, bought in people.items() for on, paid in bought]
    what = known(spark, members=list(people), orders=orders)
    expected = walked(people)
    assert {row["exit_reason"] for row in expected} == {None, "silent"}
    assert any(len(row["sends"]) > 3 for row in expected)

    first = after(states(spark, pack), what, pack, 1).localCheckpoint()
    gap = after(first, what, pack, LAST)
    still, over = first.where("step is not null"), first.where("step is null")
    assert_states(without_known(gap), without_known(states(spark, pack, *expected)))

    for today in RUNS:
        now = after(still.unionByName(over), what, pack, today).localCheckpoint()
        still, over = now.where("step is not null"), over.unionByName(now.where("step is null"))
    assert_states(without_known(still.unionByName(over)), without_known(states(spark, pack, *expected)))


def test_the_same_day_again_changes_nothing_whatever_the_order_of_the_rows(spark: SparkSession) -> None:
    pack, people = pack_of(CARE), crowd(12)
    orders = [order(name, f"{on:02}", f"{paid:.2f}") for name, bought in people.items() for on, paid in bought]
    what = known(spark, members=list(people), orders=orders)
    former = after(states(spark, pack), what, pack, 2).localCheckpoint()
    once = after(former, what, pack, 6).localCheckpoint()

    random.Random(SEED).shuffle(orders)
    shuffled = known(spark, members=list(reversed(people)), orders=[*orders, *orders])
    assert_states(after(former.orderBy("golden_id").repartition(5), shuffled, pack, 6), once)
    inside = once.where("step is not null")
    assert_states(after(once, what, pack, 6), inside)
    assert_states(after(once, what, pack, 5), inside)


def test_a_year_between_two_runs_is_one_plan(spark: SparkSession) -> None:
    pack = pack_of("{id: care, steps: {rest: {wait: 300d, then: greet}, greet: {send: mail}}}")
    former = states(spark, pack, entry("ann", ("rest", 1, None), known=1))
    due = date(2025, 1, 1) + timedelta(days=300)
    found = after(former, known(spark), pack, 1).collect()
    assert [row["as_of_date"] for row in found] == [day(1)]
    (row,) = after(former, known(spark), pack, due + timedelta(days=65)).collect()
    assert (row["exit_reason"], row["step_since_date"], row["sends"][0]["due_date"]) == ("end", due, due)
