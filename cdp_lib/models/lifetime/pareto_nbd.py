"""Pareto/NBD: purchases come at random while a customer is alive, and the customer may leave at any moment.

Schmittlein, Morrison and Colombo, "Counting Your Customers", Management Science 33 (1987); Fader and Hardie, "A Note on
Deriving the Pareto/NBD Model" (2005). A customer buys at rate lambda ~ Gamma(r, alpha) and leaves at rate
mu ~ Gamma(s, beta). The likelihood is that of being alive at T plus the integral over the moment of leaving, which the
note writes as a difference of two 2F1; here it is integrated as it stands, in logarithms, so heavy buyers stay finite.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
from scipy.special import digamma, expit, gammaln  # type: ignore[import-untyped]  # SciPy ships no types

from cdp_lib.models.lifetime.maximum_likelihood import Floats, likeliest
from cdp_lib.models.lifetime.purchase_counts import PurchaseCounts

_STARTS = ((0.5, 1.0, 0.5, 1.0), (1.0, 0.3, 1.0, 3.0))
_SCALE = 10.0
"""The longest tenure in the time unit of the search."""
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(40)
_SPENT = 40.0
"""Where the integrand has fallen by e^-40, the rest of the interval is left out."""
_ROWS = 20_000
"""Histories integrated at a time: 40 points each."""


@dataclass(frozen=True)
class ParetoNbd:
    """Fitted parameters; `alpha`, `beta` in units of `unit_days` days. Methods take histories and horizons in days."""

    r: float
    alpha: float
    s: float
    beta: float
    unit_days: float
    log_likelihood: float
    """Mean per customer."""

    @classmethod
    def fit(cls, counts: PurchaseCounts, *, unit_days: float = 1.0, penalizer: float = 0.0) -> "ParetoNbd":
        """The likeliest parameters of the customers, by L-BFGS. Raises ModelError when the search does not arrive."""
        unique = counts.collapsed()
        scale = max(float(unique.tenure.max()), 1.0) / _SCALE
        scaled = PurchaseCounts(unique.frequency, unique.last_purchase / scale, unique.tenure / scale, unique.customers)
        likelihood = _Likelihood(scaled)
        (r, alpha, s, beta), value = likeliest(likelihood, _STARTS, "Pareto/NBD", penalizer)
        shift = likelihood.mean_frequency * np.log(scale / unit_days)
        back = scale / unit_days
        return cls(float(r), float(alpha * back), float(s), float(beta * back), unit_days, float(value - shift))

    @property
    def _days(self) -> tuple[float, float]:
        """alpha and beta in days."""
        return self.alpha * self.unit_days, self.beta * self.unit_days

    def probability_alive(self, counts: PurchaseCounts) -> Floats:
        """That the customer has not left by the cut (note, equation 11)."""
        alpha, beta = self._days
        x, last, tenure = counts.frequency, counts.last_purchase, counts.tenure
        here = -(self.r + x) * np.log(alpha + tenure) - self.s * np.log(beta + tenure)
        left = _moments(self.r + x, self.s + 1, (alpha, beta), (last, tenure)).log_integral + np.log(self.s)
        alive: Floats = expit(here - left)
        return alive

    def probability_silent(self, counts: PurchaseCounts, horizon_days: float) -> Floats:
        """That the customer does not buy in the `horizon_days` after the cut: gone, leaving soon, or not in need."""
        silent: Floats = 1 - self.probability_alive(counts) * self.buys_if_alive(counts, horizon_days)
        return silent

    def buys_if_alive(self, counts: PurchaseCounts, horizon_days: float) -> Floats:
        """That a customer known to be alive at the cut buys in the `horizon_days` after it.

        The first purchase of a living customer falls on day t with density lambda e^-(lambda + mu) t; given life,
        lambda ~ Gamma(r + x, alpha + T) and mu ~ Gamma(s, beta + T), which leaves the integral of
        (r + x) (alpha + T)^(r + x) (alpha + t)^-(r + x + 1) (beta + T)^s (beta + t)^-s from T to T + h.
        """
        alpha, beta = self._days
        x, tenure = counts.frequency, counts.tenure
        ahead = _moments(self.r + x + 1, self.s, (alpha, beta), (tenure, tenure + horizon_days)).log_integral
        start = np.log(self.r + x) + (self.r + x) * np.log(alpha + tenure) + self.s * np.log(beta + tenure)
        return np.minimum(np.exp(start + ahead), 1.0)

    def expected_purchases(self, counts: PurchaseCounts, horizon_days: float) -> Floats:
        """Purchase days expected in the `horizon_days` after the cut (note, equation 41)."""
        return self.purchases_if_alive(counts, horizon_days) * self.probability_alive(counts)

    def purchases_if_alive(self, counts: PurchaseCounts, horizon_days: float) -> Floats:
        """Those of a customer known to be alive at the cut; s = 1 is no exception."""
        alpha, beta = self._days
        growth = np.log1p(horizon_days / (beta + counts.tenure))
        over = self.s - 1
        length = growth if abs(over) < 1e-9 else -np.expm1(-over * growth) / over
        rate = (self.r + counts.frequency) / (alpha + counts.tenure)
        expected: Floats = rate * (beta + counts.tenure) * length
        return expected

    def draw_purchases(self, counts: PurchaseCounts, horizon_days: float, rng: np.random.Generator) -> Floats:
        """One possible count of purchase days per customer after the cut, drawn from what the model still doubts."""
        alpha, beta = self._days
        alive = rng.random(len(counts.tenure)) < self.probability_alive(counts)
        rate = rng.gamma(self.r + counts.frequency, 1 / (alpha + counts.tenure))
        leaving = rng.gamma(self.s, 1 / (beta + counts.tenure))
        stays = np.minimum(rng.exponential(1.0, len(leaving)) / np.maximum(leaving, 1e-300), horizon_days)
        drawn: Floats = np.where(alive, rng.poisson(rate * stays), 0).astype(np.float64)
        return drawn

    def to_dict(self) -> dict[str, float]:
        """The parameters, for a JSON body."""
        return asdict(self)

    @classmethod
    def from_dict(cls, body: Mapping[str, float]) -> "ParetoNbd":
        """The model that `to_dict` told."""
        return cls(**{name: float(body[name]) for name in cls.__dataclass_fields__})


@dataclass(frozen=True)
class _Moments:
    """An integral's logarithm, and means of ln(alpha + t), ln(beta + t), 1 / (alpha + t), 1 / (beta + t) under it."""

    log_integral: Floats
    log_alpha: Floats
    log_beta: Floats
    per_alpha: Floats
    per_beta: Floats


def _moments(
    power: Floats, other: float, parameters: tuple[float, float], span: tuple[Floats, Floats], *, means: bool = False
) -> _Moments:
    """Of (alpha + t)^-power (beta + t)^-other over t from one end of the span to the other, row by row."""
    parts = [
        _part(power[rows], other, parameters, (span[0][rows], span[1][rows]), means)
        for rows in (slice(at, at + _ROWS) for at in range(0, len(power), _ROWS))
    ]
    return _Moments(*(np.concatenate([part[place] for part in parts]) for place in range(5)))


def _part(
    power: Floats, other: float, parameters: tuple[float, float], span: tuple[Floats, Floats], means: bool
) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Gauss-Legendre in u, where t = start + step (e^u - 1) and `step` is how fast the integrand falls at the start."""
    alpha, beta = parameters
    start, end = span
    near_alpha, near_beta = alpha + start, beta + start
    step = 1 / (power / near_alpha + other / near_beta)
    falls = (max(alpha, beta) + start) * np.expm1(np.minimum(_SPENT / (power + other), 300.0))
    length = np.log1p(np.minimum(end - start, falls) / step)
    u = length[:, None] * (_NODES + 1) / 2
    after = step[:, None] * np.expm1(u)
    log_alpha, log_beta = np.log1p(after / near_alpha[:, None]), np.log1p(after / near_beta[:, None])
    height = np.exp(u - power[:, None] * log_alpha - other * log_beta) * _WEIGHTS
    whole = height.sum(axis=1)
    with np.errstate(divide="ignore"):
        scale = np.log(whole) + np.log(length / 2) + np.log(step)
    log_integral = scale - power * np.log(near_alpha) - other * np.log(near_beta)
    if not means:
        return (log_integral,) * 5
    share = height / whole[:, None]
    return (
        log_integral,
        np.log(near_alpha) + (share * log_alpha).sum(axis=1),
        np.log(near_beta) + (share * log_beta).sum(axis=1),
        (share / (near_alpha[:, None] + after)).sum(axis=1),
        (share / (near_beta[:, None] + after)).sum(axis=1),
    )


class _Likelihood:
    """Mean log-likelihood and its gradient, by differentiation under the integral, over distinct histories."""

    def __init__(self, counts: PurchaseCounts) -> None:
        self._counts = counts
        self._share = counts.customers / counts.customers.sum()
        self.mean_frequency = float(counts.frequency @ self._share)

    def __call__(self, parameters: Floats) -> tuple[float, Floats]:
        r, alpha, s, beta = (float(one) for one in parameters)
        x, tenure = self._counts.frequency, self._counts.tenure
        log_alpha, log_beta = np.log(alpha + tenure), np.log(beta + tenure)
        here = -(r + x) * log_alpha - s * log_beta
        left = _moments(r + x, s + 1, (alpha, beta), (self._counts.last_purchase, tenure), means=True)
        dead = left.log_integral + np.log(s)
        gone = self._share * expit(dead - here)
        stayed = self._share - gone
        constant = gammaln(r + x) - gammaln(r) + r * np.log(alpha) + s * np.log(beta)
        value = self._share @ (constant + np.logaddexp(here, dead))
        gradient = [
            self._share @ (digamma(r + x) - digamma(r)) + np.log(alpha) - stayed @ log_alpha - gone @ left.log_alpha,
            r / alpha - (r + x) @ (stayed / (alpha + tenure) + gone * left.per_alpha),
            np.log(beta) - stayed @ log_beta - gone @ left.log_beta + gone.sum() / s,
            s / beta - s * (stayed @ (1 / (beta + tenure))) - (s + 1) * (gone @ left.per_beta),
        ]
        return float(value), np.array(gradient)
