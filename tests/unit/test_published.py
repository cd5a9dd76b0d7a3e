"""What a job knows of its earlier days: which it published, and why its table was last withheld."""

from datetime import date, datetime, timedelta, UTC
from types import SimpleNamespace
from typing import Any

from cdp_lib.contracts import ops, scores
from cdp_lib.contracts.table import Table
from cdp_lib.io.ledger import JobState
from cdp_lib.workflow.context import JobContext
from cdp_lib.workflow.job import job

FIRST = datetime(2025, 1, 1, 9, tzinfo=UTC)
GOLD = "gold.churn_score"


@job(writes=(scores.CHURN_SCORE,), remembers=(scores.CHURN_SCORE,))
def run(ctx: JobContext) -> None:
    """Not run here."""


def state(number: int, version: int | None, name: str = run.name, status: str = "succeeded") -> JobState:
    """The job's state after a run on that day of January."""
    at = FIRST + timedelta(days=number - 1)
    outputs = {} if version is None else {GOLD: version}
    return JobState(f"run-{number}", number, "daily", name, 1, status, "hash", at, at.date(), outputs=outputs)


def withheld(number: int, check: str, table: str = GOLD) -> dict[str, Any]:
    at = FIRST + timedelta(days=number - 1, hours=-1)
    told = {"run_id": f"run-{number}", "job": run.name, "table_name": table, "expectation": check}
    return {**told, "severity": "withhold", "success": False, "checked_at": at}


def context(states: list[JobState], results: list[dict[str, Any]]) -> JobContext:
    def rows(table: Table) -> list[dict[str, Any]]:
        return results if table is ops.QUALITY_RESULT else []

    services: Any = SimpleNamespace(
        pack=None, settings=None, landing="", ledger=SimpleNamespace(states=lambda: states, rows=rows)
    )
    info: Any = SimpleNamespace(run_id="run-9")
    return JobContext(run, info, services, state(9, None), None)


def test_a_day_on_which_nothing_was_published_is_not_one_of_its_days() -> None:
    # Withheld on days 2 and 3: the version stays that of day 1.
    states = [
        state(1, 4),
        state(2, 4),
        state(3, 4),
        state(4, 5),
        state(5, 6, name="another"),
        state(6, 6, status="failed"),
    ]
    states += [state(7, None), state(9, 7)]
    assert context(states, []).published_before(scores.CHURN_SCORE) == {date(2025, 1, 1): 4, date(2025, 1, 4): 5}


def test_why_a_table_was_last_withheld_is_forgotten_once_it_is_published() -> None:
    results = [withheld(1, "old"), withheld(2, "drifts"), withheld(2, "silent"), withheld(2, "other", "gold.cltv")]
    passed = {**withheld(3, "row_count"), "success": True, "severity": "error"}

    def last(*states: JobState) -> frozenset[str]:
        return context(list(states), [*results, passed]).withheld_last(scores.CHURN_SCORE)

    assert last(state(1, 4), state(2, 4)) == {"drifts", "silent"}
    assert last(state(2, 4), state(3, None, status="skipped"), state(3, 5, name="another")) == {"drifts", "silent"}
    assert last(state(2, 4), state(3, 5)) == frozenset()
    assert context([], []).withheld_last(scores.CHURN_SCORE) == frozenset()
