"""Lifetime value: what each customer will spend over a horizon, in the simplest form that the history bears out."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import nbinom  # type: ignore[import-untyped]  # SciPy ships no types

from cdp_lib.errors import ModelError
from cdp_lib.models.lifetime.boosted import Boosted, design_frame
from cdp_lib.models.lifetime.closed_form import ClosedForm, ClosedFormModel
from cdp_lib.models.lifetime.discount import present_worth
from cdp_lib.models.lifetime.last_period import last_period_purchases, last_period_spend
from cdp_lib.models.lifetime.maximum_likelihood import Floats
from cdp_lib.models.lifetime.repeat_rate import expected_repeats, LENT, repeats
from cdp_lib.models.lifetime.spend_interval import SpendInterval

BLEND, CLOSED_FORM, REPEAT_RATE, LAST_PERIOD = "blend", "closed form", "repeat rate", "last period"
SCORES = (
    "predicted_purchase_count",
    "expected_spend_amount",
    "cltv_amount",
    "cltv_low_amount",
    "cltv_high_amount",
    "probability_alive",
)


@dataclass(frozen=True)
class LifetimeSettings:
    """What is forecast, and how much history each form asks for."""

    horizon_days: int
    discount_rate: float = 0.1
    """A year's; 0 leaves amounts as they are."""
    confidence: float = 0.8
    """Of the interval from cltv_low_amount to cltv_high_amount."""
    first_included: bool = True
    """Whether the first purchase counts in a customer's mean spend."""
    least_customers: int = 100
    least_repeaters: int = 30
    """Customers with two purchase days; with fewer of either there is no closed form."""
    least_history_days: int = 28
    """Longest tenure; with less there is no closed form."""
    least_examples: int = 1_000
    least_buyers: int = 200
    """Customers at an earlier cut, and those who bought after it; with fewer of either there are no boosters."""
    most_examples: int = 200_000
    """Customers that the boosters learn from, per earlier cut."""
    seed: int = 5

    def __post_init__(self) -> None:
        if self.horizon_days < 1 or self.discount_rate < 0 or not 0 < self.confidence < 1:
            raise ModelError(
                f"Lifetime value: horizon_days {self.horizon_days}, discount_rate {self.discount_rate}, confidence "
                f"{self.confidence}. A horizon is 1 day or more, a rate 0 or more, a confidence between 0 and 1."
            )


@dataclass(frozen=True)
class LifetimeModel:
    """A fitted forecast. `form` is what it is made of, `reason` why, in words."""

    settings: LifetimeSettings
    form: str
    reason: str
    closed: ClosedFormModel | None
    boosted: Boosted | None
    boosted_weight: float
    interval: SpendInterval | None
    pooled_amount: float
    last_weight: float = 0.0
    """The last period's share of a blend. Bodies of earlier versions have none, nor the figures below."""
    repeat_rate: float = 0.0
    """Purchase days after the first per customer and day, over all customers."""
    kept_share: float = 1.0
    """What refunds leave of a unit spent, over all customers."""

    def score(self, features: pd.DataFrame) -> pd.DataFrame:
        """One row per row of the feature frame, in its order: golden_id and SCORES, none missing, none negative.

        `predicted_purchase_count` are purchase days within the horizon; `expected_spend_amount` is per purchase day, by
        the closed form alone; `cltv_amount` is all spend within the horizon, discounted to the cut, blended where the
        form is a blend, so it need not be the product of the two; the bounds hold it with the settings' confidence.
        `probability_alive` is that of not having left for good; in the forms without a model, 1 with a purchase in
        about the last horizon.
        Raises ModelError for a frame without the columns.
        """
        if features.empty:
            return pd.DataFrame({"golden_id": features["golden_id"], **{name: np.empty(0) for name in SCORES}})
        columns = self._plain(features) if self.closed is None else self._modelled(features, self.closed)
        known = dict(zip(SCORES, columns, strict=True))
        return pd.DataFrame({"golden_id": features["golden_id"].to_numpy(), **known})

    def _modelled(self, features: pd.DataFrame, closed: ClosedFormModel) -> tuple[Floats, ...]:
        said = closed.forecast(features, self.settings.horizon_days)
        spend = self.spend_before_discount(features, said)
        low, high = (spend, spend) if self.interval is None else self.interval.around(spend)
        rate = self.settings.discount_rate
        worth = closed.discount(features, self.settings.horizon_days, rate) if rate else np.ones(len(features))
        return said.purchases, said.amount, spend * worth, low * worth, high * worth, said.alive

    def spend_before_discount(self, features: pd.DataFrame, said: ClosedForm) -> Floats:
        """The closed form's spend, or its blend with the boosters' and with what was spent in the last period."""
        if self.boosted is None:
            return said.spend
        design = design_frame(features, said, self.settings.horizon_days)
        boosted = self.boosted.expected_spend(design, said)
        modelled = (1 - self.boosted_weight) * said.spend + self.boosted_weight * boosted
        if not self.last_weight:
            return modelled
        last = last_period_spend(features, self.settings.horizon_days)
        return (1 - self.last_weight) * modelled + self.last_weight * last

    def _plain(self, features: pd.DataFrame) -> tuple[Floats, ...]:
        """By the customer's own mean spend, or all customers': as often as repeat rates say, or as in the last period.

        The bounds take the rate as Gamma(count + 1/2, days), which a Poisson count leaves behind (Jeffreys).
        """
        horizon = self.settings.horizon_days
        own = features["monetary_amount"].to_numpy(np.float64) * self.kept_share
        amount = np.where(np.isnan(own), self.pooled_amount, own)
        recent = last_period_purchases(features, horizon)
        if self.form == LAST_PERIOD:
            expected, spend, shape = recent, last_period_spend(features, horizon), recent + LENT
            mean = shape
        else:
            expected = expected_repeats(features, horizon, self.repeat_rate)
            spend, shape, mean = expected * amount, repeats(features, horizon)[0] + LENT, expected
        tail = (1 - self.settings.confidence) / 2
        low, high = (nbinom.ppf(share, shape, shape / (shape + mean)) * amount for share in (tail, 1 - tail))
        worth = present_worth(horizon / 2, self.settings.discount_rate)
        bounds = worth * np.minimum(low, spend), worth * np.maximum(high, spend)
        return expected, amount, worth * spend, *bounds, (recent > 0).astype(np.float64)

    def to_dict(self) -> dict[str, Any]:
        """Names, numbers and the boosters' text, for a JSON body."""
        parts = {"closed": self.closed, "boosted": self.boosted, "interval": self.interval}
        return {
            "settings": asdict(self.settings),
            "form": self.form,
            "reason": self.reason,
            "boosted_weight": self.boosted_weight,
            "last_weight": self.last_weight,
            "pooled_amount": self.pooled_amount,
            "repeat_rate": self.repeat_rate,
            "kept_share": self.kept_share,
            **{name: None if part is None else part.to_dict() for name, part in parts.items()},
        }

    @classmethod
    def from_dict(cls, body: Mapping[str, Any]) -> "LifetimeModel":
        """The model that `to_dict` told."""
        return cls(
            LifetimeSettings(**body["settings"]),
            str(body["form"]),
            str(body["reason"]),
            None if body["closed"] is None else ClosedFormModel.from_dict(body["closed"]),
            None if body["boosted"] is None else Boosted.from_dict(body["boosted"]),
            float(body["boosted_weight"]),
            None if body["interval"] is None else SpendInterval.from_dict(body["interval"]),
            float(body["pooled_amount"]),
            float(body.get("last_weight", 0.0)),
            float(body.get("repeat_rate", 0.0)),
            float(body.get("kept_share", 1.0)),
        )
