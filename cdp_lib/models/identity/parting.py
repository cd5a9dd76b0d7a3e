"""Units into people: groups that speak with one voice stay whole, the others are parted by average linkage."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array  # type: ignore[import-untyped]  # scipy ships no type information

from cdp_lib.models.identity.bonds import pairs_within, run_number, TIE
from cdp_lib.models.identity.components import connected, first_of_runs
from cdp_lib.models.identity.linkage import average_linkage, FORBIDDEN, Limits, NODES_AT_ONCE
from cdp_lib.models.identity.units import Edges, Holdings, Masks, masks_of, UnitGraph

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

STEP_BITS = 2.0
"""How much a bound rises at a time, where a group is too large to look at as a whole or has too many values."""

CELLS_AT_ONCE = 2_000_000
"""Cells of the matrices that are in memory together; a single group of max_component units may need more."""


def part_units(graph: UnitGraph, limits: Limits) -> Ints:
    """Per unit the smallest of its cluster.

    A group in which every pair of records that can be compared is linked, and nothing forbids it, is a cluster. Any
    other is parted by average linkage: a chain of links breaks at its weakest, since pairs that could be compared and
    never were count as `absent`. Pairs that know no field in common say nothing, and do not count.
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
    """By label: is something in the group forbidden, or not every pair of records linked that can be compared?"""
    edges = graph.edges
    inner = np.flatnonzero(label[edges.left] == label[edges.right])
    group = label[edges.left[inner]]
    linked = np.bincount(group, weights=edges.linked[inner], minlength=label.size)
    unmasked = np.bincount(group, weights=edges.unmasked[inner], minlength=label.size)
    of_units = graph.masks.comparable_pairs(np.arange(label.size))
    within_units = np.bincount(label, weights=of_units, minlength=label.size)
    is_doubtful = 2 * (linked - unmasked) != graph.masks.comparable_pairs(label) - within_units
    is_doubtful[group[(edges.total[inner] == FORBIDDEN) | edges.is_drawn[inner]]] = True
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

    def rows_of(self, unit: Ints) -> "_Rows":
        """Rows whose unit has a seat."""
        rows = np.flatnonzero(self.rank[unit] >= 0)
        rows = rows[np.argsort(self.rank[unit[rows]], kind="stable")]
        return _Rows(rows, np.searchsorted(self.rank[unit[rows]], np.arange(self.begins.size)))

    def batches(self) -> Iterator[tuple[int, int, int]]:
        """Ranks (from, before) to look at together, and the size of the largest of them."""
        sizes = np.diff(self.begins)
        start = 0
        while start < sizes.size:
            widest = int(sizes[start]) + int(sizes[start]) // 8
            if sizes[start] <= NODES_AT_ONCE:
                # Linkage goes by the largest, and settles equal means in another way above that size.
                widest = min(widest, NODES_AT_ONCE)
            fits = start + max(1, CELLS_AT_ONCE // widest**2)
            end = min(int(np.searchsorted(sizes, widest, side="right")), fits)
            yield start, end, int(sizes[end - 1])
            start = end


@dataclass(frozen=True)
class _Rows:
    """Rows of a table by rank of their group, and where each rank's rows begin."""

    rows: Ints
    begins: Ints

    def between(self, start: int, end: int) -> Ints:
        """The rows of ranks from `start` and before `end`."""
        return self.rows[self.begins[start] : self.begins[end]]


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
    edges, masks = graph.edges.only(np.flatnonzero(is_inner)), graph.masks
    single = graph.holdings.only(graph.holdings.most[graph.holdings.kind] == 1)
    of_edges, of_holdings, of_masks = map(seats.rows_of, (edges.left, single.holder, masks.holder))
    label, lowest = label.copy(), np.full(label.size, np.inf)
    for start, end, size in seats.batches():
        units = seats.members[seats.begins[start] : seats.begins[end]]
        here = (seats.rank[units] - start, seats.slot[units])
        names = np.full((end - start, size), -1, dtype=np.int64)
        names[here] = units
        between = edges.only(of_edges.between(start, end))
        count = _comparable(masks.only(of_masks.between(start, end)), seats, start, names.shape)
        _count_in(count, graph.weight, seats, start, between)
        total = _totals(count, names >= 0, absent)
        _add(total, seats, start, between)
        held = single.only(of_holdings.between(start, end))
        _forbid(total, seats, start, _rivals(held, graph.kin, seats.rank))
        united = average_linkage(total, count, reach[names[:, 0]])
        label[units] = names[here[0], united.label[here]]
        lowest[units] = united.lowest[here]
    return label, lowest


def _comparable(masks: Masks, seats: _Seats, start: int, shape: tuple[int, int]) -> Floats:
    """Per group the matrix of how many pairs of records between two units know a field in common.

    By the few masks of a group: records of a unit by mask, times which masks meet, times records by mask again.
    """
    groups, size = shape
    rank = seats.rank[masks.holder] - start
    kinds = masks_of(rank, masks.mask, masks.count)
    first, second = kinds.meeting()
    itself = np.arange(kinds.holder.size)
    ends = (np.concatenate([itself, first, second]), np.concatenate([itself, second, first]))
    meets = coo_array((np.ones(ends[0].size), ends), shape=(itself.size, itself.size)).tocsr()
    kind = np.empty_like(rank)
    order = np.lexsort((masks.mask, rank))
    kind[order] = run_number(rank[order], masks.mask[order])
    places = (rank * size + seats.slot[masks.holder], kind)
    held = coo_array((masks.count.astype(np.float64), places), shape=(groups * size, itself.size)).tocsr()
    found = (held @ meets @ held.T).tocoo()
    row, column = found.coords
    count = np.zeros((groups, size, size))
    count[row // size, row % size, column % size] = found.data
    return count


def _count_in(count: Floats, weight: Ints, seats: _Seats, start: int, edges: Edges) -> None:
    """Adds the pairs that were scored without a field in common; all pairs of units that more than scores draws."""
    rank, left, right = seats.rank[edges.left] - start, seats.slot[edges.left], seats.slot[edges.right]
    every_pair = weight[edges.left] * weight[edges.right]
    count[rank, left, right] = np.where(edges.is_drawn, every_pair, count[rank, left, right] + edges.unmasked)
    count[rank, right, left] = count[rank, left, right]


def _totals(count: Floats, is_seat: Flags, absent: float) -> Floats:
    """The matrices of groups of whose pairs none was compared."""
    total = absent * count
    total[~(is_seat[:, :, None] & is_seat[:, None, :])] = FORBIDDEN
    total[:, np.arange(count.shape[1]), np.arange(count.shape[1])] = FORBIDDEN
    return total


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
