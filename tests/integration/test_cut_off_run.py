"""A run that was cut off, when the next call asks for other jobs."""

import io
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession
from rich.console import Console

from cdp_lib.contracts import ops, scores
from cdp_lib.io.ledger import History
from cdp_lib.settings.settings import MlflowSettings
from cdp_lib.workflow.progress import reporter_for
from cdp_lib.workflow.runner import RunOptions
from jobs.compose import job_named
from tests.integration.cut_off import cut_off_at, PowerCutError
from tests.integration.shop import Purchase, Shop, shop

PURCHASES = [Purchase(name, date(2024, 1, day), "5.00", ("bread", "jam")) for name in "ab" for day in (1, 9)]
_DOCUMENTS = """
kind: purchase_pattern
---
kind: recommendation
"""


@pytest.fixture
def cut_off(spark: SparkSession, tmp_path: Path) -> Shop:
    """A shop whose run was cut off within gold_pattern."""
    opened = shop(spark, tmp_path / "corner", tmp_path / "lake", MlflowSettings(), _DOCUMENTS)
    opened.publish(PURCHASES)
    with pytest.raises(PowerCutError):
        replace(opened, suite=cut_off_at(opened.suite, "after:gold_pattern")).run("gold_pattern")
    return opened


def states(opened: Shop, number: int) -> set[tuple[str, str]]:
    of_run = [state for state in opened.suite.ledger.states() if state.run_number == number]
    return {(state.job, state.status) for state in {state.job: state for state in of_run}.values()}


@pytest.mark.parametrize("resume", [False, True], ids=["a new run", "resumed"])
def test_it_has_not_ended_before_the_job_that_it_was_in(cut_off: Shop, resume: bool) -> None:
    assert History(tuple(cut_off.suite.ledger.states())).half_done("corner-daily-000001") == ("gold_pattern",)
    if not resume:  # a kill notes down nothing
        DeltaTable(cut_off.suite.ledger.path(ops.JOB_RUN)).delete("status = 'failed'")
    jobs, quiet = [job_named("gold_recommendation")], reporter_for(Console(file=io.StringIO()))
    reports = cut_off.suite.run(RunOptions("daily", resume=resume), jobs, quiet)
    ended = {one.job: one.status for one in reports[0].outcomes}
    assert ended.keys() == {"gold_pattern", "gold_recommendation"}
    assert states(cut_off, 1) == {("*", "succeeded"), *((job, "succeeded") for job in ended)}
    assert len(reports) == (1 if resume else 2)
    assert cut_off.table(scores.PURCHASE_PATTERN).count() > 0
