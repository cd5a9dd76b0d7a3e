"""Who will buy nothing in the next N days: a probability, a band and reasons for each customer.

Nobody tells a shop that they leave, so churn is a statement about the future: no purchase in (cut, cut + horizon]. The
score is the mean, in log odds, of a logistic regression (two thirds) and of a few shallow trees (one third) on
log-scaled purchase features and, where given, the closed-form P(no purchase in N days) of a purchase process; then
calibrated by Platt's method on customers that the members had not seen. Log odds are averaged because both members are
additive there, so a customer's reasons add up to the score; by fixed weights, because they are not worth the labels
that fitting them would take.
1 - P(alive) is no churn score: in BG/NBD it is 0 for everybody who bought once, who mostly never come back, and in
Pareto/NBD it is of having left for good, not of staying away for a horizon.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, logit  # type: ignore[import-untyped]  # SciPy ships no types

from cdp_lib.errors import ModelError
from cdp_lib.models.churn.design import (
    CLOSED_FORM,
    design_matrix,
    feature_names,
    known_columns,
    names_of_first_version,
)
from cdp_lib.models.churn.fitting import CLOSED, fit_members, Members
from cdp_lib.models.churn.origins import labelled_rows
from cdp_lib.models.churn.reasons import SUBJECTS, sum_by_subject, tell_reasons
from cdp_lib.models.churn.recency_bands import fit_recency_bands, RecencyBands

Floats = NDArray[np.float64]

MOST_ROWS = 400_000
"""Labelled rows from which two dozen weights and a hundred small trees learn nothing more."""
_SURE = 1e-6


@dataclass(frozen=True)
class BandLimits:
    """From which probability a customer is called high, and from which medium; below that it is low."""

    high: float = 0.7
    medium: float = 0.4

    def __post_init__(self) -> None:
        if not 0 < self.medium < self.high < 1:
            raise ModelError(
                f"churn bands: medium from {self.medium}, high from {self.high}. Give 0 < medium < high < 1."
            )

    def band(self, probability: Floats) -> NDArray[np.str_]:
        """high, medium or low; a customer on a limit is in the higher band."""
        names: NDArray[np.str_] = np.where(
            probability >= self.high, "high", np.where(probability >= self.medium, "medium", "low")
        )
        return names


@dataclass(frozen=True)
class ChurnModel:
    """A fitted churn score: one of four forms, by how many labelled customers there were."""

    members: Members
    """Their `form` is blend, logistic, no_purchase_probability (the closed form as it is) or recency_bands."""
    horizon_days: int
    limits: BandLimits
    bands: RecencyBands
    """Also of the larger forms: the churn rates that a plain count gives."""
    closed_form: bool
    """Whether scoring needs the closed form's column."""
    features: tuple[str, ...]
    """Columns of the design that the members were fitted on: later versions may have more."""

    @property
    def form(self) -> str:
        """blend, logistic, no_purchase_probability or recency_bands."""
        return self.members.form

    @property
    def reason(self) -> str:
        """Why this form, in words."""
        return self.members.reason

    @classmethod
    def fit(
        cls,
        frame: pd.DataFrame,
        labels: pd.DataFrame,
        *,
        horizon_days: int,
        limits: BandLimits | None = None,
    ) -> "ChurnModel":
        """Learns from feature rows and their labels (golden_id, has_purchase), of one cut or of `stack_origins`.

        Never fails for want of customers: the form becomes simpler, and says why. Raises ModelError for a horizon below
        a day, missing columns, doubled customers and rows without a label.
        """
        if horizon_days < 1:
            raise ModelError(f"churn: a horizon of {horizon_days} days. Give at least 1 day.")
        rows = labelled_rows(frame, labels, horizon_days=horizon_days, most=MOST_ROWS)
        recency = known_columns(rows.frame, ("recency_days",))["recency_days"][rows.is_whole]
        closed_form = CLOSED_FORM in rows.frame.columns
        return cls(
            members=fit_members(rows, closed_form=closed_form),
            horizon_days=horizon_days,
            limits=limits or BandLimits(),
            bands=fit_recency_bands(recency, rows.churned[rows.is_whole], horizon_days),
            closed_form=closed_form,
            features=feature_names(closed_form=closed_form),
        )

    def by_rhythm(self) -> "ChurnModel":
        """The same labels, scored by the closed form as it is."""
        why = f"{self.members.reason.partition(';')[0]}; the closed form is taken as it is"
        return replace(self, members=Members(CLOSED, why), closed_form=True)

    def probability(self, frame: pd.DataFrame) -> Floats:
        """P(no purchase in the horizon after the cut) for each row, in the order of the rows."""
        if self.members.logistic is not None:
            chance: Floats = expit(self.members.logit(self._design(frame)))
            return chance
        by_recency = self.bands.probability(known_columns(frame, ("recency_days",))["recency_days"])
        if self.form != CLOSED:
            return by_recency
        by_rhythm = known_columns(frame, (CLOSED_FORM,))[CLOSED_FORM]
        return np.where(np.isnan(by_rhythm), by_recency, np.clip(by_rhythm, 0, 1))

    def contributions(self, frame: pd.DataFrame) -> tuple[pd.DataFrame, float]:
        """What each subject adds to the average customer's log odds of churn, and those log odds.

        Row by row, their sum is the log odds of `probability`. Of the simple forms all is of the recency, or of the
        own rhythm. Exact for the logistic member (weight times deviation), SHAP values for the trees.
        """
        if self.members.logistic is not None:
            added, average = self.members.contributions(self._design(frame))
            by_subject = sum_by_subject(added, self.features)
        else:
            average = float(logit(self.bands.overall))
            by_subject = np.zeros((len(frame), len(SUBJECTS)))
            place = SUBJECTS.index("rhythm" if self.form == CLOSED else "recency")
            by_subject[:, place] = logit(np.clip(self.probability(frame), _SURE, 1 - _SURE)) - average
        return pd.DataFrame(by_subject, index=frame.index, columns=list(SUBJECTS)), average

    def _design(self, frame: pd.DataFrame) -> Floats:
        """The columns that the members know, in their order."""
        present = feature_names(closed_form=self.closed_form)
        known: Floats = design_matrix(frame, closed_form=self.closed_form)
        return known if present == self.features else known[:, [present.index(name) for name in self.features]]

    def score(self, frame: pd.DataFrame) -> pd.DataFrame:
        """One row per row of `frame`: golden_id, churn_probability, churn_band, up to three reasons, heaviest first.

        Raises ModelError naming columns that are missing.
        """
        known_columns(frame, ("recency_days", "mean_gap_days"))
        probability = self.probability(frame)
        by_subject = self.contributions(frame)[0].to_numpy()
        return pd.DataFrame(
            {
                "golden_id": frame["golden_id"].to_numpy(dtype=object),
                "churn_probability": probability,
                "churn_band": self.limits.band(probability).astype(object),
                "reasons": pd.Series(tell_reasons(frame, by_subject, self.horizon_days), dtype=object).to_numpy(),
            }
        )

    def to_dict(self) -> dict[str, Any]:
        """The body for JSON: numbers, words, and the trees as LightGBM's text."""
        return {
            "members": self.members.to_dict(),
            "horizon_days": self.horizon_days,
            "limits": {"high": self.limits.high, "medium": self.limits.medium},
            "bands": self.bands.to_dict(),
            "closed_form": self.closed_form,
            "features": list(self.features),
        }

    @classmethod
    def from_dict(cls, body: Mapping[str, Any]) -> "ChurnModel":
        """The model that `to_dict` wrote; without `features`, of the first version. Raises ModelError for gaps."""
        missing = sorted(set(cls.__dataclass_fields__) - {"features"} - set(body))
        if missing:
            raise ModelError(f"churn: the model's body lacks {missing}. Load one that ChurnModel.to_dict wrote.")
        closed_form = bool(body["closed_form"])
        return cls(
            members=Members.from_dict(body["members"]),
            horizon_days=int(body["horizon_days"]),
            limits=BandLimits(**body["limits"]),
            bands=RecencyBands.from_dict(body["bands"]),
            closed_form=closed_form,
            features=tuple(body.get("features", names_of_first_version(closed_form=closed_form))),
        )
