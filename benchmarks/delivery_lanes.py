"""Members a second to a channel that answers late and takes one member a request, by several requests at once.

    python -m benchmarks.delivery_lanes [--members 2000] [--connector push] [--answers-after 0.1] [--json]

Each lane has a journal, a courier and a connection of its own, as the activation job gives it (`sending.lanes`). The
fake is on loopback in a process of its own; no rate is kept. Beside each number of lanes: one lane.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from benchmarks.delivery import by_courier, channel
from benchmarks.measure import load, Result, tell
from cdp_lib.connectors.kit.checks import benches
from cdp_lib.connectors.protocol import Item

LANES = (1, 2, 4, 8, 16)


def rate(name: str, items: Sequence[Item], folder: Path, *, lanes: int, answers_after: float) -> float:
    """Members a second. Exits where somebody was not taken."""
    bench = benches()[name]
    with channel(name, answers_after, len(items)) as (url, pipe):
        settings = bench.kind.settings.model_validate(bench.settings(url))

        def lane(number: int) -> int:
            with closing(bench.kind.build(settings)) as connector:
                return by_courier(bench, connector, items[number::lanes], folder / f"{lanes}" / f"{number}")

        begun = time.monotonic()
        with ThreadPoolExecutor(lanes) as pool:
            accepted = sum(pool.map(lane, range(lanes)))
        seconds = time.monotonic() - begun
        pipe.send("stop")
        taken = pipe.recv()
    if (accepted, taken) != (len(items), len(items)):
        raise SystemExit(f"delivery_lanes: {name} accepted {accepted} and took {taken} of {len(items)}")
    return len(items) / seconds


def main(arguments: list[str] | None = None) -> int:
    """The figures of one connector."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--members", type=int, default=2_000)
    parser.add_argument("--connector", choices=sorted(benches()), default="push")
    parser.add_argument("--answers-after", type=float, default=0.1, help="seconds that the channel takes to answer")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args(arguments)
    bench = benches()[options.connector]
    items = [bench.item(number) for number in range(options.members)]
    found: list[Result] = []
    alone = 0.0
    with tempfile.TemporaryDirectory(prefix="cdp-lanes-") as scratch:
        for lanes in LANES:
            few = items[: max(len(items) * lanes // LANES[-1], lanes)]
            figure = rate(options.connector, few, Path(scratch), lanes=lanes, answers_after=options.answers_after)
            alone = alone or figure
            data = f"{options.connector}, an answer in {options.answers_after:g} s, {lanes} lanes"
            found.append(Result("delivery_lanes", data, "members_per_second", figure, alone, "one lane", "/s", load()))
    tell(found, as_json=options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
