"""What validation says of patterns and functions without a JVM is what Spark does."""

from datetime import date

import pytest
from pyspark.sql import functions as F, SparkSession

from cdp_lib.settings.functions import ONLY_IN_PYTHON, ONLY_IN_SQL
from cdp_lib.settings.sql import REFUSED
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


_SUSPECT = ("determinis", "random", "current", "session", "reflect")
_LOOKED_AT = {
    # Steady where their argument is: what they make does not depend on places, or can be sorted.
    *("array_agg", "collect_list", "collect_set", "listagg", "string_agg", "max_by", "min_by", "mode"),
    # Of their arguments alone, or of rows in a stated order; the session's zone is always UTC.
    *("unix_timestamp", "make_timestamp", "make_timestamp_ltz", "try_make_timestamp_ltz", "time_bucket"),
    *("session_window", "window_time", "array_insert", "lag", "lead", "rank"),
    *("aes_decrypt", "try_aes_decrypt", "typeof", "assert_true", "raise_error"),
    *("bitmap_bit_position", "bitmap_bucket_number", "bitmap_count"),
}


def test_every_function_of_spark_that_could_vary_is_refused_or_was_looked_at(spark: SparkSession) -> None:
    """Spark's own list of this version: a newer one may bring more."""
    registry = spark._jsparkSession.sessionState().functionRegistry()  # type: ignore[attr-defined]  # as Spark has it
    names = registry.listFunction().iterator()
    suspects = set()
    while names.hasNext():
        about = registry.lookupFunction(names.next()).get()
        told = f"{about.getUsage()} {about.getNote()}".lower()
        if about.getGroup() in ("misc_funcs", "avro_funcs", "protobuf_funcs") or any(word in told for word in _SUSPECT):
            suspects.add(about.getName())
    assert len(suspects) > 40
    assert suspects - REFUSED == _LOOKED_AT
