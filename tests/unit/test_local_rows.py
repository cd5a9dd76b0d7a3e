"""Rows of the driver's reach Spark as they are, and none of them are known to be none."""

from datetime import date, datetime, UTC
from decimal import Decimal

import pyarrow as pa
import pytest
from pyspark.sql import types as T

from cdp_lib.io.local_rows import local_rows

SCHEMA = (
    "name string, key binary, born date, at timestamp, paid decimal(18,2), count bigint, share double, "
    "is_known boolean, said map<string,string>, words array<string>, part struct<place:int,text:string>"
)
ROW = (
    "ann",
    b"\x01\x02",
    date(1980, 2, 3),
    datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC),
    Decimal("1.50"),
    7,
    0.5,
    True,
    {"a": "b"},
    ["x", "y"],
    {"place": 1, "text": "z"},
)


def test_values_of_every_kind_come_back_as_they_are_and_nulls_too(spark):
    found = local_rows(spark, SCHEMA, [ROW, (None,) * len(ROW)])

    assert found.schema == T.StructType.fromDDL(SCHEMA)
    full, empty = found.orderBy("count", ascending=False).collect()
    at = ROW[3].replace(tzinfo=None)
    assert full.asDict(recursive=True) == dict(zip(found.columns, (*ROW[:3], at, *ROW[4:]), strict=True))
    assert set(empty) == {None}


def test_without_rows_spark_plans_nothing(spark):
    frame = local_rows(spark, T.StructType.fromDDL(SCHEMA))
    joined = frame.join(spark.range(10).withColumnRenamed("id", "count"), "count")

    assert joined.collect() == []
    assert joined._jdf.queryExecution().optimizedPlan().toString().startswith("LocalRelation <empty>")


def test_a_value_of_another_kind_is_refused(spark):
    with pytest.raises(pa.ArrowInvalid, match="Could not convert 'many'"):
        local_rows(spark, "count bigint", [("many",)])
