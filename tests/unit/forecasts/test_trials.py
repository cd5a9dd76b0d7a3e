"""What a training leaves where its model lost to the naive forecast: everything it tells is of what is registered."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import functions as F, SparkSession

from cdp_lib.models.charts import Curves
from cdp_lib.models.lifetime.closed_form import ClosedFormModel
from cdp_lib.models.lifetime.lifetime_fit import fit_lifetime
from cdp_lib.models.lifetime.lifetime_value import CLOSED_FORM, LAST_PERIOD, LifetimeSettings, REPEAT_RATE
from cdp_lib.settings.forecast import Churn, LifetimeValue
from jobs.forecasts.churn import learn_churn
from jobs.forecasts.history import History
from jobs.forecasts.lifetime import learn_lifetime, with_purchases_of_all
from tests.unit.models.lifetime.simulated_purchases import bought_days, features_at

FIRST = date(2024, 1, 1)
CONTEXT: Any = SimpleNamespace(input_version=lambda table: None)
"""A job's context, as far as a training looks at it."""


def history(spark: SparkSession, rows: Iterable[tuple[str, int, float]], as_of: int) -> History:
    """Purchases by customer, day and amount; a negative amount is a refund."""
    known = [row for row in rows if row[1] <= as_of]
    dated = [(who, FIRST + timedelta(days=day), amount, 1.0, amount > 0) for who, day, amount in known]
    columns = "golden_id string, purchase_date date, amount double, item_count double, is_purchase boolean"
    dates = tuple(FIRST + timedelta(days=day) for day in sorted({day for _, day, amount in known if amount > 0}))
    customers = len({who for who, *_ in known})
    frame = spark.createDataFrame(
        pd.DataFrame(dated, columns=[part.split()[0] for part in columns.split(", ")]), columns
    )
    days = frame.coalesce(1).withColumn("again_product_count", F.lit(None).cast("bigint"))
    return History(days, FIRST + timedelta(days=as_of), dates, customers, 10.0)


def clockwork(customers: int) -> list[tuple[str, int, float]]:
    """Each spends the same on every tenth, fifteenth or thirtieth day: the last 90 days say exactly what comes."""
    return [
        (f"c{one:03}", day, 5.0 + one % 17 * 8)
        for one in range(customers)
        for day in range(one % 10, 301, (10, 15, 30)[one % 3])
    ]


def test_a_lifetime_training_that_lost_tells_the_figures_of_the_last_period(spark: SparkSession) -> None:
    past = history(spark, clockwork(160), 300)

    lesson = learn_lifetime(CONTEXT, past, LifetimeValue(horizon_days=90), None)

    assert lesson.verdict is not None
    assert lesson.verdict.loses_to_naive
    told, figures = lesson.training.parameters, lesson.training.metrics
    assert told["form"] == LAST_PERIOD
    assert "the trained model was worse than as in the last period" in str(told["reason"])
    assert figures["spend_mae"] == pytest.approx(figures["naive.loss"]) == pytest.approx(0.0)
    assert figures["transactions_mae"] == pytest.approx(0.0)
    assert figures["rejected.spend_mae"] == pytest.approx(figures["challenger.loss"])
    assert figures["rejected.spend_mae"] > 1
    calibration = lesson.training.charts["calibration.png"]
    assert isinstance(calibration, Curves)
    forecast, came_true = calibration.curves["deciles"]
    assert forecast == pytest.approx(came_true)


def test_a_rival_is_what_was_spent_net_in_exactly_the_horizon_before(spark: SparkSession) -> None:
    # All is returned twenty days later, but for the last purchase: the last 30 days are as good as nothing.
    bought = [row for one in range(120) for row in ((f"c{one:03}", day, 20.0) for day in range(one % 10, 200, 40))]
    refunds = [(who, day + 20, -amount) for who, day, amount in bought]
    past = history(spark, [*bought, *refunds], 199)
    cut = 199 - 30
    net = pd.DataFrame([*bought, *refunds], columns=["who", "day", "amount"])
    spent = [net[net["day"].between(*days)].groupby("who")["amount"].sum() for days in ((140, cut), (cut + 1, 199))]
    last, truth = (one.reindex(sorted({who for who, *_ in bought}), fill_value=0.0) for one in spent)

    figures = learn_lifetime(CONTEXT, past, LifetimeValue(horizon_days=30), None).training.metrics

    assert figures["naive.loss"] == pytest.approx(np.abs(np.maximum(last, 0.0) - truth).mean())


def test_for_want_of_customers_the_simplest_form_stands_and_is_compared_with_itself(spark: SparkSession) -> None:
    lesson = learn_lifetime(CONTEXT, history(spark, clockwork(40), 300), LifetimeValue(horizon_days=90), None)

    assert lesson.verdict is not None
    assert lesson.verdict.reason == "it is the rate of repeat purchases"
    assert lesson.verdict.is_promoted
    assert lesson.training.parameters["form"] == REPEAT_RATE
    assert lesson.training.metrics["spend_mae"] == pytest.approx(lesson.training.metrics["naive.loss"])
    assert not [name for name in lesson.training.metrics if name.startswith("rejected.")]


def test_purchases_that_all_customers_do_not_bear_out_stay_those_of_the_sample() -> None:
    starts = np.random.default_rng(1).integers(0, 370, 150)
    paid = [(f"c{one:03}", day, 9.99) for one, start in enumerate(starts) for day in range(start, 400, 30)]
    everybody: Any = SimpleNamespace(
        collapsed=lambda: features_at(pd.DataFrame(paid, columns=["golden_id", "day", "amount"]), 320)
    )
    sample = features_at(bought_days(400, 200, 7), 150)
    model, of_bg_nbd = fit_lifetime(sample, [], LifetimeSettings(60)), ClosedFormModel.fit(sample, "bg_nbd")

    kept = with_purchases_of_all(replace(model, closed=of_bg_nbd), everybody)

    assert kept.form == CLOSED_FORM
    assert kept.closed == of_bg_nbd
    assert "purchases are a sample's: BG/NBD: no likeliest parameters found" in kept.reason


def test_a_churn_training_that_lost_tells_the_figures_of_the_recency_bands(spark: SparkSession) -> None:
    # Who spends much never left, until all of them do so at once.
    rng = np.random.default_rng(2)
    rows = []
    for one in range(500):
        is_big = one % 2 == 0
        until = 200 if is_big else int(rng.integers(20, 380))
        rows += [(f"c{one:03}", day, 100.0 if is_big else 10.0) for day in range(one % 3, min(until, 230) + 1, 3)]

    lesson = learn_churn(CONTEXT, history(spark, rows, 230), Churn(horizon_days=30), None)

    assert lesson.verdict is not None
    assert lesson.verdict.loses_to_naive
    assert "recency_bands" in lesson.told
    assert lesson.training.metrics["churn_brier"] == pytest.approx(lesson.training.metrics["naive.loss"])
