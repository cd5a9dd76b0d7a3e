"""What the cleaning tests share: vectors of text and answer, checked as whole frames."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from chispa import assert_df_equality
from pyspark.sql import Column, functions as F, SparkSession

Vectors = Sequence[tuple[str | None, Any]]
CheckVectors = Callable[..., None]


@pytest.fixture
def check_vectors(spark: SparkSession) -> CheckVectors:
    """Asserts that a Column function gives each text its answer, and gives no text for no row."""

    def check(make: Callable[[Column], Column], vectors: Vectors, answer_type: str = "string") -> None:
        given = spark.createDataFrame([(text,) for text, _ in vectors], "text string")
        expected = spark.createDataFrame(list(vectors), f"text string, answer {answer_type}")
        actual = given.select("text", make(F.col("text")).alias("answer"))
        assert_df_equality(actual, expected, ignore_row_order=True, ignore_nullable=True)

    return check
