"""Killed while the matcher is trained and its tables are written: people are those of a clean run."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from cdp_lib.settings.settings import MlflowSettings
from cdp_lib.workflow.failpoints import FAILPOINT_VARIABLE
from tests.e2e.conftest import content_of
from tests.integration.people import Business, business, simulated

pytestmark = pytest.mark.fault

SETTINGS = "identifiers: [{field: member_no, max_values: 1}]\nmatching: {random_pairs: 20000}\n"
POINTS = (
    "registered:silver_identity",
    "committed:silver_identity:silver.match_pair",
    "committed:silver_identity:silver.identity_link",
)


def identify(shop: Business, environment: Mapping[str, str], point: str | None = None) -> int:
    """The identity job in a process group of its own; its exit code."""
    place = shop.suite.place
    command = [sys.executable, "-m", "jobs", "run", "daily", "--only", "silver_identity", "--pack", place.pack]
    command += ["--lakehouse", str(place.lakehouse)]
    named = {**environment, FAILPOINT_VARIABLE: point or ""}
    done = subprocess.run(
        command, env=named, start_new_session=True, capture_output=True, text=True, timeout=400, check=False
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr[-3000:]
    return done.returncode


def test_people_of_a_killed_run_are_those_of_a_clean_one(
    spark: SparkSession, tmp_path: Path, small_conf: Mapping[str, str]
) -> None:
    environment = {**os.environ, **small_conf}
    rows = simulated(300)
    clean, killed = (
        business(spark, tmp_path / name / "killed_shop", tmp_path / name / "lake", MlflowSettings(), SETTINGS)
        for name in ("clean", "killed")
    )
    for shop in (clean, killed):
        shop.publish(rows, 1)
    assert identify(clean, environment) == 0
    for point in POINTS:
        assert identify(killed, environment, point) == -signal.SIGKILL, f"{point} was never reached"
    assert identify(killed, environment) == 0
    # The tables name the model's version: a run that was cut off has not trained twice.
    assert content_of(killed.suite) == content_of(clean.suite)
