"""Scores of an earlier day by the people of today: of two customers who turned out to be one, both scores count."""

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame, functions as F

from cdp_lib.transforms.identity.history import resolve


def by_todays_people(scores: DataFrame, events: DataFrame, merged: Mapping[str, Column]) -> DataFrame:
    """One row per person of today whom the scores know: golden_id, and the columns of `merged`.

    `merged` has for each column the aggregate that makes one score of those of merged customers. `events` are rows of
    silver.identity_event; who was retired keeps the last id.
    """
    today = resolve(events, scores.select("golden_id").distinct())
    named = scores.join(today, "golden_id", "left")  # one row per golden_id
    person = F.coalesce("current_golden_id", "golden_id").alias("golden_id")
    return named.groupBy(person).agg(*[column.alias(name) for name, column in merged.items()])
