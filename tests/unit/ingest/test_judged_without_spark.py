"""What validation says of patterns and functions without a JVM is what Spark does."""

from datetime import date

import pytest
from pyspark.sql import functions as F, SparkSession

from cdp_lib.settings.functions import ONLY_IN_PYTHON, ONLY_IN_SQL
from tests.unit.settings.test_source_faults import SOUND_PATTERNS


@pytest.mark.parametrize("pattern", SOUND_PATTERNS)
def test_spark_reads_the_day_that_it_wrote_by_a_sound_pattern(spark: SparkSession, pattern: str) -> None:
    written = F.date_format(F.lit("2025-01-31 22:30:00").cast("timestamp"), pattern)
    (row,) = spark.range(1).select(F.try_to_timestamp(written, F.lit(pattern)).cast("date").alias("day")).collect()
    assert row["day"] == date(2025, 1, 31)


def test_functions_that_only_one_of_sql_and_python_knows_are_told_apart_as_spark_does(spark: SparkSession) -> None:
    known = {row["function"] for row in spark.sql("SHOW SYSTEM FUNCTIONS").collect()}
    has_syntax_of_its_own = {"timestampadd", "timestampdiff", "try_cast"}
    assert ONLY_IN_SQL - known == has_syntax_of_its_own
    assert ONLY_IN_PYTHON & known == set()
