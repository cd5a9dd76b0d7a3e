"""Identity runs told in letters: a group `"a b"` is one cluster of the records a and b."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, UTC
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession, types as T
from pyspark.sql.pandas.types import to_arrow_schema

from cdp_lib.contracts.identity import IDENTITY_EVENT, IDENTITY_LINK
from cdp_lib.contracts.table import Table
from cdp_lib.transforms.identity.golden_id import assign_golden_ids, link_rows
from cdp_lib.transforms.identity.history import event_rows

SOURCE = "crm"
CLUSTER_SCHEMA = T.StructType(
    [
        T.StructField(name, T.StringType())
        for name in ("source_system", "source_record_id", "cluster_id", "component_id", "matched_by")
    ]
)


def schema_of(table: Table) -> T.StructType:
    """The table's schema without what its writer adds; every column may be null, as a computed frame's may."""
    return T.StructType([T.StructField(name, table.column(name).spark_type) for name in table.content_columns])


LINK_SCHEMA = schema_of(IDENTITY_LINK)
EVENT_SCHEMA = schema_of(IDENTITY_EVENT)


def day(number: int) -> datetime:
    return datetime(2025, 1, number, tzinfo=UTC)


def hash_of(record: str, source: str = SOURCE) -> str:
    """The record's hash by another road than Spark's."""
    return hashlib.sha256(json.dumps([source, record], separators=(",", ":")).encode()).hexdigest()


def id_of(record: str) -> str:
    """The golden_id that the record founds."""
    return hash_of(record)[:32]


def by_hash(*records: str) -> list[str]:
    """The records, the one with the smallest hash first."""
    return sorted(records, key=hash_of)


@dataclass(frozen=True)
class History:
    links: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    new_events: list[dict[str, Any]] = field(default_factory=list)

    def ids(self) -> dict[str, str]:
        return {link["source_record_id"]: link["golden_id"] for link in self.links}

    def happened(self) -> set[tuple]:
        """What the last run told: (type, golden_id, into_golden_id, record, cause)."""
        return {
            (
                event["event_type"],
                event["golden_id"],
                event["into_golden_id"],
                event["source_record_id"],
                event["cause"],
            )
            for event in self.new_events
        }


def frame(spark: SparkSession, rows: Sequence[dict[str, Any]], schema: T.StructType) -> DataFrame:
    """The rows by way of Arrow: no Python worker is started for them."""
    return spark.createDataFrame(
        pa.Table.from_pylist(list(rows), schema=to_arrow_schema(schema, timezone="UTC")), schema
    )


def clusters(spark: SparkSession, groups: Sequence[str]) -> DataFrame:
    found = [
        (SOURCE, record, min(map(id_of, group.split())), min(map(id_of, group.split())), None)
        for group in groups
        for record in group.split()
    ]
    return frame(spark, [dict(zip(CLUSTER_SCHEMA.names, row, strict=True)) for row in found], CLUSTER_SCHEMA)


def run_identity(spark: SparkSession, groups: Sequence[str], history: History, number: int) -> History:
    """The history after day `number`, on which the records fell into these groups."""
    previous = frame(spark, history.links, LINK_SCHEMA)
    events = frame(spark, history.events, EVENT_SCHEMA)
    run_id = f"run-{number}"
    assigned = assign_golden_ids(clusters(spark, groups), previous, events, run_id=run_id)
    assigned = spark.createDataFrame(assigned.toArrow())
    links = link_rows(assigned, day(number)).toArrow().to_pylist()
    told = event_rows(assigned, events, run_id=run_id, occurred_at=day(number)).toArrow().to_pylist()
    return History(links, [*history.events, *told], told)


def run_days(spark: SparkSession, *days: Sequence[str]) -> History:
    """The history after day 1, 2, ..., each given as its groups."""
    history = History()
    for number, groups in enumerate(days, start=1):
        history = run_identity(spark, groups, history, number)
    return history
