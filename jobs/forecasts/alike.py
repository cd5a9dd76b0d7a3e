"""What a horizon would bring if customers did as others did who stood as they do now: forecasts are held against it.

Everybody's last period would not do: it has the first purchases of those who were won in it, which no forecast has.
"""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import Column, DataFrame, functions as F

from cdp_lib.models.sanity import as_alike
from cdp_lib.transforms.features.purchases import purchase_labels, purchase_standing
from jobs.forecasts.history import History

LEAST_KNOWN = 100
"""Customers known a while ago, below whom nothing is made of what they did."""
_SPANS = (0.25, 0.5, 1.0, 2.0)
"""Ends of the standings, in the days looked back."""
SLACK = 0.01
"""A difference of one buyer or purchase in a hundred customers is no doubt."""


@dataclass(frozen=True)
class Alike:
    """Totals of today's customers over a horizon, as customers alike did; `is_bound`: seen over less than a horizon."""

    buyers: float
    amount: float
    is_bound: bool


def as_others_did(history: History, horizon_days: int, least_customers: int = LEAST_KNOWN) -> Alike | None:
    """By what those who were known a horizon ago did since; None where too few were known, or there are too few today.

    In a history of less than two horizons half of it is looked back instead, and what was seen is taken pro rata: as
    customers buy most when they are new, that is an upper bound.
    """
    back = min(horizon_days, history.length_days // 2)
    if back < 1 or history.customer_count < least_customers:
        return None
    ends = [int(share * back) for share in _SPANS]
    cut = history.as_of - timedelta(days=back)
    labels = purchase_labels(history.days, cut, back)
    then = purchase_standing(history.days, cut, ends).join(labels, "golden_id", "inner")
    now = purchase_standing(history.days, history.as_of, ends)
    count = F.count(F.lit(1))
    known, buyers, amount = _by_standing(then, count, F.sum("has_purchase"), F.sum("future_amount"))
    (present,) = _by_standing(now, count)
    if known.sum() < LEAST_KNOWN:
        return None
    times = horizon_days / back
    bought = min(as_alike(known, buyers, present) * times, float(present.sum()))
    return Alike(bought, as_alike(known, amount, present) * times, is_bound=back < horizon_days)


def _by_standing(customers: DataFrame, *figures: Column) -> list[NDArray[np.float64]]:
    """Each figure by standing: a row for customers of one purchase day, one for the others."""
    found = np.zeros((len(figures), 2 * (len(_SPANS) + 1)))
    named = [figure.cast("double").alias(f"figure_{place}") for place, figure in enumerate(figures)]
    for row in customers.groupBy("standing").agg(*named).collect():
        found[:, row["standing"]] = [row[f"figure_{place}"] for place in range(len(figures))]
    return list(found.reshape(len(figures), 2, -1))
