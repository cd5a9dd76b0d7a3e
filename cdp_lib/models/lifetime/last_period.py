"""What customers would do if they did as in the last period: the naive forecast, and a blend's member."""

import numpy as np
import pandas as pd

from cdp_lib.contracts.purchases import WINDOWS
from cdp_lib.errors import ModelError
from cdp_lib.models.lifetime.maximum_likelihood import Floats


def last_period_spend(features: pd.DataFrame, horizon_days: float) -> Floats:
    """Net spend of as many days up to the cut as the horizon has, row by row; 0 where refunds exceed it.

    Between two windows of the features it is interpolated; beyond the longest, and beyond `days_known`, in which all
    that is known happened, what followed the first purchase is taken pro rata: nobody makes a first purchase twice.
    Raises ModelError for a frame without its columns.
    """
    return _repeated(features, horizon_days, "amount", features["first_amount"].to_numpy(np.float64))


def last_period_purchases(features: pd.DataFrame, horizon_days: float) -> Floats:
    """Purchase days of as many days up to the cut as the horizon has, by the same rules."""
    return _repeated(features, horizon_days, "purchase_count", np.ones(len(features)))


def days_known(features: pd.DataFrame) -> Floats:
    """Days from the business's first purchase to each row's own cut, 1 at least: a model outlives its training day.

    Raises ModelError where the frame does not tell them.
    """
    if "history_days" not in features.columns:
        raise ModelError(f"Last period: the feature frame lacks history_days; it has {', '.join(features.columns)}.")
    known: Floats = np.maximum(features["history_days"].to_numpy(np.float64), 1.0)
    return known


def _repeated(features: pd.DataFrame, horizon_days: float, name: str, first: Floats) -> Floats:
    """A figure of the windows over the last horizon; `first` is what the first purchase day has of it."""
    known = days_known(features)
    reach = np.minimum(np.minimum(float(horizon_days), known), WINDOWS[-1])
    start, before, within = np.zeros(len(features)), np.zeros(len(features)), np.zeros(len(features))
    for window in WINDOWS:
        end, counted = np.minimum(window, known), features[f"{name}_{window}d"].to_numpy(np.float64)
        share = np.clip((reach - start) / np.where(end > start, end - start, np.inf), 0.0, 1.0)
        within += share * (counted - before)
        start, before = end, counted
    is_new = (features["tenure_days"].to_numpy(np.float64) < reach) | (reach >= known)
    later = np.maximum(within - np.where(is_new, first, 0.0), 0.0)
    repeated: Floats = np.maximum(within, 0.0) + later * (horizon_days / reach - 1)
    return repeated
