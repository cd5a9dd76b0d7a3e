"""Members a second to a channel that answers late and takes one member a request, by several requests at once.

    python -m benchmarks.delivery_lanes [--members 2000] [--connector push] [--answers-after 0.1] [--json]

Each lane has a journal, a courier and a connection of its own, as the activation job gives it (`sending.lanes`). The
fake is on loopback in a process of its own; no rate is kept. Beside each number of lanes: one lane.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks.delivery import measured_pass
from benchmarks.measure import load, Result, tell
from cdp_lib.connectors.kit.checks import benches

LANES = (1, 2, 4, 8, 16)


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
            folder, late = Path(scratch) / f"{lanes}", options.answers_after
            figure = len(few) / measured_pass(options.connector, few, folder, lanes=lanes, answers_after=late).seconds
            alone = alone or figure
            data = f"{options.connector}, an answer in {late:g} s, {lanes} lanes"
            found.append(Result("delivery_lanes", data, "members_per_second", figure, alone, "one lane", "/s", load()))
    tell(found, as_json=options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
