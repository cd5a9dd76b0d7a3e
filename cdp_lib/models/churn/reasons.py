"""Why a customer's churn score differs from the average one, in words with the customer's own figures."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cdp_lib.models.churn.design import SUBJECT

Floats = NDArray[np.float64]

SUBJECTS = tuple(dict.fromkeys(SUBJECT.values()))
"""What reasons tell of."""
MOST_REASONS = 3
LEAST_LOGIT = 0.05
"""What moves the odds by less than a twentieth is not worth telling."""


def sum_by_subject(contributions: Floats, names: tuple[str, ...]) -> Floats:
    """One column per entry of SUBJECTS: the sum of its features' contributions."""
    member = np.array([[SUBJECT[name] == subject for subject in SUBJECTS] for name in names], dtype=np.float64)
    added: Floats = contributions @ member
    return added


def tell_reasons(frame: pd.DataFrame, by_subject: Floats, horizon_days: int) -> list[list[str]]:
    """For each row up to three reasons, the heaviest first.

    They are the subjects that push a customer's score to the side of the average on which it lies: of one who is more
    likely to churn, what speaks for churn; of one who is less likely, what speaks against it.
    """
    side = np.where(by_subject.sum(axis=1) >= 0, 1.0, -1.0)
    push = by_subject * side[:, None]
    heaviest = np.argsort(-push, axis=1, kind="stable")[:, :MOST_REASONS]
    told: list[list[str]] = [[] for _ in range(len(frame))]
    figures = _Figures(frame, horizon_days)
    for rank in range(heaviest.shape[1]):
        chosen = heaviest[:, rank]
        worth = np.take_along_axis(push, chosen[:, None], axis=1)[:, 0] > LEAST_LOGIT
        for place, subject in enumerate(SUBJECTS):
            rows = np.flatnonzero(worth & (chosen == place))
            if not rows.size:
                continue  # nobody's reason cites a column that the caller need not give
            for row, text in zip(rows.tolist(), figures.texts(subject, rows), strict=True):
                told[row].append(text)
    return told


class _Figures:
    """The columns that reasons cite, and one sentence maker per subject."""

    def __init__(self, frame: pd.DataFrame, horizon_days: int) -> None:
        self._frame, self._horizon = frame, horizon_days

    def texts(self, subject: str, rows: NDArray[np.intp]) -> list[str]:
        """The sentence of the subject for each of the rows."""
        columns, sentence = _SENTENCES[subject]
        cited = (self._frame[name].to_numpy(dtype=np.float64, na_value=np.nan)[rows].tolist() for name in columns)
        return [sentence(self._horizon, *values) for values in zip(*cited, strict=True)]


def _days(value: float) -> str:
    if np.isnan(value):
        return "an unknown number of days"
    return f"{value:.0f} day{'' if round(value) == 1 else 's'}"


def _recency(_: int, recency: float, gap: float) -> str:
    usual = "" if np.isnan(gap) else f", usual gap {gap:.0f}"
    return f"no purchase for {_days(recency)}{usual}"


def _frequency(_: int, frequency: float) -> str:
    return f"bought on {_days(frequency + 1)} in all"


def _recent(_: int, month: float, quarter: float) -> str:
    return f"bought on {_days(month)} of the last 30 and {_days(quarter)} of the last 90"


def _spend(_: int, per_day: float, total: float) -> str:
    mean = "unknown" if np.isnan(per_day) else f"{per_day:.2f}"
    return f"spend per purchase day {mean}, in all {'unknown' if np.isnan(total) else f'{total:.2f}'}"


def _gaps(_: int, mean: float, largest: float) -> str:
    if np.isnan(mean):
        return "no second purchase day yet"
    return f"usual gap {_days(mean)}, longest {largest:.0f}"


def _tenure(_: int, tenure: float) -> str:
    return f"first purchase {_days(tenure)} ago"


def _basket(_: int, items: float) -> str:
    if np.isnan(items):
        return "items of the last purchase day unknown"
    return f"{items:.0f} item{'' if round(items) == 1 else 's'} on the last purchase day"


def _habits(_: int, repeated: float) -> str:
    if np.isnan(repeated):
        return "no products known"
    return f"{repeated:.0f} product{'' if round(repeated) == 1 else 's'} bought on more than one day"


def _rhythm(horizon: int, chance: float) -> str:
    if np.isnan(chance):
        return "no buying rhythm known"
    return f"own rhythm foretells no purchase in {horizon} days with {chance:.0%}"


_SENTENCES: dict[str, tuple[tuple[str, ...], Callable[..., str]]] = {
    "recency": (("recency_days", "mean_gap_days"), _recency),
    "frequency": (("frequency",), _frequency),
    "recent_purchases": (("purchase_count_30d", "purchase_count_90d"), _recent),
    "spend": (("monetary_amount", "total_amount"), _spend),
    "gaps": (("mean_gap_days", "largest_gap_days"), _gaps),
    "tenure": (("tenure_days",), _tenure),
    "basket": (("last_item_count",), _basket),
    "habits": (("repeated_product_count",), _habits),
    "rhythm": (("no_purchase_probability",), _rhythm),
}
