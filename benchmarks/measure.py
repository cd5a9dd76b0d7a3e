"""What a piece of work costs, and how a benchmark says so: one JSON object a line, or text.

Cost is CPU seconds of the whole process tree, because the machine may be busy; the load stands beside every figure.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

_PARENT, _TIMES = 1, slice(11, 15)
"""Places in /proc/<pid>/stat after the command's name: parent, and user and system time, own and of reaped children."""


@dataclass
class Cost:
    """What a piece of work took."""

    cpu_seconds: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True)
class Result:
    """One figure of ours beside one of a peer; `peer` is null where there is none."""

    benchmark: str
    data: str
    metric: str
    ours: float
    peer: float | None
    peer_name: str | None
    unit: str
    load: float

    @property
    def ratio(self) -> float | None:
        """Ours over the peer's."""
        return self.ours / self.peer if self.peer else None


def cpu_seconds() -> float:
    """User and system time so far of this process and all below it, the JVM and its workers included."""
    parents, ticks = _processes()
    tree, waiting = 0, [os.getpid()]
    while waiting:
        process = waiting.pop()
        tree += ticks.get(process, 0)
        waiting += [child for child, parent in parents.items() if parent == process]
    return tree / os.sysconf("SC_CLK_TCK")


def _processes() -> tuple[dict[int, int], dict[int, int]]:
    parents: dict[int, int] = {}
    ticks: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile; its time is in its parent's
        parents[int(folder.name)] = int(fields[_PARENT])
        ticks[int(folder.name)] = sum(int(field) for field in fields[_TIMES])
    return parents, ticks


@contextmanager
def measured() -> Iterator[Cost]:
    """The cost of the block, filled in when it ends."""
    cost = Cost()
    cpu, clock = cpu_seconds(), time.monotonic()
    yield cost
    cost.cpu_seconds, cost.seconds = cpu_seconds() - cpu, time.monotonic() - clock


def peak_mib() -> float:
    """Most memory that this process and those now below it ever held at once each, summed: an upper bound in MiB."""
    parents, _ = _processes()
    tree, waiting = 0, [os.getpid()]
    while waiting:
        process = waiting.pop()
        tree += _peak_kib(process)
        waiting += [child for child, parent in parents.items() if parent == process]
    return tree / 1024


def _peak_kib(process: int) -> int:
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0  # it ended meanwhile
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)


def load() -> float:
    """Processes that wanted to run, on average over the last minute."""
    return os.getloadavg()[0]


def tell(results: list[Result], *, as_json: bool) -> None:
    """Writes one line per result: a JSON object, or text with the ratio."""
    for result in results:
        if as_json:
            sys.stdout.write(json.dumps(asdict(result)) + "\n")
            continue
        beside = ""
        if result.peer is not None and result.ratio is not None:
            beside = f"  {result.peer_name} {result.peer:.2f}  ratio {result.ratio:.2f}"
        sys.stdout.write(
            f"{result.benchmark}  {result.data}  {result.metric}: ours {result.ours:.2f} {result.unit}{beside}"
            f"  (load {result.load:.1f})\n"
        )
    sys.stdout.flush()
