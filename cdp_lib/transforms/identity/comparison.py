"""Comparison levels: how well each field of two records agrees, from Spark's own functions.

A level is 0 where the values clearly differ, and rises with agreement; it is null where a record says nothing. What a
level is worth is learned, so levels say what is so, not how good it is.
"""

from collections.abc import Callable

from pyspark.sql import Column, DataFrame, functions as F

from cdp_lib.settings.matching import Comparison, ComparisonKind, Matching
from cdp_lib.transforms.identity.comparable import comparable_fields
from cdp_lib.transforms.identity.name_agreement import name_agreement

LEVELS: dict[ComparisonKind, tuple[str, ...]] = {
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


def compare_pairs(pairs: DataFrame, comparable: DataFrame, matching: Matching) -> DataFrame:
    """One row per pair: its columns, `<field>_level` of every comparison, `<field>_term`: hash of a value agreed on.

    `pairs` holds record_l and record_r; `comparable` (unique by record_key) are the records as `comparable_records`
    returns them. Terms are null below the highest level and for fields without term frequency.
    """
    fields = comparable_fields(matching)
    left = comparable.select(
        F.col("record_key").alias("record_l"), *(F.col(field).alias(f"{field}_l") for field in fields)
    )
    right = comparable.select(
        F.col("record_key").alias("record_r"), *(F.col(field).alias(f"{field}_r") for field in fields)
    )
    # A table in memory of the records, which are unique and slim, spares the sorting of both sides.
    of_left = pairs.join(left.hint("shuffle_hash"), "record_l", "inner")
    both = of_left.join(right.hint("shuffle_hash"), "record_r", "inner")
    measured = both.select(
        *pairs.columns,
        *(F.col(f"{field}_{side}") for field in fields for side in "lr"),
        *(_agreement(entry).alias(f"{entry.field}_agreement") for entry in matching.comparisons if _is_fuzzy(entry)),
        *(_slips(field).alias(f"{field}_slips") for field in _with_slips(matching)),
        *(words for entry in matching.comparisons if entry.kind == "address" for words in _words(entry.field)),
    )
    leveled = measured.select(
        *pairs.columns,
        *(_level(entry).cast("tinyint").alias(f"{entry.field}_level") for entry in matching.comparisons),
        *(F.col(f"{entry.field}_l") for entry in matching.comparisons if entry.term_frequency),
    )
    return leveled.select(
        *pairs.columns,
        *(f"{field}_level" for field in matching.fields),
        *(_term(entry).alias(f"{entry.field}_term") for entry in matching.comparisons if entry.term_frequency),
    )


def term_key(value: Column) -> Column:
    """The name of a value where its frequency is kept: a hash, so that no model holds a person's data."""
    return F.xxhash64(value)


def _term(entry: Comparison) -> Column:
    is_same = F.col(f"{entry.field}_level") == len(LEVELS[entry.kind]) - 1
    return F.when(is_same, term_key(F.col(f"{entry.field}_l")))


def _is_fuzzy(entry: Comparison) -> bool:
    return entry.kind in ("name", "text")


def _with_slips(matching: Matching) -> tuple[str, ...]:
    """The fields of which slips of the key are counted."""
    counted = ("birth_date", "email", "phone", "id_number", "postcode", "address")
    slipping = [entry.field for entry in matching.comparisons if entry.kind in counted]
    areas = [entry.coarser[0] for entry in matching.comparisons if entry.kind == "address" and entry.coarser]
    return tuple(dict.fromkeys([*slipping, *areas]))


def _agreement(entry: Comparison) -> Column:
    """Graded in Python, for values that differ only: see `name_agreement`."""
    left, right = _sides(entry.field)
    to_grade = left != right
    return name_agreement(F.when(to_grade, left), F.when(to_grade, right))


def _slips(field: str) -> Column:
    """Characters wrong, missing or added in values that differ: 1, 2, or -1 for more. Several levels ask for it."""
    left, right = _sides(field)
    return F.when(left != right, F.levenshtein(left, right, 2))


def _level(entry: Comparison) -> Column:
    left, right = _sides(entry.field)
    graders: dict[ComparisonKind, Callable[[str], Column]] = {
        "birth_date": _date_level,
        "email": _email_level,
        "phone": _slips_level,
        "id_number": _slips_level,
        "postcode": _postcode_level,
        "exact": lambda _: (left == right).cast("int"),
    }
    if entry.kind == "name":
        level = _name_level(entry)
    elif entry.kind == "text":
        level = F.when(left == right, 3).otherwise(F.least(F.col(f"{entry.field}_agreement"), F.lit(2)))
    elif entry.kind == "address":
        return _address_level(entry)
    else:
        level = graders[entry.kind](entry.field)
    return F.when(left.isNotNull() & right.isNotNull(), level)


def _sides(field: str) -> tuple[Column, Column]:
    return F.col(f"{field}_l"), F.col(f"{field}_r")


def _name_level(entry: Comparison) -> Column:
    left, right = _sides(entry.field)
    level = F.when(left == right, 5)
    if entry.swapped_with:
        other_left, other_right = _sides(entry.swapped_with)
        level = level.when((left == other_right) & (right == other_left), 4)
    return level.otherwise(F.col(f"{entry.field}_agreement"))


def _date_level(field: str) -> Column:
    """Dates are ISO text, so that impossible ones compare too."""
    left, right = _sides(field)
    (year_l, year_r), (month_l, month_r), (day_l, day_r) = (
        (F.substring(left, first, length), F.substring(right, first, length))
        for first, length in ((1, 4), (6, 2), (9, 2))
    )
    is_year, is_month, is_day = year_l == year_r, month_l == month_r, day_l == day_r
    is_turned = is_year & (month_l == day_r) & (day_l == month_r)
    return (
        F.when(left == right, 4)
        .when(is_turned | _is_slip(field), 3)
        .when((is_year & (is_month | is_day)) | (is_month & is_day), 2)
        .when(is_year | is_month | is_day, 1)
        .otherwise(0)
    )


def _email_level(field: str) -> Column:
    left, right = _sides(field)
    box_l, box_r = F.substring_index(left, "@", 1), F.substring_index(right, "@", 1)
    return (
        F.when(left == right, 4)
        .when(box_l == box_r, 3)
        .when(F.col(f"{field}_slips") > 0, 2)
        .when(F.levenshtein(box_l, box_r, 2) >= 0, 1)
        .otherwise(0)
    )


def _slips_level(field: str) -> Column:
    left, right = _sides(field)
    return F.when(left == right, 3).when(_is_slip(field), 2).when(F.col(f"{field}_slips") > 0, 1).otherwise(0)


def _postcode_level(field: str) -> Column:
    left, right = _sides(field)
    return (
        F.when(left == right, 3)
        .when(_is_slip(field), 2)
        .when(F.substring(left, 1, 3) == F.substring(right, 1, 3), 1)
        .otherwise(0)
    )


def _address_level(entry: Comparison) -> Column:
    """The narrowest area that agrees; an area unknown on a side leaves the answer to the next wider one.

    Alike are addresses with at most two slips in the whole, or half of all words in common, the most usual sign of the
    same house.
    """
    left, right = _sides(entry.field)
    level = F.when(left == right, 5).when((F.col(f"{entry.field}_slips") > 0) | _share_words(entry.field), 4)
    is_known = left.isNotNull() & right.isNotNull()
    for place, area in enumerate(entry.coarser):
        one, other = _sides(area)
        level = level.when(one == other, 3 if place == 0 else 1)
        if place == 0:
            level = level.when(_is_slip(area), 2)
        is_known = is_known | (one.isNotNull() & other.isNotNull())
    return F.when(is_known, level.otherwise(0))


def _words(field: str) -> list[Column]:
    """The words of either side, of values that differ."""
    left, right = _sides(field)
    sides = ((left, f"{field}_words_l"), (right, f"{field}_words_r"))
    return [F.when(left != right, F.split(side, " ")).alias(name) for side, name in sides]


def _share_words(field: str) -> Column:
    """Whether half of all words are in both."""
    words_l, words_r = F.col(f"{field}_words_l"), F.col(f"{field}_words_r")
    return F.size(F.array_intersect(words_l, words_r)) * 2 >= F.size(F.array_union(words_l, words_r))


def _is_slip(field: str) -> Column:
    """One character wrong, missing, added, or two changed places."""
    slips = F.col(f"{field}_slips")
    letters_l, letters_r = (F.sort_array(F.split(side, "")) for side in _sides(field))
    return (slips == 1) | ((slips == 2) & (letters_l == letters_r))
