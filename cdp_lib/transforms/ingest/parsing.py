"""Typed values from texts, by Spark's own functions that give null instead of failing."""

import re
from collections.abc import Sequence

from pyspark.sql import Column, functions as F

from cdp_lib.settings.source import SourceColumn
from cdp_lib.settings.sql import parse_type
from cdp_lib.transforms.clean.placeholder import NO_LETTERS, WORDS_FOR_NOTHING

_OFFSET = r" ?(Z|[+-][0-9]{2}(:?[0-9]{2})?)"
_DAY = r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}"
_CLOCK = r"[T ][0-9]{1,2}:[0-9]{1,2}(:[0-9]{1,2}([.][0-9]+)?)?"
_ISO_DAY = f"^{_DAY}$"
_ISO_INSTANT = f"^{_DAY}({_CLOCK}({_OFFSET})?)?$"
_ISO_WITH_OFFSET = f"^{_DAY}{_CLOCK}{_OFFSET}$"
_OFFSET_WITHOUT_COLON = r" ?([+-][0-9]{2})([0-9]{2})$"
_OFFSET_WITHOUT_SECONDS = r"([T ][0-9]{1,2}:[0-9]{1,2}) ?(Z|[+-][0-9]{2}.*)$"

_BLANKS = " \t\r\n\u00a0\u200b\u3000\ufeff"

_INTEGERS = ("tinyint", "smallint", "int", "bigint")
_NUMBERS = (*_INTEGERS, "decimal", "float", "double")
_IN_BRACKETS = r"^\(([0-9.,]+)\)$"
_BY_COMMAS = r"^[+-]?[0-9]{1,3}((,[0-9]{3})+[.][0-9]+|(,[0-9]{3}){2,})$"
_BY_DOTS = r"^[+-]?[0-9]{1,3}(([.][0-9]{3})+,[0-9]+|([.][0-9]{3}){2,})$"

_BUDDHIST_YEAR = "(?<![0-9.])(2[45][0-9]{2})(?![0-9])"

_QUOTED = re.compile("'[^']*'")
_ZONE_LETTERS = re.compile("[VzOXxZ]")
"""Letters of Spark's date patterns that read a zone or an offset."""


def given_text(name: str, column: SourceColumn, null_values: Sequence[str]) -> Column:
    """The text given: null where it is one of `null_values`, outer blanks apart. A string keeps its outer blanks.

    But not an id: it is the same with them, and a word or sign for nothing ('NULL', 'n/a', '-') is none. All who have
    it would else be one person.
    """
    trimmed = F.trim(F.col(name), F.lit(_BLANKS))
    text = F.col(name) if column.type == "string" and not column.is_id else trimmed
    is_given = ~trimmed.isin(list(null_values)) if null_values else F.lit(True)
    if column.is_id:
        is_given &= ~(F.lower(trimmed).isin(*WORDS_FOR_NOTHING) | trimmed.rlike(NO_LETTERS))
    return F.when(is_given, text)


def typed_value(text: Column, column: SourceColumn, time_zone: str) -> Column:
    """The value of the column's type that the text says, null where it says none.

    A decimal with more digits than its scale is rounded half up. NaN and the infinities are no numbers. Of numbers as
    people write them those are read that can mean one thing only: 1,250.00 and 1.250,00, 1,250,000, (45.00) for -45.00,
    and 12.0 for an integer; not 1,250. A time without an offset is a wall clock's in the column's zone, else in
    `time_zone`: one that summer time skips is read an hour later, one that comes twice is the earlier one. Assumes a
    session in UTC.
    """
    kind = parse_type(column.type).name
    zone = column.time_zone or time_zone
    if kind == "string":
        return text
    if kind in ("date", "timestamp", "timestamp_ntz"):
        return _moment(text, column, kind, zone)
    if kind == "binary":
        return F.try_to_binary(text, F.lit("base64"))
    if kind in ("struct", "array", "map"):
        # Nothing of a value may get lost: one wrong part makes the whole of it no value.
        return F.when(broken_json(text, column, zone).isNull(), _from_json(text, column, zone)["v"])
    value = text.try_cast(column.type)
    if kind in _NUMBERS:
        value = F.coalesce(value, _plain_number(text, kind).try_cast(column.type))
    if kind in ("float", "double"):
        return F.when(~F.isnan(value) & (F.abs(value) != F.lit(float("inf"))), value)
    return value


def _plain_number(text: Column, kind: str) -> Column:
    """A number as Spark reads it, of one that people or spreadsheets wrote; other text as it is."""
    signed = F.regexp_replace(text, _IN_BRACKETS, "-$1")
    plain = (
        F.when(signed.rlike(_BY_COMMAS), F.translate(signed, ",", ""))
        .when(signed.rlike(_BY_DOTS), F.translate(signed, ",.", "."))
        .otherwise(signed)
    )
    return F.regexp_replace(plain, "[.]0{1,2}$", "") if kind in _INTEGERS else plain


def broken_json(text: Column, column: SourceColumn, time_zone: str) -> Column:
    """Not null where a part of the JSON text is not of the column's type."""
    return _from_json(text, column, time_zone)["_broken"]


def _from_json(text: Column, column: SourceColumn, zone: str) -> Column:
    """The value as `v` of an object, for only an object has room for Spark's mark of what could not be read."""
    wrapped = F.concat(F.lit('{"v":'), text, F.lit("}"))
    options = {"columnNameOfCorruptRecord": "_broken", "timeZone": zone}
    return F.from_json(wrapped, f"v {column.type}, _broken string", options)


def _moment(written: Column, column: SourceColumn, kind: str, zone: str) -> Column:
    text = _in_common_era(written) if column.era == "buddhist" else written
    if kind == "date":
        parsed = [F.try_to_timestamp(text, F.lit(pattern)).cast("date") for pattern in column.formats]
        return F.coalesce(*parsed) if parsed else _iso_date(text)
    if kind == "timestamp_ntz":
        parsed = [F.try_to_timestamp(text, F.lit(pattern)).cast("timestamp_ntz") for pattern in column.formats]
        iso = F.when(text.rlike(_ISO_INSTANT), _with_seconds(text).try_cast("timestamp_ntz"))
        return F.coalesce(*parsed) if parsed else iso
    instants = [_instant_by_pattern(text, pattern, zone) for pattern in column.formats]
    return F.coalesce(*instants) if instants else _iso_instant(text, zone)


def _in_common_era(text: Column) -> Column:
    year = F.regexp_extract(text, _BUDDHIST_YEAR, 1)
    return F.when(year != "", F.replace(text, year, (year.try_cast("int") - 543).cast("string"))).otherwise(text)


def _instant_by_pattern(text: Column, pattern: str, zone: str) -> Column:
    parsed = F.try_to_timestamp(text, F.lit(pattern))
    return parsed if _ZONE_LETTERS.search(_QUOTED.sub("", pattern)) else _in_zone(parsed, zone)


def _iso_instant(text: Column, zone: str) -> Column:
    """Spark's cast takes more than ISO 8601 (a year alone; a time alone, as of today): so the shape is checked."""
    # Nearly all times are of these two lengths, and such a test is much cheaper than the patterns below.
    has_dashes = (F.substr(text, F.lit(5), F.lit(1)) == "-") & (F.substr(text, F.lit(8), F.lit(1)) == "-")
    has_seconds = (F.length(text) == len("yyyy-MM-dd HH:mm:ss")) & (F.substr(text, F.lit(17), F.lit(1)) == ":")
    has_seconds &= F.substr(text, F.lit(19), F.lit(1)) != "Z"
    is_plain = has_dashes & (has_seconds | (F.length(text) == len("yyyy-MM-dd")))
    local = _in_zone(text.try_cast("timestamp"), zone)
    with_colon = F.regexp_replace(_with_seconds(text), _OFFSET_WITHOUT_COLON, "$1:$2").try_cast("timestamp")
    has_offset = text.rlike(_ISO_WITH_OFFSET)
    return F.when(is_plain, local).when(has_offset, with_colon).when(text.rlike(_ISO_INSTANT), local)


def _iso_date(text: Column) -> Column:
    """A day, or the day of a moment as it is written."""
    day = F.substring_index(F.translate(text, "T", " "), " ", 1)
    is_moment = text.rlike(_ISO_INSTANT) & _with_seconds(text).try_cast("timestamp").isNotNull()
    return F.when(text.rlike(_ISO_DAY), text.try_cast("date")).when(is_moment, day.try_cast("date"))


def _with_seconds(text: Column) -> Column:
    """10:00Z as 10:00:00Z: Spark wants seconds before an offset, and other software leaves out those that are 0."""
    return F.regexp_replace(text, _OFFSET_WITHOUT_SECONDS, "$1:00$2")


def _in_zone(wall_clock: Column, zone: str) -> Column:
    return wall_clock if zone == "UTC" else F.to_utc_timestamp(wall_clock, zone)
