"""Scores of an earlier day, by the people of today."""

from chispa import assert_df_equality
from pyspark.sql import DataFrame, functions as F, SparkSession

from cdp_lib.contracts.identity import IDENTITY_EVENT
from cdp_lib.transforms.features.merged import by_todays_people
from tests.builders import rows

SCORES = "golden_id string, value double, chance double"


def people(spark: SparkSession, scores: list[tuple], *events: dict) -> DataFrame:
    told = rows(spark, IDENTITY_EVENT, *({"identity_event_id": str(place), **one} for place, one in enumerate(events)))
    merged = {"value": F.sum("value"), "chance": F.product("chance")}
    return by_todays_people(spark.createDataFrame(scores, SCORES), told, merged)


def merge(old: str, new: str) -> dict:
    return {"event_type": "merge", "golden_id": old, "into_golden_id": new}


def assert_people(actual: DataFrame, *expected: tuple) -> None:
    wanted = actual.sparkSession.createDataFrame(list(expected), SCORES)
    assert_df_equality(actual, wanted, ignore_row_order=True, ignore_nullable=True)


def test_scores_of_merged_customers_are_one_persons(spark: SparkSession) -> None:
    before = [("a", 3.0, 0.5), ("b", 4.0, 0.5), ("c", 1.0, 0.25)]
    assert_people(people(spark, before, merge("b", "a")), ("a", 7.0, 0.25), ("c", 1.0, 0.25))


def test_an_id_that_stood_for_nobody_then_takes_the_scores_of_those_it_stands_for(spark: SparkSession) -> None:
    before = [("a", 3.0, 0.5), ("b", 4.0, 0.5)]
    merges = (merge("b", "a"), merge("a", "z"), merge("b", "z"))
    assert_people(people(spark, before, *merges), ("z", 7.0, 0.25))


def test_who_was_retired_keeps_the_last_id_and_an_unknown_score_stays_unknown(spark: SparkSession) -> None:
    gone = {"event_type": "retire", "golden_id": "a", "into_golden_id": None}
    assert_people(people(spark, [("a", None, 0.5)], gone), ("a", None, 0.5))


def test_without_scores_there_are_no_people(spark: SparkSession) -> None:
    assert people(spark, [], merge("b", "a")).columns == ["golden_id", "value", "chance"]
    assert people(spark, []).isEmpty()
