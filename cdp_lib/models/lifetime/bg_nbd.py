"""BG/NBD: purchases come at random while a customer is alive; after each, the customer may leave for good.

Fader, Hardie and Lee, "Counting Your Customers" the Easy Way, Marketing Science 24 (2005). A customer buys at rate
lambda ~ Gamma(r, alpha) and leaves after a repeat purchase with probability p ~ Beta(a, b).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
from numpy.polynomial.legendre import leggauss
from scipy.special import (  # type: ignore[import-untyped]  # SciPy ships no types
    betainc,
    betaincinv,
    betaln,
    digamma,
    expit,
    gammaln,
    hyp2f1,
    log_expit,
)

from cdp_lib.models.lifetime.maximum_likelihood import Floats, likeliest
from cdp_lib.models.lifetime.purchase_counts import PurchaseCounts

_STARTS = ((0.25, 0.5, 0.5, 2.0), (1.0, 1.0, 1.0, 1.0))
_SCALE = 10.0
"""The longest tenure in the time unit of the search, so that alpha is near 1 for days and for years."""
_APART = 1e-6
"""How near a and a + b may come to 1, where the formula divides 0 by 0."""
_LARGE, _LARGE_RATE = 30.0, 1e3
"""a or b, and r, above which 2F1 is left for an integral over the chance to leave: it overflows, or cancels to 0."""
_NODES, _WEIGHTS = leggauss(128)
_TAIL = 1e-12
_FAR = 16.0
"""Odds of leaving beyond e^16, or e^16 times too small to matter, are taken as one."""
_ROWS = 10_000
"""Histories integrated at a time: 128 points each."""


@dataclass(frozen=True)
class BgNbd:
    """Fitted parameters; `alpha` in units of `unit_days` days. Methods take histories and horizons in days."""

    r: float
    alpha: float
    a: float
    b: float
    unit_days: float
    log_likelihood: float
    """Mean per customer."""

    @classmethod
    def fit(cls, counts: PurchaseCounts, *, unit_days: float = 1.0, penalizer: float = 0.0) -> "BgNbd":
        """The likeliest parameters of the customers, by L-BFGS. Raises ModelError when the search does not arrive."""
        unique = counts.collapsed()
        scale = max(float(unique.tenure.max()), 1.0) / _SCALE
        scaled = PurchaseCounts(unique.frequency, unique.last_purchase / scale, unique.tenure / scale, unique.customers)
        likelihood = _Likelihood(scaled)
        (r, alpha, a, b), value = likeliest(likelihood, _STARTS, "BG/NBD", penalizer)
        shift = likelihood.mean_frequency * np.log(scale / unit_days)
        return cls(float(r), float(alpha * scale / unit_days), float(a), float(b), unit_days, float(value - shift))

    def probability_alive(self, counts: PurchaseCounts) -> Floats:
        """That the customer has not left by the cut (Fader, Hardie and Lee 2008, note); 1 with one purchase day."""
        x = counts.frequency
        alpha = self.alpha * self.unit_days
        gone = (
            np.log(self.a)
            - np.log(self.b + np.maximum(x, 1.0) - 1)
            + (self.r + x) * np.log1p((counts.tenure - counts.last_purchase) / (alpha + counts.last_purchase))
        )
        alive: Floats = np.where(x > 0, expit(-gone), 1.0)
        return alive

    def probability_silent(self, counts: PurchaseCounts, horizon_days: float) -> Floats:
        """That the customer does not buy in the `horizon_days` after the cut.

        Either the customer has left, or is alive and buys nothing: alive, the next chance to leave comes with the next
        purchase, so buying nothing is a Poisson count of 0. Given life, lambda ~ Gamma(r + x, alpha + T), hence
        P = 1 - p_alive + p_alive ((alpha + T) / (alpha + T + h))^(r + x).
        """
        silent: Floats = 1.0 - self.probability_alive(counts) * self.buys_if_alive(counts, horizon_days)
        return silent

    def buys_if_alive(self, counts: PurchaseCounts, horizon_days: float) -> Floats:
        """That a customer known to be alive at the cut buys in the `horizon_days` after it."""
        alpha = self.alpha * self.unit_days
        buys: Floats = -np.expm1(-(self.r + counts.frequency) * np.log1p(horizon_days / (alpha + counts.tenure)))
        return buys

    def expected_purchases(self, counts: PurchaseCounts, horizon_days: float) -> Floats:
        """Purchase days expected in the `horizon_days` after the cut (equation 10)."""
        return self.purchases_if_alive(counts, horizon_days) * self.probability_alive(counts)

    def purchases_if_alive(self, counts: PurchaseCounts, horizon_days: float) -> Floats:
        """Those of a customer known to be alive at the cut.

        Euler's transformation of the paper's 2F1(r + x, b + x; a + b + x - 1; z), z = h / (alpha + T + h), gives
        (1 - z)^(a - 1 - r - x) 2F1(a + b - 1 - r, a - 1; a + b + x - 1; z): the power of r + x cancels, and nothing
        grows with x.
        """
        if max(self.a, self.b) > _LARGE or self.r > _LARGE_RATE:
            return self._purchases_by_quadrature(counts, horizon_days)
        a = self.a if abs(self.a - 1) > _APART else 1 + _APART
        b = self.b if abs(a + self.b - 1) > _APART else 1 - a + 2 * _APART
        c = a + b + counts.frequency - 1
        z = horizon_days / (self.alpha * self.unit_days + counts.tenure + horizon_days)
        kept = np.exp((a - 1) * np.log1p(-z)) * hyp2f1(a + b - 1 - self.r, a - 1, c, z)
        expected: Floats = np.maximum(c / (a - 1) * (1 - kept), 0.0)
        return expected

    def _purchases_by_quadrature(self, counts: PurchaseCounts, horizon_days: float) -> Floats:
        """The same by integration over p ~ Beta(a, b + x) of E[X | p] = (1 - E[exp(-lambda p h)]) / p.

        2F1 of large parameters overflows; they arise where the chance to leave, or the rate, hardly varies.
        """
        x, place = np.unique(counts.frequency, return_inverse=True)
        alpha = self.alpha * self.unit_days
        leaving, weight = self._chances_to_leave(x, (self.r + x) * horizon_days / alpha)
        expected = np.empty(len(place))
        for at in range(0, len(place), _ROWS):
            rows = slice(at, at + _ROWS)
            chance, shape = leaving[place[rows]], (self.r + counts.frequency[rows])[:, None]
            ahead = horizon_days / (alpha + counts.tenure[rows])
            bought = -np.expm1(-shape * np.log1p(chance * ahead[:, None])) / chance
            expected[rows] = (bought * weight[place[rows]]).sum(axis=1)
        return expected

    def _chances_to_leave(self, x: Floats, most_purchases: Floats) -> tuple[Floats, Floats]:
        """Points and weights of Beta(a, b + x), a row per x: Gauss-Legendre on the log odds, and what lies beyond.

        `most_purchases` bounds what a customer of that x who never leaves would buy: where the chance is far below one
        in so many, what it is does not matter.
        """
        b = self.b + x
        few, others = betaincinv(self.a, b, _TAIL), betaincinv(b, self.a, _TAIL)
        with np.errstate(divide="ignore"):
            low = np.maximum(np.log(few) - np.log1p(-few), -np.log1p(most_purchases) - _FAR)
            high = np.clip(np.log1p(-others) - np.log(others), low, _FAR)
        half = ((high - low) / 2)[:, None]
        odds = low[:, None] + half * (1 + _NODES)
        logs = self.a * log_expit(odds) + b[:, None] * log_expit(-odds) - betaln(self.a, b)[:, None]
        within = np.exp(logs) * _WEIGHTS * half
        below, above = betainc(self.a, b, expit(low)), betainc(b, self.a, expit(-high))
        weight = np.column_stack([below, within, above])
        return expit(np.column_stack([low, odds, high])), weight / weight.sum(axis=1, keepdims=True)

    def draw_purchases(self, counts: PurchaseCounts, horizon_days: float, rng: np.random.Generator) -> Floats:
        """One possible count of purchase days per customer after the cut, drawn from what the model still doubts."""
        alpha = self.alpha * self.unit_days
        alive = rng.random(len(counts.tenure)) < self.probability_alive(counts)
        rate = rng.gamma(self.r + counts.frequency, 1 / (alpha + counts.tenure))
        leaves = rng.beta(self.a, self.b + counts.frequency)
        buys = rng.poisson(rate * horizon_days)
        stays = rng.geometric(np.clip(leaves, 1e-12, 1.0))
        drawn: Floats = np.where(alive, np.minimum(buys, stays), 0).astype(np.float64)
        return drawn

    def to_dict(self) -> dict[str, float]:
        """The parameters, for a JSON body."""
        return asdict(self)

    @classmethod
    def from_dict(cls, body: Mapping[str, float]) -> "BgNbd":
        """The model that `to_dict` told."""
        return cls(**{name: float(body[name]) for name in cls.__dataclass_fields__})


class _Likelihood:
    """Mean log-likelihood (equation 6, as ln A1 + ln A2 + ln(A3 + A4)) and gradient over distinct histories.

    Gamma functions are taken once per distinct x; the customers' logarithms once per history.
    """

    def __init__(self, counts: PurchaseCounts) -> None:
        share = counts.customers / counts.customers.sum()
        self._x, place = np.unique(counts.frequency, return_inverse=True)
        self._share = np.bincount(place, share)
        self._history_share = share
        self._frequency, self._last, self._tenure = counts.frequency, counts.last_purchase, counts.tenure
        self._place = place
        self.mean_frequency = float(self._x @ self._share)

    def __call__(self, parameters: Floats) -> tuple[float, Floats]:
        r, alpha, a, b = parameters
        x, repeat = self._x, self._x > 0
        before = b + np.maximum(x, 1.0) - 1
        per_x = gammaln(r + x) - gammaln(r) + gammaln(a + b) + gammaln(b + x) - gammaln(b) - gammaln(a + b + x)
        dead = np.where(repeat, np.log(a) - np.log(before), -np.inf)
        power = (r + x)[self._place]
        log_tenure, log_last = np.log(alpha + self._tenure), np.log(alpha + self._last)
        odds = dead[self._place] + power * (log_tenure - log_last)
        gone = self._history_share * expit(odds)
        stayed = self._history_share - gone
        value = per_x @ self._share + r * np.log(alpha)
        value += self._history_share @ (np.logaddexp(0.0, odds) - power * log_tenure)
        gone_per_x = np.bincount(self._place, gone)
        by_r = (digamma(r + x) - digamma(r)) @ self._share + np.log(alpha) - stayed @ log_tenure - gone @ log_last
        by_alpha = r / alpha - power @ (stayed / (alpha + self._tenure) + gone / (alpha + self._last))
        both = digamma(a + b) - digamma(a + b + x)
        by_a = both @ self._share + gone.sum() / a
        by_b = (both + digamma(b + x) - digamma(b)) @ self._share - (gone_per_x / before) @ repeat
        return float(value), np.array([by_r, by_alpha, by_a, by_b])
