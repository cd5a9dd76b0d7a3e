"""The daily run's cost at 100%, 1% and 0% new data, on the real year: what a new day costs above a day without news."""

import argparse
import io
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from rich.console import Console

from benchmarks.measure import Cost, load, measured, Result, tell
from cdp_lib.contracts import ops
from cdp_lib.simulate.sample import export_sample
from jobs.compose import build_suite, Place, Request, run_named, Suite

PACK = "department_store"
LAST_DAY_OF_FIRST_RUN = date(2017, 12, 27)
"""The four days that follow hold about 1% of the year's lines."""


def main(arguments: list[str] | None = None) -> int:
    """Prints CPU and wall seconds of each run, and the share of the full run that 1% costs above a run without news."""
    options = _options(arguments)
    with _scratch(options.scratch) as folder:
        suite = build_suite(Place(PACK, str(folder / "landing"), str(folder / "lake")))
        costs: dict[str, Cost] = {}
        with measured() as costs["start"]:
            suite.session().range(1).count()
        _land(suite, LAST_DAY_OF_FIRST_RUN)
        with measured() as costs["100%"]:
            rows = _run(suite)
        _land(suite, None)
        with measured() as costs["1%"]:
            new_rows = _run(suite)
        with measured() as costs["0%"]:
            _run(suite)
        suite.session().stop()
    data = f"{PACK}, {rows:,} rows, then {new_rows:,}"
    tell(list(_results(costs, data)), as_json=options.json)
    return 0


def _results(costs: dict[str, Cost], data: str) -> Iterator[Result]:
    full, one, none = costs["100%"], costs["1%"], costs["0%"]
    for name, cost in costs.items():
        metric = "session start" if name == "start" else f"run with {name} new data"
        yield Result("pipeline", data, f"{metric}, CPU", cost.cpu_seconds, None, None, "CPU s", load())
        yield Result("pipeline", data, f"{metric}, time", cost.seconds, None, None, "s", load())
    above = (one.cpu_seconds - none.cpu_seconds) / (full.cpu_seconds - none.cpu_seconds)
    yield Result("pipeline", data, "1% above no-op, share of the full run's CPU", above, 0.15, "aim", "share", load())


def _run(suite: Suite) -> int:
    """Rows that the run read."""
    report = run_named(suite, Request(), Console(file=io.StringIO()))[-1]
    return sum(row["read_count"] for row in suite.ledger.rows(ops.ROW_ACCOUNT) if row["run_id"] == report.run_id)


def _land(suite: Suite, last_day: date | None) -> None:
    sample = suite.pack.sample
    if sample is None:
        raise SystemExit(f"pack {PACK} has no sample.yml")
    export_sample(sample, Path(suite.landing), time_zone=suite.pack.info.time_zone, last_day=last_day)


@contextmanager
def _scratch(parent: Path | None) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="cdp-pipeline-", dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pipeline", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--scratch", type=Path, default=None, help="folder for the files; the system's when left out")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
