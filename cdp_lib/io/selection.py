"""Chosen rows of a Delta table, read without Spark: tables with deletion vectors too, which Arrow alone refuses."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import deltalake
import pyarrow as pa


@dataclass(frozen=True)
class Newest:
    """Of the rows that share the columns `of`, only the one that comes first by these SQL expressions, greatest first.

    The expressions are the program's own text: they reach the query as they are.
    """

    of: tuple[str, ...]
    by: tuple[str, ...]


def select_rows(
    path: str,
    columns: Sequence[str],
    where: Mapping[str, Collection[str]] | None = None,
    *,
    version: int | None = None,
    newest: Newest | None = None,
) -> list[dict[str, Any]]:
    """Rows of the table at a folder or URI whose text columns hold one of the given values each.

    Of the newest version unless one is named; with `newest`, of the rows that it leaves. `columns` come from a
    contract; one that a table of an earlier version of the suite lacks is null. Values may be anything: they reach the
    query as hex digits, so none is read as SQL.
    Raises deltalake's TableNotFoundError where there is no table.
    """
    wanted = where or {}
    if not all(wanted.values()):
        return []
    stored = deltalake.DeltaTable(path, version=version)
    known = {field.name for field in stored.schema().fields}
    named = ", ".join(_name(one) if one in known else f"NULL AS {_name(one)}" for one in columns)
    conditions = [f"{_name(column)} IN ({', '.join(map(_text, sorted(values)))})" for column, values in wanted.items()]
    query = f"SELECT {named} FROM {_rows(newest)}" + (f" WHERE {' AND '.join(conditions)}" if conditions else "")
    asked = deltalake.QueryBuilder().register("stored", stored)
    rows: list[dict[str, Any]] = pa.RecordBatchReader.from_stream(asked.execute(query)).read_all().to_pylist()
    return rows


def count_rows(path: str, columns: Sequence[str], *, newest: Newest | None = None) -> list[dict[str, Any]]:
    """One row per combination of the columns' values, with `row_count`, in no order: however many rows the table has.

    With `newest` only the rows that it leaves are counted.

    Raises deltalake's TableNotFoundError where there is no table.
    """
    named = ", ".join(map(_name, columns))
    stored = deltalake.QueryBuilder().register("stored", deltalake.DeltaTable(path))
    query = f"SELECT {named}, count(*) AS row_count FROM {_rows(newest)} GROUP BY {named}"
    counted: list[dict[str, Any]] = pa.RecordBatchReader.from_stream(stored.execute(query)).read_all().to_pylist()
    return counted


def _rows(newest: Newest | None) -> str:
    """What the query reads: the table, or the rows of it that `newest` leaves."""
    if newest is None:
        return "stored"
    order = ", ".join(f"{expression} DESC" for expression in newest.by)
    place = f"row_number() OVER (PARTITION BY {', '.join(map(_name, newest.of))} ORDER BY {order})"
    return f"(SELECT * FROM (SELECT *, {place} AS place_ FROM stored) WHERE place_ = 1)"


def _name(column: str) -> str:
    return f'"{column}"'


def _text(value: str) -> str:
    return f"arrow_cast(decode('{value.encode().hex()}', 'hex'), 'Utf8')"
