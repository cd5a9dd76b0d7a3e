"""A million customers from orders to scores on Spark: seconds, memory, and what our wrapping of mapInPandas costs."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
from pyspark.sql import Column, DataFrame, functions as F, SparkSession

from benchmarks.measure import load, measured, peak_mib, Result
from cdp_lib.models.lifetime.lifetime_fit import fit_lifetime
from cdp_lib.models.lifetime.lifetime_value import LifetimeModel, LifetimeSettings, SCORES
from cdp_lib.models.scoring import score_rows
from cdp_lib.transforms.features.purchases import purchase_days, purchase_features

NAME, CUSTOMERS = "simulated_1m", 1_000_000
AS_OF, DAYS = date(2025, 12, 31), 730
SAMPLE = 100_000
_PRIME = 1_000_003
_SCHEMA = ", ".join(["golden_id string", *(f"{name} double" for name in SCORES)])


def orders(spark: SparkSession, customers: int) -> DataFrame:
    """About five orders a customer: a first one on some day, and each customer's own number of others after it."""
    people = spark.range(customers).select(
        F.sha2(F.col("id").cast("string"), 256).substr(1, 32).alias("golden_id"),
        "id",
        (_drawn(1) * DAYS).cast("int").alias("first"),
        F.floor(-F.log1p(-_drawn(2)) * 4).cast("int").alias("others"),
    )
    each = people.select("*", F.explode(F.sequence(F.lit(0), F.col("others"))).alias("number"))
    share = F.pmod(F.xxhash64("id", "number"), F.lit(_PRIME)) / _PRIME
    day = F.when(F.col("number") == 0, F.col("first")).otherwise(F.col("first") + share * (DAYS - F.col("first")))
    start = F.date_sub(F.lit(AS_OF), DAYS)
    return each.select(
        "golden_id",
        F.date_add(start, day.cast("int")).cast("timestamp").alias("ordered_at"),
        (F.lit(5) + share * 60).cast("decimal(18,2)").alias("paid_amount"),
        F.lit(None).cast("bigint").alias("item_count"),
    )


def _drawn(salt: int) -> Column:
    """A number in [0, 1) of the id's own."""
    return F.pmod(F.xxhash64("id", F.lit(salt)), F.lit(_PRIME)) / _PRIME


def measure_scale(spark: SparkSession, scratch: Path, customers: int = CUSTOMERS) -> Iterator[Result]:
    """From orders in Parquet to written scores, trained on a sample; then scoring alone beside plain mapInPandas."""
    source, answer = str(scratch / "orders"), str(scratch / "scores")
    orders(spark, customers).write.mode("overwrite").parquet(source)
    with measured() as whole:
        first_day = AS_OF - timedelta(days=DAYS)
        features = purchase_features(purchase_days(spark.read.parquet(source), "UTC"), AS_OF, first_day).persist()
        share = min(1.0, SAMPLE / customers)
        sample = features.where(F.pmod(F.xxhash64("golden_id"), F.lit(1_000_000)) < int(1_000_000 * share)).toPandas()
        model = fit_lifetime(sample, [], LifetimeSettings(180))
        score_rows(features, model.score, _SCHEMA).write.mode("overwrite").parquet(answer)
    yield Result("models", NAME, "end_to_end_seconds", whole.seconds, None, None, "s", load())
    yield Result("models", NAME, "end_to_end_cpu_seconds", whole.cpu_seconds, None, None, "CPU s", load())
    plain_cost, own_cost = [], []
    for _ in range(2):
        own_cost.append(_timed(score_rows(features, model.score, _SCHEMA)))
        plain_cost.append(_timed(_plain(features, model)))
    yield Result("models", NAME, "score_seconds", min(own_cost), min(plain_cost), "mapInPandas", "CPU s", load())
    yield Result("models", NAME, "peak_mib", peak_mib(), None, None, "MiB", load())
    features.unpersist()


def _plain(features: DataFrame, model: LifetimeModel) -> DataFrame:
    fixed = replace(model)

    def score(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for batch in batches:
            yield fixed.score(batch)

    return features.mapInPandas(score, _SCHEMA)


def _timed(frame: DataFrame) -> float:
    with measured() as cost:
        frame.write.format("noop").mode("overwrite").save()
    return cost.cpu_seconds
