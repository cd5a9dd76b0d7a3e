"""How many clusters there are, where they lie, and which of them is which of last time."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment  # type: ignore[import-untyped]  # SciPy ships no types
from scipy.spatial.distance import cdist  # type: ignore[import-untyped]
from sklearn.cluster import KMeans  # type: ignore[import-untyped]  # scikit-learn ships no types
from sklearn.metrics import silhouette_score  # type: ignore[import-untyped]

from cdp_lib.errors import ModelError

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]

STARTS = 5
"""Seedings of k-means++ per k, the best of which counts."""
ENOUGH = 50
"""Customers below which everybody is one cluster: of fewer, a group is a handful of people."""
TIE = 0.005
"""Mean silhouettes that differ by no more are a tie: the smaller k is taken."""
LEAVE = 0.03
"""The k of last time stays unless another is better by more: a campaign should find its cluster again."""
WORSE = 0.05
"""The groups of last time stay where they settle again, unless a fresh start lies closer by more than this share."""
SILHOUETTE_ROWS = 2_000
ONE_CLUSTER = "one_cluster"
"""The form where customers are too few or too alike to be parted."""


@dataclass(frozen=True)
class ClusterSettings:
    """What a pack chooses: from how many to how many clusters, and the least share of customers in each."""

    k_min: int = 3
    k_max: int = 8
    least_share: float = 0.02
    seed: int = 1

    def __post_init__(self) -> None:
        faults = []
        if not 2 <= self.k_min <= self.k_max:
            faults.append(f"k from {self.k_min} to {self.k_max}: give 2 <= k_min <= k_max")
        if not 0 <= self.least_share < 0.5:
            faults.append(f"a least share of {self.least_share}: give 0 or more, below 0.5")
        if faults:
            raise ModelError(f"cluster settings: {'; '.join(faults)}.")


@dataclass(frozen=True)
class Choice:
    """The centres, and how their number came about."""

    centres: Floats
    """None in one cluster: it has no middle that a later group could be taken for."""
    form: str
    """k_means or one_cluster."""
    reason: str
    silhouettes: dict[int, float]
    """Number of clusters: mean silhouette, of those that were big enough."""


def choose_centres(scaled: Floats, settings: ClusterSettings, former: Floats | None) -> Choice:
    """The k of best mean silhouette (Rousseeuw, 1987) whose clusters all hold the least share of customers.

    `former` are the centres of last time in this scaling; their number, and they, are kept where they still do. Rows
    must come in an order of their own: the sample for the silhouette is drawn from it by the seed. With fewer than
    ENOUGH customers, or no k that will do, everybody is one cluster.
    """
    distinct = len(np.unique(scaled, axis=0))
    if len(scaled) < ENOUGH or distinct < settings.k_min:
        few = f"{len(scaled)} customers, {distinct} of them different: clusters need {ENOUGH} and {settings.k_min}"
        return _one(scaled, few)
    picked = np.random.default_rng(settings.seed).permutation(len(scaled))[:SILHOUETTE_ROWS]
    found: dict[int, Floats] = {}
    quality: dict[int, float] = {}
    for k in range(settings.k_min, min(settings.k_max, distinct) + 1):
        fitted = _fit(scaled, k, settings.seed, former if former is not None and len(former) == k else None)
        share = np.bincount(fitted.labels_, minlength=k) / len(scaled)
        of_picked = fitted.labels_[picked]
        if share.min() < settings.least_share or not 2 <= np.unique(of_picked).size < picked.size:
            continue
        found[k], quality[k] = fitted.cluster_centers_, float(silhouette_score(scaled[picked], of_picked))
    if not found:
        return _one(scaled, f"every k leaves a cluster with less than {settings.least_share:.0%} of the customers")
    best = max(quality.values())
    previous_k = None if former is None else len(former)
    stays = previous_k is not None and quality.get(previous_k, -1.0) >= best - LEAVE
    k = previous_k if stays and previous_k else min(k for k, value in quality.items() if value >= best - TIE)
    tried = f"{settings.k_min} to {settings.k_max}"
    kept = ", as last time" if k == previous_k else ""
    return Choice(found[k], "k_means", f"k = {k} of {tried}{kept}: mean silhouette {quality[k]:.3f}", quality)


def _fit(scaled: Floats, k: int, seed: int, former: Floats | None) -> KMeans:
    """The best of the fresh starts, or where the former centres settle."""
    fresh = KMeans(k, n_init=STARTS, random_state=seed).fit(scaled)
    if former is None:
        return fresh
    settled = KMeans(k, init=former, n_init=1, random_state=seed).fit(scaled)
    return settled if settled.inertia_ <= fresh.inertia_ * (1 + WORSE) else fresh


def _one(scaled: Floats, reason: str) -> Choice:
    return Choice(np.empty((0, scaled.shape[1])), ONE_CLUSTER, reason, {})


def nearest(scaled: Floats, centres: Floats) -> Numbers:
    """The place of the nearest centre for each row; the first of equally near ones."""
    length = np.einsum("ij,ij->i", centres, centres)
    places: Numbers = np.argmin(length - 2 * scaled @ centres.T, axis=1).astype(np.int64)
    return places


def number_anew(centres: Floats, sizes: Numbers, first: int) -> Numbers:
    """Numbers from `first`, the largest cluster first, equals by their centres."""
    order = np.lexsort((*np.round(centres.T[::-1], 9), -sizes))
    numbers = np.empty(len(centres), dtype=np.int64)
    numbers[order] = np.arange(first, first + len(centres))
    return numbers


def keep_numbers(centres: Floats, old_centres: Floats, old_numbers: Numbers, fresh: Numbers) -> Numbers:
    """The old number for each centre that is an old group's, else its fresh one; both sets in one scaling.

    Pairs have the least distance in all (Hungarian assignment; Kuhn, 1955). A pair is no match when the group
    would have moved farther than to the nearest other old group.
    """
    distance = cdist(centres, old_centres)
    apart = cdist(old_centres, old_centres)
    np.fill_diagonal(apart, np.inf)
    numbers = fresh.copy()
    for new, old in zip(*linear_sum_assignment(distance), strict=True):
        if distance[new, old] <= apart[old].min():
            numbers[new] = old_numbers[old]
    return numbers
