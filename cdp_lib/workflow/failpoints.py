"""Named points where a fault test kills the whole process group, as a power cut would."""

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

FAILPOINT_VARIABLE = "CDP_FAILPOINT"
_INSIDE = "inside:"
_LOOK_EVERY_SECONDS = 0.002
_LOOK_AT_MOST_SECONDS = 60.0


def failpoint_from(environment: dict[str, str], lakehouse: Callable[[], Path]) -> Callable[[str], None]:
    """A callable that dies at the point named in CDP_FAILPOINT and does nothing at any other.

    Points: `before:<job>`, `after:<job>` (done, its ledger row not written), `inside:<job>:<table>` (data files being
    written, no commit yet), `committed:<job>:<table>` (Delta has the commit, the ledger does not), `planned:<job>`.
    """
    wanted = environment.get(FAILPOINT_VARIABLE, "")

    def reached(point: str) -> None:
        if not wanted or point != wanted:
            return
        if point.startswith(_INSIDE):
            layer, noun = point.rsplit(":", 1)[-1].split(".", 1)
            _die_while_writing(lakehouse() / layer / noun)
        else:
            _die()

    return reached


def _die_while_writing(folder: Path) -> None:
    """Watch for the first new data file from a thread, then die: the write goes on meanwhile."""
    known = set(folder.glob("**/*.parquet"))

    def watch() -> None:
        until = time.monotonic() + _LOOK_AT_MOST_SECONDS
        while time.monotonic() < until:
            if set(folder.glob("**/*.parquet")) - known:
                _die()
            time.sleep(_LOOK_EVERY_SECONDS)

    threading.Thread(target=watch, daemon=True).start()


def _die() -> None:
    os.killpg(os.getpgid(0), signal.SIGKILL)
