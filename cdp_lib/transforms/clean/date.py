"""Dates of birth from the many ways in which forms and systems write them."""

from collections.abc import Mapping, Sequence
from datetime import date

from pyspark.sql import Column, functions as F

from cdp_lib.transforms.clean.once import once
from cdp_lib.transforms.clean.rejection import IMPLAUSIBLE, INVALID, PLACEHOLDER
from cdp_lib.transforms.clean.text import whole_number

DAY_FIRST = ("y-M-d", "yMd", "d-M-y", "d-MMM-y", "MMM-d-y", "y-MMM-d", "M-d-y")
"""Patterns in the order in which they are tried; a later one only reads what no earlier one could."""

MONTH_FIRST = ("y-M-d", "yMd", "M-d-y", "d-MMM-y", "MMM-d-y", "y-MMM-d", "d-M-y")

MONTH_WORDS: Mapping[int, tuple[str, ...]] = {
    1: ("jan", "january", "มค", "มกราคม"),
    2: ("feb", "february", "กพ", "กุมภาพันธ์"),
    3: ("mar", "march", "มีค", "มีนาคม"),
    4: ("apr", "april", "เมย", "เมษายน"),
    5: ("may", "พค", "พฤษภาคม"),
    6: ("jun", "june", "มิย", "มิถุนายน"),
    7: ("jul", "july", "กค", "กรกฎาคม"),
    8: ("aug", "august", "สค", "สิงหาคม"),
    9: ("sep", "sept", "september", "กย", "กันยายน"),
    10: ("oct", "october", "ตค", "ตุลาคม"),
    11: ("nov", "november", "พย", "พฤศจิกายน"),
    12: ("dec", "december", "ธค", "ธันวาคม"),
}
"""Month -> its names in lower case, without dots."""

NO_DATE = (date(1900, 1, 1), date(9999, 12, 31))
"""What systems write for 'no date'."""

_PARTS = {
    "y": r"(\d{4})",
    "MMM": r"m(\d{1,2})",
    "M": r"(\d{1,2})",
    "d": r"(\d{1,2})",
}
_COMPACT_PARTS = {"y": r"(\d{4})", "M": r"(\d{2})", "d": r"(\d{2})"}
_SEPARATOR = r"[\s,./-]+"
_TIME_OF_DAY = r"[t\s]+\d{1,2}:\d{2}.*$"
_ERA_AND_ORDINAL = r"(?<=\d)(?:st|nd|rd|th)\b|[พค]\.?ศ\.?\s*(?=\d{4})"
_WORD = r"(\p{L}[\p{L}\p{M}.]*)"
_BUDDHIST_ERA = (2400, 2699)
_BUDDHIST_OFFSET = 543


def clean_date(column: Column, patterns: Sequence[str] = DAY_FIRST) -> Column:
    """The calendar date that the text gives by the first pattern that reads it; a time of day is dropped.

    `column` is text as `clean_text` leaves it. A pattern joins y (four digits), M, d and MMM (a month's name in English
    or Thai) by - for any separators, or is `yMd` for eight digits (19900503.0 too). A year from 2400 to 2699 is of the
    Buddhist era: 543 less. Null: null, no pattern fits, or no such day. Years of two digits fit none: 28 may be 1928,
    2028 or 2528.
    """
    day = F.regexp_replace(whole_number(F.lower(column)), _TIME_OF_DAY, "")
    numbered = once(day, lambda text: F.when(text.rlike(r"\p{L}"), _month_numbered(text)).otherwise(text))
    return once(numbered, lambda text: F.coalesce(*(_read(text, pattern) for pattern in patterns)))


def date_reason(day: Column, earliest: date, latest: date) -> Column:
    """Why a date that was given is not kept, null for a good one.

    'invalid' if null, 'placeholder' if it says 'no date', 'implausible' if it lies outside `earliest` to `latest`.
    """
    return (
        F.when(day.isNull(), F.lit(INVALID))
        .when(day.isin(*NO_DATE), F.lit(PLACEHOLDER))
        .when(~day.between(F.lit(earliest), F.lit(latest)), F.lit(IMPLAUSIBLE))
    )


def _month_numbered(day: Column) -> Column:
    """The text with its month's name as m1 to m12."""

    def number(word: Column) -> Column:
        return F.coalesce(*(F.when(word.isin(*words), f" m{n} ") for n, words in MONTH_WORDS.items()))

    def with_number(bare: Column) -> Column:
        word = F.regexp_extract(bare, _WORD, 1)
        return F.trim(F.replace(bare, word, once(F.regexp_replace(word, r"\.", ""), number)))

    return once(F.regexp_replace(day, _ERA_AND_ORDINAL, ""), with_number)


def _read(text: Column, pattern: str) -> Column:
    joined = pattern == "yMd"
    names = list(pattern) if joined else pattern.split("-")
    parts = _COMPACT_PARTS if joined else _PARTS
    regex = "^" + ("" if joined else _SEPARATOR).join(parts[name] for name in names) + "$"
    year, month, day = (names.index(name) + 1 for name in ("y", "MMM" if "MMM" in names else "M", "d"))
    iso = F.regexp_replace(text, regex, f"${year}-${month}-${day}")
    return F.when(text.rlike(regex), once(iso, _common_era).try_cast("date"))


def _common_era(iso: Column) -> Column:
    year = F.substring(iso, 1, 4).cast("int")
    is_buddhist = year.between(*_BUDDHIST_ERA)
    in_common_era = F.concat((year - _BUDDHIST_OFFSET).cast("string"), F.substring(iso, 5, 6))
    return F.when(is_buddhist, in_common_era).otherwise(iso)
