"""What the churn members look at: a customer's purchases on a log scale, one number per feature.

Counts, days and money act by their ratio (the tenth purchase day says less than the second), so they enter as
log(1 + x), money with its sign, because refunds may exceed purchases. Unknown stays NaN here. A customer as old as the
records may be older than that: tenure also enters as its share of the history, which is 1 for them.
"""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cdp_lib.contracts.purchases import WINDOWS
from cdp_lib.errors import ModelError

Floats = NDArray[np.float64]

CLOSED_FORM = "no_purchase_probability"
"""Optional column: P(no purchase in the horizon) of a purchase process, e.g. BG/NBD. Not 1 - P(alive)."""
COUNTS = tuple(f"purchase_count_{days}d" for days in WINDOWS)
AMOUNTS = tuple(f"amount_{days}d" for days in WINDOWS)
COLUMNS = (
    "frequency",
    "recency_days",
    "tenure_days",
    "monetary_amount",
    "total_amount",
    "first_amount",
    *COUNTS,
    *AMOUNTS,
    "mean_gap_days",
    "largest_gap_days",
    "item_count",
    "previous_recency_days",
    "last_item_count",
    "repeated_product_count",
)
"""Columns of the feature frame that every customer has, NaN where unknown."""
_RATIOS = ("recency_to_mean_gap", "recency_to_largest_gap", "recency_share", "is_one_time", "history_share")
_ADDED_SINCE = ("previous_recency_days", "last_item_count", "history_share", "repeated_product_count")
_SURE = 1e-6

SUBJECT: Mapping[str, str] = MappingProxyType(
    {
        "recency_days": "recency",
        "recency_to_mean_gap": "recency",
        "recency_to_largest_gap": "recency",
        "recency_share": "recency",
        "frequency": "frequency",
        "is_one_time": "frequency",
        "item_count": "frequency",
        **dict.fromkeys((*COUNTS, "previous_recency_days"), "recent_purchases"),
        **dict.fromkeys(("monetary_amount", "total_amount", "first_amount", *AMOUNTS), "spend"),
        "mean_gap_days": "gaps",
        "largest_gap_days": "gaps",
        "tenure_days": "tenure",
        "history_share": "tenure",
        "last_item_count": "basket",
        "repeated_product_count": "habits",
        CLOSED_FORM: "rhythm",
    }
)
"""Feature: what it tells of. Features of one subject say nearly the same, so only their sum can be read as a reason."""

_RISES = ("recency_days", "recency_to_mean_gap", "recency_to_largest_gap", CLOSED_FORM)
_FALLS = ("frequency", *COUNTS)


def feature_names(*, closed_form: bool) -> tuple[str, ...]:
    """The columns of the design matrix, in order."""
    return (*COLUMNS, *_RATIOS, *((CLOSED_FORM,) if closed_form else ()))


def names_of_first_version(*, closed_form: bool) -> tuple[str, ...]:
    """The columns of models that do not tell theirs: those from before any was added."""
    return tuple(name for name in feature_names(closed_form=closed_form) if name not in _ADDED_SINCE)


def monotone(names: tuple[str, ...]) -> list[int]:
    """1 where churn may only rise with the feature, all else equal, -1 where it may only fall, 0 where either."""
    return [int(name in _RISES) - int(name in _FALLS) for name in names]


def design_matrix(frame: pd.DataFrame, *, closed_form: bool) -> Floats:
    """One row per row of `frame`, one column per feature name, NaN where unknown or not finite.

    Raises ModelError for missing columns, and for a closed form outside 0 to 1.
    """
    raw = known_columns(frame, (*COLUMNS, "history_days", *((CLOSED_FORM,) if closed_form else ())))
    logs = {name: np.sign(raw[name]) * np.log1p(np.abs(raw[name])) for name in COLUMNS}
    recency = logs["recency_days"]
    ratios = (
        recency - logs["mean_gap_days"],
        recency - logs["largest_gap_days"],
        raw["recency_days"] / np.maximum(raw["tenure_days"], 1),
        np.where(np.isnan(raw["frequency"]), np.nan, raw["frequency"] == 0),
        raw["tenure_days"] / np.maximum(raw["history_days"], 1),
    )
    columns = [*logs.values(), *ratios]
    if closed_form:
        chance = raw[CLOSED_FORM]
        if np.nanmin(chance, initial=0) < 0 or np.nanmax(chance, initial=0) > 1:
            raise ModelError(
                f"churn: {CLOSED_FORM} from {np.nanmin(chance):.3g} to {np.nanmax(chance):.3g}. "
                "It is a probability between 0 and 1: hand in P(no purchase in the horizon)."
            )
        kept = np.clip(chance, _SURE, 1 - _SURE)
        columns.append(np.log(kept) - np.log1p(-kept))
    return np.column_stack(columns)


def known_columns(frame: pd.DataFrame, names: tuple[str, ...]) -> dict[str, Floats]:
    """The columns as float64, infinity as NaN. Raises ModelError naming those that are missing."""
    missing = sorted(set(names) - set(frame.columns))
    if missing:
        raise ModelError(f"churn: the feature frame lacks {missing}. Score with the columns it was fitted on.")
    values = frame[list(names)].to_numpy(dtype=np.float64, na_value=np.nan)
    values = np.where(np.isfinite(values), values, np.nan)
    return {name: values[:, place] for place, name in enumerate(names)}
