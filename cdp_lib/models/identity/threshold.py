"""From how many bits two records are one person: by the share of wrong links that this leads to, at any size."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]  # scikit-learn ships no types

Floats = NDArray[np.float64]

ENOUGH_LABELS = 20
"""Pairs of each verdict from which people's judgement corrects the model's own probabilities."""


@dataclass(frozen=True)
class Threshold:
    """The bits, and where they come from, in words."""

    bits: float
    reason: str


def choose_threshold(bins: pa.Table, false_pairs: float, labels: pa.Table | None = None) -> Threshold:
    """The lowest weight, 0 or more, from which the pairs' expected share of wrong ones is at most `false_pairs`.

    `bins` is `weight_counts`: what the model expects of the pairs at hand, so the same share asks for more bits among
    more records. `labels` (match_weight, is_link) are pairs that people judged: with ENOUGH_LABELS of each verdict the
    probability of a wrong link is read off them instead, by logistic regression on the weight (Platt, 1999), and the
    threshold may be below 0. Infinity when no bin is good enough.
    """
    weight = bins["match_weight"].to_numpy().astype(np.float64)
    pairs = bins["pair_count"].to_numpy().astype(np.float64)
    wrong = bins["false_pairs"].to_numpy().astype(np.float64)
    least, source = 0.0, "what the model expects"
    judged = None if labels is None else _doubt_by_labels(weight, labels)
    if labels is not None and judged is not None:
        wrong, least = pairs * judged, -np.inf
        links = int(np.count_nonzero(labels["is_link"].to_numpy(zero_copy_only=False)))
        source = f"{links} pairs judged one person and {labels.num_rows - links} judged two"
    order = np.argsort(-weight)
    total, doubtful = np.cumsum(pairs[order]), np.cumsum(wrong[order])
    good = np.flatnonzero(doubtful <= false_pairs * total)
    if not good.size:
        return Threshold(float("inf"), f"no weight keeps wrong pairs below {false_pairs:.1%}, by {source}")
    last = good[-1]
    bits = max(float(weight[order][last]), least)
    linked = weight >= bits
    return Threshold(
        bits,
        f"{wrong[linked].sum():,.0f} of {pairs[linked].sum():,.0f} linked pairs expected wrong "
        f"(at most {false_pairs:.1%}), by {source}",
    )


def _doubt_by_labels(weight: Floats, labels: pa.Table) -> Floats | None:
    """Each bin's probability of a wrong link, from the judged pairs; None where they are too few, or say nothing."""
    is_link = labels["is_link"].to_numpy(zero_copy_only=False).astype(bool)
    if min(np.count_nonzero(is_link), np.count_nonzero(~is_link)) < ENOUGH_LABELS:
        return None
    judged = labels["match_weight"].to_numpy().astype(np.float64).reshape(-1, 1)
    fitted = LogisticRegression().fit(judged, is_link)
    if fitted.coef_[0, 0] <= 0:
        return None
    doubt: Floats = fitted.predict_proba(weight.reshape(-1, 1))[:, 0]
    return doubt
