"""The single view with what customers are likely to do, for files that people outside take."""

from collections.abc import Mapping

from pyspark.sql import DataFrame, functions as F

from cdp_lib.contracts import results, scores
from cdp_lib.settings.pack import Pack


def scored_customers(customers: DataFrame, published: Mapping[str, DataFrame], pack: Pack) -> DataFrame:
    """Every row of `customers` (gold.customer) with the columns of `contracts.scores.customer_scores(pack)`.

    `published` maps score tables to their rows; a table that is not there yet, and a customer without a score, leave
    nulls, but who brought nobody is credited for 0.
    """
    joined = customers
    for name, columns in scores.customer_scores(pack).items():
        if name not in published:
            nothing = [F.lit(None).cast(column.type).alias(column.name) for column in columns]
            joined = joined.select("*", *nothing)
            continue
        rows = published[name]
        if name == scores.SEGMENT_MEMBER.name:
            rows = _segments_of(rows, pack)
        if name == results.REFERRAL_CREDIT.name:
            rows = _credits_of(customers, rows)
        # One row per golden_id: the key, or its groups.
        joined = joined.join(rows.select("golden_id", *[column.name for column in columns]), "golden_id", "left")
    return joined


def _segments_of(members: DataFrame, pack: Pack) -> DataFrame:
    """One row per golden_id: its segment of each segmentation."""
    columns = [
        F.max(F.when(F.col("segmentation_id") == one.id, F.col(source))).alias(f"segment_{one.id}{ending}")
        for one in pack.segmentations
        for source, ending in (("segment", ""), ("segment_name", "_name"))
    ]
    return members.groupBy("golden_id").agg(*columns)


def _credits_of(customers: DataFrame, referrals: DataFrame) -> DataFrame:
    """One row per golden_id of `customers`: how many people it is credited for."""
    credited = referrals.where(F.col("status") == results.CREDITED)
    named = credited.select(F.col("referrer_golden_id").alias("golden_id"), F.lit(1).alias("one"))
    counted = customers.select("golden_id").join(named, "golden_id", "left")  # as many rows as people were brought
    return counted.groupBy("golden_id").agg(F.count("one").alias("credited_referral_count"))
