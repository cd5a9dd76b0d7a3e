"""Whether scores may be published: not a forecast far from the last period's figure, nor of another population."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cdp_lib.errors import ModelError
from cdp_lib.settings.forecast import Sanity

Floats = NDArray[np.float64]
SILENCE, TOTAL, DRIFT = "orders_still_arrive", "forecast_is_near_the_last_period", "scores_are_spread_as_in_training"
"""Checks, by the names that ops.quality_result has for them."""
_PARTS = 10
_LEAST_SHARE = 1e-4
"""Share that an empty bucket counts as, so that one of them is not infinite."""
_WEIGHT_OF_OTHERS = 10.0
"""So many customers of the standing before are added to each, that a standing of two says nothing wild."""
_SILENCES = 2
"""How many times the longest silence before is one too long."""


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


def as_alike(then: Floats, total: Floats, now: Floats) -> float:
    """What today's customers would do in all if they did as those who stood as they do now did a while ago.

    A row per kind of customer, a column per standing from the freshest to the longest away: customers then, what they
    did since in all, and customers today. Where few stood so, the standing before counts too, and before the first
    everybody. Raises ModelError where nobody was known.
    """
    if not then.sum():
        raise ModelError("Nobody was known a while ago: there is nothing to hold a forecast against.")
    expected = 0.0
    for kind in range(len(then)):
        rate = total.sum() / then.sum()
        for known, did, present in zip(then[kind], total[kind], now[kind], strict=True):
            rate = (did + _WEIGHT_OF_OTHERS * rate) / (known + _WEIGHT_OF_OTHERS)
            expected += rate * present
    return float(expected)


@dataclass(frozen=True)
class Outlook:
    """What fresh scores say in all, and what to hold it against. `what` is counted, e.g. spend."""

    what: str
    expected: float
    """Forecast total of all customers in the horizon."""
    naive: float | None
    """What they would do if they did as customers like them did a while ago; None: too few were known then."""
    is_bound: bool
    """Whether `naive` was seen over less than a horizon: then it is no less than what may come, not about as much."""
    slack: float
    """A difference too small to matter."""
    drift: float
    """Stability index of the scores against the training's."""
    customer_count: int
    silent_days: int
    """Days since anybody bought."""
    longest_silence_days: int
    """Most days without anybody's purchase between two purchases before."""


def doubts(outlook: Outlook, settings: Sanity) -> dict[str, str]:
    """Check: why the scores may not be published, in figures; empty where they may.

    Days without a purchase are told of any number of customers, the rest from `least_customers` on.
    """
    found: dict[str, str] = {}
    if outlook.silent_days > max(settings.silent_days, _SILENCES * outlook.longest_silence_days):
        found[SILENCE] = (
            f"nobody has bought for {outlook.silent_days} days, {outlook.longest_silence_days} at most before: "
            "does the order feed still run? (sanity.silent_days)"
        )
    if outlook.customer_count < settings.least_customers:
        return found
    if _is_far(outlook, settings.most_times_naive):
        found[TOTAL] = (
            f"{outlook.what}: forecast {outlook.expected:,.0f}, as in the last period {outlook.naive:,.0f}, more than "
            f"{settings.most_times_naive:g} times apart (sanity.most_times_naive)"
        )
    if outlook.drift > settings.most_drift:
        found[DRIFT] = (
            f"population stability index {outlook.drift:.2f}, at most {settings.most_drift:g} (sanity.most_drift); "
            "train anew: cdp run weekly, or choose a version: cdp model promote"
        )
    return found


def _is_far(outlook: Outlook, times: float) -> bool:
    if outlook.naive is None:
        return False
    naive = max(outlook.naive, 0.0)
    is_above = outlook.expected > naive * times + outlook.slack
    is_below = not outlook.is_bound and outlook.expected < naive / times - outlook.slack
    return is_above or is_below
