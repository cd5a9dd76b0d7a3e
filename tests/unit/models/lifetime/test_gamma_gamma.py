"""Gamma-Gamma: amounts of customers of known parameters, and what a customer's own purchases change."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.stats import gamma as gamma_law

from cdp_lib.errors import ModelError
from cdp_lib.models.lifetime.gamma_gamma import (
    _Likelihood,
    GammaGamma,
    kept_share,
    spend_frequency_correlation,
    spend_history,
    spend_known,
    SpendHistory,
)

CDNOW = GammaGamma(6.25, 3.744, 15.444, 0.0)
"""The published parameters of the CDNOW sample."""
FRAME = pd.DataFrame(
    {
        "frequency": [0.0, 2.0, 1.0, 0.0, 3.0],
        "total_amount": [30.0, 90.0, 20.0, 0.0, 60.0],
        "first_amount": [30.0, 20.0, 20.0, 0.0, 0.0],
        # The third customer's second day and the fifth's first were free.
        "monetary_amount": [30.0, 30.0, 20.0, np.nan, 20.0],
    }
)


def drawn(customers: int, seed: int) -> SpendHistory:
    rng = np.random.default_rng(seed)
    purchases = rng.integers(1, 9, customers).astype(float)
    scale = rng.gamma(CDNOW.q, 1 / CDNOW.v, customers)
    return SpendHistory(purchases, rng.gamma(CDNOW.p * purchases) / scale / purchases, np.ones(customers))


def test_repeat_purchases_leave_the_first_out():
    days, mean = spend_known(FRAME, first_included=False)

    assert days.tolist() == [0.0, 2.0, 0.0, 0.0, 3.0]
    assert mean.tolist() == [0.0, 35.0, 0.0, 0.0, 20.0]


def test_with_the_first_purchase_free_days_do_not_count():
    days, mean = spend_known(FRAME, first_included=True)

    assert days.tolist() == [1.0, 3.0, 1.0, 0.0, 3.0]
    assert mean.tolist() == [30.0, 30.0, 20.0, 0.0, 20.0]


REFUNDED = pd.DataFrame(
    {
        # Three purchases of 50 of which one came back, one that came back whole, one of 20 after a free one.
        "frequency": [2.0, 0.0, 1.0],
        "total_amount": [80.0, 0.0, 20.0],
        "first_amount": [50.0, 50.0, 0.0],
        "monetary_amount": [50.0, 50.0, 20.0],
    }
)


def test_refunds_leave_a_share_of_what_was_spent():
    assert kept_share(REFUNDED) == pytest.approx(100.0 / (150.0 + 50.0 + 40.0))
    assert kept_share(REFUNDED.assign(total_amount=[-70.0, -10.0, 20.0])) == 0.0


def test_without_a_refund_all_is_kept_though_some_purchases_were_free():
    assert kept_share(FRAME) == 1.0
    assert kept_share(FRAME.assign(total_amount=0.0, monetary_amount=np.nan)) == 1.0
    assert kept_share(FRAME.iloc[:0]) == 1.0
    # What is told to six decimals, as Spark has a mean of money.
    third = pd.DataFrame({"frequency": [2.0], "total_amount": [100.01], "monetary_amount": [33.336667]})
    assert kept_share(third) == 1.0


def test_where_refunds_hide_how_many_days_had_spend_all_count():
    days, mean = spend_known(REFUNDED, first_included=True)

    assert days.tolist() == [3.0, 1.0, 1.0]
    assert mean.tolist() == [50.0, 50.0, 20.0]


def test_the_gradient_is_that_of_the_likelihood():
    likelihood = _Likelihood(drawn(200, 1))
    for point in ([6.0, 4.0, 15.0], [0.5, 1.2, 3.0]):
        at = np.array(point)
        steps = np.diag(at * 1e-5)
        slope = [(likelihood(at + step)[0] - likelihood(at - step)[0]) / (2 * step.sum()) for step in steps]

        np.testing.assert_allclose(likelihood(at)[1], slope, rtol=1e-5, atol=1e-8)


def test_the_likelihood_is_the_customers_averaged_over_scales():
    purchases, mean = 3.0, 22.0
    law = gamma_law(CDNOW.q, scale=1 / CDNOW.v)

    def one(share: float) -> float:
        """Density of the mean of three amounts of a customer of known scale."""
        return gamma_law.pdf(mean, CDNOW.p * purchases, scale=1 / (law.ppf(share) * purchases))

    history = SpendHistory(np.array([purchases]), np.array([mean]), np.ones(1))

    value, _ = _Likelihood(history)(np.array([CDNOW.p, CDNOW.q, CDNOW.v]))

    assert value == pytest.approx(np.log(quad(one, 0, 1, epsrel=1e-9)[0]), rel=1e-6)


def test_parameters_are_recovered():
    fitted = GammaGamma.fit(drawn(20_000, 2))

    assert fitted.p == pytest.approx(CDNOW.p, rel=0.05)
    assert fitted.q == pytest.approx(CDNOW.q, rel=0.05)
    assert fitted.p * fitted.v / (fitted.q - 1) == pytest.approx(CDNOW.p * CDNOW.v / (CDNOW.q - 1), rel=0.02)


def test_the_rows_order_and_the_currency_leave_the_forecast_alone():
    history = drawn(400, 3)
    order = np.random.default_rng(0).permutation(400)
    shuffled = SpendHistory(*(array[order] for array in vars(history).values()))
    pence = SpendHistory(history.purchases, history.mean_amount * 100, history.customers)
    fitted, dear = GammaGamma.fit(history), GammaGamma.fit(pence)

    assert GammaGamma.fit(shuffled) == fitted
    np.testing.assert_allclose(
        dear.expected_spend(pence.purchases, pence.mean_amount),
        100 * fitted.expected_spend(history.purchases, history.mean_amount),
        rtol=1e-5,
    )


def test_an_unknown_customer_spends_what_all_do_and_a_known_one_more_and_more_the_own():
    expected = CDNOW.expected_spend(np.array([0.0, 1.0, 50.0]), np.array([0.0, 90.0, 90.0]))

    assert expected[0] == pytest.approx(CDNOW.p * CDNOW.v / (CDNOW.q - 1))
    assert expected[0] < expected[1] < expected[2] < 90


def test_drawn_spend_agrees_with_what_is_expected():
    known = np.full(100_000, 4.0), np.full(100_000, 50.0)
    drawn_spend = CDNOW.draw_spend(*known, np.full(100_000, 3.0), np.random.default_rng(1))

    assert drawn_spend.mean() == pytest.approx(3 * CDNOW.expected_spend(*known)[0], rel=0.02)
    assert CDNOW.draw_spend(*known, np.zeros(100_000), np.random.default_rng(1)).max() == 0.0


def test_the_correlation_tells_whether_frequent_buyers_spend_more():
    purchases = np.array([1.0, 2.0, 3.0])

    assert spend_frequency_correlation(SpendHistory(purchases, 10 * purchases, np.ones(3))) == pytest.approx(1.0)
    assert spend_frequency_correlation(SpendHistory(purchases, np.full(3, 5.0), np.ones(3))) == 0.0


def test_a_spend_without_a_mean_is_refused():
    with pytest.raises(ModelError, match=r"q = 0.8 is not above 1.*pooled mean"):
        GammaGamma(6.0, 0.8, 15.0, 0.0).expected_spend(np.ones(1), np.ones(1))


def test_customers_without_paid_purchases_are_refused():
    with pytest.raises(ModelError, match="no customer with a paid purchase"):
        spend_history(FRAME.iloc[[3]], first_included=True)
    with pytest.raises(ModelError, match="mean_amount is not above 0 in 1 rows"):
        SpendHistory(np.ones(2), np.array([0.0, 3.0]), np.ones(2))
    with pytest.raises(ModelError, match="different lengths"):
        SpendHistory(np.ones(2), np.ones(1), np.ones(2))


def test_the_body_brings_the_model_back():
    assert GammaGamma.from_dict(json.loads(json.dumps(CDNOW.to_dict()))) == CDNOW
