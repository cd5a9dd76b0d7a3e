"""Training rows for the churn model: features at one or several earlier cuts, with what came true after each.

Several cuts (rolling origins; Tashman, 2000) give more labels from the same history. What must hold is that every label
had ended when the scores are made: the horizon of the last training cut ends on or before the cut that is scored.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cdp_lib.errors import ModelError

CUT = "cut_date"
"""Optional column of both training frames: the cut that a row stands at. Without it all rows stand at one."""


@dataclass(frozen=True)
class Origin:
    """One cut: the feature frame up to it, and the labels (golden_id, has_purchase) of the horizon after it."""

    cut: date
    frame: pd.DataFrame
    labels: pd.DataFrame


@dataclass(frozen=True)
class Rows:
    """Labelled rows in an order that does not depend on the one they came in."""

    frame: pd.DataFrame
    churned: NDArray[np.float64]
    """1 without a purchase in the horizon."""
    is_latest: NDArray[np.bool_]
    """Whether the row stands at the last cut."""
    spread: NDArray[np.uint64]
    """A number drawn from the golden_id alone: one customer's rows fall together, whichever fold they fall into."""


def stack_origins(
    origins: Sequence[Origin], *, horizon_days: int, scored_at: date
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Training frame and labels of all cuts below each other, each with its `cut_date`.

    Raises ModelError without an origin, and for a cut whose labels end after `scored_at`: they would tell the future.
    """
    if not origins:
        raise ModelError("churn: no training cut. Give at least one cut whose horizon ended by the day that is scored.")
    late = sorted(origin.cut for origin in origins if origin.cut + timedelta(days=horizon_days) > scored_at)
    if late:
        raise ModelError(
            f"churn: labels of {', '.join(map(str, late))} end more than {horizon_days} days later, after {scored_at}. "
            f"Train on cuts up to {scored_at - timedelta(days=horizon_days)}."
        )
    frames = [origin.frame.assign(**{CUT: origin.cut.isoformat()}) for origin in origins]
    labels = [origin.labels.assign(**{CUT: origin.cut.isoformat()}) for origin in origins]
    return pd.concat(frames, ignore_index=True), pd.concat(labels, ignore_index=True)


def labelled_rows(frame: pd.DataFrame, labels: pd.DataFrame, *, most: int) -> Rows:
    """Every row of `frame` with its label, of at most `most` rows' worth of customers drawn by golden_id.

    Raises ModelError for missing columns, doubled customers, rows without a label, and labels other than 0 and 1.
    """
    key = ["golden_id", *([CUT] if CUT in frame.columns and CUT in labels.columns else [])]
    _check(frame, labels, key)
    ordered = frame.sort_values(key, kind="stable", ignore_index=True)
    joined = ordered[key].merge(labels[[*key, "has_purchase"]], on=key, how="left", validate="one_to_one")
    bought = joined["has_purchase"].to_numpy(dtype=np.float64, na_value=np.nan)
    if np.isnan(bought).any():
        raise ModelError(
            f"churn: {int(np.isnan(bought).sum())} of {len(bought)} training rows have no label. "
            "Give has_purchase for every row, 0 for those who bought nothing."
        )
    if not np.isin(bought, (0, 1)).all():
        raise ModelError("churn: has_purchase holds other values than 0 and 1. Give 1 to those who bought, else 0.")
    spread = pd.util.hash_array(ordered["golden_id"].to_numpy(dtype=object)).astype(np.uint64)
    latest = np.ones(len(ordered), dtype=np.bool_)
    if CUT in key:
        latest = (ordered[CUT] == ordered[CUT].max()).to_numpy(dtype=np.bool_)
    kept = np.arange(len(ordered))
    if len(ordered) > most:
        kept = np.flatnonzero(spread <= np.sort(spread)[most - 1])
    return Rows(ordered.iloc[kept].reset_index(drop=True), 1 - bought[kept], latest[kept], spread[kept])


def _check(frame: pd.DataFrame, labels: pd.DataFrame, key: list[str]) -> None:
    wanted = (("feature frame", frame, {"golden_id"}), ("labels", labels, {"golden_id", "has_purchase"}))
    for what, table, columns in wanted:
        missing = sorted(columns - set(table.columns))
        if missing:
            raise ModelError(f"churn: the {what} lack {missing}; they have {sorted(table.columns)[:12]}.")
        doubled = int(table.duplicated(key).sum())
        if doubled:
            raise ModelError(
                f"churn: {doubled} rows of the {what} repeat {' and '.join(key)}. Give one row a customer and cut; "
                f"rows of several cuts need a {CUT} column in both tables."
            )
