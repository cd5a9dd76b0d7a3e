"""How far from a forecast the truth may lie: what it was, over what had been forecast, by tenth of the forecast."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cdp_lib.models.lifetime.maximum_likelihood import Floats

_LEAST_OF_A_GROUP = 50
"""Customers per group of like forecasts, else fewer groups."""


@dataclass(frozen=True)
class SpendInterval:
    """Bounds as shares of the forecast, by its size: group i holds forecasts from edge i - 1 on, below edge i."""

    edges: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    confidence: float

    @classmethod
    def calibrated(cls, forecast: Floats, truth: Floats, present: Floats, confidence: float) -> "SpendInterval":
        """Split-conformal (Lei et al. 2018), within tenths of the forecast, on the ratio of truth to forecast.

        `forecast` and `truth` pair up over an earlier period that the forecast did not see; its tenths are matched to
        tenths of the `present` forecast, because the two horizons may differ in length.
        """
        groups = int(np.clip(len(forecast) // _LEAST_OF_A_GROUP, 1, 10))
        shares = np.arange(1, groups) / groups
        group = np.searchsorted(np.quantile(forecast, shares), forecast, side="right")
        ratio = truth / np.maximum(forecast, 1e-9)
        bounds = [_bounds(ratio[group == one], confidence) for one in range(groups)]
        edges = tuple(float(edge) for edge in np.quantile(present, shares))
        return cls(edges, tuple(low for low, _ in bounds), tuple(high for _, high in bounds), confidence)

    def around(self, forecast: Floats) -> tuple[Floats, Floats]:
        """The lower and upper bound of each forecast; the lower is never negative, and the forecast lies between."""
        group = np.searchsorted(np.asarray(self.edges), forecast, side="right")
        low, high = np.asarray(self.low)[group], np.asarray(self.high)[group]
        return np.clip(low, 0.0, 1.0) * forecast, np.maximum(high, 1.0) * forecast

    def to_dict(self) -> dict[str, Any]:
        """Numbers, for a JSON body."""
        return {
            "edges": list(self.edges),
            "low": list(self.low),
            "high": list(self.high),
            "confidence": self.confidence,
        }

    @classmethod
    def from_dict(cls, body: Mapping[str, Any]) -> "SpendInterval":
        """The interval that `to_dict` told."""
        return cls(tuple(body["edges"]), tuple(body["low"]), tuple(body["high"]), float(body["confidence"]))


def _bounds(ratio: Floats, confidence: float) -> tuple[float, float]:
    """The ratios that leave half of the rest on either side, with conformal prediction's one more for the unseen."""
    if not len(ratio):
        return 0.0, 1.0
    tail = (1 - confidence) / 2
    more = (len(ratio) + 1) / len(ratio)
    upper = min(1.0, (1 - tail) * more)
    lower = max(0.0, 1 - (1 - tail) * more)
    return float(np.quantile(ratio, lower, method="lower")), float(np.quantile(ratio, upper, method="higher"))
