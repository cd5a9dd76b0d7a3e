"""How often customers come back after their first purchase: the forecast where they bear no model out."""

import numpy as np
import pandas as pd

from cdp_lib.contracts.purchases import WINDOWS
from cdp_lib.models.lifetime.last_period import days_known
from cdp_lib.models.lifetime.maximum_likelihood import Floats

LENT = 0.5
"""Repeat purchases that the pool lends to each customer, in as many days as all of them take for so many."""


def repeats(features: pd.DataFrame, horizon_days: float) -> tuple[Floats, Floats]:
    """Per row: purchase days after the first in about the last horizon, and the days in which they could be.

    It is the shortest window of the features that holds the horizon, else the longest.
    """
    window = next((days for days in WINDOWS if days >= horizon_days), WINDOWS[-1])
    tenure = features["tenure_days"].to_numpy(np.float64)
    is_new = tenure < window
    count = features[f"purchase_count_{window}d"].to_numpy(np.float64) - is_new
    return np.maximum(count, 0.0), np.minimum(tenure, window)


def pooled_repeat_rate(features: pd.DataFrame, horizon_days: float) -> float:
    """Repeat purchases per customer and day over all rows; 0 where nobody came back."""
    count, days = repeats(features, horizon_days)
    return float(count.sum() / days.sum()) if days.sum() else 0.0


def expected_repeats(features: pd.DataFrame, horizon_days: float, pooled_rate: float) -> Floats:
    """Purchase days expected in the horizon after the cut, row by row; 0 where nobody ever came back.

    The customer's own rate, drawn towards the pool's: Gamma(LENT, LENT / pooled_rate) before it is known. What was the
    customer's own is taken pro rata. What is lent was seen of others, over the days known, and customers leave: beyond
    these it grows as in a Pareto/NBD with s = 1, by known x ln(1 + horizon / known), and never as far as pro rata.
    """
    if pooled_rate <= 0:
        return np.zeros(len(features))
    count, days = repeats(features, horizon_days)
    known = days_known(features)
    grown = known * np.log1p(horizon_days / known)
    expected: Floats = (count * horizon_days + LENT * grown) / (days + LENT / pooled_rate)
    return expected
