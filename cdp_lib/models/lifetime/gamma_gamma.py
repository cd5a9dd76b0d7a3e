"""Gamma-Gamma: what a customer spends per purchase, drawn towards what all spend until the customer's own is known.

Fader and Hardie, "The Gamma-Gamma Model of Monetary Value" (2013). A purchase's amount is Gamma(p, nu) with the
customer's nu ~ Gamma(q, v). It assumes that how much a customer spends says nothing of how often:
`spend_frequency_correlation` tells whether that holds.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import digamma, gammaln  # type: ignore[import-untyped]  # SciPy ships no types

from cdp_lib.errors import ModelError
from cdp_lib.models.lifetime.maximum_likelihood import Floats, likeliest

_HALF_A_COIN, _ROUNDING = 0.005, 1e-6
"""What rounding may part a total from its mean times its days: in the currency, and as a share."""
_STARTS = ((1.0, 1.0, 1.0), (6.0, 4.0, 0.5))


@dataclass(frozen=True)
class SpendHistory:
    """Mean amount over a number of purchase days, one place per customer or per distinct history of `customers`."""

    purchases: Floats
    mean_amount: Floats
    customers: Floats

    def __post_init__(self) -> None:
        arrays = (self.purchases, self.mean_amount, self.customers)
        if len({len(array) for array in arrays}) > 1:
            raise ModelError(f"Spend history: arrays of different lengths {[len(array) for array in arrays]}.")
        for name, array in zip(("purchases", "mean_amount", "customers"), arrays, strict=True):
            wrong = ~(np.isfinite(array) & (array > 0))
            if wrong.any():
                raise ModelError(
                    f"Spend history: {name} is not above 0 in {int(wrong.sum())} rows. "
                    "Leave out customers without a paid purchase."
                )

    def collapsed(self) -> "SpendHistory":
        """One place per distinct history, in order."""
        frame = pd.DataFrame({"x": self.purchases, "m": self.mean_amount, "n": self.customers})
        unique = frame.groupby(["x", "m"], as_index=False)["n"].sum()
        return SpendHistory(*(unique[name].to_numpy(np.float64) for name in ("x", "m", "n")))


def spend_known(features: pd.DataFrame, *, first_included: bool) -> tuple[Floats, Floats]:
    """Per row of the feature frame: purchase days that count, and the mean amount over them; 0 and 0 where none does.

    The literature fits repeat purchases alone. With the first one included every customer says something, and days
    without spend are left out: the frame's `monetary_amount` is the mean over the others. Where refunds make the total
    say nothing of how many these are, all count.
    """
    total, frequency = features["total_amount"].to_numpy(np.float64), features["frequency"].to_numpy(np.float64)
    if first_included:
        mean = np.nan_to_num(features["monetary_amount"].to_numpy(np.float64))
        told = np.clip(_days_of_spend(total, mean), 1, frequency + 1)
        days = np.where(_tells_of_refunds(features), frequency + 1, told)
    else:
        days = frequency
        mean = (total - features["first_amount"].to_numpy(np.float64)) / np.maximum(frequency, 1.0)
        # What the subtraction leaves of repeat purchases without spend.
        mean = np.where(mean > 1e-9 * np.maximum(np.abs(total), 1.0), mean, 0.0)
    known = (days > 0) & (mean > 0)
    return np.where(known, days, 0.0), np.where(known, mean, 0.0)


def kept_share(features: pd.DataFrame) -> float:
    """What refunds leave of a unit spent, over all customers, 0 to 1; 1 where no customer's total tells of a refund.

    Refunds that come as orders of their own, days later, are in `total_amount` and not in `monetary_amount`. Where
    there are any, a purchase day without spend counts as a refunded one: it brings as little.
    """
    gross = np.nan_to_num(features["monetary_amount"].to_numpy(np.float64)) @ (features["frequency"].to_numpy() + 1)
    if not _tells_of_refunds(features).any() or gross <= 0:
        return 1.0
    return float(np.clip(features["total_amount"].sum() / gross, 0.0, 1.0))


def _tells_of_refunds(features: pd.DataFrame) -> NDArray[np.bool_]:
    """Rows whose total is not one mean spend per day with spend, to half of the smallest coin."""
    mean = np.nan_to_num(features["monetary_amount"].to_numpy(np.float64))
    total, days = features["total_amount"].to_numpy(np.float64), features["frequency"].to_numpy(np.float64) + 1
    whole = np.clip(_days_of_spend(total, mean), mean > 0, days)
    told: NDArray[np.bool_] = np.abs(total - whole * mean) > _HALF_A_COIN + _ROUNDING * np.abs(total)
    return told


def _days_of_spend(total: Floats, mean: Floats) -> Floats:
    """Purchase days with spend, by their total and their mean."""
    days: Floats = np.rint(total / np.where(mean > 0, mean, 1.0))
    return days


def spend_history(features: pd.DataFrame, *, first_included: bool) -> SpendHistory:
    """The customers of a feature frame whose spend says something, collapsed. Raises ModelError when there is none."""
    days, mean = spend_known(features, first_included=first_included)
    known = days > 0
    if not known.any():
        raise ModelError("Gamma-Gamma: no customer with a paid purchase that counts; use the pooled mean instead.")
    # A hundredth of the smallest coin: amounts that differ by rounding alone are one history.
    return SpendHistory(days[known], np.round(mean[known], 4), np.ones(int(known.sum()))).collapsed()


def spend_frequency_correlation(history: SpendHistory) -> float:
    """Pearson's correlation of purchases and mean amount over customers; 0 where one of them does not vary."""
    share = history.customers / history.customers.sum()
    x = history.purchases - share @ history.purchases
    m = history.mean_amount - share @ history.mean_amount
    spread = np.sqrt((share @ x**2) * (share @ m**2))
    return float(share @ (x * m) / spread) if spread > 0 else 0.0


@dataclass(frozen=True)
class GammaGamma:
    """Fitted parameters; `v` in the currency's units."""

    p: float
    q: float
    v: float
    log_likelihood: float
    """Mean per customer."""

    @classmethod
    def fit(cls, history: SpendHistory, *, penalizer: float = 0.0) -> "GammaGamma":
        """The likeliest parameters, by L-BFGS. Raises ModelError when the search does not arrive."""
        unique = history.collapsed()
        scale = float(unique.mean_amount @ unique.customers / unique.customers.sum())
        likelihood = _Likelihood(SpendHistory(unique.purchases, unique.mean_amount / scale, unique.customers))
        (p, q, v), value = likeliest(likelihood, _STARTS, "Gamma-Gamma", penalizer)
        return cls(float(p), float(q), float(v * scale), float(value - np.log(scale)))

    @property
    def has_mean(self) -> bool:
        """Whether the spend of an unknown customer has a finite expectation: q above 1."""
        return self.q > 1

    def expected_spend(self, purchases: Floats, mean_amount: Floats) -> Floats:
        """Expected amount per purchase day given the customer's own (equation 5), all customers' where none is known.

        Raises ModelError when q is at most 1: an unknown customer's spend then has no expectation.
        """
        if not self.has_mean:
            raise ModelError(
                f"Gamma-Gamma: q = {self.q:.3g} is not above 1, so spend has no mean. "
                "Use a penalizer or the pooled mean."
            )
        expected: Floats = self.p * (self.v + purchases * mean_amount) / (self.p * purchases + self.q - 1)
        return expected

    def draw_spend(self, purchases: Floats, mean_amount: Floats, future: Floats, rng: np.random.Generator) -> Floats:
        """One possible total over `future` purchase days per customer, drawn from what the model still doubts."""
        rate = rng.gamma(self.p * purchases + self.q, 1 / (self.v + purchases * mean_amount))
        drawn: Floats = rng.gamma(np.maximum(self.p * future, 1e-12)) / np.maximum(rate, 1e-300)
        return np.where(future > 0, drawn, 0.0)

    def to_dict(self) -> dict[str, float]:
        """The parameters, for a JSON body."""
        return asdict(self)

    @classmethod
    def from_dict(cls, body: Mapping[str, float]) -> "GammaGamma":
        """The model that `to_dict` told."""
        return cls(**{name: float(body[name]) for name in cls.__dataclass_fields__})


class _Likelihood:
    """Mean log-likelihood (equation 1a) and gradient over distinct histories."""

    def __init__(self, history: SpendHistory) -> None:
        self._x, self._m = history.purchases, history.mean_amount
        self._share = history.customers / history.customers.sum()

    def __call__(self, parameters: Floats) -> tuple[float, Floats]:
        p, q, v = parameters
        x, m = self._x, self._m
        shape, rate = p * x, v + x * m
        log_rate, log_sum = np.log(rate), np.log(x * m)
        value = gammaln(shape + q) - gammaln(shape) - gammaln(q) + q * np.log(v)
        value += shape * log_sum - np.log(m) - (shape + q) * log_rate
        both = digamma(shape + q)
        gradient = [
            x * (both - digamma(shape) + log_sum - log_rate),
            both - digamma(q) + np.log(v) - log_rate,
            q / v - (shape + q) / rate,
        ]
        return float(self._share @ value), np.array([self._share @ one for one in gradient])
