"""Which form the churn score takes with the customers at hand, and its members, fitted and calibrated."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cdp_lib.models.churn.design import CLOSED_FORM, design_matrix, feature_names
from cdp_lib.models.churn.members import Boosted, fit_boosted, fit_logistic, fit_platt, Logistic
from cdp_lib.models.churn.origins import Rows

Floats = NDArray[np.float64]

BLEND, LOGISTIC, CLOSED, BANDS = "blend", "logistic", CLOSED_FORM, "recency_bands"
ENOUGH_FOR_LOGISTIC = 50
"""Customers of each outcome below which no weight is learnt: there are two dozen of them."""
ENOUGH_FOR_TREES = 400
"""Customers of each outcome from which trees join: twice four leaves of fifty, as many as a tree has."""
FOLDS = 3
LOGISTIC_SHARE = 2 / 3
"""Of the logistic member in the mean of both. On earlier splits of three data sets (5, 6 and 9) two thirds did as well
as a half where customers are many, and better by up to .002 of AUC where they are few; the trees alone were worse."""


@dataclass(frozen=True)
class Members:
    """What scores: the fitted members, none in the simple forms, and the calibration of their weighted log odds."""

    form: str
    reason: str
    logistic: Logistic | None = None
    boosted: Boosted | None = None
    slope: float = 1.0
    intercept: float = 0.0
    logistic_share: float = LOGISTIC_SHARE
    """Weight of the logistic member's log odds where trees stand beside it; theirs is the rest."""

    def logit(self, design: Floats) -> Floats:
        """The calibrated log odds of churn. Not for the simple forms."""
        assert self.logistic is not None
        return self.intercept + self.slope * _mean_logit(design, self.logistic, self.boosted, self.logistic_share)

    def contributions(self, design: Floats) -> tuple[Floats, float]:
        """What each feature adds to the average customer's log odds, and these. Not for the simple forms."""
        assert self.logistic is not None
        added, average = self.logistic.contributions(design), self.logistic.average
        if self.boosted is None or not len(design):
            return added * self.slope, average * self.slope + self.intercept
        by_trees, usual = self.boosted.contributions(design)
        own, rest = self.slope * self.logistic_share, self.slope * (1 - self.logistic_share)
        return added * own + by_trees * rest, average * own + usual * rest + self.intercept

    def to_dict(self) -> dict[str, Any]:
        """Words, numbers, and the trees as LightGBM's text."""
        return {
            "form": self.form,
            "reason": self.reason,
            "logistic": None if self.logistic is None else self.logistic.to_dict(),
            "boosted": None if self.boosted is None else self.boosted.text,
            "slope": self.slope,
            "intercept": self.intercept,
            "logistic_share": self.logistic_share,
        }

    @classmethod
    def from_dict(cls, body: Mapping[str, Any]) -> "Members":
        """The members that `to_dict` wrote; those of an earlier version, which tell no share, had equal ones."""
        return cls(
            form=str(body["form"]),
            reason=str(body["reason"]),
            logistic=None if body["logistic"] is None else Logistic.from_dict(body["logistic"]),
            boosted=None if body["boosted"] is None else Boosted(str(body["boosted"])),
            slope=float(body["slope"]),
            intercept=float(body["intercept"]),
            logistic_share=float(body.get("logistic_share", 0.5)),
        )


def fit_members(rows: Rows, *, closed_form: bool) -> Members:
    """The largest form that the labelled customers carry; without enough of them none, and the reason in words.

    Labels of a part of the horizon teach the logistic member alone, and count for nothing else.
    """
    identity, churned = rows.spread[rows.is_whole], rows.churned[rows.is_whole] == 1
    lost, stayed = (int(np.unique(identity[side]).size) for side in (churned, ~churned))
    seen = f"{lost} customers churned and {stayed} stayed"
    fewest = min(lost, stayed)
    if fewest < ENOUGH_FOR_LOGISTIC:
        return _simple(f"{seen}: a model of their own needs {ENOUGH_FOR_LOGISTIC} of each", closed_form)
    names = feature_names(closed_form=closed_form)
    design = design_matrix(rows.frame, closed_form=closed_form)
    with_trees = fewest >= ENOUGH_FOR_TREES
    fold = (rows.spread % np.uint64(FOLDS)).astype(np.int64)
    unseen = np.empty(rows.churned.size)
    for held in range(FOLDS):
        pair = _fit_pair(rows, design, fold != held, names if with_trees else None)
        unseen[fold == held] = _mean_logit(design[fold == held], *pair, LOGISTIC_SHARE)
    judged = rows.is_latest if _has_both(rows.churned[rows.is_latest]) else rows.is_whole
    slope, intercept = fit_platt(unseen[judged], rows.churned[judged])
    if slope <= 0:
        return _simple(f"{seen}, but the members ranked customers they had not seen no better than chance", closed_form)
    everybody = np.ones(rows.churned.size, dtype=np.bool_)
    logistic, boosted = _fit_pair(rows, design, everybody, names if with_trees else None)
    why = f"{seen}: " + (
        f"enough for both members ({ENOUGH_FOR_TREES} of each)"
        if with_trees
        else f"enough for the logistic member ({ENOUGH_FOR_LOGISTIC} of each), not for trees ({ENOUGH_FOR_TREES})"
    )
    return Members(BLEND if with_trees else LOGISTIC, why, logistic, boosted, slope, intercept)


def _simple(why: str, closed_form: bool) -> Members:
    if closed_form:
        return Members(CLOSED, f"{why}; the closed form is taken as it is")
    return Members(BANDS, f"{why}; the churn rate per band of recency is taken")


def _fit_pair(
    rows: Rows, design: Floats, chosen: NDArray[np.bool_], tree_names: tuple[str, ...] | None
) -> tuple[Logistic, Boosted | None]:
    """Both members fitted to the chosen rows; without names for the trees, the logistic one."""
    logistic = fit_logistic(design[chosen], rows.churned[chosen], rows.horizon_share[chosen])
    if tree_names is None:
        return logistic, None
    whole = chosen & rows.is_whole
    return logistic, fit_boosted(design[whole], rows.churned[whole], tree_names)


def _mean_logit(design: Floats, logistic: Logistic, boosted: Boosted | None, logistic_share: float) -> Floats:
    by_weights = logistic.logit(design)
    if boosted is None or not len(design):
        return by_weights
    mean: Floats = logistic_share * by_weights + (1 - logistic_share) * boosted.logit(design)
    return mean


def _has_both(churned: Floats) -> bool:
    return bool(min(churned.sum(), churned.size - churned.sum()) >= ENOUGH_FOR_LOGISTIC)
