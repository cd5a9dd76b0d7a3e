"""A library's loans: source contracts, landing files and raw rows for the tests of ingestion."""

import gzip
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chispa import assert_df_equality
from pyspark.sql import DataFrame, functions as F, SparkSession, types as T

from cdp_lib.io.inspection import inspect_file
from cdp_lib.io.landing import Inspection, list_files
from cdp_lib.io.raw_rows import raw_schema, read_raw_rows
from cdp_lib.settings.source import Source

COLUMNS: dict[str, Any] = {
    "loan_id": {"type": "string"},
    "member": {"type": "string", "header": "Member No"},
    "fee": {"type": "decimal(18,2)", "expect": ["fee >= 0"]},
}


def source(columns: Mapping[str, Any] | None = None, *, feeds: tuple[Any, ...] = (), **read: Any) -> Source:
    """A contract `loans` whose first column is the key: CSV files below `in/` unless `read` says otherwise."""
    columns = dict(columns or COLUMNS)
    return Source.model_validate(
        {
            "kind": "source",
            "id": "loans",
            "read": {"format": "csv", "path": "in/**", **read},
            "key": [next(iter(columns))],
            "columns": columns,
            "feeds": feeds,
        }
    )


def drop(landing: Path, name: str, content: str | bytes, *, packed: bool = False) -> Path:
    """A file in the landing folder's `in/`; text is written as UTF-8, its line ends as they are."""
    path = landing / "in" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    body = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(body, mtime=0) if packed else body)
    return path


def inspected(landing: Path, contract: Source) -> tuple[Inspection, ...]:
    """What inspection says of every file of the source."""
    return tuple(inspect_file(contract, file) for file in list_files(str(landing), contract))


def rows_of(spark: SparkSession, landing: Path, contract: Source) -> DataFrame:
    """The raw rows of every good file, without `_file_hash`: the tests of inspection look at that."""
    good = [found for found in inspected(landing, contract) if found.problem is None]
    return read_raw_rows(spark, contract, good).drop("_file_hash")


def assert_same_rows(actual: DataFrame, expected: DataFrame) -> None:
    """Asserts equal frames in any order of rows. Maps become sorted entries first: Spark does not sort by maps."""
    assert_df_equality(_orderable(actual), _orderable(expected), ignore_row_order=True, ignore_nullable=True)


def _orderable(rows: DataFrame) -> DataFrame:
    maps = [field.name for field in rows.schema.fields if isinstance(field.dataType, T.MapType)]
    return rows.withColumns({name: F.sort_array(F.map_entries(name)) for name in maps}) if maps else rows


def raw(spark: SparkSession, contract: Source, *given: Mapping[str, Any]) -> DataFrame:
    """Raw rows of one file, numbered as given; columns left out are null."""
    names = raw_schema(contract).names
    unknown = sorted({name for row in given for name in row} - set(names))
    if unknown:
        raise ValueError(f"raw rows have no columns {unknown}")
    filled = [
        tuple({"_source_file": "in/a.csv", "_row_number": place, "_file_hash": "f", **row}.get(name) for name in names)
        for place, row in enumerate(given, start=1)
    ]
    return spark.createDataFrame(filled, raw_schema(contract))
