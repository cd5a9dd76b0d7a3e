"""What customers would spend if they did as in the last period: a forecast without a model, and a blend's member."""

import numpy as np
import pandas as pd

from cdp_lib.contracts.purchases import WINDOWS
from cdp_lib.models.lifetime.maximum_likelihood import Floats


def last_period_spend(features: pd.DataFrame, horizon_days: float, history_days: float) -> Floats:
    """Net spend of as many days up to the cut as the horizon has, row by row; 0 where refunds exceed it.

    Between two windows of the features it is interpolated; beyond the longest, and beyond `history_days`, in which all
    that is known happened, it is taken pro rata.
    """
    ends, spent = [0.0], [np.zeros(len(features))]
    for window in WINDOWS:
        end = min(float(window), max(history_days, 1.0))
        if end > ends[-1]:
            ends.append(end)
            spent.append(features[f"amount_{window}d"].to_numpy(np.float64))
    reach = min(float(horizon_days), ends[-1])
    late = int(np.searchsorted(ends, reach))
    share = (reach - ends[late - 1]) / (ends[late] - ends[late - 1])
    within = spent[late - 1] + share * (spent[late] - spent[late - 1])
    repeated: Floats = np.maximum(within, 0.0) * (horizon_days / reach)
    return repeated
