"""How much a customer resembles those of a seed audience: logistic regression on the pack's own figures."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]  # it ships no types

from cdp_lib.errors import ModelError

Floats = NDArray[np.float64]

LEAST_SEEDS = 20
"""With fewer there is no pattern to find, only these people."""
_SKEWED = 1.0
_DIGITS = 9
"""Scores are rounded: how rows are batched must not order two customers who are equally alike."""


@dataclass(frozen=True)
class _Feature:
    """How one figure becomes a number that can be weighed: unknown ones are the median, and flagged."""

    name: str
    is_log: bool
    median: float
    mean: float
    scale: float

    @classmethod
    def of(cls, name: str, values: Floats) -> "_Feature":
        known = values[np.isfinite(values)]
        if not known.size:
            return cls(name, False, 0.0, 0.0, 1.0)
        spread = known.std()
        skew = 0.0 if spread == 0 else float((((known - known.mean()) / spread) ** 3).mean())
        is_log = bool(known.min() >= 0 and skew > _SKEWED)
        median = float(np.median(known))
        filled = np.where(np.isfinite(values), values, median)
        shaped = np.log1p(filled) if is_log else filled
        return cls(name, is_log, median, float(shaped.mean()), float(shaped.std()) or 1.0)

    def columns(self, values: Floats) -> tuple[Floats, Floats]:
        """The standardised figure, and 1 where it is unknown; below 0 counts as 0 where logarithms are taken."""
        is_known = np.isfinite(values)
        filled = np.where(is_known, values, self.median)
        shaped = np.log1p(np.maximum(filled, 0.0)) if self.is_log else filled
        return (shaped - self.mean) / self.scale, (~is_known).astype(np.float64)


@dataclass(frozen=True)
class LookalikeModel:
    """Weights of a seed audience's figures against those of everybody else."""

    features: tuple[_Feature, ...]
    weights: tuple[tuple[float, float], ...]
    """Per feature: of the figure, of its being unknown."""
    intercept: float

    @classmethod
    def fit(cls, frame: pd.DataFrame, features: Sequence[str]) -> "LookalikeModel":
        """`frame` has golden_id, is_seed and the features; the order of its rows does not matter.

        Both sides weigh the same, however many they are. Raises ModelError where one of them is empty.
        """
        rows = frame.sort_values("golden_id", ignore_index=True)
        is_seed = rows["is_seed"].to_numpy(bool)
        if is_seed.all() or not is_seed.any():
            raise ModelError("lookalike: there must be members of the seed audience and others to tell them from.")
        known = tuple(_Feature.of(name, _numbers(rows, name)) for name in features)
        design = np.column_stack([column for one in known for column in one.columns(_numbers(rows, one.name))])
        model = LogisticRegression(class_weight="balanced", max_iter=1000).fit(design, is_seed)
        found = model.coef_[0]
        weights = tuple((float(found[2 * place]), float(found[2 * place + 1])) for place in range(len(known)))
        return cls(known, weights, float(model.intercept_[0]))

    def score(self, frame: pd.DataFrame) -> pd.DataFrame:
        """golden_id and score, 0 to 1: 1 is most alike. It orders customers, and is no share of them."""
        total = np.full(len(frame), self.intercept)
        for one, (of_figure, of_unknown) in zip(self.features, self.weights, strict=True):
            figure, unknown = one.columns(_numbers(frame, one.name))
            total = total + of_figure * figure + of_unknown * unknown
        score = np.round(1.0 / (1.0 + np.exp(-np.clip(total, -500, 500))), _DIGITS)
        return pd.DataFrame({"golden_id": frame["golden_id"].to_numpy(), "score": score})


def _numbers(frame: pd.DataFrame, name: str) -> Floats:
    found: Floats = pd.to_numeric(frame[name]).to_numpy(np.float64, na_value=np.nan)
    return found
