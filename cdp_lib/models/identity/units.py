"""Units, which are records that nothing parts, and what lies between them: the graph that is parted into people."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from cdp_lib.models.identity.bonds import Bonds, Decided, pairs_within, run_number, TIE
from cdp_lib.models.identity.components import connected, first_of_runs
from cdp_lib.models.identity.linkage import FORBIDDEN, Limits

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

MOST_BITS = 20.0
"""A pair weighs no more in a mean: certainty about one pair is not certainty about its neighbours."""

OF_ITS_OWN = -1
"""A value that no other unit has: that of a record in a source that lists everybody once."""


@dataclass(frozen=True)
class Pairs:
    """Scored pairs of records in codes, left < right, each pair once; weights in bits.

    `known` has a bit per compared field for each record: two records without a common bit cannot be compared.
    """

    left: Ints
    right: Ints
    weight: Floats
    is_vetoed: Flags
    known: Ints

    def links(self, threshold: float) -> Flags:
        """Which pairs say by themselves that two records are one person."""
        return (self.weight >= threshold) & ~self.is_vetoed


@dataclass(frozen=True)
class Holdings:
    """What a person can have only so much of: `holder` (a record, or a unit) has `value` of kind `kind`.

    A kind is a limited identifier, or a source that lists everybody once, where the value is OF_ITS_OWN.
    `most[kind]` is how many values one person may have.
    """

    holder: Ints
    kind: Ints
    value: Ints
    most: Ints

    def only(self, rows: Ints | Flags) -> "Holdings":
        """Those rows."""
        return Holdings(self.holder[rows], self.kind[rows], self.value[rows], self.most)

    def too_many(self, label: Ints, *, but_for_holders: bool) -> Flags:
        """By label: do its holders have more values of a kind than one person may?

        `but_for_holders`: what a single holder has is allowed to all that stand with it.
        """
        kinds = self.most.size
        group, count = _values_each(label[self.holder] * kinds + self.kind, self.value)
        allowed = self.most[group % kinds] if kinds else group
        if but_for_holders:
            single, own = _values_each(self.holder * kinds + self.kind, self.value)
            np.maximum.at(allowed, np.searchsorted(group, label[single // kinds] * kinds + single % kinds), own)
        found = np.zeros(label.size, dtype=bool)
        found[group[count > allowed] // max(kinds, 1)] = True
        return found


@dataclass(frozen=True)
class Masks:
    """What records can be compared by: `count` records of unit `holder` know the fields `mask`, which is never 0."""

    holder: Ints
    mask: Ints
    count: Ints

    def only(self, rows: Ints) -> "Masks":
        """Those rows."""
        return Masks(self.holder[rows], self.mask[rows], self.count[rows])

    def meeting(self) -> tuple[Ints, Ints]:
        """Every two rows (first < second) of one holder, side by side already, whose masks have a field in common."""
        first, second = pairs_within(self.holder)
        meets = (self.mask[first] & self.mask[second]) != 0
        return first[meets], second[meets]

    def comparable_pairs(self, label: Ints) -> Floats:
        """By label: pairs of its records that know a field in common, in both orders, and each record with itself."""
        each = masks_of(label[self.holder], self.mask, self.count)
        first, second = each.meeting()
        alike = np.bincount(each.holder, weights=each.count**2, minlength=label.size)
        across = np.bincount(each.holder[first], weights=each.count[first] * each.count[second], minlength=label.size)
        return (alike + 2 * across).astype(np.float64)


@dataclass(frozen=True)
class Edges:
    """Pairs of units (left < right, each pair once) between whose records something is known.

    `total` is the sum over their pairs of records of what is known beyond "never compared"; `best` the strongest of
    them, which is compared with thresholds; `linked` how many reach the first threshold; `unmasked` how many were
    scored though their records know no field in common. Where more than scores draws the units together (`is_drawn`),
    all pairs of their records count.
    """

    left: Ints
    right: Ints
    total: Floats
    best: Floats
    linked: Ints
    unmasked: Ints
    is_drawn: Flags

    def only(self, rows: Ints | Flags) -> "Edges":
        """Those rows."""
        return Edges(*(getattr(self, column.name)[rows] for column in fields(self)))


@dataclass(frozen=True)
class UnitGraph:
    """Units numbered by their smallest record: how many records each has, its kin, its group, and what is between them.

    A group is connected by pairs at or above the threshold and by what else draws units together. Edges between groups
    are left out, and so are holdings and masks of units that are a group of their own.
    """

    weight: Ints
    kin: Ints
    group: Ints
    edges: Edges
    holdings: Holdings
    masks: Masks


def number_units(bonds: Bonds) -> tuple[Ints, Ints]:
    """The smallest record of each unit, and each record's unit by number."""
    names = np.flatnonzero(bonds.unit == np.arange(bonds.unit.size))
    number = np.zeros(bonds.unit.size, dtype=np.int64)
    number[names] = np.arange(names.size)
    return names, number[bonds.unit]


def unit_graph(bonds: Bonds, pairs: Pairs, decided: Decided, held: Holdings, limits: Limits) -> UnitGraph:
    """What lies between the units of all records."""
    names, unit = number_units(bonds)
    is_link = pairs.links(min(limits.threshold, TIE))
    left = np.concatenate([unit[pairs.left[is_link]], unit[bonds.left]])
    right = np.concatenate([unit[pairs.right[is_link]], unit[bonds.right]])
    group = connected(left, right, names.size)
    edges = _edges(bonds, pairs, decided, (unit, group), limits)
    is_many = np.bincount(group, minlength=names.size)[group] > 1
    some = _of_units(held.only(is_many[unit[held.holder]]), unit)
    seen = np.flatnonzero((pairs.known != 0) & is_many[unit])
    masks = masks_of(unit[seen], pairs.known[seen], np.ones(seen.size, dtype=np.int64))
    return UnitGraph(np.bincount(unit, minlength=names.size), bonds.kin[names], group, edges, some, masks)


def masks_of(holder: Ints, mask: Ints, count: Ints) -> Masks:
    """How many records have each mask of each holder, by holder and mask."""
    order = np.lexsort((mask, holder))
    holder, mask = holder[order], mask[order]
    run = run_number(holder, mask)
    first = np.flatnonzero(first_of_runs(run) == np.arange(run.size))
    summed = np.bincount(run, weights=count[order], minlength=first.size).astype(np.int64)
    return Masks(holder[first], mask[first], summed)


def _edges(bonds: Bonds, pairs: Pairs, decided: Decided, places: tuple[Ints, Ints], limits: Limits) -> Edges:
    """Sums over pairs of records, always in the same order: they must not depend on what else there is."""
    unit, group = places
    left, right = unit[pairs.left], unit[pairs.right]
    inner = (left != right) & (group[left] == group[right])
    inner &= ~pairs.is_vetoed | (bonds.kin[pairs.left] != bonds.kin[pairs.right])
    rows = np.flatnonzero(inner)
    rows = rows[np.argsort(pairs.left[rows] * unit.size + pairs.right[rows], kind="stable")]
    weight, is_vetoed = pairs.weight[rows], pairs.is_vetoed[rows]
    apart = np.flatnonzero(group[unit[decided.apart_left]] == group[unit[decided.apart_right]])
    drawn = np.lexsort((bonds.weight, bonds.right, bonds.left))
    ends = [
        np.concatenate([by_pair[rows], unit[by_bond[drawn]], unit[by_decision[apart]]])
        for by_pair, by_bond, by_decision in (
            (left, bonds.left, decided.apart_left),
            (right, bonds.right, decided.apart_right),
        )
    ]
    never = np.full(apart.size, FORBIDDEN)
    known = np.where(is_vetoed, FORBIDDEN, np.minimum(weight, MOST_BITS) - limits.absent)
    best = np.concatenate([np.where(is_vetoed, FORBIDDEN, weight), bonds.weight[drawn], never])
    total = np.concatenate([known, bonds.weight[drawn], never])
    place = np.arange(total.size)
    is_linked = (best >= min(limits.threshold, TIE)) & (place < rows.size)
    is_drawn = (place >= rows.size) & (place < rows.size + drawn.size)
    unmasked = np.zeros(total.size, dtype=np.int64)
    unmasked[: rows.size] = (pairs.known[pairs.left[rows]] & pairs.known[pairs.right[rows]]) == 0
    low, high = np.minimum(*ends), np.maximum(*ends)
    return _summed(Edges(low, high, total, best, is_linked.astype(np.int64), unmasked, is_drawn))


def _summed(each: Edges) -> Edges:
    """One edge per pair of units, of one for each thing known about them."""
    each = each.only(np.argsort(each.left * (int(each.right.max(initial=0)) + 1) + each.right, kind="stable"))
    left, right = each.left, each.right
    is_first = np.ones(left.size, dtype=bool)
    is_first[1:] = (left[1:] != left[:-1]) | (right[1:] != right[:-1])
    run, begins = np.cumsum(is_first) - 1, np.flatnonzero(is_first)
    strongest: Floats = np.maximum.reduceat(each.best, begins) if begins.size else each.best

    def sums(values: Ints | Floats | Flags) -> Floats:
        return np.bincount(run, weights=values, minlength=begins.size).astype(np.float64)

    linked, unmasked = (sums(column).astype(np.int64) for column in (each.linked, each.unmasked))
    return Edges(left[begins], right[begins], sums(each.total), strongest, linked, unmasked, sums(each.is_drawn) > 0)


def _of_units(held: Holdings, unit: Ints) -> Holdings:
    """The holdings of records as those of their units, each once."""
    holder = unit[held.holder]
    value = np.where(held.value == OF_ITS_OWN, holder, held.value)
    order = np.lexsort((value, held.kind, holder))
    is_new = np.ones(order.size, dtype=bool)
    is_new[1:] = False
    for column in (holder, held.kind, value):
        is_new[1:] |= column[order[1:]] != column[order[:-1]]
    kept = order[is_new]
    return Holdings(holder[kept], held.kind[kept], value[kept], held.most)


def _values_each(group: Ints, value: Ints) -> tuple[Ints, Ints]:
    """The groups, ascending, and how many distinct values each has."""
    order = np.lexsort((value, group))
    ordered, values = group[order], value[order]
    is_new = np.ones(order.size, dtype=bool)
    is_new[1:] = (ordered[1:] != ordered[:-1]) | (values[1:] != values[:-1])
    groups, count = np.unique(ordered[is_new], return_counts=True)
    return groups, count
