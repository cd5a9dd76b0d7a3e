"""Clusters of records: made from linked pairs, and held against the truth."""

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Labels = npt.NDArray[np.int64]


def components(left: Labels, right: Labels, size: int) -> Labels:
    """The connected component of each of `size` records."""
    graph = coo_array((np.ones(len(left), dtype=np.int8), (left, right)), shape=(size, size))
    return connected_components(graph, directed=False)[1].astype(np.int64)


def cluster_scores(predicted: Labels, truth: Labels) -> dict[str, float]:
    """Precision, recall and F1 over all pairs of records in the same cluster."""
    both = _pairs(predicted * (int(truth.max()) + 1) + truth)
    return _scores(both, _pairs(predicted), _pairs(truth))


def pair_scores(left: Labels, right: Labels, truth: Labels) -> dict[str, float]:
    """Precision, recall and F1 of linked pairs, before any clustering."""
    return _scores(int((truth[left] == truth[right]).sum()), len(left), _pairs(truth))


def _pairs(labels: Labels) -> int:
    """How many pairs of records share a label."""
    sizes = np.unique(labels, return_counts=True)[1].astype(np.int64)
    return int((sizes * (sizes - 1) // 2).sum())


def _scores(both: int, predicted: int, true: int) -> dict[str, float]:
    return {
        "precision": both / max(predicted, 1),
        "recall": both / max(true, 1),
        "f1": 2 * both / max(predicted + true, 1),
    }
