"""Whether two frames of one table hold the same content, asked without comparing them row by row."""

from pyspark.sql import Column as SparkColumn, DataFrame, functions as F, types as T

from cdp_lib.contracts.table import Table
from cdp_lib.io.conform import RECORD_HASH

_NESTED = (T.ArrayType, T.MapType, T.StructType)
_LOW_HALF = (1 << 32) - 1


def fingerprint(rows: DataFrame, table: Table) -> tuple[int, ...]:
    """Count and order-free checksums of the content, lineage left out.

    Equal for equal tables, and for others with a chance of 2^-128: two hashes of 64 bits a row, each summed over the
    rows in halves of 32 bits, so that no sum overflows below 2^31 rows. It tells apart by accident, not by malice.
    """
    parts = _content(table)
    hashes = [F.xxhash64(F.lit(seed), *parts) for seed in (1, 2)]
    halves = [F.shiftrightunsigned(value, 32) for value in hashes] + [value.bitwiseAND(_LOW_HALF) for value in hashes]
    figures = rows.agg(F.count(F.lit(1)), *[F.sum(half) for half in halves]).first()
    return () if figures is None else tuple(int(figure or 0) for figure in figures)


def _content(table: Table) -> list[SparkColumn]:
    """What is hashed of a row: its stored hash, or each content column with whether it is null.

    `xxhash64` skips nulls, also within arrays, and refuses maps: nested values are hashed as JSON, where nulls stand.
    """
    if RECORD_HASH in table.column_names:
        return [F.col(RECORD_HASH)]
    columns = [table.column(name) for name in table.content_columns]
    return [part for column in columns for part in (F.isnull(column.name), _hashable(column.name, column.spark_type))]


def _hashable(name: str, kind: T.DataType) -> SparkColumn:
    if not isinstance(kind, _NESTED):
        return F.col(name)
    ordered = F.array_sort(F.map_entries(name)) if isinstance(kind, T.MapType) else F.col(name)
    return F.to_json(F.struct(ordered.alias(name)), {"ignoreNullFields": "false"})
