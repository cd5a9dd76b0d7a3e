"""The two members of the churn score: a logistic regression and a few shallow trees, each as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]  # scikit-learn ships no types

from cdp_lib.models.churn.design import monotone

Floats = NDArray[np.float64]

PENALTY = 0.01
"""scikit-learn's C. Windows and amounts say nearly the same of a customer: without a penalty their weights swing."""
TREES = 50
"""With four leaves each, as good as larger ones on the last splits before the benchmarks' cuts, and soon explained."""
_GROWTH = {
    "objective": "binary",
    "learning_rate": 0.1,
    "num_leaves": 4,
    "min_child_samples": 50,
    "reg_lambda": 10.0,
    "feature_fraction": 0.7,
    "feature_fraction_seed": 1,
    "seed": 1,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbosity": -1,
}


@dataclass(frozen=True)
class Logistic:
    """A regularised logistic regression on standardised features; an unknown value counts as the typical one."""

    typical: Floats
    """Median of each feature in training."""
    mean: Floats
    deviation: Floats
    weight: Floats
    average: float
    """The logit of a customer who is average in every feature."""

    def contributions(self, design: Floats) -> Floats:
        """What each feature adds to `average`: weight times the customer's deviation from the average one."""
        added: Floats = self.weight * (np.where(np.isnan(design), self.typical, design) - self.mean) / self.deviation
        return added

    def logit(self, design: Floats) -> Floats:
        """The log odds of churn."""
        odds: Floats = self.average + self.contributions(design).sum(axis=1)
        return odds

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers."""
        arrays = ("typical", "mean", "deviation", "weight")
        return {"average": self.average, **{name: getattr(self, name).tolist() for name in arrays}}

    @classmethod
    def from_dict(cls, body: Mapping[str, Any]) -> "Logistic":
        """The model that `to_dict` wrote."""
        arrays = {name: np.array(body[name], dtype=np.float64) for name in ("typical", "mean", "deviation", "weight")}
        return cls(**arrays, average=float(body["average"]))


@dataclass(frozen=True)
class Boosted:
    """Gradient-boosted trees, as LightGBM's text."""

    text: str

    @cached_property
    def booster(self) -> lgb.Booster:
        """The trees, read once."""
        return lgb.Booster(model_str=self.text)

    def logit(self, design: Floats) -> Floats:
        """The log odds of churn."""
        odds: Floats = np.asarray(self.booster.predict(design, raw_score=True, num_threads=1), dtype=np.float64)
        return odds

    @cached_property
    def splits(self) -> tuple[tuple[list[int], list[float]], ...]:
        """Of each tree the features and thresholds of its splits."""
        trees = self.text.split("\nTree=")[1:]
        features = [[int(word) for word in _line(tree, "split_feature").split()] for tree in trees]
        limits = [[float(word) for word in _line(tree, "threshold").split()] for tree in trees]
        return tuple(zip(features, limits, strict=True))

    def contributions(self, design: Floats) -> tuple[Floats, float]:
        """What each feature adds to the average logit, and that average: SHAP values (Lundberg et al., 2020).

        A tree's values depend only on how its splits part a row (below, above, unknown): LightGBM explains one row of
        each kind, and all others are looked up. Needs at least one row.
        """
        columns = np.ascontiguousarray(design.T)
        added, average = np.zeros(columns.shape), 0.0
        for tree, (features, limits) in enumerate(self.splits):
            kind = np.zeros(len(design), dtype=np.int64)
            for feature, limit in zip(features, limits, strict=True):
                kind = 3 * kind + np.where(np.isnan(columns[feature]), 2, columns[feature] <= limit)
            example = np.full(3 ** len(features), -1)
            example[kind] = np.arange(len(design))
            seen = np.flatnonzero(example >= 0)
            values = np.asarray(
                self.booster.predict(
                    design[example[seen]], start_iteration=tree, num_iteration=1, pred_contrib=True, num_threads=1
                )
            )
            average += float(values[0, -1])
            for feature in set(features):
                table = np.zeros(example.size)
                table[seen] = values[:, feature]
                added[feature] += table[kind]
        return added.T, average


def _line(tree: str, name: str) -> str:
    """The rest of the line `name=`; empty where a tree has no split."""
    return next((line[len(name) + 1 :] for line in tree.splitlines() if line.startswith(f"{name}=")), "")


def fit_logistic(design: Floats, churned: Floats, horizon_share: Floats | None = None) -> Logistic:
    """Needs both classes. A feature that never varies, or is never known, has no weight.

    Rows whose label looks at a share of the horizon tell what matters, not how many churn: the logarithm of the share
    is one feature more, and what is kept is the regression at the whole horizon.
    """
    if horizon_share is not None and (horizon_share < 1).any():
        return _at_whole_horizon(fit_logistic(np.column_stack([design, np.log(horizon_share)]), churned))
    unknown = np.isnan(design)
    seen = ~unknown.all(axis=0)
    typical = np.zeros(design.shape[1])
    typical[seen] = np.nanmedian(design[:, seen], axis=0)
    filled = np.where(unknown, typical, design)
    mean, deviation = filled.mean(axis=0), filled.std(axis=0)
    deviation = np.where(deviation > 1e-9, deviation, 1.0)
    fitted = LogisticRegression(C=PENALTY, solver="newton-cholesky", max_iter=200)
    fitted.fit((filled - mean) / deviation, churned)
    return Logistic(typical, mean, deviation, fitted.coef_[0].astype(np.float64), float(fitted.intercept_[0]))


def _at_whole_horizon(fitted: Logistic) -> Logistic:
    """Without its last feature, which is 0 there."""
    average = fitted.average - float(fitted.weight[-1] * fitted.mean[-1] / fitted.deviation[-1])
    arrays = (fitted.typical, fitted.mean, fitted.deviation, fitted.weight)
    typical, mean, deviation, weight = (array[:-1] for array in arrays)
    return Logistic(typical, mean, deviation, weight, average)


def fit_boosted(design: Floats, churned: Floats, names: tuple[str, ...]) -> Boosted:
    """Shallow trees in which churn only rises, or only falls, with the features of which that can be argued."""
    growth = {**_GROWTH, "monotone_constraints": monotone(names)}
    rows = lgb.Dataset(design, churned, params={"verbosity": -1}, free_raw_data=True)
    return Boosted(lgb.train(growth, rows, num_boost_round=TREES).model_to_string())


def fit_platt(logit: Floats, churned: Floats) -> tuple[float, float]:
    """Slope and intercept that turn out-of-fold logits into calibrated ones (Platt, 1999), by maximum likelihood."""
    fitted = LogisticRegression(C=1e6, solver="newton-cholesky", max_iter=200).fit(logit.reshape(-1, 1), churned)
    return float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
