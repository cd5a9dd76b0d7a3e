"""The simplest churn score: the churn rate of customers who have been away about as long."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

EDGES = (0.25, 0.5, 1.0, 2.0)
"""Where one band ends and the next begins, in horizons since the last purchase."""
WEIGHT_OF_ALL = 10.0
"""So many customers of the overall rate are added to each band, that a band of two does not say 0 or 1."""


@dataclass(frozen=True)
class RecencyBands:
    """Churn rate per band of days since the last purchase, and of everybody."""

    edges: tuple[float, ...]
    """Days; a customer on an edge is in the band below it."""
    rates: tuple[float, ...]
    overall: float

    def probability(self, recency_days: Floats) -> Floats:
        """The band's rate; the overall one where the recency is unknown."""
        band = np.searchsorted(np.array(self.edges), recency_days, side="left")
        of_band = np.array(self.rates)[np.minimum(band, len(self.rates) - 1)]
        rates: Floats = np.where(np.isnan(recency_days), self.overall, of_band)
        return rates

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers."""
        return {"edges": list(self.edges), "rates": list(self.rates), "overall": self.overall}

    @classmethod
    def from_dict(cls, body: Mapping[str, Any]) -> "RecencyBands":
        """The bands that `to_dict` wrote."""
        return cls(tuple(body["edges"]), tuple(body["rates"]), float(body["overall"]))


def fit_recency_bands(recency_days: Floats, churned: Floats, horizon_days: int) -> RecencyBands:
    """From any number of customers, none included: one churner and one stayer are added to the overall rate.

    A band that nobody was in has the rate of the band before: who was away longer than anybody seen is gone no less.
    """
    overall = float((churned.sum() + 1) / (churned.size + 2))
    edges = np.array(EDGES) * horizon_days
    known = ~np.isnan(recency_days)
    band = np.searchsorted(edges, recency_days[known], side="left")
    count = np.bincount(band, minlength=len(EDGES) + 1)
    lost = np.bincount(band, churned[known], minlength=len(EDGES) + 1)
    rates = (lost + WEIGHT_OF_ALL * overall) / (count + WEIGHT_OF_ALL)
    for band_of_nobody in np.flatnonzero(count[1:] == 0) + 1:
        rates[band_of_nobody] = rates[band_of_nobody - 1]
    return RecencyBands(tuple(edges.tolist()), tuple(rates.tolist()), overall)
