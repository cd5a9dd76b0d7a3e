"""Comparison levels: how well each field of two records agrees, for many pairs at once.

A level is 0 where the values clearly differ, and rises with agreement; it is null where a record says nothing. What a
level is worth is learned, so levels say what is so, not how good it is. Values that differ are graded as whole Arrow
columns, by numpy and rapidfuzz.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cpdist

from cdp_lib.settings.matching import Comparison, ComparisonKind
from cdp_lib.transforms.identity.name_agreement import grade_names

Levels = NDArray[np.int8]
Flags = NDArray[np.bool_]

LEVELS: Mapping[ComparisonKind, tuple[str, ...]] = {
    "name": ("different", "alike", "very alike", "nickname or part", "first and last swapped", "same"),
    "birth_date": ("different", "one part same", "same but for a part", "one slip of the key", "same"),
    "email": ("different", "mailbox alike", "one or two slips", "same mailbox, other domain", "same"),
    "phone": ("different", "two slips", "one slip", "same"),
    "address": ("different", "same wider area", "area alike", "same area", "alike", "same"),
    "postcode": ("different", "same district", "one slip", "same"),
    "id_number": ("different", "two slips", "one slip", "same"),
    "text": ("different", "alike", "very alike", "same"),
    "exact": ("different", "same"),
}
"""Meaning of each level by kind, from 0."""

_MANY_SLIPS = 3


class Sides:
    """One field of the left and the right records of many pairs."""

    def __init__(self, left: pa.Array, right: pa.Array) -> None:
        self.left, self.right = left, right

    @cached_property
    def are_known(self) -> Flags:
        """Both records say something."""
        return _flags(pc.and_(self.left.is_valid(), self.right.is_valid()))

    @cached_property
    def are_same(self) -> Flags:
        """Both say the same."""
        return _flags(pc.equal(self.left, self.right))

    @cached_property
    def differ(self) -> Flags:
        """Both say something, and not the same: the pairs that the properties below are about."""
        return self.are_known & ~self.are_same

    @cached_property
    def values(self) -> tuple[pa.Array, pa.Array]:
        """The values that differ."""
        mask = pa.array(self.differ)
        return self.left.filter(mask), self.right.filter(mask)

    @cached_property
    def texts(self) -> tuple[list[str], list[str]]:
        """The values that differ."""
        left, right = self.values
        return left.to_pylist(), right.to_pylist()

    @cached_property
    def slips(self) -> Levels:
        """Characters wrong, missing or added: 1, 2, or 3 for more."""
        return _slips(*self.texts)

    @cached_property
    def are_slip(self) -> Flags:
        """One character wrong, missing, added, or two changed places."""
        left, right = self.texts
        found: Flags = self.slips == 1
        for place in np.flatnonzero(self.slips == 2):
            found[place] = sorted(left[place]) == sorted(right[place])
        return found


def grade_field(entry: Comparison, sides: Mapping[str, Sides]) -> pa.Array:
    """The level of every pair, null where a record says nothing; `sides` has every field of `comparable_fields`."""
    if entry.kind == "address":
        return _grade_addresses(sides[entry.field], [sides[area] for area in entry.coarser])
    own = sides[entry.field]
    top = len(LEVELS[entry.kind]) - 1
    levels = np.where(own.are_same, np.int8(top), np.int8(0))
    levels[own.differ] = _GRADERS[entry.kind](own)
    if entry.swapped_with:
        other = sides[entry.swapped_with]
        are_swapped = _flags(pc.equal(own.left, other.right)) & _flags(pc.equal(own.right, other.left))
        levels[own.differ & are_swapped] = top - 1
    return pa.array(levels, mask=~own.are_known)


def _grade_dates(sides: Sides) -> Levels:
    """Dates are ISO text, so that impossible ones compare too."""
    (year_l, month_l, day_l), (year_r, month_r, day_r) = (
        [pc.utf8_slice_codeunits(side, first, end) for first, end in ((0, 4), (5, 7), (8, 10))] for side in sides.values
    )
    is_year, is_month, is_day, is_day_month, is_month_day = (
        _flags(pc.equal(left, right))
        for left, right in (
            (year_l, year_r), (month_l, month_r), (day_l, day_r), (day_l, month_r), (month_l, day_r),
        )
    )  # fmt: skip
    is_turned = is_year & is_day_month & is_month_day
    return _first_of(
        (is_turned | sides.are_slip, 3),
        ((is_year & (is_month | is_day)) | (is_month & is_day), 2),
        (is_year | is_month | is_day, 1),
    )


def _grade_emails(sides: Sides) -> Levels:
    boxes = [[text.partition("@")[0] for text in side] for side in sides.texts]
    is_same_box = np.fromiter(map(operator.eq, *boxes), dtype=bool, count=len(boxes[0]))
    return _first_of((is_same_box, 3), (sides.slips < _MANY_SLIPS, 2), (_slips(*boxes) < _MANY_SLIPS, 1))


def _grade_numbers(sides: Sides) -> Levels:
    return _first_of((sides.are_slip, 2), (sides.slips < _MANY_SLIPS, 1))


def _grade_postcodes(sides: Sides) -> Levels:
    is_district = _flags(pc.equal(*(pc.utf8_slice_codeunits(side, 0, 3) for side in sides.values)))
    return _first_of((sides.are_slip, 2), (is_district, 1))


def _grade_names(sides: Sides) -> Levels:
    return grade_names(*sides.texts)


def _grade_texts(sides: Sides) -> Levels:
    return np.minimum(grade_names(*sides.texts), np.int8(2))


def _grade_exactly(sides: Sides) -> Levels:
    return np.zeros(len(sides.values[0]), dtype=np.int8)


def _grade_addresses(whole: Sides, areas: Sequence[Sides]) -> pa.Array:
    """The narrowest area that agrees; an area unknown on a side leaves the answer to the next wider one.

    Alike are addresses with at most two slips in the whole, or half of all words in common, the most usual sign of the
    same house.
    """
    levels = np.zeros(len(whole.left), dtype=np.int8)
    for area in areas[1:]:
        levels[area.are_same] = 1
    for area in areas[:1]:
        levels[np.flatnonzero(area.differ)[area.are_slip]] = 2
        levels[area.are_same] = 3
    are_alike = whole.slips < _MANY_SLIPS
    are_other = pa.array(~are_alike)
    are_alike[~are_alike] = _share_words(*(side.filter(are_other) for side in whole.values))
    levels[np.flatnonzero(whole.differ)[are_alike]] = 4
    levels[whole.are_same] = 5
    are_known = np.logical_or.reduce([sides.are_known for sides in (whole, *areas)])
    return pa.array(levels, mask=~are_known)


def _share_words(left: pa.Array, right: pa.Array) -> Flags:
    """Whether half of all words are in both texts."""
    words = [pc.split_pattern(side, " ") for side in (left, right)]
    known = pa.concat_arrays([side.flatten() for side in words]).dictionary_encode()
    # A word of a pair is a number, in which the pair comes first: each side's different words, sorted.
    count, of_words = len(left), max(len(known.dictionary), 1)
    pairs = np.concatenate([np.repeat(np.arange(count), pc.list_value_length(side).to_numpy()) for side in words])
    numbers = pairs * of_words + known.indices.to_numpy()
    words_l, words_r = (_distinct(side) for side in np.split(numbers, [len(words[0].flatten())]))
    shared = np.intersect1d(words_l, words_r, assume_unique=True)
    shared_count, count_l, count_r = (
        np.bincount(side // of_words, minlength=count) for side in (shared, words_l, words_r)
    )
    return shared_count * 3 >= count_l + count_r


def _distinct(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """The different numbers, sorted; numpy's own `unique` hashes, which takes ten times as long."""
    ordered = np.sort(numbers)
    return ordered[np.diff(ordered, prepend=-1) > 0]


def _first_of(*cases: tuple[Flags, int]) -> Levels:
    """Per place the level of the first case that holds, 0 for none."""
    return np.select([holds for holds, _ in cases], [np.int8(level) for _, level in cases], np.int8(0))


def _slips(left: Sequence[str], right: Sequence[str]) -> Levels:
    found: Levels = cpdist(left, right, scorer=Levenshtein.distance, score_cutoff=_MANY_SLIPS - 1, dtype=np.int8)
    return found


def _flags(array: pa.Array) -> Flags:
    """Null counts as false."""
    flags: Flags = pc.fill_null(array, False).to_numpy(zero_copy_only=False)
    return flags


_GRADERS: Mapping[ComparisonKind, Callable[[Sides], Levels]] = {
    "name": _grade_names,
    "birth_date": _grade_dates,
    "email": _grade_emails,
    "phone": _grade_numbers,
    "id_number": _grade_numbers,
    "postcode": _grade_postcodes,
    "text": _grade_texts,
    "exact": _grade_exactly,
}
"""What grades values that differ, by kind; addresses take more than their own."""
