"""Average linkage: nodes unite while all that lies between them speaks for it on average, many small groups at once."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

FORBIDDEN = -np.inf
"""Sum of the weights between two nodes that must never unite: no other weight lifts it. Also the mean of no pair."""

NODES_AT_ONCE = 64
"""Groups up to this size are united side by side; for larger ones a walk along nearest neighbours costs less."""


@dataclass(frozen=True)
class Limits:
    """Bits: from which a pair is linked, which two parts of a group have on average, of a pair that no rule compared.

    `max_component` is the largest group that is looked at as a whole; records that must stay together count as one.
    """

    threshold: float
    together: float
    absent: float
    max_component: int


@dataclass(frozen=True)
class United:
    """Per group and node: the smallest node of its cluster, and the lowest mean at which that cluster was united.

    The mean of a node that stays alone is infinite.
    """

    label: Ints
    lowest: Floats


def average_linkage(total: Floats, count: Floats, reach: Floats) -> United:
    """The two clusters with the highest mean weight unite, again and again, while the mean is `reach` or more.

    `total[g]` and `count[g]` are symmetric matrices of group g: the summed weights of the pairs of records between two
    nodes of which anything can be said, and how many those are. The total is FORBIDDEN where nodes must not unite, on
    the diagonal, and for places that hold no node. The mean is over pairs of records (Sokal and Michener, 1958), so a
    node counts by its size; pairs that do not count pull it neither up nor down, and clusters without a pair that does
    never unite. Of equal means the one between the smallest nodes comes first (of groups above NODES_AT_ONCE, the first
    that is met). Changes `total` and `count`.
    """
    if total.shape[1] <= NODES_AT_ONCE:
        return _side_by_side(total, count, reach)
    united = [_by_neighbours(total[group], count[group], float(reach[group])) for group in range(total.shape[0])]
    return United(np.array([one.label for one in united]), np.array([one.lowest for one in united]))


def _mean(total: Floats, count: Floats) -> Floats:
    mean: Floats = np.divide(total, count, out=np.full_like(total, FORBIDDEN), where=count > 0)
    return mean


def _side_by_side(total: Floats, count: Floats, reach: Floats) -> United:
    """Each step unites the nearest two clusters of every group that still has two so near."""
    groups, size = total.shape[:2]
    label = np.tile(np.arange(size, dtype=np.int64), (groups, 1))
    lowest = np.full((groups, size), np.inf)
    at = np.arange(groups)
    mean = _mean(total, count)
    for _ in range(size - 1):
        nearest = mean.reshape(at.size, -1).argmax(axis=1)
        goes_on = mean.reshape(at.size, -1)[np.arange(at.size), nearest] >= reach[at]
        if not goes_on.any():
            break
        if np.count_nonzero(goes_on) < at.size:
            at, nearest = at[goes_on], nearest[goes_on]
            total, count, mean = total[goes_on], count[goes_on], mean[goes_on]
        here = np.arange(at.size)
        into, gone = np.divmod(nearest, size)
        lowest[at, into] = mean[here, into, gone]
        for matrix in (total, count):
            matrix[here, into] += matrix[here, gone]
            matrix[here, :, into] = matrix[here, into]
        fresh = _mean(total[here, into], count[here, into])
        mean[here, into], mean[here, :, into] = fresh, fresh
        for matrix in (total, mean):
            matrix[here, gone], matrix[here, :, gone] = FORBIDDEN, FORBIDDEN
        label[at] = np.where(label[at] == gone[:, None], into[:, None], label[at])
    return United(label, np.take_along_axis(lowest, label, axis=1))


def _by_neighbours(total: Floats, count: Floats, reach: float) -> United:
    """The same tree by a chain of nearest neighbours (Benzecri, 1982), in time that grows with the square of the size.

    Two clusters that are each other's nearest unite. A cluster whose nearest is out of reach is done: uniting others
    brings none nearer to it, since the mean to a union lies between the means to its parts, or is that of the only part
    of which anything is known.
    """
    size = total.shape[0]
    label, lowest = np.arange(size, dtype=np.int64), np.full(size, np.inf)
    is_open = np.ones(size, dtype=bool)
    chain: list[int] = []
    while chain or is_open.any():
        if not chain:
            chain.append(int(is_open.argmax()))
        tip = chain[-1]
        mean = _mean(total[tip], count[tip])
        near = int(mean.argmax())
        if mean[near] < reach:
            is_open[chain.pop()] = False
        elif len(chain) > 1 and mean[chain[-2]] >= mean[near]:
            into, gone = sorted(chain[-2:])
            lowest[into] = min(mean[chain[-2]], lowest[into], lowest[gone])
            _unite(total, count, into, gone)
            label[label == gone] = into
            is_open[gone] = False
            del chain[-2:]
        else:
            chain.append(near)
    return United(label, lowest[label])


def _unite(total: Floats, count: Floats, into: int, gone: int) -> None:
    for matrix in (total, count):
        matrix[into] += matrix[gone]
        matrix[:, into] = matrix[into]
    total[gone], total[:, gone] = FORBIDDEN, FORBIDDEN
