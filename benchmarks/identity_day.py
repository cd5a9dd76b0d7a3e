"""What a day with 1% new records costs the identity job, beside the whole run: from customer records to golden ids.

    python -m benchmarks.identity_day [--size 100k] [--json]

The whole run trains the matcher and registers it; the day uses it. Both write all tables of identity through the gate.
"""

import argparse
import io
import sys
import tempfile
from dataclasses import replace
from datetime import datetime, UTC
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, functions as F
from rich.console import Console

from benchmarks.identity_data import load_data
from benchmarks.measure import Cost, load, measured, Result, tell
from cdp_lib.contracts import silver
from cdp_lib.io.conform import fit_to_table
from cdp_lib.io.store import Stamp
from cdp_lib.settings.identity import Identity
from cdp_lib.settings.matching import Matching
from cdp_lib.workflow.progress import reporter_for
from cdp_lib.workflow.runner import RunOptions
from jobs.compose import build_suite, job_named, Place, Suite

NEW = 100
"""One record in so many comes on the second day."""

_REJECTED = "array<struct<field:string,value:string,reason:string>>"


def publish(suite: Suite, records: DataFrame, day: int) -> None:
    """The records as silver.customer_record, of that day."""
    at = F.lit(datetime(2025, 1, day, tzinfo=UTC))
    filled = records.withColumns(
        {
            "birth_date": F.try_to_date("birth_date"),
            **{name: F.lit(None).cast("string") for name in ("gender", "country")},
            "rejected": F.array().cast(_REJECTED),
            "source_updated_at": at,
            "_source_file": F.lit(f"day-{day}"),
            "_ingested_at": at,
            "_row_number": F.lit(1),
        }
    )
    fitted = fit_to_table(filled, silver.CUSTOMER_RECORD, run_id=f"day-{day}")
    with suite.store.batch(silver.CUSTOMER_RECORD, fitted) as batch:
        suite.store.write(batch, Stamp("silver_conform", f"day-{day}", day))


def identify(suite: Suite) -> Cost:
    """One run of the identity job."""
    with measured() as cost:
        reporter = reporter_for(Console(file=io.StringIO()))
        suite.run(RunOptions("identity"), [job_named("silver_identity")], reporter)
    return cost


def measure(size: str, lakehouse: Path) -> list[Result]:
    """Seconds and CPU seconds of the day, beside the whole run's."""
    suite = build_suite(Place("fashion_shop", None, str(lakehouse)))
    suite = replace(suite, pack=replace(suite.pack, identity=Identity(kind="identity", matching=Matching())))
    file = lakehouse / "records.parquet"
    lakehouse.mkdir(parents=True, exist_ok=True)
    records: pa.Table = load_data(f"simulated_{size}", None).records
    pq.write_table(records, file)
    everybody = suite.session().read.parquet(str(file))
    is_new = F.pmod(F.xxhash64("source_record_id"), F.lit(NEW)) == 0
    publish(suite, everybody.where(~is_new), 1)
    whole = identify(suite)
    publish(suite, everybody.where(is_new), 2)
    day = identify(suite)
    name = f"simulated_{size}, {records.num_rows} records"
    pairs = (("seconds", day.seconds, whole.seconds, "s"), ("cpu_seconds", day.cpu_seconds, whole.cpu_seconds, "CPU s"))
    return [
        Result("identity_day", name, metric, ours, peer, "whole run", unit, load())
        for metric, ours, peer, unit in pairs
    ]


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--size", default="100k", help="10k, 100k or 1m records")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        tell(measure(options.size, Path(scratch)), as_json=options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
