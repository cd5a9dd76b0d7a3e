"""Average linkage: nodes unite while all that lies between them speaks for it on average, many small groups at once."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

FORBIDDEN = -np.inf
"""Sum of the weights between two nodes that must never unite: no other weight lifts it."""

NODES_AT_ONCE = 64
"""Groups up to this size are united side by side; for larger ones a walk along nearest neighbours costs less."""


@dataclass(frozen=True)
class Limits:
    """Bits: from which a pair is linked, which two parts of a group have on average, of a pair never compared.

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


def average_linkage(total: Floats, weight: Floats, reach: Floats) -> United:
    """The two clusters with the highest mean weight unite, again and again, while the mean is `reach` or more.

    `total[g]` is the symmetric matrix of group g: the summed weights of all pairs of records between two nodes, of
    which node i stands for `weight[g, i]`; FORBIDDEN where they must not unite, on the diagonal, and for places that
    hold no node. The mean is over pairs of records (Sokal and Michener, 1958), so a node counts by its size. Of equal
    means the one between the smallest nodes comes first (of groups above NODES_AT_ONCE, the first that is met). Changes
    `total` and `weight`.
    """
    if total.shape[1] <= NODES_AT_ONCE:
        return _side_by_side(total, weight, reach)
    united = [_by_neighbours(total[group], weight[group], float(reach[group])) for group in range(total.shape[0])]
    return United(np.array([one.label for one in united]), np.array([one.lowest for one in united]))


def _side_by_side(total: Floats, weight: Floats, reach: Floats) -> United:
    """Each step unites the nearest two clusters of every group that still has two so near."""
    count, size = weight.shape
    label = np.tile(np.arange(size, dtype=np.int64), (count, 1))
    lowest = np.full((count, size), np.inf)
    at = np.arange(count)
    mean = total / (weight[:, :, None] * weight[:, None, :])
    for _ in range(size - 1):
        nearest = mean.reshape(at.size, -1).argmax(axis=1)
        goes_on = mean.reshape(at.size, -1)[np.arange(at.size), nearest] >= reach[at]
        if not goes_on.any():
            break
        if np.count_nonzero(goes_on) < at.size:
            at, nearest = at[goes_on], nearest[goes_on]
            total, weight, mean = total[goes_on], weight[goes_on], mean[goes_on]
        here = np.arange(at.size)
        into, gone = np.divmod(nearest, size)
        lowest[at, into] = mean[here, into, gone]
        total[here, into] += total[here, gone]
        total[here, :, into] = total[here, into]
        weight[here, into] += weight[here, gone]
        fresh = total[here, into] / (weight[here, into][:, None] * weight)
        mean[here, into], mean[here, :, into] = fresh, fresh
        for matrix in (total, mean):
            matrix[here, gone], matrix[here, :, gone] = FORBIDDEN, FORBIDDEN
        label[at] = np.where(label[at] == gone[:, None], into[:, None], label[at])
    return United(label, np.take_along_axis(lowest, label, axis=1))


def _by_neighbours(total: Floats, weight: Floats, reach: float) -> United:
    """The same tree by a chain of nearest neighbours (Benzecri, 1982), in time that grows with the square of the size.

    Two clusters that are each other's nearest unite. A cluster whose nearest is out of reach is done: uniting others
    brings none nearer to it.
    """
    size = weight.size
    label, lowest = np.arange(size, dtype=np.int64), np.full(size, np.inf)
    is_open = np.ones(size, dtype=bool)
    chain: list[int] = []
    while chain or is_open.any():
        if not chain:
            chain.append(int(is_open.argmax()))
        tip = chain[-1]
        mean = total[tip] / (weight[tip] * weight)
        near = int(mean.argmax())
        if mean[near] < reach:
            is_open[chain.pop()] = False
        elif len(chain) > 1 and mean[chain[-2]] >= mean[near]:
            into, gone = sorted(chain[-2:])
            lowest[into] = min(mean[chain[-2]], lowest[into], lowest[gone])
            _unite(total, weight, into, gone)
            label[label == gone] = into
            is_open[gone] = False
            del chain[-2:]
        else:
            chain.append(near)
    return United(label, lowest[label])


def _unite(total: Floats, weight: Floats, into: int, gone: int) -> None:
    total[into] += total[gone]
    total[:, into] = total[into]
    weight[into] += weight[gone]
    total[gone], total[:, gone] = FORBIDDEN, FORBIDDEN
