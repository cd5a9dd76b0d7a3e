"""A run that was cut off, when the next call asks for other jobs."""

import io
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession
from rich.console import Console

from cdp_lib.contracts import bronze, ops, scores
from cdp_lib.errors import IngestError
from cdp_lib.io.ledger import History
from cdp_lib.settings.settings import MlflowSettings
from cdp_lib.workflow.progress import reporter_for
from cdp_lib.workflow.runner import RunOptions
from jobs.compose import build_suite, job_named
from tests.integration.cut_off import cut_off_at, PowerCutError
from tests.integration.shop import Purchase, Shop, shop

PURCHASES = [Purchase(name, date(2024, 1, day), "5.00", ("bread", "jam")) for name in "ab" for day in (1, 9)]
_DOCUMENTS = """
kind: purchase_pattern
---
kind: recommendation
"""


def killed(opened: Shop, point: str, job: str) -> None:
    """A run of the job that dies at the point, as the ledger has it."""
    with pytest.raises(PowerCutError):
        replace(opened, suite=cut_off_at(opened.suite, point)).run(job)
    DeltaTable(opened.suite.ledger.path(ops.JOB_RUN)).delete("status = 'failed'")  # a kill notes down nothing


@pytest.fixture
def cut_off(spark: SparkSession, tmp_path: Path) -> Shop:
    """A shop whose run was cut off within gold_pattern."""
    opened = shop(spark, tmp_path / "corner", tmp_path / "lake", MlflowSettings(), _DOCUMENTS)
    opened.publish(PURCHASES)
    killed(opened, "after:gold_pattern", "gold_pattern")
    return opened


def states(opened: Shop, number: int) -> set[tuple[str, str]]:
    of_run = [state for state in opened.suite.ledger.states() if state.run_number == number]
    return {(state.job, state.status) for state in {state.job: state for state in of_run}.values()}


@pytest.mark.parametrize("resume", [False, True], ids=["a new run", "resumed"])
def test_it_has_not_ended_before_the_job_that_it_was_in(cut_off: Shop, resume: bool) -> None:
    assert History(tuple(cut_off.suite.ledger.states())).half_done("corner-daily-000001") == ("gold_pattern",)
    jobs, quiet = [job_named("gold_recommendation")], reporter_for(Console(file=io.StringIO()))
    reports = cut_off.suite.run(RunOptions("daily", resume=resume), jobs, quiet)
    ended = {one.job: one.status for one in reports[0].outcomes}
    assert ended.keys() == {"gold_pattern", "gold_recommendation"}
    assert states(cut_off, 1) == {("*", "succeeded"), *((job, "succeeded") for job in ended)}
    assert len(reports) == (1 if resume else 2)
    assert cut_off.table(scores.PURCHASE_PATTERN).count() > 0


def test_a_contract_that_changed_meanwhile_loses_no_row(spark: SparkSession, tmp_path: Path) -> None:
    """The run dies between the rows that the contract accepts and those that it refuses, which the next one accepts."""
    opened = shop(spark, tmp_path / "corner", tmp_path / "lake", MlflowSettings(), "")
    file, sources = tmp_path / "corner/landing/till/one.csv", tmp_path / "corner/sources.yml"
    file.parent.mkdir(parents=True)
    file.write_text("id,at,paid\na,2024-01-01,9.00\nb,2024-01-01,1.00\n")
    loose = sources.read_text()

    def under(contract: str) -> Shop:
        sources.write_text(contract)
        return replace(opened, suite=build_suite(opened.suite.place, lambda: spark))

    strict = under(loose.replace('"decimal(18,2)"', '"decimal(18,2)", expect: [paid > 5]', 1))
    killed(strict, "committed:bronze_ingest:bronze.till", "bronze_ingest")

    changed = under(loose)
    quiet = reporter_for(Console(file=io.StringIO()))
    with pytest.raises(IngestError, match=r"till: its contract has changed since run corner-daily-000001.*new run"):
        changed.suite.run(RunOptions("daily", resume=True), [job_named("bronze_ingest")], quiet)
    DeltaTable(opened.suite.ledger.path(ops.JOB_RUN)).delete("status = 'failed'")

    (report,) = changed.suite.run(RunOptions("daily"), [job_named("bronze_ingest")], quiet)
    assert report.run_id == "corner-daily-000002"
    till = bronze.accepted(changed.suite.pack.source("till"))
    assert sorted(row["id"] for row in changed.table(till).collect()) == ["a", "b"]
