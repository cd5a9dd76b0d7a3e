"""Killed at boundaries, inside writes, between a Delta commit and its ledger row: the tables are a clean run's."""

import signal
import subprocess
import sys
from collections.abc import Callable, Mapping

import pytest

from cdp_lib.workflow.failpoints import FAILPOINT_VARIABLE
from tests.e2e.conftest import Content, Shop
from tests.e2e.library import write_first_day, write_second_day

pytestmark = pytest.mark.fault

FIRST_DAY = (
    "planned:bronze_ingest",
    "inside:bronze_ingest:bronze.loans",
    "accounted:bronze_ingest",
    "after:bronze_ingest",
    "inside:silver_conform:silver.customer_record",
    "after:silver_conform",
    "committed:silver_identity:silver.identity_link",
    "after:silver_identity",
    "inside:gold_customer:gold.customer",
    "committed:gold_customer:gold.customer",
)
SECOND_DAY = (
    "committed:bronze_ingest:bronze.loans",
    "inside:silver_conform:silver.customer_record",
    "committed:silver_conform:silver.customer_record",
    "committed:silver_identity:silver.identity_event",
    "committed:gold_customer:gold.customer",
    "after:gold_customer",
)


def start(shop: Shop, environment: Mapping[str, str], point: str | None, *, resume: bool) -> int:
    """A daily run in a process group of its own; its exit code."""
    place = shop.suite.place
    command = [sys.executable, "-m", "jobs", "run", "daily", "--pack", place.pack]
    command += ["--landing", str(place.landing), "--lakehouse", str(place.lakehouse), *(["--resume"] if resume else [])]
    named = {**environment, FAILPOINT_VARIABLE: point or ""}
    done = subprocess.run(
        command, env=named, start_new_session=True, capture_output=True, text=True, timeout=400, check=False
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr[-3000:]
    return done.returncode


def run_through(shop: Shop, environment: Mapping[str, str], points: tuple[str, ...], *, last_resumes: bool) -> None:
    """Die at one point after the other, each time going on with the same run; then finish."""
    for place, point in enumerate(points):
        assert start(shop, environment, point, resume=place > 0) == -signal.SIGKILL, f"{point} was never reached"
    assert start(shop, environment, None, resume=last_resumes) == 0


def tables(shop: Shop) -> dict[str, Content]:
    return shop.everything()


def test_a_run_that_dies_at_every_step_ends_like_a_clean_one(
    new_library: Callable[[str], Shop], small_conf: Mapping[str, str]
) -> None:
    clean, killed = new_library("clean"), new_library("killed")
    for shop in (clean, killed):
        write_first_day(shop.landing)
    clean_run = clean.run()
    run_through(killed, small_conf, FIRST_DAY, last_resumes=True)
    assert tables(killed) == tables(clean)
    assert killed.accounts(clean_run.run_id) == clean.accounts(clean_run.run_id)

    for shop in (clean, killed):
        write_second_day(shop.landing)
    clean.run()
    # The last start does not say --resume: a run that was cut off is finished all the same.
    run_through(killed, small_conf, SECOND_DAY, last_resumes=False)
    assert tables(killed) == tables(clean)
