"""Recency, frequency and spend as scores from 1 to 5, and the segments that marketers know by name.

Frequency is scored among those who came again: whoever bought on one day has 1, however few come back, so that a
one-time buyer is never called loyal. The names are those of the grid that most marketing tools share.
"""

from collections.abc import Mapping, Sequence

from pyspark.sql import Column, DataFrame, functions as F

from cdp_lib.settings.segmentation import NO_PURCHASE, RFM_SEGMENTS

STEPS_PER_E = 100
"""Spend is looked at in steps of one per cent, so that its distribution is a few thousand counts."""


def rfm_steps(features: DataFrame) -> DataFrame:
    """golden_id and three whole numbers: recency (days), frequency (purchase days), monetary (steps of net spend).

    `features` are rows of `purchase_features`.
    """
    spent = F.greatest(F.col("total_amount"), F.lit(0.0))
    return features.select(
        "golden_id",
        F.col("recency_days").cast("bigint").alias("recency"),
        (F.col("frequency") + 1).cast("bigint").alias("frequency"),
        F.floor(F.log1p(spent) * STEPS_PER_E).alias("monetary"),
    )


def step_counts(steps: DataFrame) -> DataFrame:
    """measure, step, customer_count: how the customers are spread, small enough for one machine."""
    measured = [
        F.struct(F.lit(name).alias("measure"), F.col(name).alias("step"))
        for name in ("recency", "frequency", "monetary")
    ]
    return (
        steps.select(F.explode(F.array(*measured)).alias("at"))
        .groupBy("at.measure", "at.step")
        .agg(F.count(F.lit(1)).alias("customer_count"))
    )


def rfm_segments(customers: DataFrame, steps: DataFrame, bounds: Mapping[str, Sequence[int]]) -> DataFrame:
    """One row per row of `customers` (golden_id): the three scores, `segment`, `segment_name`.

    `bounds` has, per measure, the steps that a better score lies above. Who never bought has no scores and is in
    segment `no_purchase`.
    """
    scores = {
        "recency_score": 6 - _score(F.col("recency"), bounds["recency"], lowest=1),
        "frequency_score": F.when(
            F.col("frequency") > 1, _score(F.col("frequency"), bounds["frequency"], lowest=2)
        ).otherwise(F.lit(1)),
        "monetary_score": _score(F.col("monetary"), bounds["monetary"], lowest=1),
    }
    scored = steps.select("golden_id", *[score.cast("int").alias(name) for name, score in scores.items()])
    everyone = customers.select("golden_id").join(scored, "golden_id", "left")
    labelled = everyone.select("*", _segment().alias("segment"))
    names = F.create_map(*[F.lit(word) for pair in RFM_SEGMENTS.items() for word in pair])
    return labelled.select("*", names[F.col("segment")].alias("segment_name"))


def _score(step: Column, bounds: Sequence[int], *, lowest: int) -> Column:
    above = [F.when(step > F.lit(bound), 1).otherwise(0) for bound in bounds]
    return sum(above, F.lit(lowest))


def _segment() -> Column:
    recent = F.col("recency_score")
    both = F.ceil((F.col("frequency_score") + F.col("monetary_score")) / 2)
    # A single purchase, however large, is not yet a habit.
    loyal = F.when(F.col("frequency_score") == 1, F.lit(1)).otherwise(both)
    return (
        F.when(recent.isNull(), NO_PURCHASE)
        .when((recent == 5) & (loyal >= 4), "champions")
        .when((recent >= 3) & (loyal >= 4), "loyal")
        .when((recent >= 4) & (loyal >= 2), "potential_loyal")
        .when(recent == 5, "new")
        .when(recent == 4, "promising")
        .when((recent == 3) & (loyal == 3), "need_attention")
        .when(recent == 3, "about_to_sleep")
        .when(loyal == 5, "cannot_lose")
        .when(loyal >= 3, "at_risk")
        .otherwise("hibernating")
    )
