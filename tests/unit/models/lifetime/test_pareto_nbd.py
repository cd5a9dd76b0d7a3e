"""Pareto/NBD against the published 2F1 form, brute integration, and customers of known parameters."""

import json

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import gammaln, hyp2f1

from cdp_lib.models.lifetime.pareto_nbd import _Likelihood, _moments, ParetoNbd
from cdp_lib.models.lifetime.purchase_counts import PurchaseCounts

CDNOW = ParetoNbd(0.553, 10.578, 0.606, 11.669, 7.0, 0.0)
"""The published parameters of the CDNOW sample."""


def history(*rows: tuple[float, float, float]) -> PurchaseCounts:
    columns = [np.array(column, dtype=float) for column in zip(*rows, strict=True)]
    return PurchaseCounts(*columns, np.ones(len(rows)))


def drawn(model: ParetoNbd, customers: int, seed: int) -> PurchaseCounts:
    """Histories of customers of the model: purchases fall evenly on the days of their lives."""
    rng = np.random.default_rng(seed)
    tenure = rng.uniform(100, 400, customers)
    rate = rng.gamma(model.r, 1 / (model.alpha * model.unit_days), customers)
    life = rng.exponential(1.0, customers) / rng.gamma(model.s, 1 / (model.beta * model.unit_days), customers)
    upto = np.minimum(life, tenure)
    count = rng.poisson(rate * upto).astype(float)
    last = np.where(count > 0, upto * rng.random(customers) ** (1 / np.maximum(count, 1)), 0.0)
    return PurchaseCounts(count, last, tenure, np.ones(customers))


def published(point: tuple[float, ...], row: tuple[float, float, float]) -> float:
    """Log-likelihood as printed by Fader and Hardie (2005), with two 2F1."""
    r, alpha, s, beta = point
    x, last, tenure = row
    most, least, power = max(alpha, beta), min(alpha, beta), r + s + x
    second = s + 1 if alpha >= beta else r + x

    def part(time: float) -> float:
        return hyp2f1(power, second, power + 1, (most - least) / (most + time)) / (most + time) ** power

    alive = (alpha + tenure) ** -(r + x) * (beta + tenure) ** -s
    both = alive + s / power * (part(last) - part(tenure))
    return float(gammaln(r + x) - gammaln(r) + r * np.log(alpha) + s * np.log(beta) + np.log(both))


@pytest.mark.parametrize("row", [(0.0, 0.0, 39.0), (2.0, 30.43, 38.86), (7.0, 29.43, 38.86), (3.0, 1.0, 39.0)])
@pytest.mark.parametrize("point", [(0.553, 10.578, 0.606, 11.669), (1.2, 14.0, 0.4, 6.0)])
def test_the_likelihood_is_the_published_one(point, row):
    value, _ = _Likelihood(history(row))(np.array(point))

    assert value == pytest.approx(published(point, row), rel=1e-8)


def test_the_gradient_is_that_of_the_likelihood():
    likelihood = _Likelihood(drawn(CDNOW, 300, 1))
    for point in ([0.2, 30.0, 0.8, 2.4], [1.5, 0.2, 0.1, 0.1], [3.0, 100.0, 5.0, 7.0]):
        at = np.array(point)
        steps = np.diag(at * 1e-5)
        slope = [(likelihood(at + step)[0] - likelihood(at - step)[0]) / (2 * step.sum()) for step in steps]

        np.testing.assert_allclose(likelihood(at)[1], slope, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("alpha", [0.001, 10.0, 500.0])
@pytest.mark.parametrize("beta", [0.001, 10.0, 500.0])
@pytest.mark.parametrize("power", [0.05, 3.0, 1_000.0])
@pytest.mark.parametrize("span", [(0.0, 500.0), (499.0, 500.0), (3.0, 3.0001)])
def test_the_integral_is_exact_however_steep(alpha, beta, power, span):
    other = 1.6
    start, end = span

    def height(u: float) -> float:
        """The integrand over its value at the start, at start + e^u - 1 times the shortest length at hand."""
        after = least * np.expm1(u)
        return float(np.exp(u - power * np.log1p(after / (alpha + start)) - other * np.log1p(after / (beta + start))))

    least = (min(alpha, beta) + start) / power if power > 1 else min(alpha, beta) + start
    whole = quad(height, 0, np.log1p((end - start) / least), limit=500, epsabs=0, epsrel=1e-10, points=[1, 2, 3])[0]
    expected = np.log(whole * least) - power * np.log(alpha + start) - other * np.log(beta + start)

    found = _moments(np.array([power]), other, (alpha, beta), (np.array([start]), np.array([end]))).log_integral[0]

    assert found == pytest.approx(expected, abs=1e-6)


def test_parameters_are_recovered():
    counts = drawn(CDNOW, 20_000, 3)
    fitted = ParetoNbd.fit(counts, unit_days=7)
    truth, _ = _Likelihood(counts)(np.array([CDNOW.r, CDNOW.alpha * 7, CDNOW.s, CDNOW.beta * 7]))
    least = fitted.log_likelihood - counts.frequency.mean() * np.log(7)

    assert fitted.r == pytest.approx(CDNOW.r, rel=0.06)
    assert fitted.alpha == pytest.approx(CDNOW.alpha, rel=0.08)
    # The likelihood ratio test at 1 in 1000 (chi-squared, 4 degrees): s and beta alone are told apart poorly.
    assert 0 <= 2 * 20_000 * (least - truth) < 18.5


def test_collapsed_customers_in_any_order_give_the_same_model():
    counts = drawn(CDNOW, 400, 4)
    days = PurchaseCounts(counts.frequency, np.ceil(counts.last_purchase), np.ceil(counts.tenure), counts.customers)
    order = np.random.default_rng(0).permutation(400)
    shuffled = PurchaseCounts(*(array[order] for array in vars(days).values()))

    assert ParetoNbd.fit(days) == ParetoNbd.fit(shuffled) == ParetoNbd.fit(days.collapsed())


@pytest.mark.parametrize("x", [94.0, 1_000.0, 5_000.0])
def test_heavy_buyers_have_numbers(x):
    counts = history((x, 499.0, 500.0), (x, 100.0, 500.0))

    alive = CDNOW.probability_alive(counts)
    expected = CDNOW.expected_purchases(counts, 273)
    silent = CDNOW.probability_silent(counts, 90)

    assert np.isfinite([alive, expected, silent]).all()
    assert alive[0] > 0.5 > alive[1]
    assert silent[0] < silent[1]
    assert expected[0] > expected[1]


@pytest.mark.parametrize("s", [0.4, 1.0, 1.0 + 1e-7, 2.5])
def test_expected_purchases_pass_through_s_of_one(s):
    model = ParetoNbd(0.6, 60.0, s, 80.0, 1.0, 0.0)
    counts = history((3.0, 180.0, 200.0))

    def staying(day: float) -> float:
        """Rate of purchases on a later day: mean rate x chance to have stayed, both as left by the history."""
        return (0.6 + 3) / (60.0 + 200.0) * ((80.0 + 200.0) / (80.0 + 200.0 + day)) ** s

    expected = quad(staying, 0, 150)[0] * model.probability_alive(counts)[0]

    assert model.expected_purchases(counts, 150)[0] == pytest.approx(expected, rel=1e-6)


def test_drawn_futures_agree_with_what_is_expected():
    counts = history(*([(0.0, 0.0, 250.0)] * 40_000 + [(4.0, 200.0, 250.0)] * 40_000))
    future = CDNOW.draw_purchases(counts, 273, np.random.default_rng(2)).reshape(2, -1)
    expected = CDNOW.expected_purchases(counts, 273).reshape(2, -1)[:, 0]
    silent = CDNOW.probability_silent(counts, 273).reshape(2, -1)[:, 0]

    np.testing.assert_allclose(future.mean(axis=1), expected, rtol=0.05)
    np.testing.assert_allclose((future == 0).mean(axis=1), silent, atol=0.01)


def test_the_body_brings_the_model_back():
    assert ParetoNbd.from_dict(json.loads(json.dumps(CDNOW.to_dict()))) == CDNOW
