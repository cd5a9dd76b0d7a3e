"""kill -9 at each step of a send to 5,000 members, by every connector: nobody is lost, nobody is reached twice.

Each connector is killed once at each moment, by itself or by its channel, at a request drawn from a seed, and goes on
in a new process. Batches are of 200 items at most, so that there are requests enough to die at. Mail and
drops go to the real servers of their benches; all others speak HTTP to the fake of theirs.
"""

import os
import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from cdp_lib.connectors.kit.bench import intent_of
from cdp_lib.connectors.kit.server import ChannelFake, Request, Response, serving
from cdp_lib.io.journal import read_open
from tests.connectors.send_and_die import BAD, BENCHES, MOMENTS

ITEMS, BATCH = 5_000, 200
WHILE_ASKED = "while_asked"
IN_FLIGHT = ("before_request", WHILE_ASKED, "after_request")
ROOT = Path(__file__).parents[2]


@dataclass
class Deadly:
    """A channel that takes what it is asked, and kills who asked it before they hear of it."""

    fake: ChannelFake
    requests_left: int = 0
    victim: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, request: Request) -> Response:
        with self.lock:
            response = self.fake.answer(request)
            self.requests_left -= 1
            if self.requests_left == 0:
                os.kill(self.victim, signal.SIGKILL)
            return response


@dataclass(frozen=True)
class Reached:
    """Where to send, and who was told what so far."""

    url: str
    taken: Callable[[], Sequence[tuple[str, str]]]
    deadly: Deadly | None = None


@contextmanager
def channel_of(name: str) -> Iterator[Reached]:
    bench = BENCHES[name]
    if bench.fake is None:
        with bench.channel() as served:
            yield Reached(served.url, served.taken)
    else:
        deadly = Deadly(bench.fake())
        with serving(deadly) as server:
            yield Reached(server.url, lambda: deadly.fake.taken, deadly)


def run(channel: Reached, *arguments: Any, request: int, moment: str) -> int:
    """How a process ended that sends what is left; it dies at that moment of that request."""
    command = [sys.executable, "-m", "tests.connectors.send_and_die", *map(str, (*arguments, request, moment))]
    deadly = channel.deadly
    with deadly.lock if deadly else nullcontext():
        process = subprocess.Popen(command, cwd=ROOT)
        if deadly and moment == WHILE_ASKED:
            deadly.victim, deadly.requests_left = process.pid, request
    try:
        return process.wait(timeout=120)
    finally:
        process.kill()


@pytest.mark.fault
@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(BENCHES))
def test_a_send_that_is_killed_again_and_again_accounts_for_everybody(tmp_path: Path, name: str) -> None:
    bench = BENCHES[name]
    size = min(BATCH, bench.kind.limits.batch_size)
    draw = random.Random(f"deaths-{name}")
    with channel_of(name) as channel:
        deaths = [*MOMENTS, WHILE_ASKED] if channel.deadly else [*MOMENTS]
        draw.shuffle(deaths)
        most = ITEMS // size // (len(deaths) + 1)
        given = (name, channel.url, tmp_path / "journal", ITEMS, size)
        for moment in deaths:
            assert run(channel, *given, request=draw.randint(1, most), moment=moment) == -signal.SIGKILL
        assert run(channel, *given, request=0, moment="never") == 0
        taken = Counter(whom for _, whom in channel.taken())
    state = read_open(tmp_path / "journal")
    assert state.open_batches == ()
    assert sorted(one.intent_id for one in state.outcomes) == [intent_of(number) for number in range(ITEMS)]
    assert set(taken.values()) == {1}
    told = {
        status: {one.intent_id for one in state.outcomes if one.status == status}
        for status in ("accepted", "rejected", "unknown")
    }
    assert sum(len(intents) for intents in told.values()) == ITEMS
    whom = {intent_of(number): bench.whom(bench.item(number)) for number in range(ITEMS)}
    bad = {intent_of(number) for number in BAD} if bench.bad_item else set()
    assert told["rejected"] <= bad <= told["rejected"] | told["unknown"]
    assert {whom[one] for one in told["accepted"]} <= set(taken)
    assert set(taken) <= {whom[one] for one in told["accepted"] | told["unknown"]}
    in_flight = 0 if bench.kind.is_idempotent else sum(moment in IN_FLIGHT for moment in deaths)
    assert len(told["unknown"]) == in_flight * size
