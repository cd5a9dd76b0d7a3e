"""A business of simulated people: its records are published as silver.customer_record, and identity is run on them."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, UTC
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml
from pyspark.sql import DataFrame, functions as F, SparkSession
from rich.console import Console

from cdp_lib.contracts import identity, silver
from cdp_lib.contracts.table import Table
from cdp_lib.io.conform import fit_to_table
from cdp_lib.io.store import Stamp
from cdp_lib.settings.settings import MlflowSettings
from cdp_lib.settings.simulator import Simulator
from cdp_lib.simulate.flat import simulate_records
from cdp_lib.workflow.progress import reporter_for
from cdp_lib.workflow.runner import JobOutcome, RunOptions
from jobs.compose import build_suite, HOME, job_named, Place, Suite

DAY_ONE = datetime(2025, 1, 1, tzinfo=UTC)
FIELDS = ("first_name", "last_name", "email", "phone", "birth_date", "address", "city", "postcode")
_PACK = """
kind: pack
id: {name}
currency: EUR
time_zone: UTC
"""
_SOURCE = """
kind: source
id: {name}
read: {{format: csv, path: "{name}/*.csv"}}
key: [id]
columns:
  id: {{type: string}}
  changed_at: {{type: timestamp, format: yyyy-MM-dd}}
  member_no: {{type: string, optional: true}}
feeds:
  - to: customer_record
    map: {{source_record_id: id, source_updated_at: changed_at, identifiers: "map('member_no', member_no)"}}
"""


@dataclass(frozen=True)
class Business:
    """A suite of which only the identity job is run."""

    suite: Suite

    def publish(self, rows: Sequence[Mapping[str, Any]], day: int) -> None:
        """New and changed customer records of a day."""
        store = self.suite.store
        fitted = customer_records(self.suite.session(), rows, day)
        with store.batch(silver.CUSTOMER_RECORD, fitted) as batch:
            store.write(batch, Stamp("silver_conform", f"day-{day}", day))

    def run(self) -> JobOutcome:
        """One run of the identity job."""
        console = Console(file=io.StringIO())
        reports = self.suite.run(RunOptions("identity"), [job_named("silver_identity")], reporter_for(console))
        return reports[-1].outcomes[-1]

    def table(self, table: Table) -> DataFrame:
        """A table as it is."""
        return self.suite.store.read(table)

    def people(self) -> set[frozenset[str]]:
        """Records by person, each named `source:id`."""
        links = self.table(identity.IDENTITY_LINK)
        name = F.concat_ws(":", *silver.RECORD_KEY)
        grouped = links.groupBy("golden_id").agg(F.collect_set(name).alias("records"))
        return {frozenset(row["records"]) for row in grouped.collect()}

    def ids(self) -> dict[str, str]:
        """`source:id`: golden_id."""
        links = self.table(identity.IDENTITY_LINK)
        return {f"{row['source_system']}:{row['source_record_id']}": row["golden_id"] for row in links.collect()}


def business(spark: SparkSession, pack: Path, lake: Path, mlflow: MlflowSettings, settings: str) -> Business:
    """A business with these identity settings, named as its pack's folder; in its lakehouse again it has its models."""
    pack.mkdir(parents=True, exist_ok=True)
    (pack / "pack.yml").write_text(_PACK.format(name=pack.name))
    (pack / "sources.yml").write_text("\n---\n".join(_SOURCE.format(name=source) for source in ("crm", "shop")))
    (pack / "identity.yml").write_text("kind: identity\n" + settings)
    suite = build_suite(Place(str(pack), str(pack / "landing"), str(lake)), lambda: spark)
    return Business(replace(suite, settings=suite.settings.model_copy(update={"mlflow": mlflow})))


def customer_records(spark: SparkSession, rows: Sequence[Mapping[str, Any]], day: int = 1) -> DataFrame:
    """The rows as silver.customer_record has them on that day."""
    frame = spark.createDataFrame(pa.Table.from_pylist([_record(row, day) for row in rows], _SCHEMA))
    return fit_to_table(frame, silver.CUSTOMER_RECORD, run_id=f"day-{day}")


def simulated(records: int, seed: int = 3) -> list[dict[str, Any]]:
    """Records of a department store's people, messy as its simulator makes them; `person_id` tells who is who."""
    body = yaml.safe_load((HOME / "conf" / "packs" / "department_store" / "simulator.yml").read_text())
    config = Simulator.model_validate(body)
    rows = simulate_records(config, records=records, seed=seed).to_pylist()
    unusable = {field: {word.lower() for word in words} for field, words in config.placeholders.items()}
    for row in rows:
        for field, words in unusable.items():
            if str(row.get(field)).lower() in words:
                row[field] = None
    return rows


_SCHEMA = pa.schema(
    [
        ("source_system", pa.string()),
        ("source_record_id", pa.string()),
        *((field, pa.date32() if field == "birth_date" else pa.string()) for field in FIELDS),
        ("gender", pa.string()),
        ("country", pa.string()),
        ("identifiers", pa.map_(pa.string(), pa.string())),
        ("attributes", pa.map_(pa.string(), pa.string())),
        (
            "rejected",
            pa.list_(pa.struct([(name, pa.string()) for name in ("field", "value", "reason")])),
        ),
        ("source_updated_at", pa.timestamp("us", "UTC")),
        ("_source_file", pa.string()),
        ("_ingested_at", pa.timestamp("us", "UTC")),
        ("_row_number", pa.int64()),
    ]
)


def _record(row: Mapping[str, Any], day: int) -> dict[str, Any]:
    at = DAY_ONE + timedelta(days=day)
    born = row.get("birth_date")
    return {
        "source_system": row.get("source_system", "crm"),
        "source_record_id": row["source_record_id"],
        **{field: row.get(field) for field in FIELDS},
        "birth_date": datetime.fromisoformat(born).date() if isinstance(born, str) else born,
        "identifiers": list(row.get("identifiers", {}).items()),
        "attributes": [],
        "rejected": [],
        "source_updated_at": at,
        "_source_file": f"day-{day}.csv",
        "_ingested_at": at,
        "_row_number": 1,
    }
