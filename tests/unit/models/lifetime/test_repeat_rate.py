"""Coming back after the first purchase: what few customers are forecast by."""

import numpy as np
import pandas as pd
import pytest

from cdp_lib.models.lifetime.lifetime_fit import fit_lifetime
from cdp_lib.models.lifetime.lifetime_value import LifetimeSettings, REPEAT_RATE, SCORES
from cdp_lib.models.lifetime.repeat_rate import expected_repeats, pooled_repeat_rate, repeats
from tests.unit.models.lifetime.simulated_purchases import features_at, labels_after


def shop(first: list[int], back: dict[int, list[int]]) -> pd.DataFrame:
    """Everybody's first day, and the later ones of some; each purchase costs 30."""
    days = [(f"c{one:04}", day) for one, start in enumerate(first) for day in (start, *back.get(one, []))]
    return pd.DataFrame(days, columns=["golden_id", "day"]).assign(amount=30.0)


@pytest.mark.parametrize("horizon", [180, 365])
def test_a_shop_of_thirty_days_does_not_forecast_a_first_purchase_over_and_over(horizon):
    # 400 customers, 20 of whom came a second time.
    bought = shop([one % 30 for one in range(400)], {one: [30] for one in range(20)})
    frame = features_at(bought, 30)

    model = fit_lifetime(frame, [], LifetimeSettings(horizon, discount_rate=0.0))
    scores = model.score(frame)

    assert model.form == REPEAT_RATE
    once = (frame["frequency"] == 0).to_numpy()
    assert scores["predicted_purchase_count"][once].max() < 0.5
    assert scores["predicted_purchase_count"][~once].min() > scores["predicted_purchase_count"][once].max()
    assert scores["cltv_amount"].sum() < bought["amount"].sum()


def test_where_nobody_ever_returned_nobody_is_forecast_to():
    bought = shop([one % 370 for one in range(1_500)], {})
    frame = features_at(bought, 400)

    model = fit_lifetime(frame, [], LifetimeSettings(180))
    scores = model.score(frame)

    assert model.form == REPEAT_RATE
    assert (scores[["predicted_purchase_count", "cltv_amount", "cltv_high_amount"]] == 0).all(axis=None)
    assert np.isfinite(scores[list(SCORES)]).all(axis=None)


def test_a_small_shop_is_forecast_about_what_comes_true():
    rng = np.random.default_rng(3)
    first = rng.integers(0, 200, 90).tolist()
    back = {one: sorted({int(first[one] + day) for day in rng.integers(1, 500, rng.poisson(5))}) for one in range(90)}
    bought = shop(first, back)
    frame, truth = features_at(bought, 250), labels_after(bought, 250, 180)

    said = fit_lifetime(frame, [], LifetimeSettings(180, discount_rate=0.0)).score(frame)

    assert said["cltv_amount"].sum() == pytest.approx(truth["future_amount"].sum(), rel=0.25)
    held = (said["cltv_low_amount"] <= truth["future_amount"]) & (truth["future_amount"] <= said["cltv_high_amount"])
    assert held.mean() > 0.7


def test_what_was_refunded_is_no_spend():
    rng = np.random.default_rng(3)
    first = rng.integers(0, 100, 60).tolist()
    bought = shop(first, {one: [first[one] + 30, first[one] + 60] for one in range(60)})
    frame = features_at(bought, 200)
    half = frame.assign(total_amount=frame["total_amount"].where(np.arange(60) % 2 == 0, 0.0))

    plain, less = (fit_lifetime(one, [], LifetimeSettings(90)).score(one) for one in (frame, half))

    np.testing.assert_allclose(less["cltv_amount"], plain["cltv_amount"] / 2)
    assert (less["predicted_purchase_count"] == plain["predicted_purchase_count"]).all()


def test_repeats_are_those_of_about_the_last_horizon():
    frame = features_at(shop([0, 60, 0], {0: [10, 130, 150], 1: [130]}), 150)

    count, days = repeats(frame, 80)

    assert count.tolist() == [2.0, 1.0, 0.0]
    assert days.tolist() == [90.0, 90.0, 90.0]
    assert pooled_repeat_rate(frame, 80) == pytest.approx(3 / 270)
    assert pooled_repeat_rate(frame.iloc[:0], 80) == 0.0


def test_what_is_lent_fades_with_silence_and_does_not_grow_with_the_horizon_for_ever():
    frame = features_at(shop([140, 60], {}), 150)

    short, long = (expected_repeats(frame, horizon, 0.01) for horizon in (150, 1500))

    assert short[0] > short[1] > 0
    assert (long < 4 * short).all()


def test_a_single_customer_of_a_single_day_is_forecast_nothing():
    frame = features_at(shop([0], {}), 0)

    assert pooled_repeat_rate(frame, 180) == 0.0
    assert fit_lifetime(frame, [], LifetimeSettings(180)).score(frame)["cltv_amount"].tolist() == [0.0]
