"""Rows built from the contract: a test writes out only what matters to it."""

from collections.abc import Mapping
from datetime import date, datetime, UTC
from decimal import Decimal
from typing import Any

from pyspark.sql import DataFrame, SparkSession, types as T

from cdp_lib.contracts.table import Column, Table

SOME_INSTANT = datetime(2025, 1, 31, 12, 0, tzinfo=UTC)
SOME_DAY = date(2025, 1, 31)


def rows(spark: SparkSession, table: Table, *given: Mapping[str, Any]) -> DataFrame:
    """Rows of the table: what is given, valid fillers for what is required, null for the rest."""
    unknown = sorted({name for row in given for name in row} - set(table.column_names))
    if unknown:
        raise ValueError(f"{table.name} has no columns {unknown}")
    filled = [
        tuple(
            _value(column, row[column.name]) if column.name in row else _filler(column, table, place)
            for column in table.columns
        )
        for place, row in enumerate(given)
    ]
    return spark.createDataFrame(filled, table.schema())


def _value(column: Column, value: Any) -> Any:
    return Decimal(value) if isinstance(column.spark_type, T.DecimalType) and isinstance(value, str | int) else value


def _filler(column: Column, table: Table, place: int) -> Any:
    if not column.required and column.name not in table.key:
        return None
    if column.check and " IN (" in column.check:
        return column.check.split("'")[1]
    kind = column.spark_type
    fillers: dict[type, Any] = {
        T.StringType: f"{column.name}-{place}",
        T.TimestampType: SOME_INSTANT,
        T.DateType: SOME_DAY,
        T.LongType: 1,
        T.IntegerType: 1,
        T.DoubleType: 0.0,
        T.DecimalType: Decimal("0.00"),
        T.BooleanType: False,
        T.ArrayType: [],
        T.MapType: {},
    }
    return fillers[type(kind)]
