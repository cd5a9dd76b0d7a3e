"""Bounds around a forecast: as wide as the back-test was wrong, never negative, and the forecast between."""

import json

import numpy as np

from cdp_lib.models.lifetime.spend_interval import SpendInterval


def back_test(customers: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Forecasts, and truths that scatter more around small ones."""
    rng = np.random.default_rng(seed)
    forecast = rng.gamma(1.0, 50.0, customers) + 1.0
    shape = 0.5 + forecast / 50.0
    return forecast, rng.gamma(shape) / shape * forecast


def test_unseen_customers_fall_between_as_often_as_promised():
    forecast, truth = back_test(5_000, 1)
    interval = SpendInterval.calibrated(forecast, truth, forecast, 0.8)
    unseen, came = back_test(20_000, 2)
    low, high = interval.around(unseen)

    held = (low <= came) & (came <= high)
    small = unseen < np.quantile(unseen, 0.1)

    assert 0.78 < held.mean() < 0.83
    assert 0.76 < held[small].mean() < 0.86


def test_bounds_hold_the_forecast_and_are_never_negative():
    forecast, truth = back_test(500, 1)
    interval = SpendInterval.calibrated(forecast, np.where(truth > 60, truth, 0.0), forecast, 0.8)
    low, high = interval.around(forecast)

    assert (low >= 0).all()
    assert (low <= forecast).all()
    assert (forecast <= high).all()


def test_groups_follow_the_present_forecasts_size():
    forecast, truth = back_test(1_000, 1)
    twice = SpendInterval.calibrated(forecast, truth, 2 * forecast, 0.8)
    once = SpendInterval.calibrated(forecast, truth, forecast, 0.8)

    np.testing.assert_allclose(np.array(twice.around(2 * forecast)), 2 * np.array(once.around(forecast)))


def test_few_customers_make_one_group():
    interval = SpendInterval.calibrated(np.ones(8), np.arange(8.0), np.ones(8), 0.8)

    assert interval.edges == ()
    assert interval.high == (7.0,)


def test_the_body_brings_the_interval_back():
    forecast, truth = back_test(500, 1)
    interval = SpendInterval.calibrated(forecast, truth, forecast, 0.8)

    assert SpendInterval.from_dict(json.loads(json.dumps(interval.to_dict()))) == interval
