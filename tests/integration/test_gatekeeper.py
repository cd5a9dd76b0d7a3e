"""The gate between a job and its tables: whose rules are asked of what."""

import io
from collections.abc import Callable, Sequence
from datetime import date, datetime, UTC
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from cdp_lib.contracts import ops
from cdp_lib.contracts.silver import EVENT, ORDER
from cdp_lib.contracts.table import Table
from cdp_lib.errors import QualityError
from cdp_lib.io.ledger import JobState, OpsLedger
from cdp_lib.io.store import DeltaStore
from cdp_lib.settings.rule import Rule
from cdp_lib.settings.settings import Settings
from cdp_lib.workflow.context import JobContext
from cdp_lib.workflow.job import Job
from cdp_lib.workflow.progress import PlainLines
from cdp_lib.workflow.services import RunInfo, Services
from jobs.gatekeeper import gatekeeper
from tests.builders import rows
from tests.gym import gym

AS_OF = date(2025, 1, 31)
Desk = Callable[..., JobContext]


def rule(table: Table, **said: Any) -> Rule:
    return Rule.model_validate({"kind": "rule", "id": "own", "tables": [table.name], "severity": "warn"} | said)


@pytest.fixture
def desk(spark: SparkSession, tmp_path: Path) -> Desk:
    """A job that writes one table, judged by these rules."""
    root = str(tmp_path / "lake")
    ledger = OpsLedger(root)

    def context(writes: Table, *rules: Rule, number: int = 1) -> JobContext:
        services = Services(
            pack=gym(),
            settings=Settings(),
            store=DeltaStore(root, lambda: spark),
            ledger=ledger,
            session=lambda: spark,
            gate=gatekeeper(gym(), rules, ledger, tmp_path / "validations", lambda table: ()),
            reporter=PlainLines(io.StringIO()),
            landing="landing",
            models=lambda: None,
        )
        now = datetime(2025, 2, 1, tzinfo=UTC)
        run = RunInfo(f"run-{number}", number, "daily", now, AS_OF)
        pinned = JobState(run.run_id, number, "daily", writes.noun, 1, "started", "", now)
        return JobContext(
            Job(writes.noun, "Writes.", lambda ctx: None, (), (writes,), (), ("pack",), None),
            run,
            services,
            pinned,
            None,
        )

    return context


def events(spark: SparkSession, *days: int) -> Any:
    told = [{"event_id": f"e{day}", "event_at": datetime(2025, 1, day, tzinfo=UTC)} for day in days]
    return rows(spark, EVENT, *told).drop("_run_id")


def verdicts(ctx: JobContext) -> Sequence[tuple[str, str, bool]]:
    found = [row for row in ctx.recorded(ops.QUALITY_RESULT) if row["run_id"] == ctx.run.run_id]
    return [(row["table_name"], row["expectation"], row["success"]) for row in found]


def test_a_rule_compares_with_a_table_that_the_job_does_not_read(desk: Desk, spark: SparkSession) -> None:
    known = rule(ORDER, referential={"columns": ["person_id"], "found_in": EVENT.name, "found_columns": ["event_id"]})
    orders = rows(spark, ORDER, *({"order_id": name, "person_id": name} for name in ("e1", "e2"))).drop("_run_id")

    before = desk(ORDER, known)
    before.write(ORDER, orders.where("order_id = 'e1'"))
    assert verdicts(before) == []  # nothing to compare with yet

    desk(EVENT).write(EVENT, events(spark, 1))
    after = desk(ORDER, known, number=2)
    after.write(ORDER, orders)
    assert verdicts(after) == [(ORDER.name, "own", False)]


def test_a_table_that_gets_no_rows_any_more_is_stale_all_the_same(desk: Desk, spark: SparkSession) -> None:
    fresh = rule(EVENT, freshness={"column": "event_at", "at_most_days": 7})
    desk(EVENT).write(EVENT, events(spark, 1))

    silent = desk(EVENT, fresh, number=2)
    silent.judge_age(EVENT)
    silent.judge_age(ORDER)  # is not there
    assert verdicts(silent) == [(EVENT.name, "own", False)]

    told = desk(EVENT, fresh, number=3)
    told.write(EVENT, events(spark, 30))
    told.judge_age(EVENT)
    assert verdicts(told) == [(EVENT.name, "own", True)], "judged once, as it was written"

    desk(EVENT, rule(EVENT, volume={"at_least": 5}), number=4).judge_age(EVENT)
    assert len(told.recorded(ops.QUALITY_RESULT)) == 2, "time changes nothing else"


def test_a_stale_table_ends_the_run_where_its_rule_says_so(desk: Desk, spark: SparkSession) -> None:
    desk(EVENT).write(EVENT, events(spark, 1))
    fresh = rule(EVENT, freshness={"column": "event_at", "at_most_days": 7}, severity="error")
    with pytest.raises(QualityError, match=r"silver\.event.*own"):
        desk(EVENT, fresh, number=2).judge_age(EVENT)
