"""The last period's spend: read off the windows, between them, and beyond them."""

import pandas as pd
import pytest

from cdp_lib.models.lifetime.last_period import last_period_purchases, last_period_spend

SPENT = pd.DataFrame(
    {
        "amount_30d": [30.0],
        "amount_90d": [60.0],
        "amount_180d": [240.0],
        "amount_365d": [610.0],
        "history_days": [900.0],
        "tenure_days": [800.0],
        "first_amount": [7.0],
    }
)


@pytest.mark.parametrize(
    ("horizon", "expected"),
    [(30, 30.0), (90, 60.0), (180, 240.0), (365, 610.0), (15, 15.0), (60, 45.0), (135, 150.0), (730, 1220.0)],
)
def test_a_horizon_repeats_as_many_days_as_it_has(horizon, expected):
    assert last_period_spend(SPENT, horizon)[0] == pytest.approx(expected)


def test_a_history_shorter_than_the_horizon_is_taken_pro_rata():
    # All 240 lie within the 120 days that are known: of the last 60 of them, what the windows tell.
    young = SPENT.assign(amount_365d=240.0, history_days=120.0, tenure_days=110.0, first_amount=40.0)

    assert last_period_spend(young, 180)[0] == pytest.approx(240.0 + 200.0 * 60 / 120)
    assert last_period_spend(young, 105)[0] == pytest.approx(60.0 + 180.0 / 2)


def test_nobody_makes_a_first_purchase_twice():
    # Two new customers of a shop 30 days old, and one of a year ago: the second has been back once.
    counts = {f"purchase_count_{window}d": [1.0, 2.0, 1.0] for window in (30, 90, 180, 365)}
    spent = {f"amount_{window}d": [20.0, 50.0, 20.0] for window in (30, 90, 180, 365)}
    young = pd.DataFrame(
        {
            **counts,
            **spent,
            "history_days": [30.0, 30.0, 730.0],
            "tenure_days": [12.0, 30.0, 364.0],
            "first_amount": [20.0, 20.0, 20.0],
        }
    )

    assert last_period_purchases(young, 360).tolist() == pytest.approx([1.0, 2.0 + 11.0, 1.0])
    assert last_period_spend(young, 360).tolist() == pytest.approx([20.0, 50.0 + 11 * 30.0, 20.0])
    assert last_period_purchases(young, 730).tolist()[2] == pytest.approx(1.0)


def test_refunds_make_no_negative_forecast_and_nobody_none():
    refunded = SPENT.assign(amount_30d=-5.0)

    assert last_period_spend(refunded, 30).tolist() == [0.0]
    assert last_period_spend(SPENT.iloc[:0], 30).size == 0


def test_each_row_has_its_own_history():
    both = pd.concat([SPENT, SPENT.assign(amount_365d=240.0, history_days=120.0)], ignore_index=True)

    assert last_period_spend(both, 180).tolist() == pytest.approx([240.0, 240.0 + 233.0 * 60 / 120])
