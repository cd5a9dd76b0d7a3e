"""Members a second that each connector delivers to the fake of its channel, through courier and journal.

    python -m benchmarks.delivery [--members 20000] [--singles 5000] [--connector NAME] [--json]

Its channel is on loopback in a process of its own; requests are as large as it allows, and no rate is kept. The
journal is on the disk (`--scratch`) before each request. Beside it the same connector with neither courier nor journal.
CPU seconds are those of the sending process. A real channel answers later and sets the pace: `per_second` of its kind.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, UTC
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks.measure import load, Result, tell
from cdp_lib.connectors.batching import batch_key, batches
from cdp_lib.connectors.courier import Courier
from cdp_lib.connectors.kit.bench import Bench
from cdp_lib.connectors.kit.checks import benches
from cdp_lib.connectors.kit.script import Behaviour
from cdp_lib.connectors.protocol import Batch, Connector, Item
from cdp_lib.io.journal import IntentJournal

_NO_LIMIT = 1e9


@dataclass
class Pass:
    """What one sending took."""

    accepted: int
    seconds: float
    cpu_seconds: float


def serve(name: str, pipe: Connection, answers_after: float, requests: int) -> None:
    """A new channel until something comes through the pipe; then how many it took."""
    late: list[Behaviour] = ["slow"] * requests
    with benches()[name].channel(late, slow_seconds=answers_after) as served:
        pipe.send(served.url)
        pipe.recv()
        pipe.send(len(served.taken()))


@contextmanager
def channel(name: str, answers_after: float = 0.0, requests: int = 0) -> Iterator[tuple[str, Connection]]:
    """Address of a new channel in a process of its own, and the pipe that ends it.

    It answers so many requests only after so many seconds.
    """
    ours, theirs = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=serve, args=(name, theirs, answers_after, requests), daemon=True)
    process.start()
    try:
        yield ours.recv(), ours
    finally:
        process.join(10)


def by_courier(bench: Bench, connector: Connector, items: Sequence[Item], folder: Path) -> int:
    """How many were accepted, as the activation job sends."""
    accepted = 0
    with IntentJournal(folder) as journal:
        courier = Courier(
            replace(bench.kind, limits=replace(bench.kind.limits, per_second=_NO_LIMIT)),
            connector,
            journal,
            stop=lambda: None,
            clock=lambda: datetime.now(UTC),
            sleep=time.sleep,
        )
        for outcomes in courier.deliver(items, operation=bench.kind.operations[0], campaign="benchmark"):
            accepted += sum(one.status == "accepted" for one in outcomes)
    return accepted


def bare(bench: Bench, connector: Connector, items: Sequence[Item]) -> int:
    """How many were accepted by requests alone."""
    limits, operation = bench.kind.limits, bench.kind.operations[0]
    accepted = 0
    for group in batches(items, limits.batch_size, limits.batch_bytes, shares_parts=bench.kind.shares_parts):
        batch = Batch(operation, "benchmark", group)
        receipt = connector.deliver(batch, idempotency_key=batch_key(batch))
        accepted += sum(one.status == "accepted" for one in receipt.outcomes)
    return accepted


def measured_pass(
    name: str, items: Sequence[Item], folder: Path | None, *, lanes: int = 1, answers_after: float = 0.0
) -> Pass:
    """One sending to a new channel, in so many lanes; with a folder through couriers and journals.

    Exits where somebody was not taken.
    """
    bench = benches()[name]
    with channel(name, answers_after, len(items) if answers_after else 0) as (url, pipe), ExitStack() as open_:
        settings = bench.kind.settings.model_validate(bench.settings(url))
        connectors = [open_.enter_context(closing(bench.kind.build(settings))) for _ in range(lanes)]

        def lane(number: int) -> int:
            connector, own = connectors[number], items[number::lanes]
            if folder is None:
                return bare(bench, connector, own)
            return by_courier(bench, connector, own, folder / f"{number}")

        clock, cpu = time.monotonic(), time.process_time()
        with ThreadPoolExecutor(lanes) as pool:
            accepted = sum(pool.map(lane, range(lanes)))
        took = Pass(accepted, time.monotonic() - clock, time.process_time() - cpu)
        pipe.send("stop")
        taken = pipe.recv()
    if (accepted, taken) != (len(items), len(items)):
        raise SystemExit(f"delivery: {name} accepted {accepted} and took {taken} of {len(items)}")
    return took


def results(name: str, count: int, scratch: Path) -> Iterator[Result]:
    """Rate and cost of one connector, beside itself alone."""
    bench = benches()[name]
    items = [bench.item(number) for number in range(count)]
    ours, alone = measured_pass(name, items, scratch / name), measured_pass(name, items, None)
    data = f"{name}, {count:,} members by {bench.kind.limits.batch_size:,}"
    for metric, figure, peer, unit in (
        ("members_per_second", count / ours.seconds, count / alone.seconds, "members/s"),
        ("cpu_seconds", ours.cpu_seconds, alone.cpu_seconds, "CPU s"),
    ):
        yield Result("delivery", data, metric, figure, peer, "connector alone", unit, load())


def main(arguments: list[str] | None = None) -> int:
    """Every connector that has a bench, or one."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--members", type=int, default=20_000, help="for channels that take many in one request")
    parser.add_argument("--singles", type=int, default=5_000, help="for channels that take one")
    parser.add_argument("--connector", choices=sorted(benches()))
    parser.add_argument("--scratch", type=Path, default=None, help="folder of the journals; the system's when left out")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args(arguments)
    found: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="cdp-delivery-", dir=options.scratch) as scratch:
        for name in [options.connector] if options.connector else sorted(benches()):
            is_single = benches()[name].kind.limits.batch_size == 1
            found += results(name, options.singles if is_single else options.members, Path(scratch))
    tell(found, as_json=options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
