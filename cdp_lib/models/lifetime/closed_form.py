"""Lifetime value without trees: how often a customer will buy (BG/NBD, Pareto/NBD) x how much (Gamma-Gamma)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from cdp_lib.errors import ModelError, near_miss
from cdp_lib.models.lifetime.bg_nbd import BgNbd
from cdp_lib.models.lifetime.discount import present_worth
from cdp_lib.models.lifetime.gamma_gamma import (
    GammaGamma,
    kept_share,
    spend_frequency_correlation,
    spend_history,
    spend_known,
)
from cdp_lib.models.lifetime.maximum_likelihood import Floats
from cdp_lib.models.lifetime.pareto_nbd import ParetoNbd
from cdp_lib.models.lifetime.purchase_counts import purchase_counts

PURCHASE_MODELS: Mapping[str, type[BgNbd] | type[ParetoNbd]] = {"bg_nbd": BgNbd, "pareto_nbd": ParetoNbd}
_PARTS = 4
"""Equal parts of the horizon, each discounted from its middle."""


@dataclass(frozen=True)
class ClosedForm:
    """What the closed form says of each customer over the horizon, in the order of the feature frame's rows."""

    purchases: Floats
    """Purchase days expected."""
    amount: Floats
    """Amount expected per purchase day."""
    silent: Floats
    """Probability of no purchase."""
    alive: Floats
    """Probability of not having left by the cut."""

    @property
    def spend(self) -> Floats:
        """Spend expected over the horizon, not discounted."""
        return self.purchases * self.amount

    def taken(self, rows: Any) -> "ClosedForm":
        """The same for some of the rows."""
        return ClosedForm(self.purchases[rows], self.amount[rows], self.silent[rows], self.alive[rows])


@dataclass(frozen=True)
class ClosedFormModel:
    """A model of purchases and one of spend, which are taken to be independent; `spend_correlation` says how far."""

    kind: str
    """A name of PURCHASE_MODELS."""
    purchases: BgNbd | ParetoNbd
    spend: GammaGamma | None
    """None where Gamma-Gamma has no answer: then every customer is expected to spend `pooled_amount`."""
    pooled_amount: float
    """Mean net spend per purchase day over all customers."""
    spend_correlation: float
    """Of purchases and mean spend over customers; Gamma-Gamma assumes 0."""
    first_included: bool
    """Whether the first purchase counts in a customer's mean spend."""
    kept_share: float = 1.0
    """What refunds leave of what Gamma-Gamma expects; bodies of earlier versions do not tell."""

    @classmethod
    def fit(cls, features: pd.DataFrame, kind: str, *, first_included: bool = True) -> "ClosedFormModel":
        """Fitted to a feature frame. Raises ModelError for an unknown kind, and where purchases cannot be fitted."""
        if kind not in PURCHASE_MODELS:
            raise ModelError(f"No purchase model {kind!r}.{near_miss(kind, PURCHASE_MODELS)}")
        purchases = PURCHASE_MODELS[kind].fit(purchase_counts(features))
        spend, correlation = None, 0.0
        try:
            history = spend_history(features, first_included=first_included)
            correlation = spend_frequency_correlation(history)
            fitted = GammaGamma.fit(history)
            spend = fitted if fitted.has_mean else None
        except ModelError:
            spend = None
        kept = kept_share(features) if first_included else 1.0  # the mean of repeat purchases alone is net
        return cls(kind, purchases, spend, pooled_amount(features), correlation, first_included, kept)

    def with_purchases_of(self, histories: pd.DataFrame) -> "ClosedFormModel":
        """The same with purchases fitted to other histories, e.g. those of all customers with `customer_count` each.

        Raises ModelError where they cannot be fitted.
        """
        return replace(self, purchases=PURCHASE_MODELS[self.kind].fit(purchase_counts(histories)))

    def forecast(self, features: pd.DataFrame, horizon_days: float) -> ClosedForm:
        """Every row's expectations over the horizon."""
        counts = purchase_counts(features)
        alive = self.purchases.probability_alive(counts)
        return ClosedForm(
            alive * self.purchases.purchases_if_alive(counts, horizon_days),
            self._amount(features),
            1 - alive * self.purchases.buys_if_alive(counts, horizon_days),
            alive,
        )

    def discount(self, features: pd.DataFrame, horizon_days: float, yearly_rate: float) -> Floats:
        """Present value of one unit of spend expected over the horizon: later purchases count less.

        The horizon falls into four equal parts, and what is expected in each is discounted from its middle. Whether the
        customer is alive changes how much is expected, not when.
        """
        counts = purchase_counts(features)
        ends = horizon_days * np.arange(1, _PARTS + 1) / _PARTS
        upto = np.array([self.purchases.purchases_if_alive(counts, end) for end in ends])
        parts = np.diff(upto, axis=0, prepend=0.0)
        worth = present_worth(ends - ends[0] / 2, yearly_rate)
        total = upto[-1]
        factor: Floats = np.where(total > 0, worth @ parts / np.where(total > 0, total, 1.0), worth.mean())
        return factor

    def draw_spend(self, features: pd.DataFrame, horizon_days: float, rng: np.random.Generator) -> Floats:
        """One possible spend per customer over the horizon."""
        future = self.purchases.draw_purchases(purchase_counts(features), horizon_days, rng)
        if self.spend is None:
            return future * self.pooled_amount
        known = spend_known(features, first_included=self.first_included)
        return self.kept_share * self.spend.draw_spend(*known, future, rng)

    def _amount(self, features: pd.DataFrame) -> Floats:
        if self.spend is None:
            return np.full(len(features), self.pooled_amount)
        known = spend_known(features, first_included=self.first_included)
        return self.kept_share * self.spend.expected_spend(*known)

    def to_dict(self) -> dict[str, Any]:
        """Names and numbers, for a JSON body."""
        return {
            "kind": self.kind,
            "purchases": self.purchases.to_dict(),
            "spend": None if self.spend is None else self.spend.to_dict(),
            "pooled_amount": self.pooled_amount,
            "spend_correlation": self.spend_correlation,
            "first_included": self.first_included,
            "kept_share": self.kept_share,
        }

    @classmethod
    def from_dict(cls, body: Mapping[str, Any]) -> "ClosedFormModel":
        """The model that `to_dict` told."""
        return cls(
            str(body["kind"]),
            PURCHASE_MODELS[body["kind"]].from_dict(body["purchases"]),
            None if body["spend"] is None else GammaGamma.from_dict(body["spend"]),
            float(body["pooled_amount"]),
            float(body["spend_correlation"]),
            bool(body["first_included"]),
            float(body.get("kept_share", 1.0)),
        )


def pooled_amount(features: pd.DataFrame) -> float:
    """Mean spend per purchase day over all customers; 0 without any."""
    days = float((features["frequency"] + 1).sum())
    return max(float(features["total_amount"].sum()), 0.0) / days if days else 0.0
