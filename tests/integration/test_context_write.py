"""What a job writes is judged as the table would be, published once, and counted with what left."""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, UTC
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from cdp_lib.contracts.silver import EVENT
from cdp_lib.contracts.table import MergeByKey, ReplaceAll, Table, text
from cdp_lib.errors import ContractError, QualityError, WorkflowError
from cdp_lib.io.ledger import JobState, OpsLedger
from cdp_lib.io.store import DeltaStore, Stamp
from cdp_lib.settings.settings import Settings
from cdp_lib.workflow.context import JobContext
from cdp_lib.workflow.job import Job
from cdp_lib.workflow.progress import PlainLines
from cdp_lib.workflow.services import GateRequest, RunInfo, Services
from tests.builders import rows
from tests.gym import gym

COLUMNS = (text("visit_id", "Its id.", required=True), text("place", "Where."), text("_run_id", "Run.", required=True))
VISIT = Table("silver.visit", "One row per visit.", ("visit_id",), COLUMNS, MergeByKey())
PLACE = Table("gold.place", "One row per visit.", ("visit_id",), COLUMNS, ReplaceAll())
STARTED = datetime(2025, 1, 31, tzinfo=UTC)
Rows = set[tuple[str, str]]


@dataclass(frozen=True)
class Judged:
    """A verdict that was settled before."""

    success: bool
    message: str = "too few visits"
    rows: Sequence[Mapping[str, Any]] = ()


@dataclass
class Desk:
    """Runs of one job over one lakehouse, and what its gate saw."""

    services: Services
    seen: list[tuple[Rows, Rows]] = field(default_factory=list)
    told: io.StringIO = field(default_factory=io.StringIO)

    def context(self, number: int) -> JobContext:
        job = Job("visits", "Visits.", lambda ctx: None, (), (VISIT, PLACE), (), ("pack",), None)
        run = RunInfo(f"run-{number}", number, "daily", STARTED, None)
        pinned = JobState(
            run_id=run.run_id,
            run_number=number,
            workflow="daily",
            job="visits",
            attempt=1,
            status="started",
            config_hash="",
            recorded_at=STARTED,
        )
        return JobContext(job, run, self.services, pinned, None)

    def write(self, number: int, rows: Rows, gone: Sequence[str] | None = None, **how: Any) -> tuple[int, int | None]:
        """Rows that changed, and rows that the run reports as published."""
        ctx = self.context(number)
        frame = ctx.spark.createDataFrame(sorted(rows), "visit_id string, place string")
        keys = None if gone is None else ctx.spark.createDataFrame([(key,) for key in gone], "visit_id string")
        return ctx.write(VISIT, frame, gone=keys, **how), ctx.published.get(VISIT.name)

    @property
    def stored(self) -> Rows:
        return pairs(self.services.store.read(VISIT))


def pairs(frame: Any) -> Rows:
    return {tuple(row) for row in frame.select("visit_id", "place").collect()}


@pytest.fixture
def open_desk(spark: SparkSession, tmp_path: Path) -> Callable[[bool], Desk]:
    def open_(success: bool) -> Desk:
        def gate(request: GateRequest) -> Judged:
            desk.seen.append((pairs(request.batch), pairs(request.after)))
            return Judged(success or len(desk.seen) == 1)

        told = io.StringIO()
        services = Services(
            pack=gym(),
            settings=Settings(),
            store=DeltaStore(str(tmp_path / "lake"), lambda: spark),
            ledger=OpsLedger(str(tmp_path / "lake")),
            session=lambda: spark,
            gate=gate,
            reporter=PlainLines(told),
            landing="landing",
            models=lambda: None,
        )
        desk = Desk(services, told=told)
        desk.write(1, {("a", "gym"), ("b", "pool"), ("c", "pool")})
        return desk

    return open_


@pytest.fixture
def desk(open_desk: Callable[[bool], Desk]) -> Desk:
    return open_desk(True)


def test_the_gate_sees_the_table_without_the_rows_that_leave(desk: Desk) -> None:
    assert desk.write(2, {("a", "bar"), ("d", "gym")}, ["b"]) == (3, 3)
    left = {("a", "bar"), ("c", "pool"), ("d", "gym")}
    assert desk.seen[-1] == ({("a", "bar"), ("d", "gym")}, left)
    assert desk.stored == left
    assert "silver.visit: 3 rows" in desk.told.getvalue()


def test_rows_that_only_leave_are_judged_published_and_counted(desk: Desk) -> None:
    assert desk.write(2, set(), ["b", "c", "nobody"]) == (2, 2)
    assert desk.seen[-1] == (set(), {("a", "gym")})
    assert desk.stored == {("a", "gym")}


def test_a_given_row_does_not_leave_and_nothing_new_is_not_judged(desk: Desk) -> None:
    assert desk.write(2, {("a", "gym")}, ["a", "nobody"]) == (0, None)
    assert len(desk.seen) == 1


def test_a_run_that_is_tried_again_publishes_once(desk: Desk) -> None:
    desk.write(2, {("a", "bar")}, ["b"])
    version = desk.services.store.version(VISIT)
    assert desk.write(2, {("a", "bar")}, ["b"]) == (0, None)
    assert desk.write(2, {("a", "hall")}, ["c"])[1] is None
    assert desk.services.store.version(VISIT) == version


def test_a_refused_table_keeps_its_rows(open_desk: Callable[[bool], Desk]) -> None:
    desk = open_desk(False)
    before = desk.stored
    with pytest.raises(QualityError, match="too few visits"):
        desk.write(2, set(), ["b", "c"])
    assert desk.stored == before


def test_rows_cannot_leave_a_table_that_is_written_whole(desk: Desk) -> None:
    with pytest.raises(ContractError, match=r"silver\.visit: gone rows were given, but this write replaces the whole"):
        desk.write(2, {("a", "bar")}, ["b"], whole=True)
    ctx = desk.context(2)
    frame = desk.services.store.read(VISIT).drop("_run_id")
    with pytest.raises(ContractError, match=r"gold\.place: gone rows were given, but its write mode is ReplaceAll"):
        ctx.write(PLACE, frame, gone=frame.select("visit_id"))
    assert len(desk.seen) == 1


@pytest.mark.parametrize("ahead", [datetime(2052, 2, 3, tzinfo=UTC), datetime(2025, 2, 1, 0, 1, tzinfo=UTC)])
def test_a_fact_of_a_day_to_come_does_not_move_the_as_of_date(desk: Desk, spark: SparkSession, ahead: datetime) -> None:
    """A till's clock is ahead, by 27 years or by hours; the run began on the last day of January."""
    told = [datetime(2025, 1, 30, 12, tzinfo=UTC), ahead]
    facts = rows(spark, EVENT, *({"event_id": str(place), "event_at": at} for place, at in enumerate(told)))
    with desk.services.store.batch(EVENT, facts) as batch:
        desk.services.store.write(batch, Stamp("silver_conform", "run-0", 0))

    assert desk.context(1).as_of == date(2025, 1, 30)


def test_without_a_fact_up_to_today_the_as_of_date_must_be_given(desk: Desk) -> None:
    with pytest.raises(WorkflowError, match=r"no fact dated up to today.*--as-of"):
        _ = desk.context(1).as_of
