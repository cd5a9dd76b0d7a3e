"""How good a churn score is: ranking, calibration, and whether one scorer beats another on the same customers.

Labels are 1 for a customer who churned, scores rise with churn. Every figure is the same in any order of the rows:
customers of one score share the places that they take up, each in the same part.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm, rankdata  # type: ignore[import-untyped]  # SciPy ships no types

from cdp_lib.errors import ModelError

Floats = NDArray[np.float64]

SURE = 1e-15
"""How near to 0 and 1 a probability is let for the log loss, so that one wrong certainty is not infinite."""


@dataclass(frozen=True)
class PairedTest:
    """Two scorers on the same customers: by how much the first one's AUC is higher, and whether that may be chance."""

    auc: float
    other_auc: float
    difference: float
    standard_error: float
    p_value: float
    """Two-sided; 1 where both rank alike."""


def auc(label: ArrayLike, score: ArrayLike) -> float:
    """The share of pairs of a churner and a stayer in which the churner scores higher; a tie counts half.

    By mean ranks (Mann and Whitney, 1947). NaN where everybody, or nobody, churned.
    """
    churned, scores = _checked(label, score)
    positives = float(churned.sum())
    negatives = churned.size - positives
    if not positives or not negatives:
        return float("nan")
    ranks = float(rankdata(scores)[churned == 1].sum())
    return (ranks - positives * (positives + 1) / 2) / (positives * negatives)


def auc_of_counts(churned: Floats, stayed: Floats) -> float:
    """The same from counts by ascending score: how often a churner scores above a stayer, ties half."""
    below = np.cumsum(stayed) - stayed
    return float((churned * (below + stayed / 2)).sum() / (churned.sum() * stayed.sum()))


def brier(label: ArrayLike, probability: ArrayLike) -> float:
    """Mean squared distance of probability and outcome (Brier, 1950): 0 is perfect."""
    churned, chance = _checked_probability(label, probability)
    return float(np.mean((chance - churned) ** 2))


def log_loss(label: ArrayLike, probability: ArrayLike) -> float:
    """Mean negative log likelihood in nats, probabilities kept SURE from 0 and 1."""
    churned, chance = _checked_probability(label, probability)
    kept = np.clip(chance, SURE, 1 - SURE)
    return float(-np.mean(churned * np.log(kept) + (1 - churned) * np.log1p(-kept)))


def lift_at(label: ArrayLike, score: ArrayLike, share: float = 0.1) -> float:
    """How many times the average churn rate holds among the `share` of customers who score highest.

    NaN where nobody churned. Raises ModelError for a share outside (0, 1].
    """
    if not 0 < share <= 1:
        raise ModelError(
            f"lift: share {share} is not above 0 and at most 1. Give a part of the customers, such as 0.1."
        )
    churned, scores = _checked(label, score)
    if not churned.sum():
        return float("nan")
    found = _sums_of_best(scores, churned, np.array([share * churned.size]))[0]
    return float(found / (share * churned.sum()))


def decile_table(label: ArrayLike, score: ArrayLike, parts: int = 10) -> pd.DataFrame:
    """One row per tenth of the customers, highest scores first: how many churned in it.

    Columns: `decile` from 1, `customer_count` (a tenth, need not be whole), `mean_score`, `churn_rate`, `lift` (rate
    over everybody's rate; NaN where nobody churned), `churn_share` (part of all churners in it and the higher tenths).
    """
    churned, scores = _checked(label, score)
    ends = np.linspace(0, churned.size, parts + 1)
    total = _sums_of_best(scores, churned, ends)
    found, size = np.diff(total), np.diff(ends)
    everybody = churned.mean() if churned.sum() else np.nan
    return pd.DataFrame(
        {
            "decile": np.arange(1, parts + 1),
            "customer_count": size,
            "mean_score": np.diff(_sums_of_best(scores, scores, ends)) / size,
            "churn_rate": found / size,
            "lift": found / size / everybody,
            "churn_share": total[1:] / (everybody * churned.size),
        }
    )


def calibration_table(label: ArrayLike, probability: ArrayLike, bins: int = 10) -> pd.DataFrame:
    """One row per bin of equal width that holds a customer: what was foretold, and what came true.

    Columns: `from_probability` and `to_probability` (the bin; 1 belongs to the last), `customer_count`,
    `mean_predicted`, `observed_rate`.
    """
    churned, chance = _checked_probability(label, probability)
    place = np.minimum((chance * bins).astype(np.int64), bins - 1)
    count = np.bincount(place, minlength=bins)
    some = count > 0
    edges = np.linspace(0, 1, bins + 1)
    return pd.DataFrame(
        {
            "from_probability": edges[:-1][some],
            "to_probability": edges[1:][some],
            "customer_count": count[some],
            "mean_predicted": np.bincount(place, chance, bins)[some] / count[some],
            "observed_rate": np.bincount(place, churned, bins)[some] / count[some],
        }
    )


def expected_calibration_error(label: ArrayLike, probability: ArrayLike, bins: int = 10) -> float:
    """Mean distance of foretold and observed rate over the bins of the calibration table, each by its customers.

    Naeini, Cooper and Hauskrecht (2015): 0 is perfect, .05 means five points off on average.
    """
    table = calibration_table(label, probability, bins)
    off = (table["mean_predicted"] - table["observed_rate"]).abs()
    return float((off * table["customer_count"]).sum() / table["customer_count"].sum())


def compare_auc(label: ArrayLike, score: ArrayLike, other: ArrayLike) -> PairedTest:
    """Whether `score` ranks better than `other` on the same customers: DeLong's paired test of two AUCs.

    DeLong, DeLong and Clarke-Pearson (1988) by the mid-ranks of Sun and Xu (2014). Raises ModelError without two
    churners and two who stayed.
    """
    churned, first = _checked(label, score)
    second = _checked(label, other)[1]
    positive = churned == 1
    if min(positive.sum(), (~positive).sum()) < 2:
        raise ModelError(
            f"comparing AUCs: {int(positive.sum())} churned, {int((~positive).sum())} stayed. "
            "Each needs at least 2: take a longer horizon or more customers."
        )
    parts = [_placements(values, positive) for values in (first, second)]
    among_churners = np.cov(np.vstack([part[0] for part in parts]))
    among_stayers = np.cov(np.vstack([part[1] for part in parts]))
    spread = among_churners / positive.sum() + among_stayers / (~positive).sum()
    variance = float(spread[0, 0] + spread[1, 1] - 2 * spread[0, 1])
    error = float(np.sqrt(max(variance, 0.0)))
    here, there = (float(part[0].mean()) for part in parts)
    z = abs(here - there) / error if error > SURE else (0.0 if here == there else np.inf)
    return PairedTest(here, there, here - there, error, float(2 * norm.sf(z)))


def evaluate_scores(label: ArrayLike, probability: ArrayLike) -> dict[str, float]:
    """The figures that a training records: churn_auc, churn_brier, churn_log_loss, churn_lift_at_10, churn_ece."""
    return {
        "churn_auc": auc(label, probability),
        "churn_brier": brier(label, probability),
        "churn_log_loss": log_loss(label, probability),
        "churn_lift_at_10": lift_at(label, probability),
        "churn_ece": expected_calibration_error(label, probability),
    }


def _placements(scores: Floats, positive: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Of each churner the share of stayers below it; of each stayer the share of churners above it."""
    ranks = rankdata(scores)
    churners, stayers = int(positive.sum()), int((~positive).sum())
    below = (ranks[positive] - rankdata(scores[positive])) / stayers
    above = 1 - (ranks[~positive] - rankdata(scores[~positive])) / churners
    return below, above


def _sums_of_best(scores: Floats, values: Floats, ends: Floats) -> Floats:
    """The sum of `values` over the so many customers of highest score, for each of `ends`; ties share their places."""
    level, place = np.unique(-scores, return_inverse=True)
    count = np.concatenate([[0], np.cumsum(np.bincount(place, minlength=level.size))])
    total = np.concatenate([[0], np.cumsum(np.bincount(place, values, level.size))])
    sums: Floats = np.interp(ends, count, total)
    return sums


def _checked(label: ArrayLike, score: ArrayLike) -> tuple[Floats, Floats]:
    churned, scores = np.asarray(label, dtype=np.float64), np.asarray(score, dtype=np.float64)
    if churned.shape != scores.shape or churned.ndim != 1 or not churned.size:
        raise ModelError(
            f"churn evaluation: labels of shape {churned.shape}, scores of shape {scores.shape}. "
            "Give one of each per customer, for at least one customer."
        )
    if not np.isin(churned, (0, 1)).all():
        raise ModelError("churn evaluation: labels other than 0 and 1. Give 1 to those who churned, 0 to the others.")
    if np.isnan(scores).any():
        raise ModelError(
            f"churn evaluation: {int(np.isnan(scores).sum())} of {scores.size} scores are NaN. Score every customer."
        )
    return churned, scores


def _checked_probability(label: ArrayLike, probability: ArrayLike) -> tuple[Floats, Floats]:
    churned, chance = _checked(label, probability)
    if chance.min() < 0 or chance.max() > 1:
        raise ModelError(
            f"churn evaluation: probabilities from {chance.min():.3g} to {chance.max():.3g}. "
            "They lie between 0 and 1: calibrate the scores, or ask for the AUC only."
        )
    return churned, chance
