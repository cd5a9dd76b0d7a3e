"""Send items to a plain channel, going on where an earlier process died, and die at one point of one request.

Arguments: address, folder of the journal, number of items, `keys` or `none`, the number of the request at which to
die (0: never), and when: before_begin, before_request, after_request.
"""

import os
import signal
import sys
import time
from dataclasses import dataclass
from datetime import datetime, UTC
from pathlib import Path

from cdp_lib.connectors.courier import Courier
from cdp_lib.connectors.protocol import Batch, Receipt
from cdp_lib.io.journal import IntentJournal, read_open
from tests.connectors.plain import bench_of, Plain, PlainWithKeys


@dataclass
class Killer:
    """Counts requests, and kills the process when its moment has come."""

    request: int
    moment: str
    seen: int = 0

    def at(self, moment: str) -> None:
        self.seen += moment == "before_begin"
        if (self.seen, moment) == (self.request, self.moment):
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


@dataclass
class DyingConnector:
    """The real one."""

    connector: Plain
    killer: Killer

    def deliver(self, batch: Batch, *, idempotency_key: str) -> Receipt:
        self.killer.at("before_request")
        receipt = self.connector.deliver(batch, idempotency_key=idempotency_key)
        self.killer.at("after_request")
        return receipt

    def close(self) -> None:
        self.connector.close()


def main(url: str, folder: Path, count: int, connector: type[Plain], killer: Killer) -> None:
    bench = bench_of(connector)
    plain = bench.kind.build(bench.kind.settings.model_validate(bench.settings(url)))
    before = read_open(folder)
    with IntentJournal(folder) as journal:
        courier = Courier(
            bench.kind,
            DyingConnector(plain, killer),
            DyingJournal(journal, killer),
            stop=lambda: None,
            clock=lambda: datetime.now(UTC),
            sleep=time.sleep,
        )
        items = {one.intent_id: one for one in map(bench.item, range(count))}
        for _ in courier.resume(before.open_batches, items):
            pass
        known = {one.intent_id for one in read_open(folder).outcomes}
        left = [one for intent_id, one in items.items() if intent_id not in known]
        for _ in courier.deliver(left, operation="send", campaign="spring"):
            pass
    plain.close()


if __name__ == "__main__":
    address, place, number, keys, request, moment = sys.argv[1:]
    kind = PlainWithKeys if keys == "keys" else Plain
    main(address, Path(place), int(number), kind, Killer(int(request), moment))
