"""How features of any unit become distances that k-means may compare."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cdp_lib.errors import ModelError

Floats = NDArray[np.float64]

TAILS = (0.01, 0.99)
"""Quantiles at which values are cut off (winsorised): one enormous order must not make a cluster."""
SKEWED = 1.0
"""Skewness above which a feature without negative values counts by its logarithm."""
_IQR_OF_NORMAL = 1.349
_WIDEST = 6.0
"""Most units between the tails: the quartiles of a feature that is mostly 0 lie too close to be its measure."""


@dataclass(frozen=True)
class Scaling:
    """Per feature, in the order of `features`: cut-offs, whether by log(1 + x), middle and unit of the scale."""

    features: tuple[str, ...]
    low: Floats
    high: Floats
    is_log: NDArray[np.bool_]
    middle: Floats
    unit: Floats

    def forward(self, raw: Floats) -> Floats:
        """Scaled values, 0 at the median; an unknown value counts as the median."""
        moved = _logged(np.clip(raw, self.low, self.high), self.is_log)
        scaled: Floats = np.nan_to_num((moved - self.middle) / self.unit, nan=0.0)
        return scaled

    def backward(self, scaled: Floats) -> Floats:
        """The raw values that `forward` gave."""
        moved = scaled * self.unit + self.middle
        raw: Floats = np.where(self.is_log, np.expm1(np.where(self.is_log, moved, 0.0)), moved)
        return raw

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        arrays = ("low", "high", "is_log", "middle", "unit")
        return {"features": list(self.features), **{name: getattr(self, name).tolist() for name in arrays}}

    @classmethod
    def from_dict(cls, body: Mapping[str, Any]) -> "Scaling":
        """The scaling that `to_dict` wrote."""
        low, high, middle, unit = (np.array(body[name], dtype=np.float64) for name in ("low", "high", "middle", "unit"))
        return cls(tuple(body["features"]), low, high, np.array(body["is_log"], dtype=np.bool_), middle, unit)


def fit_scaling(raw: Floats, features: Sequence[str]) -> Scaling:
    """From any number of rows, NaN where unknown; a feature that does not vary, or is not known, is 0 for all."""
    known = [column[~np.isnan(column)] for column in raw.T]
    filled = [column if column.size else np.zeros(1) for column in known]
    low, high = np.array([np.quantile(column, TAILS) for column in filled]).T
    is_log = np.array([_is_skewed(np.clip(*each)) for each in zip(filled, low, high, strict=True)], dtype=np.bool_)
    moved = [_logged(np.clip(c, a, b), f) for c, a, b, f in zip(filled, low, high, is_log, strict=True)]
    quarter, middle, three_quarters = np.array([np.quantile(column, (0.25, 0.5, 0.75)) for column in moved]).T
    width = np.array([np.ptp(column) for column in moved])
    unit = np.maximum((three_quarters - quarter) / _IQR_OF_NORMAL, width / _WIDEST)
    return Scaling(tuple(features), low, high, is_log, middle, np.where(unit > 1e-12, unit, 1.0))


def raw_features(frame: pd.DataFrame, features: Sequence[str]) -> Floats:
    """The features as float64, one column each, infinity as NaN. Raises ModelError for missing or other columns."""
    missing = [name for name in ("golden_id", *features) if name not in frame.columns]
    if missing:
        raise ModelError(f"clusters: the frame lacks {missing}; it has {sorted(frame.columns)[:20]}.")
    words = [name for name in features if not pd.api.types.is_numeric_dtype(frame[name]) and len(frame)]
    if words:
        raise ModelError(f"clusters: {words} are no numbers. Choose numeric features, or cast them before.")
    raw = frame[list(features)].to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(np.isfinite(raw), raw, np.nan)


def _logged(values: Floats, is_log: Any) -> Floats:
    moved: Floats = np.where(is_log, np.log1p(np.where(is_log, values, 0.0)), values)
    return moved


def _is_skewed(values: Floats) -> bool:
    off = values - values.mean()
    spread = float(np.sqrt(np.mean(off**2)))
    return bool(values.min() >= 0 and spread > 1e-12 and np.mean((off / spread) ** 3) > SKEWED)
