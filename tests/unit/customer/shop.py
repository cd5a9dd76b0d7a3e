"""A small shop for the tests: a pack made of traits, and facts told in few words."""

from collections.abc import Mapping, Sequence
from datetime import datetime, UTC
from typing import Any

from pyspark.sql import DataFrame, functions as F, SparkSession, types as T

from cdp_lib.contracts.gold import customer
from cdp_lib.contracts.silver import ENTITIES
from cdp_lib.settings.pack import assemble_pack, Document, Pack
from tests.builders import rows

SOURCE = {
    "kind": "source",
    "id": "till",
    "read": {"format": "csv", "path": "*.csv"},
    "key": ["id"],
    "columns": {"id": {"type": "string"}},
}


def trait(name: str, select: str, entity: str = "order", **more: str) -> dict[str, Any]:
    return {"kind": "trait", "name": name, "from": entity, "select": select, **more}


def pack_of(*traits: Mapping[str, Any], time_zone: str = "UTC") -> Pack:
    info = {"kind": "pack", "id": "shop", "currency": "USD", "time_zone": time_zone}
    bodies = [info, SOURCE, *traits]
    return assemble_pack([Document("shop.yml", place, body) for place, body in enumerate(bodies)], where="shop")


def at(text: str) -> datetime:
    """A UTC instant from `2025-01-31 12:00`."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def facts(spark: SparkSession, entity: str, *given: Mapping[str, Any]) -> DataFrame:
    """Facts that already have their golden_id; a fact without one belongs to nobody."""
    table = ENTITIES[entity]
    ids = [fact.get("golden_id") for fact in given]
    plain = rows(spark, table, *[{k: v for k, v in fact.items() if k != "golden_id"} for fact in given])
    if not given:
        return plain.withColumn("golden_id", F.lit(None).cast("string"))
    collected = [(*row, golden_id) for row, golden_id in zip(plain.collect(), ids, strict=True)]
    return spark.createDataFrame(
        collected, T.StructType([*table.schema().fields, T.StructField("golden_id", T.StringType())])
    )


def people(spark: SparkSession, *golden_ids: str) -> DataFrame:
    return spark.createDataFrame([(golden_id,) for golden_id in golden_ids], "golden_id string")


def trait_schema(pack: Pack, *names: str) -> T.StructType:
    """golden_id and the named traits, in the contract's types."""
    table = customer(pack)
    return T.StructType([T.StructField(name, table.column(name).spark_type) for name in ("golden_id", *names)])


def expected_traits(spark: SparkSession, pack: Pack, names: Sequence[str], *values: tuple[Any, ...]) -> DataFrame:
    return spark.createDataFrame(list(values), trait_schema(pack, *names))
