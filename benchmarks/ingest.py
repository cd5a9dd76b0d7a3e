"""Rows per second from landing files to bronze, beside Spark's own CSV reader appending files to a Delta table.

The peer reads by position and knows no quarantine, duplicates, ledger or gate: it is the floor of what Spark costs.
"""

import argparse
import io
import shutil
import sys
import tempfile
from pathlib import Path

from pyspark.sql import types as T
from rich.console import Console

from benchmarks.measure import Cost, load, measured, Result, tell
from cdp_lib.contracts import bronze, ops
from cdp_lib.simulate.sample import export_sample
from jobs.compose import build_suite, Place, Request, run_named, Suite

PACK, SOURCE = "department_store", "pos_sales"


def main(arguments: list[str] | None = None) -> int:
    """Prints rows per second and CPU seconds of both."""
    options = _options(arguments)
    folder = Path(tempfile.mkdtemp(prefix="cdp-ingest-", dir=options.scratch))
    try:
        suite = build_suite(Place(PACK, str(folder / "landing"), str(folder / "lake")))
        if suite.pack.sample is None:
            raise SystemExit(f"pack {PACK} has no sample.yml")
        export_sample(suite.pack.sample, Path(suite.landing), time_zone=suite.pack.info.time_zone)
        suite.session().range(1).count()
        with measured() as plain:
            plain_rows = _plain_spark(suite, folder / "plain")
        with measured() as ours:
            report = run_named(suite, Request(only=("bronze_ingest",)), Console(file=io.StringIO()))[-1]
        rows = sum(row["read_count"] for row in suite.ledger.rows(ops.ROW_ACCOUNT) if row["run_id"] == report.run_id)
        suite.session().stop()
    finally:
        shutil.rmtree(folder)
    data, peer = f"{PACK}, {rows:,} rows of all sources", f"spark csv to delta, {plain_rows:,} rows of {SOURCE}"
    speeds = (rows / ours.seconds, plain_rows / plain.seconds)
    costs = _per_million(ours, rows, plain, plain_rows)
    results = [
        Result("ingest", data, "rows per second", *speeds, peer, "rows/s", load()),
        Result("ingest", data, "CPU per million rows", *costs, peer, "CPU s", load()),
    ]
    tell(results, as_json=options.json)
    return 0


def _per_million(ours: Cost, rows: int, plain: Cost, plain_rows: int) -> tuple[float, float]:
    return ours.cpu_seconds * 1e6 / rows, plain.cpu_seconds * 1e6 / plain_rows


def _plain_spark(suite: Suite, out: Path) -> int:
    """The source's files, read with its schema and appended: what the shortest script would do."""
    source = suite.pack.source(SOURCE)
    kinds = {column.name: column.spark_type for column in bronze.accepted(source).columns}
    schema = T.StructType([T.StructField(name, kinds[name]) for name in source.columns])
    read = suite.session().read.schema(schema).option("header", "true")
    read.csv(f"{suite.landing}/{source.read.path}").write.format("delta").mode("append").save(str(out))
    return suite.session().read.format("delta").load(str(out)).count()


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ingest", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--scratch", type=Path, default=None, help="folder for the files; the system's when left out")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
