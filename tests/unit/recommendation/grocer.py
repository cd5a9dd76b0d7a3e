"""A grocer for the tests: purchases, a range and neighbours told in few words."""

from collections.abc import Mapping
from datetime import date, datetime, UTC
from decimal import Decimal
from typing import Any

from chispa import assert_df_equality
from pyspark.sql import DataFrame, functions as F, SparkSession

AS_OF = date(2025, 1, 31)
PURCHASE = (
    "golden_id string, product_id string, order_id string, ordered_at timestamp, quantity decimal(18,3), "
    "paid_amount decimal(18,2), channel string, store_id string"
)
PRODUCT = (
    "product_id string, name string, category string, department string, price_amount decimal(18,2), "
    "is_available boolean, is_durable boolean"
)
TASTE = (
    "golden_id string, product_id string, purchase_count bigint, last_days int, strength double, is_returned boolean"
)
NEIGHBOUR = (
    "product_id string, neighbour_id string, similarity double, weight double, shared_buyer_count bigint, place int"
)
RECOMMENDATION = (
    "golden_id string, rank int, product_id string, kind string, kind_rank int, score double, reason string"
)


def at(text: str) -> datetime:
    """A UTC instant from `2025-01-31` (noon) or `2025-01-31 23:00`."""
    return datetime.fromisoformat(text if " " in text else f"{text} 12:00").replace(tzinfo=UTC)


def bought(golden_id: str | None, product_id: str | None, day: str | None, **more: Any) -> dict[str, Any]:
    """One item for 1.00 in an order of its own that day."""
    plain = {
        "golden_id": golden_id,
        "product_id": product_id,
        "order_id": f"{golden_id} {day}",
        "ordered_at": at(day) if day else None,
        "quantity": 1,
        "paid_amount": "1.00",
        "channel": None,
        "store_id": None,
    }
    return plain | more


def purchases(spark: SparkSession, *given: Mapping[str, Any]) -> DataFrame:
    return spark.createDataFrame([_decimals(line, "quantity", "paid_amount") for line in given], PURCHASE)


def product(product_id: str, category: str | None = "food", price: str | None = "1.00", **more: Any) -> dict[str, Any]:
    plain = {"name": None, "department": None, "is_available": None, "is_durable": None}
    return {"product_id": product_id, "category": category, "price_amount": price} | plain | more


def products(spark: SparkSession, *given: Mapping[str, Any]) -> DataFrame:
    return spark.createDataFrame([_decimals(line, "price_amount") for line in given], PRODUCT)


def score(pull: float) -> float:
    """What a new product gets for its pull: twice the mean similarity, and the weights."""
    return pull / (1 + pull)


def neighbours(
    spark: SparkSession, *pairs: tuple[str, str, float], weights: Mapping[tuple[str, str], float] | None = None
) -> DataFrame:
    """Both directions of each pair, in a place by similarity; what is not in `weights` weighs 0."""
    both = sorted([*pairs, *((right, left, likeness) for left, right, likeness in pairs)], key=lambda p: (-p[2], p[1]))
    seen: dict[str, int] = {}
    placed = []
    for left, right, likeness in both:
        seen[left] = seen.get(left, 0) + 1
        placed.append((left, right, likeness, (weights or {}).get((left, right), 0.0), 1, seen[left]))
    return spark.createDataFrame(placed, NEIGHBOUR)


def _decimals(line: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {k: Decimal(v) if k in names and v is not None else v for k, v in line.items()}


def collected(frame: DataFrame) -> DataFrame:
    """The same rows, computed once and lying in memory: a plan without their history is planned in no time."""
    return frame.sparkSession.createDataFrame(frame.collect(), frame.schema)


def assert_rows(actual: DataFrame, schema: str, *expected: tuple[object, ...]) -> None:
    """The very rows in any order; doubles to eight decimals."""
    rows = actual.sparkSession.createDataFrame(list(expected), schema)
    assert_df_equality(_rounded(actual), _rounded(rows), ignore_row_order=True, ignore_nullable=True)


def _rounded(frame: DataFrame) -> DataFrame:
    return frame.select(*[F.round(name, 8).alias(name) if kind == "double" else name for name, kind in frame.dtypes])
