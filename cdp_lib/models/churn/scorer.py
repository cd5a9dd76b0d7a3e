"""The churn model together with the customers' own rhythm, which it reads: one value that scores plain features."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from cdp_lib.errors import ModelError
from cdp_lib.models.churn.churn import BandLimits, ChurnModel
from cdp_lib.models.churn.design import CLOSED_FORM
from cdp_lib.models.churn.fitting import BANDS, Members
from cdp_lib.models.lifetime.closed_form import ClosedFormModel

LEAST_CUSTOMERS, LEAST_REPEATERS = 100, 30
"""With fewer of either there is no rhythm."""


@dataclass(frozen=True)
class ChurnScorer:
    """`rhythm` is the closed form of purchases at the same cut; None where the customers do not bear it out."""

    churn: ChurnModel
    rhythm: ClosedFormModel | None

    def score(self, features: pd.DataFrame) -> pd.DataFrame:
        """One row per row of features: golden_id, churn_probability, churn_band, reasons."""
        if features.empty:
            return pd.DataFrame({"golden_id": [], "churn_probability": [], "churn_band": [], "reasons": []})
        if self.rhythm is None:
            return self.churn.score(features)
        return self.churn.score(with_rhythm(features, self.rhythm, self.churn.horizon_days))

    def with_limits(self, limits: BandLimits) -> "ChurnScorer":
        """The same probabilities in other bands."""
        return replace(self, churn=replace(self.churn, limits=limits))

    def as_plain(self, why: str) -> "ChurnScorer":
        """The same history scored by the churn rate of its band of recency alone."""
        return ChurnScorer(replace(self.churn, members=Members(BANDS, why), closed_form=False), None)

    def to_dict(self) -> dict[str, Any]:
        """The body for JSON."""
        return {"churn": self.churn.to_dict(), "rhythm": None if self.rhythm is None else self.rhythm.to_dict()}

    @classmethod
    def from_dict(cls, body: Mapping[str, Any]) -> "ChurnScorer":
        """The scorer that `to_dict` wrote."""
        rhythm = body["rhythm"]
        return cls(ChurnModel.from_dict(body["churn"]), None if rhythm is None else ClosedFormModel.from_dict(rhythm))


def fit_rhythm(features: pd.DataFrame) -> ClosedFormModel | None:
    """BG/NBD of a feature frame; None with fewer than 100 customers or 30 repeaters, and where it has no answer."""
    if len(features) < LEAST_CUSTOMERS or int((features["frequency"] > 0).sum()) < LEAST_REPEATERS:
        return None
    try:
        return ClosedFormModel.fit(features, "bg_nbd")
    except ModelError:
        return None


def with_rhythm(features: pd.DataFrame, rhythm: ClosedFormModel, horizon_days: int) -> pd.DataFrame:
    """The features and the closed form's probability of no purchase in the horizon."""
    return features.assign(**{CLOSED_FORM: rhythm.forecast(features, horizon_days).silent})
