"""Whether scores may be published: not a forecast far from the last period's figure, nor of another population."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cdp_lib.settings.forecast import Sanity

Floats = NDArray[np.float64]
_PARTS = 10
_LEAST_SHARE = 1e-4
"""Share that an empty bucket counts as, so that one of them is not infinite."""


def score_edges(scores: Floats) -> tuple[float, ...]:
    """Up to nine ascending bounds between buckets of equally many scores; equal scores share a bucket."""
    if scores.size == 0:
        return ()
    bounds = np.unique(np.quantile(scores, np.arange(1, _PARTS) / _PARTS))
    return tuple(float(bound) for bound in bounds)


def bucket_shares(scores: Floats, edges: Sequence[float]) -> tuple[float, ...]:
    """The share of scores in each bucket; a score on a bound is in the bucket above it."""
    counts = np.bincount(np.searchsorted(np.asarray(edges), scores, side="right"), minlength=len(edges) + 1)
    return tuple(float(share) for share in counts / max(len(scores), 1))


def stability_index(expected: Sequence[float], actual: Sequence[float]) -> float:
    """Population stability index of two spreads over the same buckets: 0 alike, above .25 another population."""
    before, after = (np.maximum(np.asarray(shares, dtype=np.float64), _LEAST_SHARE) for shares in (expected, actual))
    return float(np.sum((after - before) * np.log(after / before)))


@dataclass(frozen=True)
class Outlook:
    """What fresh scores say in all: `expected` and `naive` are totals of `what`, in the horizon and the one before it.

    `drift` is the stability index of the scores against the training's; with a naive figure of 0 nothing is compared.
    """

    what: str
    expected: float
    naive: float
    drift: float
    customer_count: int


def doubts(outlook: Outlook, settings: Sanity) -> dict[str, str]:
    """Check: why the scores may not be published, in figures; empty where they may."""
    found: dict[str, str] = {}
    if outlook.customer_count < settings.least_customers:
        return found
    times = settings.most_times_naive
    if outlook.naive > 0 and not outlook.naive / times <= outlook.expected <= outlook.naive * times:
        found["forecast_is_near_the_last_period"] = (
            f"{outlook.what}: forecast {outlook.expected:,.0f}, last period {outlook.naive:,.0f}, more than "
            f"{times:g} times apart (sanity.most_times_naive)"
        )
    if outlook.drift > settings.most_drift:
        found["scores_are_spread_as_in_training"] = (
            f"population stability index {outlook.drift:.2f}, at most {settings.most_drift:g} (sanity.most_drift); "
            "train anew: cdp run weekly"
        )
    return found
