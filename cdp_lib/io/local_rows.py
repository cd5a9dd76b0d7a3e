"""Rows that the driver holds, as a frame that Spark knows whole."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession, types as T
from pyspark.sql.pandas.types import to_arrow_schema

from cdp_lib.contracts.table import Table


def local_rows(spark: SparkSession, schema: T.StructType | str, rows: Sequence[Sequence[Any]] = ()) -> DataFrame:
    """The rows, whose values stand in the schema's order; without rows an empty frame.

    They go to the JVM by way of Arrow. From a plain Python list Spark would make an RDD, even of no rows: its tasks
    start Python workers, and the planner, which cannot see that it is empty, plans every join and shuffle with it.
    """
    struct = cast(T.StructType, T.StructType.fromDDL(schema)) if isinstance(schema, str) else schema
    held = to_arrow_schema(struct, timezone="UTC")
    columns = [[row[place] for row in rows] for place in range(len(held))]
    arrays = [pa.array(values, field.type) for values, field in zip(columns, held, strict=True)]
    return spark.createDataFrame(pa.table(arrays, schema=held), struct)


def content_rows(spark: SparkSession, table: Table, rows: Sequence[Mapping[str, Any]]) -> DataFrame:
    """The rows, values by column, as the table's columns without lineage: what its writer takes."""
    content = T.StructType([field for field in table.schema() if field.name in table.content_columns])
    return local_rows(spark, content, [[row[field.name] for field in content] for row in rows])
