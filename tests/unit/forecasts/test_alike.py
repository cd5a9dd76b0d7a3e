"""What forecasts are held against: shops of known truth, whose true future must be no doubt."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from cdp_lib.models.sanity import doubts, Outlook
from cdp_lib.settings.forecast import Sanity
from jobs.forecasts.alike import as_others_did, LEAST_KNOWN, SLACK
from jobs.forecasts.history import History

FIRST = date(2025, 1, 1)


def bought(joined: np.ndarray, days: int, gap: float, leave: float, seed: int = 3) -> pd.DataFrame:
    """golden_id and day of every purchase: customers come on a day, buy every `gap` days or so, and some leave each."""
    draw = np.random.default_rng(seed)
    rows = []
    for number, first in enumerate(joined):
        day = float(first)
        while day < days:
            rows.append((f"c{number:05}", int(day)))
            if draw.random() < leave:
                break
            day += 1 + draw.exponential(gap - 1)
    return pd.DataFrame(rows, columns=["golden_id", "day"]).drop_duplicates()


def history(spark: SparkSession, rows: pd.DataFrame, as_of: int) -> History:
    known = rows[rows["day"] <= as_of]
    dated = known.assign(purchase_date=[FIRST + timedelta(days=int(day)) for day in known["day"]])
    days = spark.createDataFrame(
        dated[["golden_id", "purchase_date"]], "golden_id string, purchase_date date"
    ).selectExpr("*", "10D as amount", "true as is_purchase")
    dates = tuple(FIRST + timedelta(days=int(day)) for day in sorted(known["day"].unique()))
    return History(days, FIRST + timedelta(days=as_of), dates, known["golden_id"].nunique(), 10.0)


def outlooks(spark: SparkSession, rows: pd.DataFrame, as_of: int, horizon: int, times: float) -> list[dict[str, str]]:
    """Doubts of so many times the true future of those known, as buyers and as spend."""
    past = history(spark, rows, as_of)
    alike = as_others_did(past, horizon)
    assert alike is not None
    known = rows.loc[rows["day"] <= as_of, "golden_id"].unique()
    ahead = rows[rows["day"].between(as_of + 1, as_of + horizon) & rows["golden_id"].isin(known)]
    pairs = ((ahead["golden_id"].nunique(), alike.buyers, 1.0), (10.0 * len(ahead), alike.amount, 10.0))
    told = [
        Outlook("it", true * times, naive, alike.is_bound, SLACK * len(known) * one, 0.0, len(known), 0, 1)
        for true, naive, one in pairs
    ]
    return [doubts(one, Sanity()) for one in told]


SHOPS = {
    # Everybody came in the first quarter, and most never come back: the last period is mostly their first purchases.
    "one quarter's customers": (np.arange(3_000) % 90, 60, 180, 0.5),
    "the same, later": (np.arange(3_000) % 90, 200, 90, 0.5),
    "customers double every fortnight": (
        np.minimum(14 * np.log2(np.arange(2_000) / 30 + 1), 600).astype(int),
        70,
        90,
        0.05,
    ),
    "as many come as leave": (np.arange(3_000) // 6, 400, 90, 0.2),
}


@pytest.mark.parametrize("shop", SHOPS)
def test_the_true_future_is_no_doubt(spark: SparkSession, shop: str) -> None:
    joined, as_of, horizon, leave = SHOPS[shop]
    rows = bought(joined, as_of + horizon + 1, 20.0, leave)
    assert outlooks(spark, rows, as_of, horizon, 1.0) == [{}, {}]


def test_a_forecast_147_percent_too_high_is_stopped_and_so_is_one_far_too_low(spark: SparkSession) -> None:
    rows = bought(np.arange(3_000) // 6, 491, 20.0, 0.2)
    for times in (2.47, 0.3):
        for found in outlooks(spark, rows, 400, 90, times):
            assert list(found) == ["forecast_is_near_the_last_period"]


def test_a_feed_that_stopped_is_seen_by_the_days_without_a_purchase(spark: SparkSession) -> None:
    rows = pd.DataFrame({"golden_id": "c", "day": [0, 3, 4, 10]})
    past = history(spark, rows, 30)
    assert (past.silent_days, past.longest_silence_days, past.length_days) == (20, 6, 30)
    nothing = history(spark, rows.iloc[:0], 30)
    assert (nothing.silent_days, nothing.longest_silence_days, nothing.first_day) == (0, 0, None)
    assert as_others_did(nothing, 30) is None


def test_what_too_few_did_is_nothing_to_go_by(spark: SparkSession) -> None:
    few = bought(np.zeros(LEAST_KNOWN - 1), 100, 20.0, 0.2)
    assert as_others_did(history(spark, few, 90), 30) is None
    enough = history(spark, bought(np.zeros(LEAST_KNOWN), 100, 20.0, 0.2), 90)
    assert as_others_did(enough, 30) is not None
    assert as_others_did(enough, 30, LEAST_KNOWN + 1) is None
