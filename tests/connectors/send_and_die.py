"""Send items by one connector, going on where an earlier process died, and die at one point of one request.

Arguments: the connector's name in `BENCHES`, address of its channel, folder of the journal, number of items, items of a
request at most, the number of the request at which to die (0: never), and when: one of MOMENTS. `while_asked` is none
of this process's moments: the channel kills it.
"""

import os
import random
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, UTC
from pathlib import Path

from cdp_lib.connectors.courier import Courier
from cdp_lib.connectors.kit.bench import Bench
from cdp_lib.connectors.kit.checks import benches
from cdp_lib.connectors.protocol import Batch, Connector, Item, Receipt
from cdp_lib.io.journal import IntentJournal, read_open
from tests.connectors.plain import bench_of, Plain, PlainWithKeys

MOMENTS = ("before_begin", "before_request", "after_request", "after_end")
UNLIMITED_PER_SECOND = 1e9
BAD = (17, 71)
"""Numbers of the items that the channel refuses, where it refuses anybody."""


BENCHES = {
    "plain": bench_of(Plain),
    "plain_with_keys": bench_of(PlainWithKeys),
    **benches(),
}


def items_of(name: str, count: int) -> list[Item]:
    """The same in every process: a shuffled crowd with a few whom the channel refuses."""
    bench = BENCHES[name]
    numbers = list(range(count))
    random.Random(f"crowd-{name}").shuffle(numbers)
    return [bench.bad_item(one) if bench.bad_item and one in BAD else bench.item(one) for one in numbers]


@dataclass
class Killer:
    """Counts requests, and kills the process when its moment has come: a refused request has no `after_request`."""

    request: int
    moment: str
    seen: int = 0

    def at(self, moment: str) -> None:
        self.seen += moment == "before_begin"
        if 0 < self.request <= self.seen and moment == self.moment:
            os.kill(os.getpid(), signal.SIGKILL)


@dataclass
class DyingJournal:
    """The real one."""

    journal: IntentJournal
    killer: Killer

    def begin(self, idempotency_key: str, batch: Batch) -> None:
        self.killer.at("before_begin")
        self.journal.begin(idempotency_key, batch)

    def end(self, outcomes: tuple) -> None:
        self.journal.end(outcomes)
        self.killer.at("after_end")

    def part(self, requests: Sequence[tuple[str, Batch]]) -> None:
        self.journal.part(requests)
        self.killer.at("after_end")


@dataclass
class DyingConnector:
    """The real one."""

    connector: Connector
    killer: Killer

    def deliver(self, batch: Batch, *, idempotency_key: str) -> Receipt:
        self.killer.at("before_request")
        receipt = self.connector.deliver(batch, idempotency_key=idempotency_key)
        self.killer.at("after_request")
        return receipt

    def close(self) -> None:
        self.connector.close()


def main(name: str, url: str, folder: Path, items: list[Item], courier_of: Callable[..., Courier]) -> None:
    bench = BENCHES[name]
    connector = bench.kind.build(bench.kind.settings.model_validate(bench.settings(url)))
    before = read_open(folder)
    with IntentJournal(folder) as journal:
        courier = courier_of(bench, connector, journal)
        for _ in courier.resume(before.open_batches, {one.intent_id: one for one in items}):
            pass
        known = {one.intent_id for one in read_open(folder).outcomes}
        left = [one for one in items if one.intent_id not in known]
        for _ in courier.deliver(left, operation=bench.kind.operations[0], campaign="spring"):
            pass
    connector.close()


def dying_courier(bench: Bench, connector: Connector, journal: IntentJournal, size: int, killer: Killer) -> Courier:
    """At any rate: how fast a channel may be asked is not what is tested."""
    return Courier(
        replace(bench.kind, limits=replace(bench.kind.limits, per_second=UNLIMITED_PER_SECOND)),
        DyingConnector(connector, killer),
        DyingJournal(journal, killer),
        stop=lambda: None,
        clock=lambda: datetime.now(UTC),
        sleep=time.sleep,
        batch_size=size,
    )


if __name__ == "__main__":
    which, address, place, number, most, request, moment = sys.argv[1:]
    killer = Killer(int(request), moment)
    main(
        which,
        address,
        Path(place),
        items_of(which, int(number)),
        lambda bench, connector, journal: dying_courier(bench, connector, journal, int(most), killer),
    )
