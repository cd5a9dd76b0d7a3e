"""Rows on their way out: computed once by Spark, then read in bounded batches while channels take their time."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
from pyarrow import fs
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import to_arrow_schema

BATCH_ROWS = 1000
STREAM_ROWS = 50_000


class StagedRows:
    """Rows of one frame, on disk."""

    def __init__(self, dataset: ds.Dataset, frame: DataFrame) -> None:
        self._dataset = dataset
        self.frame = frame
        """The same rows for Spark, read from the disk."""

    def batches(
        self, columns: Mapping[str, ds.Expression], where: ds.Expression | None, schema: pa.Schema
    ) -> pa.RecordBatchReader:
        """The rows that fit as a stream of Arrow batches: `columns` gives each column's value, cast to `schema`."""
        scanner = self._dataset.scanner(columns=dict(columns), filter=where, batch_size=STREAM_ROWS, batch_readahead=1)
        cast = (pa.Table.from_batches([batch]).cast(schema).to_batches() for batch in scanner.to_batches())
        return pa.RecordBatchReader.from_batches(schema, (batch for part in cast for batch in part))

    def counts(self, *columns: str) -> list[dict[str, Any]]:
        """The distinct values of some columns, each with `count`."""
        found = self._dataset.to_table(columns=list(columns))
        counted = found.group_by(list(columns)).aggregate([([], "count_all")])
        return [{**{name: row[name] for name in columns}, "count": row["count_all"]} for row in counted.to_pylist()]

    def rows(self, where: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """The rows with these values, or one of a list of values; the driver holds a batch of them at a time."""
        condition = None
        for name, value in where.items():
            is_so = ds.field(name).isin(value) if isinstance(value, list) else ds.field(name) == value
            condition = is_so if condition is None else condition & is_so
        scanner = self._dataset.scanner(
            filter=condition, batch_size=BATCH_ROWS, batch_readahead=1, fragment_readahead=1, use_threads=False
        )
        for batch in scanner.to_batches():
            maps = [field.name for field in batch.schema if pa.types.is_map(field.type)]
            for row in batch.to_pylist():
                yield {**row, **{name: dict(row[name] or ()) for name in maps}}


@contextmanager
def staged(frame: DataFrame, folder: str) -> Iterator[StagedRows]:
    """The frame's rows below `folder`, which is deleted when the block ends: they hold personal data."""
    try:
        frame.write.format("parquet").mode("overwrite").save(folder)
        place, path = fs.FileSystem.from_uri(folder if "://" in folder else f"file://{folder}")
        schema = to_arrow_schema(frame.schema, timezone="UTC")
        stored = frame.sparkSession.read.format("parquet").schema(frame.schema).load(folder)
        yield StagedRows(ds.dataset(path, schema=schema, filesystem=place, format="parquet"), stored)
    finally:
        _delete(folder)


def _delete(folder: str) -> None:
    if "://" not in folder:
        shutil.rmtree(folder, ignore_errors=True)
        return
    place, path = fs.FileSystem.from_uri(folder)
    place.delete_dir(path)
