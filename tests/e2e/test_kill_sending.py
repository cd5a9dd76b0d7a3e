"""Killed while it sends: nobody is lost, nobody is told twice where the channel can tell, and the rest is accounted."""

import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from cdp_lib.connectors.kit import meta_audience, sms
from cdp_lib.connectors.kit.server import serving
from cdp_lib.settings.settings import MlflowSettings
from cdp_lib.workflow.failpoints import FAILPOINT_VARIABLE
from jobs.deliveries import last_states
from tests.integration.mailing import DAY, Mailing, mailing, phones

pytestmark = pytest.mark.fault

PEOPLE = 12
LANES = 2
POINTS = ("noted:activate", "settled:activate", "flushed:activate")
"""The plan is in the ledger; a request has ended, with nothing of it in the ledger; a commit of outcomes is made."""


def start(shop: Mailing, environment: Mapping[str, str], point: str | None) -> int:
    """A run that sends, in a process group of its own; its exit code."""
    place = shop.suite.place
    command = [sys.executable, "-m", "jobs", "run", "activation", "--send", "--pack", place.pack]
    command += ["--landing", str(place.landing), "--lakehouse", str(place.lakehouse), "--as-of", f"{DAY}"]
    named = {**environment, FAILPOINT_VARIABLE: point or ""}
    done = subprocess.run(
        command, env=named, start_new_session=True, capture_output=True, text=True, timeout=400, check=False
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr[-3000:]
    return done.returncode


def test_a_run_that_dies_while_it_sends_tells_everybody_once_or_says_who_is_in_doubt(
    spark: SparkSession, tmp_path: Path, small_conf: Mapping[str, str]
) -> None:
    people = phones(PEOPLE)
    settings = Path(small_conf["CDP_CONF"]) / "base.yml"
    settings.write_text(f"{settings.read_text()}\nsending: {{flush_count: 4, lanes: {LANES}}}\n")
    with serving(sms.BENCH.fake()) as texts, serving(meta_audience.BENCH.fake()) as network:
        shop, secrets = mailing(spark, tmp_path, MlflowSettings(), (texts, network))
        shop.publish(people)
        environment = {**small_conf, **secrets}
        for point in POINTS:
            assert start(shop, environment, point) == -signal.SIGKILL, f"{point} was never reached"
        assert start(shop, environment, None) == 0
        texted = shop.texted
        assert sorted(network.fake.taken) == [("add", f"c{number:03}") for number in range(PEOPLE)]
    states = last_states(shop.suite)
    assert len(states) == 2 * PEOPLE
    assert {row["status"] for row in states if row["activation_id"] == "follow"} == {"accepted"}
    greeted: dict[str, set[str]] = {"accepted": set(), "unknown": set()}
    for row in states:
        if row["activation_id"] == "greet":
            greeted[row["status"]].add(people[row["golden_id"]]["phone"])
    # Whoever was in flight at a kill may have been told, and stays in doubt. The first kill is before any request.
    assert len(greeted["unknown"]) <= LANES * (len(POINTS) - 1)
    assert set.union(*greeted.values()) == {one["phone"] for one in people.values()}
    assert greeted["accepted"] <= set(texted) <= set.union(*greeted.values())
    assert max(texted.values()) == 1
