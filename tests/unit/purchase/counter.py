"""Baskets and expected patterns for the tests, told in few words."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pyspark.sql import DataFrame, SparkSession

BASKET = "basket_id string, golden_id string, local_at timestamp, products array<string>, categories array<string>"
NAMES = (
    "pattern_type", "subject", "object", "measure", "support_count", "subject_count", "object_count", "basis_count",
    "support_share", "confidence", "lift", "value", "unit",
)  # fmt: skip
PATTERN = (
    "pattern_type string, subject string, object string, measure string, support_count bigint, subject_count bigint, "
    "object_count bigint, basis_count bigint, support_share double, confidence double, lift double, value double, "
    "unit string"
)


def baskets(spark: SparkSession, *given: tuple[str | None, str, Sequence[str]]) -> DataFrame:
    """Baskets of (person, local time, items); an item `food/tea` is product tea of category food."""
    lines = []
    for number, (person, at, items) in enumerate(given):
        products = sorted({item.rpartition("/")[2] for item in items})
        categories = sorted({item.partition("/")[0] for item in items if "/" in item})
        lines.append((f"b{number}", person, datetime.fromisoformat(at), products, categories))
    return spark.createDataFrame(lines, BASKET)


def pattern(pattern_type: str, subject: str, other: str, measure: str, **figures: Any) -> tuple[Any, ...]:
    given: Mapping[str, Any] = {
        "pattern_type": pattern_type, "subject": subject, "object": other, "measure": measure, **figures
    }  # fmt: skip
    return tuple(given.get(name) for name in NAMES)
