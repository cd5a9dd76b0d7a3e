"""Training rows for the churn model: features at one or several earlier cuts, with what came true after each.

Several cuts (rolling origins; Tashman, 2000) give more labels from the same history. What must hold is that every label
had ended when the scores are made: the horizon of the last training cut ends on or before the cut that is scored.
Between the last whole horizon and the scores lie days whose labels would be lost; cuts there look less far ahead.
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
LABEL_DAYS = "label_days"
"""Optional column of the labels: how many days after the cut they look at. Without it, the whole horizon."""


@dataclass(frozen=True)
class Origin:
    """One cut: the feature frame up to it, and the labels (golden_id, has_purchase) of the days after it.

    The days are the whole horizon, or `label_days` of it.
    """

    cut: date
    frame: pd.DataFrame
    labels: pd.DataFrame
    label_days: int | None = None


@dataclass(frozen=True)
class Rows:
    """Labelled rows in an order that does not depend on the one they came in."""

    frame: pd.DataFrame
    churned: NDArray[np.float64]
    """1 without a purchase in the horizon."""
    horizon_share: NDArray[np.float64]
    """How much of the horizon the label looks at: 1 all of it."""
    is_latest: NDArray[np.bool_]
    """Whether the row stands at the last cut with a whole horizon."""
    spread: NDArray[np.uint64]
    """A number drawn from the golden_id alone: one customer's rows fall together, whichever fold they fall into."""

    @property
    def is_whole(self) -> NDArray[np.bool_]:
        """Whether the label looks at the whole horizon."""
        whole: NDArray[np.bool_] = self.horizon_share >= 1
        return whole


def stack_origins(
    origins: Sequence[Origin], *, horizon_days: int, scored_at: date
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Training frame and labels of all cuts below each other, each with its `cut_date`, labels with `label_days`.

    Raises ModelError without an origin, and for a cut whose labels end after `scored_at`: they would tell the future.
    """
    if not origins:
        raise ModelError("churn: no training cut. Give at least one cut whose horizon ended by the day that is scored.")
    known = [(origin, origin.label_days or horizon_days) for origin in origins]
    late = sorted(origin.cut for origin, days in known if origin.cut + timedelta(days=days) > scored_at)
    if late:
        raise ModelError(
            f"churn: labels of {', '.join(map(str, late))} end after {scored_at}. Train on cuts up to "
            f"{scored_at - timedelta(days=horizon_days)}, or say by label_days how many days later ones look ahead."
        )
    frames = [origin.frame.assign(**{CUT: origin.cut.isoformat()}) for origin in origins]
    labels = [
        origin.labels.assign(**{CUT: origin.cut.isoformat()}).assign(**{LABEL_DAYS: days}) for origin, days in known
    ]
    return pd.concat(frames, ignore_index=True), pd.concat(labels, ignore_index=True)


def labelled_rows(frame: pd.DataFrame, labels: pd.DataFrame, *, horizon_days: int, most: int) -> Rows:
    """Every row of `frame` with its label, of at most `most` rows' worth of customers drawn by golden_id.

    Raises ModelError for missing columns, doubled customers, rows without a label, and labels other than 0 and 1.
    """
    key = ["golden_id", *([CUT] if CUT in frame.columns and CUT in labels.columns else [])]
    _check(frame, labels, key)
    ordered = frame.sort_values(key, kind="stable", ignore_index=True)
    told = labels if LABEL_DAYS in labels.columns else labels.assign(**{LABEL_DAYS: horizon_days})
    joined = ordered[key].merge(told[[*key, "has_purchase", LABEL_DAYS]], on=key, how="left", validate="one_to_one")
    bought = joined["has_purchase"].to_numpy(dtype=np.float64, na_value=np.nan)
    if np.isnan(bought).any():
        raise ModelError(
            f"churn: {int(np.isnan(bought).sum())} of {len(bought)} training rows have no label. "
            "Give has_purchase for every row, 0 for those who bought nothing."
        )
    if not np.isin(bought, (0, 1)).all():
        raise ModelError("churn: has_purchase holds other values than 0 and 1. Give 1 to those who bought, else 0.")
    spread = pd.util.hash_array(ordered["golden_id"].to_numpy(dtype=object)).astype(np.uint64)
    share = joined[LABEL_DAYS].to_numpy(dtype=np.float64) / horizon_days
    latest = share >= 1
    if CUT in key:
        latest &= (ordered[CUT] == ordered.loc[latest, CUT].max()).to_numpy(dtype=np.bool_)
    kept = np.arange(len(ordered))
    if len(ordered) > most:
        kept = np.flatnonzero(spread <= np.sort(spread)[most - 1])
    chosen = ordered.iloc[kept].reset_index(drop=True)
    return Rows(chosen, 1 - bought[kept], share[kept], latest[kept], spread[kept])


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
