"""Units into people: groups that speak with one voice stay whole, the others are parted by average linkage."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cdp_lib.models.identity.bonds import pairs_within, TIE
from cdp_lib.models.identity.components import connected, first_of_runs
from cdp_lib.models.identity.linkage import average_linkage, FORBIDDEN, Limits
from cdp_lib.models.identity.units import Edges, Holdings, UnitGraph

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

STEP_BITS = 2.0
"""How much a bound rises at a time, where a group is too large to look at as a whole or has too many values."""

CELLS_AT_ONCE = 2_000_000
"""Cells of the matrices that are in memory together; a single group of max_component units may need more."""


def part_units(graph: UnitGraph, limits: Limits) -> Ints:
    """Per unit the smallest of its cluster.

    A group in which every pair of records is linked, and nothing forbids it, is a cluster. Any other is parted by
    average linkage: a chain of links breaks at its weakest, since pairs that were never compared count as `absent`.
    A group of more than `max_component` units is cut at rising thresholds first. A cluster with too many values of an
    identifier is parted again at a rising `together`, at last into its units.
    """
    label = _cut(graph, limits)
    reach, lowest = np.full(label.size, limits.together), np.full(label.size, np.inf)
    to_part = _doubtful(graph, label)
    counted = graph.holdings.only(graph.holdings.most[graph.holdings.kind] > 1)
    while to_part.any():
        label, lowest = _part(graph, label, to_part, reach, limits.absent)
        is_many = np.bincount(label, minlength=label.size) > 1
        to_part = counted.too_many(label, but_for_holders=True) & is_many
        raised = to_part[label]
        reach[raised] = _next_above(lowest[raised], reach[raised])
    return label


def _next_above(value: Floats, bound: Floats) -> Floats:
    """The first of the steps up from the bound that the value does not reach."""
    above: Floats = bound + STEP_BITS * (np.floor((value - bound) / STEP_BITS) + 1)
    return above


def _cut(graph: UnitGraph, limits: Limits) -> Ints:
    """Groups of at most `max_component` units: larger ones are cut at the first higher threshold that parts a link."""
    label, edges = graph.group, graph.edges
    threshold = np.full(label.size, min(limits.threshold, TIE))
    while True:
        is_large = (np.bincount(label, minlength=label.size) > limits.max_component)[label]
        if not is_large.any():
            return label
        is_live = is_large[edges.left] & (label[edges.left] == label[edges.right])
        live = np.flatnonzero(is_live & (edges.best >= threshold[edges.left]))
        weakest = np.full(label.size, np.inf)
        np.minimum.at(weakest, label[edges.left[live]], edges.best[live])
        threshold[is_large] = _next_above(weakest[label[is_large]], threshold[is_large])
        live = live[edges.best[live] >= threshold[edges.left[live]]]
        label = np.where(is_large, connected(edges.left[live], edges.right[live], label.size), label)


def _doubtful(graph: UnitGraph, label: Ints) -> Flags:
    """By label: is something in the group forbidden, or not every pair of records linked?"""
    edges = graph.edges
    inner = np.flatnonzero(label[edges.left] == label[edges.right])
    group = label[edges.left[inner]]
    linked = np.bincount(group, weights=edges.linked[inner], minlength=label.size)
    records = np.bincount(label, weights=graph.weight, minlength=label.size)
    within_units = np.bincount(label, weights=graph.weight.astype(np.float64) ** 2, minlength=label.size)
    is_doubtful = 2 * linked != records**2 - within_units
    is_doubtful[group[edges.total[inner] == FORBIDDEN]] = True
    is_many = np.bincount(label, minlength=label.size) > 1
    some = graph.holdings.only(is_many[label[graph.holdings.holder]])
    doubtful: Flags = is_many & (is_doubtful | some.too_many(label, but_for_holders=False))
    return doubtful


@dataclass(frozen=True)
class _Seats:
    """Groups to part, the smallest first: `members` are their units; unit u sits on place `slot[u]` of `rank[u]`.

    The rank of a unit of no such group is -1. `begins` is where each rank's members begin, and at last their number.
    """

    members: Ints
    rank: Ints
    slot: Ints
    begins: Ints

    def rows_of(self, unit: Ints) -> tuple[Ints, Ints]:
        """Rows whose unit has a seat, by rank, and where each rank's rows begin."""
        rows = np.flatnonzero(self.rank[unit] >= 0)
        rows = rows[np.argsort(self.rank[unit[rows]], kind="stable")]
        return rows, np.searchsorted(self.rank[unit[rows]], np.arange(self.begins.size))

    def batches(self) -> Iterator[tuple[int, int, int]]:
        """Ranks (from, before) to look at together, and the size of the largest of them."""
        sizes = np.diff(self.begins)
        start = 0
        while start < sizes.size:
            widest = int(sizes[start]) + int(sizes[start]) // 8
            fits = start + max(1, CELLS_AT_ONCE // widest**2)
            end = min(int(np.searchsorted(sizes, widest, side="right")), fits)
            yield start, end, int(sizes[end - 1])
            start = end


def _seats(label: Ints, to_part: Flags) -> _Seats:
    members = np.flatnonzero(to_part[label])
    size = np.bincount(label, minlength=label.size)[label[members]]
    members = members[np.lexsort((label[members], size))]
    begins = first_of_runs(label[members])
    place = np.arange(members.size)
    firsts = np.flatnonzero(begins == place)
    rank, slot = np.full(label.size, -1, dtype=np.int64), np.zeros(label.size, dtype=np.int64)
    rank[members], slot[members] = np.searchsorted(firsts, begins), place - begins
    return _Seats(members, rank, slot, np.append(firsts, members.size))


def _part(graph: UnitGraph, label: Ints, to_part: Flags, reach: Floats, absent: float) -> tuple[Ints, Floats]:
    """Labels after the groups are parted, and the lowest mean that each unit's cluster was united at."""
    seats = _seats(label, to_part)
    is_inner = label[graph.edges.left] == label[graph.edges.right]
    edges = _only(graph.edges, np.flatnonzero(is_inner))
    single = graph.holdings.only(graph.holdings.most[graph.holdings.kind] == 1)
    of_edges, of_holdings = seats.rows_of(edges.left), seats.rows_of(single.holder)
    label, lowest = label.copy(), np.full(label.size, np.inf)
    for start, end, size in seats.batches():
        units = seats.members[seats.begins[start] : seats.begins[end]]
        here = (seats.rank[units] - start, seats.slot[units])
        weight, names = np.ones((end - start, size)), np.full((end - start, size), -1, dtype=np.int64)
        weight[here], names[here] = graph.weight[units], units
        total = _never_compared(weight, names >= 0, absent)
        _add(total, seats, start, _only(edges, of_edges[0][of_edges[1][start] : of_edges[1][end]]))
        held = single.only(of_holdings[0][of_holdings[1][start] : of_holdings[1][end]])
        _forbid(total, seats, start, _rivals(held, graph.kin, seats.rank))
        united = average_linkage(total, weight, reach[names[:, 0]])
        label[units] = names[here[0], united.label[here]]
        lowest[units] = united.lowest[here]
    return label, lowest


def _never_compared(weight: Floats, is_seat: Flags, absent: float) -> Floats:
    """The matrices of groups of whose pairs nothing is known."""
    total = absent * weight[:, :, None] * weight[:, None, :]
    total[~(is_seat[:, :, None] & is_seat[:, None, :])] = FORBIDDEN
    total[:, np.arange(weight.shape[1]), np.arange(weight.shape[1])] = FORBIDDEN
    return total


def _only(edges: Edges, rows: Ints) -> Edges:
    return Edges(edges.left[rows], edges.right[rows], edges.total[rows], edges.best[rows], edges.linked[rows])


def _add(total: Floats, seats: _Seats, start: int, edges: Edges) -> None:
    rank, left, right = seats.rank[edges.left] - start, seats.slot[edges.left], seats.slot[edges.right]
    total[rank, left, right] += edges.total
    total[rank, right, left] = total[rank, left, right]


def _forbid(total: Floats, seats: _Seats, start: int, rivals: tuple[Ints, Ints]) -> None:
    rank, left, right = seats.rank[rivals[0]] - start, seats.slot[rivals[0]], seats.slot[rivals[1]]
    total[rank, left, right] = total[rank, right, left] = FORBIDDEN


def _rivals(held: Holdings, kin: Ints, rank: Ints) -> tuple[Ints, Ints]:
    """Pairs of units of one group that have two values of what a person has one of, and are not of one kin."""
    group = rank[held.holder] * held.most.size + held.kind
    order = np.argsort(group, kind="stable")
    holder, value = held.holder[order], held.value[order]
    first, second = pairs_within(group[order])
    differs = (value[first] != value[second]) & (kin[holder[first]] != kin[holder[second]])
    return holder[first[differs]], holder[second[differs]]
