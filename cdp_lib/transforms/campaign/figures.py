"""The figures of every activation and arm: sent, answered, and the mean of what it is judged by."""

from collections.abc import Mapping
from datetime import date

from pyspark.sql import Column, DataFrame, functions as F

from cdp_lib.settings.pack import Pack
from cdp_lib.transforms.campaign.intents import arm_and_all
from cdp_lib.transforms.campaign.reactions import REACTIONS


def campaign_rows(
    accounts: DataFrame, reactions: DataFrame, statistics: DataFrame, pack: Pack, *, as_of: date
) -> DataFrame:
    """The rows of gold.campaign_result but for `_run_id`: one per row of `accounts` (`delivery_accounts`).

    `reactions` come from `reaction_counts`, `statistics` from `sufficient_statistics`; where they lack the arm, nobody
    reacted and no window has passed. An activation that the pack no longer has keeps its counts.
    """
    use_cases = {one.id: one.use_case for one in pack.activations if one.use_case}
    main_kpis = {one.id: one.kpis[0].id for one in pack.activations if one.kpis}
    key = ["activation_id", "arm"]
    main = statistics.where(F.col("kpi") == _of_activation(main_kpis)).withColumn("arm", arm_and_all())
    means = main.groupBy(*key).agg(
        F.sum("customer_count").alias("kpi_customer_count"),
        (F.sum("value_sum").cast("double") / F.sum("customer_count")).alias("kpi_mean"),
    )
    joined = accounts.join(reactions, key, "left").join(means, key, "left")
    counts = [*(f"{name}_count" for name in REACTIONS), "kpi_customer_count"]
    return joined.fillna(0, counts).select(
        *accounts.columns,
        *counts,
        "kpi_mean",
        _of_activation(use_cases).alias("use_case"),
        _of_activation(main_kpis).alias("kpi"),
        F.lit(as_of).alias("as_of_date"),
    )


def _of_activation(said: Mapping[str, str]) -> Column:
    """What is said of the row's activation; null: nothing."""
    if not said:
        return F.lit(None).cast("string")
    named = F.create_map(*[F.lit(text) for pair in sorted(said.items()) for text in pair])
    return F.try_element_at(named, "activation_id")
