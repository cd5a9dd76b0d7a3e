"""kill -9 at any moment of a send: nothing is lost, nothing is taken twice, and little is unknown."""

import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from cdp_lib.connectors.kit.bench import intent_of
from cdp_lib.connectors.kit.server import serving
from cdp_lib.io.journal import read_open
from tests.connectors.plain import PlainFake

ITEMS, BATCH = 300, 4
DEATHS = 9
MOMENTS = ("before_begin", "before_request", "after_request")
ROOT = Path(__file__).parents[2]


def run(*arguments: object) -> int:
    command = [sys.executable, "-m", "tests.connectors.send_and_die", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, timeout=60).returncode


@pytest.mark.fault
@pytest.mark.slow
@pytest.mark.parametrize("keys", ["keys", "none"])
def test_a_send_that_is_killed_again_and_again_accounts_for_everybody(tmp_path: Path, keys: str) -> None:
    draw = random.Random(f"deaths-{keys}")
    moments = [MOMENTS[number % len(MOMENTS)] for number in range(DEATHS)]
    draw.shuffle(moments)
    with serving(PlainFake(knows_keys=keys == "keys")) as server:
        for moment in moments:
            death = run(server.url, tmp_path, ITEMS, keys, draw.randint(1, 7), moment)
            assert death == -signal.SIGKILL
        assert run(server.url, tmp_path, ITEMS, keys, 0, "never") == 0
        taken = Counter(whom for _, whom in server.fake.taken)
    state = read_open(tmp_path)
    told = {one.intent_id: one.status for one in state.outcomes}
    assert state.open_batches == ()
    assert sorted(told) == [intent_of(number) for number in range(ITEMS)]
    assert len(state.outcomes) == ITEMS
    assert set(taken.values()) == {1}
    statuses = Counter(told.values())
    accepted = {f"person{int(intent_id, 16)}@example.com" for intent_id, status in told.items() if status == "accepted"}
    assert accepted <= set(taken)
    if keys == "keys":
        assert statuses == {"accepted": ITEMS}
    else:
        in_flight = sum(1 for moment in moments if moment != "before_begin")
        assert statuses == {"accepted": ITEMS - in_flight * BATCH, "unknown": in_flight * BATCH}
        assert len(taken) == ITEMS - moments.count("before_request") * BATCH
