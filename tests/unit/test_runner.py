"""Runs are recorded, resumed, skipped and tried again as the ledger says. No job here touches Spark."""

import io
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from cdp_lib.errors import ContractError, WorkflowError
from cdp_lib.io.ledger import OpsLedger
from cdp_lib.io.store import DeltaStore
from cdp_lib.settings.pack import Pack
from cdp_lib.settings.settings import RetrySettings, Settings
from cdp_lib.workflow.context import JobContext
from cdp_lib.workflow.job import Job
from cdp_lib.workflow.progress import PlainLines
from cdp_lib.workflow.runner import run_workflow, RunOptions, RunReport
from cdp_lib.workflow.services import GateRequest, GateVerdict, Services
from tests.gym import gym, table

DAILY = RunOptions("daily", retries=1)


def no_spark() -> None:
    raise AssertionError("a job that needs no table started Spark")


def no_models() -> None:
    raise AssertionError("no model registry here")


def no_gate(request: GateRequest) -> GateVerdict:
    raise AssertionError(request.table.name)


def job(name: str, run: Callable[[JobContext], None], watched: str = "same") -> Job:
    return Job(name, "A job.", run, (), (table(f"gold.{name}"),), (), ("pack",), lambda ctx: watched)


@pytest.fixture(scope="module")
def pack() -> Pack:
    return gym()


@pytest.fixture
def services(pack: Pack, tmp_path: Path) -> Services:
    return Services(
        pack=pack,
        settings=Settings(retry=RetrySettings(first_wait_seconds=0)),
        store=DeltaStore(str(tmp_path), no_spark),  # type: ignore[arg-type]
        ledger=OpsLedger(str(tmp_path)),
        session=no_spark,  # type: ignore[arg-type]
        gate=no_gate,
        reporter=PlainLines(io.StringIO()),
        models=no_models,
        landing="landing",
    )


def statuses(report: RunReport) -> list[tuple[str, str]]:
    return [(outcome.job, outcome.status) for outcome in report.outcomes]


def test_a_job_without_news_is_skipped(services: Services) -> None:
    ran: list[str] = []
    jobs = [job("one", lambda ctx: ran.append(ctx.run.run_id))]
    run_workflow(jobs, DAILY, services)
    assert statuses(run_workflow(jobs, DAILY, services)) == [("one", "nothing new")]
    assert ran == ["gym-daily-000001"]


def test_news_from_outside_run_the_job_again(services: Services) -> None:
    run_workflow([job("one", lambda ctx: None)], DAILY, services)
    again = run_workflow([job("one", lambda ctx: None, watched="another")], DAILY, services)
    assert statuses(again) == [("one", "succeeded")]


def test_an_as_of_date_that_is_asked_for_is_another_run(services: Services) -> None:
    jobs = [job("one", lambda ctx: None)]
    run_workflow(jobs, DAILY, services)
    report = run_workflow(jobs, RunOptions("daily", as_of=date(2025, 1, 31)), services)
    assert statuses(report) == [("one", "succeeded")]


def test_what_a_failed_run_under_another_pack_left_behind_is_done_anew(services: Services) -> None:
    """The pack is changed, the run fails after a table, and the pack is put back."""
    full: list[bool] = []
    faults: list[ContractError] = []

    def run(ctx: JobContext) -> None:
        full.append(ctx.is_full)
        if faults:
            raise faults.pop()

    jobs = [job("one", run)]
    run_workflow(jobs, DAILY, services)
    faults.append(ContractError("gold.one: missing ['id']"))
    changed = replace(services, pack=replace(services.pack, info=services.pack.info.model_copy(update={"title": "B"})))
    with pytest.raises(ContractError):
        run_workflow(jobs, DAILY, changed)
    assert statuses(run_workflow(jobs, DAILY, services)) == [("one", "succeeded")]
    assert full == [True, True, True]
    assert statuses(run_workflow(jobs, DAILY, services)) == [("one", "nothing new")]


def test_resume_goes_on_with_the_same_run_after_the_jobs_that_are_done(services: Services) -> None:
    seen: list[tuple[str, str]] = []
    faults = [ContractError("silver.order: missing ['paid_amount']")]

    def second(ctx: JobContext) -> None:
        if faults:
            raise faults.pop()
        seen.append(("two", ctx.run.run_id))

    jobs = [job("one", lambda ctx: seen.append(("one", ctx.run.run_id))), job("two", second)]
    with pytest.raises(ContractError, match="missing"):
        run_workflow(jobs, DAILY, services)
    failed = [state for state in services.ledger.states() if state.status == "failed"]
    assert {state.error for state in failed} == {"ContractError: silver.order: missing ['paid_amount']"}
    resumed = run_workflow(jobs, RunOptions("daily", resume=True), services)
    assert statuses(resumed) == [("one", "done before"), ("two", "succeeded")]
    assert seen == [("one", "gym-daily-000001"), ("two", "gym-daily-000001")]


def half_done(services: Services) -> list[Job]:
    """The two jobs of a daily run whose second one failed; it would not fail again."""
    faults = [ContractError("silver.order: missing ['paid_amount']")]

    def second(ctx: JobContext) -> None:
        if faults:
            raise faults.pop()

    jobs = [job("one", lambda ctx: None), job("two", second)]
    with pytest.raises(ContractError, match="missing"):
        run_workflow(jobs, DAILY, services)
    return jobs


def test_a_run_that_another_one_has_overtaken_does_not_go_on(services: Services) -> None:
    jobs = half_done(services)
    run_workflow(jobs[1:], RunOptions("replay"), services)

    with pytest.raises(WorkflowError, match=r"gym-daily-000001 cannot go on: gym-replay-000002 .* two .*new run"):
        run_workflow(jobs, RunOptions("daily", resume=True), services)
    assert statuses(run_workflow(jobs, DAILY, services)) == [("one", "nothing new"), ("two", "nothing new")]


def test_a_run_goes_on_though_another_one_has_worked_on_what_it_had_done(services: Services) -> None:
    jobs = half_done(services)
    run_workflow([job("one", lambda ctx: None, watched="another")], RunOptions("replay"), services)

    resumed = run_workflow(jobs, RunOptions("daily", resume=True), services)
    assert statuses(resumed) == [("one", "done before"), ("two", "succeeded")]


def test_a_fault_of_the_storage_is_tried_again(services: Services) -> None:
    faults = [OSError("connection reset")]

    def flaky(ctx: JobContext) -> None:
        if faults:
            raise faults.pop()

    assert statuses(run_workflow([job("one", flaky)], DAILY, services)) == [("one", "succeeded")]
    tries = [(state.attempt, state.status) for state in services.ledger.states() if state.job == "one"]
    assert tries == [(1, "started"), (1, "failed"), (2, "started"), (2, "succeeded")]


class _Session:
    """Spark, as far as a time limit asks: work that is cancelled fails."""

    def __init__(self) -> None:
        self.cancelled = threading.Event()
        self.sparkContext = self

    def cancelAllJobs(self) -> None:  # noqa: N802 - Spark's name
        self.cancelled.set()


def test_when_the_time_is_up_the_job_is_cancelled_and_not_tried_again(services: Services) -> None:
    session = _Session()

    def slow(ctx: JobContext) -> None:
        assert session.cancelled.wait(30)
        raise OSError("job cancelled")

    timed = replace(services, session=lambda: session)  # type: ignore[arg-type, return-value]  # a stand-in for Spark
    with pytest.raises(WorkflowError, match=r"job one: the 0\.001 minutes of workflow daily are up.*--resume"):
        run_workflow([job("one", slow)], RunOptions("daily", retries=3, time_limit_minutes=0.001), timed)
    tries = [(state.attempt, state.status) for state in services.ledger.states() if state.job == "one"]
    assert tries == [(1, "started"), (1, "failed")]


def test_after_the_time_is_up_no_job_begins(services: Services) -> None:
    session = _Session()
    jobs = [job("one", lambda ctx: assert_true(session.cancelled.wait(30))), job("two", lambda ctx: None)]

    timed = replace(services, session=lambda: session)  # type: ignore[arg-type, return-value]  # a stand-in for Spark
    with pytest.raises(WorkflowError, match="job two: the"):
        run_workflow(jobs, RunOptions("daily", time_limit_minutes=0.001), timed)
    assert [state.job for state in services.ledger.states() if state.status == "succeeded"] == ["one"]


def assert_true(found: bool) -> None:
    assert found


def test_an_unexpected_fault_is_told_by_kind_and_place_without_its_message(services: Services) -> None:
    def broken(ctx: JobContext) -> None:
        raise ValueError("somebody@example.org")

    with pytest.raises(WorkflowError, match=r"job one of run gym-daily-000001 failed at .*ValueError") as caught:
        run_workflow([job("one", broken)], DAILY, services)
    assert "example.org" not in str(caught.value)
    assert not any("example.org" in (state.error or "") for state in services.ledger.states())


def test_resume_keeps_the_runs_own_as_of_date(services: Services) -> None:
    def fail(ctx: JobContext) -> None:
        raise ContractError("no")

    with pytest.raises(ContractError):
        run_workflow([job("one", fail)], RunOptions("daily", as_of=date(2025, 1, 31)), services)
    with pytest.raises(WorkflowError, match="is as of 2025-01-31; resume it without --as-of"):
        run_workflow([job("one", fail)], RunOptions("daily", as_of=date(2025, 2, 1), resume=True), services)


@pytest.mark.parametrize("verb", ["read", "former", "changes", "recall"])
def test_a_table_that_the_job_did_not_declare_is_refused(services: Services, verb: str) -> None:
    def reach(ctx: JobContext) -> None:
        getattr(ctx, verb)(table("gold.other"))

    with pytest.raises(WorkflowError, match=r"jobs/one.py: gold.other is not among its declared (reads|remembers)"):
        run_workflow([job("one", reach)], DAILY, services)
