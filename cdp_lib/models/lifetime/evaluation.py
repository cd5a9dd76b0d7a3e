"""How good a forecast of spend was: its error, its level, its order of customers; and whether another is better.

Customers with the same prediction share their mean truth, so no figure depends on the rows' order.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cdp_lib.errors import ModelError

Floats = NDArray[np.float64]

_GROUPS, _DRAWS = 2_000, 2_000
"""Random groups of customers that the bootstrap draws from, and draws: a million customers cost what 2,000 do."""


@dataclass(frozen=True)
class SpendScores:
    """Figures of a forecast against what came true."""

    mae: float
    """Mean absolute error, in the unit of what is forecast."""
    aggregate_error: float
    """Predicted total over true total, minus 1; NaN when nothing came true."""
    gini: float
    """Normalised: 1 for the true order, 0 for a random one; NaN when all are alike."""
    top_decile_share: float
    """Share of the true total among the tenth of customers predicted highest; NaN when nothing came true."""


@dataclass(frozen=True)
class PairedDifference:
    """Mean loss of one model minus another's on the same customers, and its interval; below 0 the first is better."""

    mean: float
    low: float
    high: float
    confidence: float

    @property
    def is_better(self) -> bool:
        """Whether the first model's loss is lower beyond chance."""
        return self.high < 0


def spend_scores(predicted: Floats, actual: Floats) -> SpendScores:
    """Every figure at once. Raises ModelError for arrays that do not pair up, for none, and for missing numbers."""
    _check(predicted, actual)
    total = float(actual.sum())
    return SpendScores(
        float(np.abs(predicted - actual).mean()),
        float(predicted.sum()) / total - 1 if total else float("nan"),
        normalised_gini(predicted, actual),
        top_share(predicted, actual) if total else float("nan"),
    )


def normalised_gini(predicted: Floats, actual: Floats) -> float:
    """Gini of the truth ordered by prediction, over that of the truth in its own order; NaN when all are alike.

    The measure of insurance (Frees, Meyers and Cummings 2011), as in Kaggle's contests, with ties shared out.
    """
    _check(predicted, actual)
    best = _gini(actual, actual)
    return _gini(predicted, actual) / best if best > 0 else float("nan")


def top_share(predicted: Floats, actual: Floats, share: float = 0.1) -> float:
    """Share of the true total that the `share` of customers predicted highest hold; ties at the border in part."""
    _check(predicted, actual)
    ordered = _ordered(predicted, actual)
    upto = np.concatenate([[0.0], np.cumsum(ordered)])
    return float(np.interp(share * len(ordered), np.arange(len(upto)), upto) / upto[-1])


def decile_table(predicted: Floats, actual: Floats, groups: int = 10) -> pd.DataFrame:
    """One row per decile of prediction, 1 the highest: customer_count, mean predicted_amount and actual_amount.

    Fewer rows when there are fewer customers than deciles.
    """
    _check(predicted, actual)
    truth, forecast = _ordered(predicted, actual), np.sort(predicted)[::-1]
    decile = np.arange(len(truth)) * groups // len(truth) + 1
    frame = pd.DataFrame({"decile": decile, "predicted_amount": forecast, "actual_amount": truth})
    grouped = frame.groupby("decile")
    table = grouped.mean()
    table.insert(0, "customer_count", grouped.size())
    return table.reset_index()


def paired_difference(loss_a: Floats, loss_b: Floats, seed: int = 0, confidence: float = 0.95) -> PairedDifference:
    """Mean of loss_a - loss_b over the same customers, with a bootstrap interval (Efron 1979, percentiles).

    A model is promoted on `is_better`, not on a difference that another draw of customers would turn.
    """
    _check(loss_a, loss_b)
    rng = np.random.default_rng(seed)
    difference = rng.permutation(np.sort(loss_a - loss_b))
    groups = min(_GROUPS, len(difference))
    edges = np.linspace(0, len(difference), groups + 1).astype(np.int64)
    sums, sizes = np.add.reduceat(difference, edges[:-1]), np.diff(edges)
    draws = rng.multinomial(groups, np.full(groups, 1 / groups), _DRAWS)
    means = (draws @ sums) / (draws @ sizes)
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return PairedDifference(float(difference.mean()), float(low), float(high), confidence)


def _ordered(predicted: Floats, actual: Floats) -> Floats:
    """The truth from the highest prediction down, each customer with the mean of those predicted the same."""
    _, place, size = np.unique(-predicted, return_inverse=True, return_counts=True)
    mean: Floats = np.bincount(place, actual) / size
    return np.repeat(mean, size)


def _gini(predicted: Floats, actual: Floats) -> float:
    """Twice the area between the curve of cumulated truth and the diagonal, trapezium by trapezium."""
    ordered = _ordered(predicted, actual)
    total = ordered.sum()
    if total == 0:
        return 0.0
    upto = np.concatenate([[0.0], np.cumsum(ordered) / total])
    return float((upto[1:] + upto[:-1]).mean() - 1)


def _check(left: Floats, right: Floats) -> None:
    if len(left) != len(right) or not len(left):
        raise ModelError(f"Evaluation: {len(left)} numbers beside {len(right)}; give one of each per customer.")
    missing = int((~np.isfinite(left)).sum()), int((~np.isfinite(right)).sum())
    if any(missing):
        raise ModelError(
            f"Evaluation: {missing[0]} and {missing[1]} numbers are missing or infinite; score them first."
        )
