"""What must stay together before any pair is weighed: cores of exact identifiers, and what people decided."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cdp_lib.models.identity.components import connected, first_of_runs, Keys, partition

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

TIE = 1e7
"""Weight of a shared identifier where a decision forbids that all of its core stays together: 1,000 records on either
side of one tie are still united by it."""

LINK = 1e10
"""Weight of a link decision where another decision forbids that all it joins stays together: more than any ties."""


@dataclass(frozen=True)
class Decided:
    """People's decisions between records: pairs that are one person, and pairs that are two."""

    link_left: Ints
    link_right: Ints
    apart_left: Ints
    apart_right: Ints


@dataclass(frozen=True)
class Bonds:
    """Per record: `unit`, the smallest record of those that nothing parts, and `kin`, that of those bound together.

    The records of a unit are of one kin. A kin has several units only where people decided that two of its records are
    two persons; `left`, `right` (units, left < right) and `weight` are then what still draws its units together.
    """

    unit: Ints
    kin: Ints
    left: Ints
    right: Ints
    weight: Floats


def bind(keys: Keys, max_values: Sequence[int | None], decided: Decided, most_nodes: int) -> Bonds:
    """Cores and link decisions as must-links, except where an unlink decision contradicts them.

    A core with an unlink decision inside falls apart into its records; a group of link decisions (between cores or
    such records) with one inside falls apart into what the links joined. A core of more than `most_nodes` records does
    not fall apart as a whole: the records that its unlink decisions name leave it, the others stay with those that they
    still share an identifier with.
    """
    core = partition(keys, max_values)
    kin = _joined(core, decided)
    contested = _inside(core, decided)
    node = _dissolved(core, contested, keys, decided, most_nodes)
    joined = _joined(node, decided)
    unit = np.where(_inside(joined, decided)[joined], node, joined)
    left, right, count = _tied_units(keys, contested[core], core, unit)
    link_left, link_right = unit[decided.link_left], unit[decided.link_right]
    is_torn = link_left != link_right
    ends = (link_left[is_torn], link_right[is_torn])
    weight = np.concatenate([TIE * count, np.full(ends[0].size, LINK)])
    left, right = _both((left, right), (np.minimum(*ends), np.maximum(*ends)))
    return Bonds(unit, kin, left, right, weight)


def pairs_within(ordered: Ints) -> tuple[Ints, Ints]:
    """Positions (first < second) of every two entries of a run of equal entries."""
    begins = first_of_runs(ordered)
    ends = begins + np.bincount(begins, minlength=begins.size)[begins]
    place = np.arange(ordered.size, dtype=np.int64)
    later = ends - place - 1
    first = np.repeat(place, later)
    offset = np.arange(first.size, dtype=np.int64) - np.repeat(np.cumsum(later) - later, later)
    return first, first + 1 + offset


def _both(one: tuple[Ints, Ints], other: tuple[Ints, Ints]) -> tuple[Ints, Ints]:
    return np.concatenate([one[0], other[0]]), np.concatenate([one[1], other[1]])


def _joined(label: Ints, decided: Decided) -> Ints:
    """Labels after link decisions join what they tie."""
    if not decided.link_left.size:
        return label
    everyone = np.arange(label.size, dtype=np.int64)
    return connected(*_both((label, everyone), (decided.link_left, decided.link_right)), label.size)


def _inside(label: Ints, decided: Decided) -> Flags:
    """By label: is there an unlink decision between two of its records?"""
    is_inside = np.zeros(label.size, dtype=bool)
    both = label[decided.apart_left] == label[decided.apart_right]
    is_inside[label[decided.apart_left[both]]] = True
    return is_inside


def _dissolved(core: Ints, contested: Flags, keys: Keys, decided: Decided, most_nodes: int) -> Ints:
    """Per record the smallest of those that stay together when contested cores fall apart."""
    if not contested.any():
        return core
    everyone = np.arange(core.size, dtype=np.int64)
    node = np.where(contested[core], everyone, core)
    large = contested & (np.bincount(core, minlength=core.size) > most_nodes)
    stays = large[core]
    both = core[decided.apart_left] == core[decided.apart_right]
    stays[decided.apart_left[both]] = stays[decided.apart_right[both]] = False
    rows = np.flatnonzero(stays[keys.row])
    order = np.lexsort((keys.row[rows], core[keys.row[rows]], keys.node[rows]))
    row = keys.row[rows][order]
    first = row[first_of_runs(run_number(keys.node[rows][order], core[row]))]
    rest = connected(row, first, core.size)
    return np.where(stays, rest, node)


def run_number(*ordered: Ints) -> Ints:
    """A number per run of entries that are equal in all of the columns."""
    is_new = np.zeros(ordered[0].size, dtype=np.int64)
    for column in ordered:
        is_new[1:] |= column[1:] != column[:-1]
    numbers: Ints = np.cumsum(is_new)
    return numbers


def _tied_units(keys: Keys, is_contested: Flags, core: Ints, unit: Ints) -> tuple[Ints, Ints, Ints]:
    """Units of a contested core that share identifiers: left, right, and how many ties between records that is."""
    rows = np.flatnonzero(is_contested[keys.row])
    row, value = keys.row[rows], keys.node[rows]
    order = np.lexsort((unit[row], core[row], value))
    row, value = row[order], value[order]
    run = run_number(value, core[row], unit[row])
    begins, records = np.unique(run, return_index=True, return_counts=True)[1:]
    row, value = row[begins], value[begins]
    first, second = pairs_within(run_number(value, core[row]))
    return unit[row[first]], unit[row[second]], records[first] * records[second]
