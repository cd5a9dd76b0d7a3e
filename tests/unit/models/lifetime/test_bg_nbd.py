"""BG/NBD against the paper's formulas worked out another way, and against customers of known parameters."""

import json

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import beta as beta_law, gamma as gamma_law

from cdp_lib.errors import ModelError
from cdp_lib.models.lifetime.bg_nbd import _Likelihood, BgNbd
from cdp_lib.models.lifetime.maximum_likelihood import FARTHEST
from cdp_lib.models.lifetime.purchase_counts import PurchaseCounts

CDNOW = BgNbd(0.243, 4.414, 0.793, 2.426, 7.0, 0.0)


def history(*rows: tuple[float, float, float]) -> PurchaseCounts:
    columns = [np.array(column, dtype=float) for column in zip(*rows, strict=True)]
    return PurchaseCounts(*columns, np.ones(len(rows)))


def drawn(model: BgNbd, customers: int, seed: int) -> PurchaseCounts:
    """Histories of customers of the model, days not rounded."""
    rng = np.random.default_rng(seed)
    tenure = rng.uniform(100, 400, customers)
    rate = rng.gamma(model.r, 1 / (model.alpha * model.unit_days), customers)
    leaves = rng.beta(model.a, model.b, customers)
    count, last = np.zeros(customers), np.zeros(customers)
    for one in range(customers):
        now = rng.exponential(1 / rate[one])
        while now <= tenure[one]:
            count[one], last[one] = count[one] + 1, now
            if rng.random() < leaves[one]:
                break
            now += rng.exponential(1 / rate[one])
    return PurchaseCounts(count, last, tenure, np.ones(customers))


def test_the_gradient_is_that_of_the_likelihood():
    likelihood = _Likelihood(drawn(CDNOW, 300, 1))
    for point in ([0.2, 30.0, 0.8, 2.4], [1.5, 0.2, 0.1, 0.1], [3.0, 100.0, 5.0, 7.0]):
        at = np.array(point)
        steps = np.diag(at * 1e-5)
        slope = [(likelihood(at + step)[0] - likelihood(at - step)[0]) / (2 * step.sum()) for step in steps]

        np.testing.assert_allclose(likelihood(at)[1], slope, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("row", [(0.0, 0.0, 30.0), (1.0, 12.0, 30.0), (6.0, 25.0, 30.0)])
def test_the_likelihood_is_the_customers_averaged_over_rates_and_leaving(row):
    x, last, tenure = row
    r, alpha, a, b = 1.7, 9.0, 1.6, 2.4
    rates, leaving = gamma_law(r, scale=1 / alpha), beta_law(a, b)

    def one(rate: float, leaves: float) -> float:
        """Equation 3 of the paper: of one customer of known rate and chance of leaving."""
        stayed = (1 - leaves) ** x * rate**x * np.exp(-rate * tenure)
        return stayed + (x > 0) * leaves * (1 - leaves) ** (x - 1) * rate**x * np.exp(-rate * last)

    grid, weight = np.polynomial.legendre.leggauss(400)
    rate, leaves = (grid + 1)[:, None], (grid + 1)[None, :] / 2
    density = one(rate, leaves) * rates.pdf(rate) * leaving.pdf(leaves)
    expected = weight @ density @ weight / 2

    value, _ = _Likelihood(history(row))(np.array([r, alpha, a, b]))

    assert value == pytest.approx(np.log(expected), rel=1e-5)


def test_parameters_are_recovered():
    fitted = BgNbd.fit(drawn(CDNOW, 20_000, 3), unit_days=7)

    assert fitted.r == pytest.approx(CDNOW.r, rel=0.05)
    assert fitted.alpha == pytest.approx(CDNOW.alpha, rel=0.08)
    assert fitted.a / (fitted.a + fitted.b) == pytest.approx(CDNOW.a / (CDNOW.a + CDNOW.b), rel=0.1)


def test_collapsed_customers_in_any_order_give_the_same_model():
    counts = drawn(CDNOW, 500, 4)
    days = PurchaseCounts(counts.frequency, np.ceil(counts.last_purchase), np.ceil(counts.tenure), counts.customers)
    order = np.random.default_rng(0).permutation(500)
    shuffled = PurchaseCounts(*(array[order] for array in vars(days).values()))

    assert BgNbd.fit(days) == BgNbd.fit(shuffled) == BgNbd.fit(days.collapsed())


def test_the_time_unit_only_renames_alpha():
    counts = drawn(CDNOW, 500, 4)
    days, weeks = BgNbd.fit(counts), BgNbd.fit(counts, unit_days=7)

    assert weeks.alpha * 7 == pytest.approx(days.alpha)
    assert weeks.log_likelihood - days.log_likelihood == pytest.approx(counts.frequency.mean() * np.log(7))
    np.testing.assert_allclose(weeks.expected_purchases(counts, 90), days.expected_purchases(counts, 90), rtol=1e-9)


@pytest.mark.parametrize(
    "model",
    [
        CDNOW,
        BgNbd(0.3, 5.0, 1.0, 2.0, 7.0, 0.0),
        BgNbd(0.3, 5.0, 0.5, 0.5, 7.0, 0.0),
        BgNbd(2.0, 0.1, 0.01, 0.3, 7.0, 0.0),
    ],
)
@pytest.mark.parametrize("x", [0.0, 1.0, 94.0, 5_000.0])
@pytest.mark.parametrize("horizon", [1.0, 273.0, 3_000.0])
def test_expected_purchases_are_the_living_customers_averaged(model, x, horizon):
    tenure = 500.0
    counts = history((x, 499.9 if x else 0.0, tenure))
    law = beta_law(model.a, model.b + x)

    def ahead(leaves: float) -> float:
        """Purchases until the customer leaves or the horizon ends, averaged over rates."""
        leaves = max(leaves, 1e-300)
        return -np.expm1(-(model.r + x) * np.log1p(leaves * horizon / (model.alpha * 7 + tenure))) / leaves

    expected = quad(
        lambda share: ahead(law.ppf(share)), 0, 1, limit=300, epsabs=0, epsrel=1e-9, points=[1e-3, 0.01, 0.1]
    )

    actual = model.expected_purchases(counts, horizon) / model.probability_alive(counts)

    assert actual[0] == pytest.approx(expected[0], rel=1e-5)


def test_heavy_buyers_have_numbers():
    counts = history((94.0, 499.0, 500.0), (1_000.0, 499.0, 500.0), (5_000.0, 400.0, 500.0))

    for said in (
        CDNOW.expected_purchases(counts, 273),
        CDNOW.probability_alive(counts),
        CDNOW.probability_silent(counts, 90),
    ):
        assert np.isfinite(said).all()
        assert (said >= 0).all()


def test_one_purchase_day_leaves_nobody_gone_but_many_silent():
    counts = history((0.0, 0.0, 250.0), (4.0, 30.0, 250.0), (4.0, 240.0, 250.0))

    assert CDNOW.probability_alive(counts)[0] == 1.0
    silent = CDNOW.probability_silent(counts, 90)
    assert silent[0] > 0.9
    assert silent[1] > silent[0] > silent[2]


def test_drawn_futures_agree_with_what_is_expected():
    rows = [(0.0, 0.0, 250.0)] * 40_000 + [(4.0, 200.0, 250.0)] * 40_000
    counts = history(*rows)
    drawn_counts = CDNOW.draw_purchases(counts, 273, np.random.default_rng(2)).reshape(2, -1)
    expected = CDNOW.expected_purchases(counts, 273).reshape(2, -1)[:, 0]
    silent = CDNOW.probability_silent(counts, 273).reshape(2, -1)[:, 0]

    np.testing.assert_allclose(drawn_counts.mean(axis=1), expected, rtol=0.05)
    np.testing.assert_allclose((drawn_counts == 0).mean(axis=1), silent, atol=0.01)


def test_a_penalizer_draws_parameters_in():
    counts = drawn(CDNOW, 500, 4)

    assert BgNbd.fit(counts, penalizer=0.1).b < BgNbd.fit(counts).b


def test_a_negative_penalizer_is_refused():
    with pytest.raises(ModelError, match=r"BG/NBD: a penalizer of -1 .* give 0 or more"):
        BgNbd.fit(drawn(CDNOW, 50, 4), penalizer=-1)


def test_the_body_brings_the_model_back():
    assert BgNbd.from_dict(json.loads(json.dumps(CDNOW.to_dict()))) == CDNOW


def test_a_customer_of_one_day_says_only_that_nothing_followed():
    # x = 0: the likelihood is that of no purchase, (alpha / (alpha + T))^r.
    value, _ = _Likelihood(history((0.0, 0.0, 30.0)))(np.array([0.7, 9.0, 0.8, 2.4]))

    assert value == pytest.approx(0.7 * np.log(9.0 / 39.0))


def test_expectations_hold_where_the_chance_to_leave_hardly_varies():
    known = history((0, 0, 10), (3, 250, 300), (94, 360, 365), (1000, 1499, 1500))
    by_formula = BgNbd(0.5, 30, 99, 50, 1.0, 0.0).purchases_if_alive(known, 90)
    just_beyond = BgNbd(0.5, 30, 101, 50 * 101 / 99, 1.0, 0.0).purchases_if_alive(known, 90)
    assert just_beyond == pytest.approx(by_formula, rel=0.02)
    # With p certain, E = (1 - ((alpha + T) / (alpha + T + p h))^(r + x)) / p.
    certain = BgNbd(0.5, 30, 2e7, 8e7, 1.0, 0.0).purchases_if_alive(known, 90)
    kept = ((30 + known.tenure) / (30 + known.tenure + 0.2 * 90)) ** (0.5 + known.frequency)
    assert certain == pytest.approx((1 - kept) / 0.2, rel=1e-3)


@pytest.mark.parametrize(
    "model",
    [
        BgNbd(0.3, 5.0, 60.0, 80.0, 1.0, 0.0),
        BgNbd(30.0, 0.1, 99.0, 99.0, 1.0, 0.0),
        BgNbd(160_000.0, 1.1e6, 1.0, 5.0, 1.0, 0.0),
        BgNbd(8_400.0, 0.001, 0.02, 0.0003, 1.0, 0.0),
        BgNbd(1_200.0, 0.01, 0.02, 1e-5, 1.0, 0.0),
    ],
)
@pytest.mark.parametrize("row", [(0.0, 0.0, 1.0), (1.0, 12.0, 30.0), (94.0, 499.0, 500.0)])
def test_large_and_small_parameters_give_the_integral_over_chances_to_leave(model, row):
    x, tenure, reach = row[0], row[2], 90.0
    a, b = model.a, model.b + x
    middle, spread = np.log(a / b), np.sqrt(1 / a + 1 / b)
    near = middle + spread * np.linspace(-40, 40, 2_001)
    edges = np.unique(np.r_[near, np.linspace(-60, 60, 2_001), np.linspace(middle - 40 / a, middle + 40 / b, 2_001)])
    grid, weight = np.polynomial.legendre.leggauss(12)
    half = np.diff(edges)[:, None] / 2
    odds = edges[:-1, None] + half * (1 + grid)
    logs = -a * np.logaddexp(0, -odds) - b * np.logaddexp(0, odds)
    density = np.exp(logs - logs.max()) * half * weight
    leaves = np.exp(-np.logaddexp(0, -np.maximum(odds, -500)))
    bought = -np.expm1(-(model.r + x) * np.log1p(leaves * reach / (model.alpha + tenure))) / leaves
    expected = (density * bought).sum() / density.sum()

    assert model.purchases_if_alive(history(row), reach)[0] == pytest.approx(expected, rel=1e-5)


def test_nothing_overflows_wherever_a_search_may_end():
    rng = np.random.default_rng(1)
    known = history((0, 0, 0), (0, 0, 300), (1, 20, 50), (10, 299, 300), (94, 360, 365), (1000, 1499, 1500))
    for _ in range(600):
        r, alpha, a, b = np.exp(rng.uniform(-FARTHEST, FARTHEST, 4))
        model = BgNbd(r, alpha * 150, a, b, 1.0, 0.0)
        for said in (
            model.expected_purchases(known, 180),
            model.probability_alive(known),
            model.probability_silent(known, 180),
            model.draw_purchases(known, 180, rng),
        ):
            assert np.isfinite(said).all()
            assert (said >= 0).all()
        unending = (r + known.frequency) * 180 / (model.alpha + known.tenure)
        assert (model.purchases_if_alive(known, 180) <= unending * (1 + 1e-6)).all()


def test_customers_who_buy_like_clockwork_have_numbers():
    rng = np.random.default_rng(5)
    tenure = rng.integers(60, 500, 400).astype(float)
    days = [np.cumsum(rng.integers(5, 10, int(end) // 5 + 1)) for end in tenure]
    stays = rng.geometric(rng.beta(1, 5, 400))
    bought = [day[day <= end][:stay] for day, end, stay in zip(days, tenure, stays, strict=True)]
    last = np.array([day[-1] if len(day) else 0.0 for day in bought])
    counts = PurchaseCounts(np.array([float(len(day)) for day in bought]), last, tenure, np.ones(400))

    fitted = BgNbd.fit(counts)
    expected = fitted.expected_purchases(counts, 90)

    assert fitted.r > 10_000
    assert np.isfinite(expected).all()
    assert (fitted.probability_alive(counts) * 90 / 7 > expected).all()
