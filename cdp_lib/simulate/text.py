"""Whole columns of text built without a Python loop per row. Columns are pyarrow string arrays; null means no value."""

from collections.abc import Sequence
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cdp_lib.simulate.draws import Flags, Ints

Text: TypeAlias = pa.Array


def column(values: object) -> Text:
    """A flat string array from a list, chunked array or object array."""
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    return values if isinstance(values, pa.Array) else pa.array(values, type=pa.string())


def repeat(value: str | None, size: int) -> Text:
    """The same text `size` times."""
    return pa.nulls(size, pa.string()) if value is None else pa.repeat(pa.scalar(value, pa.string()), size)


def join(*parts: Text | str, separator: str = "") -> Text:
    """Parts side by side, row by row; a null part makes the row null."""
    scalars = [pa.scalar(part, pa.string()) if isinstance(part, str) else part for part in parts]
    return column(pc.binary_join_element_wise(*scalars, pa.scalar(separator, pa.string())))


def choose(which: Ints, options: Sequence[Text]) -> Text:
    """Row i of options[which[i]]."""
    return options[0] if len(options) == 1 else column(pc.choose(pa.array(which), *options))


def where(mask: Flags, chosen: Text, otherwise: Text) -> Text:
    """`chosen` where the mask holds, else `otherwise`."""
    return column(pc.if_else(pa.array(mask), chosen, otherwise)) if mask.any() else otherwise


def blank(values: Text, mask: Flags) -> Text:
    """Null where the mask holds."""
    return where(mask, pa.nulls(len(values), pa.string()), values)


def fill(template: str, numbers: Ints) -> Text:
    """Each number's digits, zero-padded from the left, in place of the template's `#` signs."""
    body = np.frombuffer(template.encode(), dtype=np.uint8)
    spots = np.flatnonzero(body == ord("#"))
    chars = np.tile(body, (len(numbers), 1))
    rest = numbers.astype(np.int64)
    for spot in spots[::-1]:
        rest, digit = np.divmod(rest, 10)
        chars[:, spot] = 48 + digit
    return from_chars(chars)


def from_chars(chars: npt.NDArray[np.uint8]) -> Text:
    """A string per row of a byte matrix."""
    rows, width = chars.shape
    offsets = np.arange(rows + 1, dtype=np.int32) * width
    return pa.StringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(chars)))


def decimal(scaled: Ints, decimals: int) -> Text:
    """Whole numbers as text, the last `decimals` digits behind the point."""
    if decimals == 0:
        return column(pc.cast(pa.array(scaled), pa.string()))
    whole, part = np.divmod(np.abs(scaled), 10**decimals)
    text = join(column(pc.cast(pa.array(whole), pa.string())), ".", fill("#" * decimals, part))
    return where(scaled < 0, join("-", text), text)


@lru_cache(maxsize=16)
def clock_table(form: str) -> Text:
    """The text of each second of the day in a format of %H, %M, %S."""
    second = np.arange(86400, dtype=np.int64)
    values = {"%H": second // 3600, "%M": second // 60 % 60, "%S": second % 60}
    text: Text = repeat("", 86400)
    for token, literal in _tokens(form):
        text = join(text, fill("##", values[token]) if token else literal)
    return text


@lru_cache(maxsize=64)
def day_table(form: str, first: int, count: int) -> Text:
    """The text of each day from `first` (days since 1970) on: %d %m %Y %y as usual.

    %E is the Buddhist-era year; %W the week of the year, the first beginning on 1 January, without a leading zero.
    """
    days = np.arange(first, first + count).astype("datetime64[D]")
    months = days.astype("datetime64[M]")
    year = days.astype("datetime64[Y]").astype(np.int64) + 1970
    week = (days - days.astype("datetime64[Y]")).astype(np.int64) // 7 + 1
    values = {
        "%d": fill("##", (days - months).astype(np.int64) + 1),
        "%m": fill("##", months.astype(np.int64) % 12 + 1),
        "%Y": fill("####", year),
        "%y": fill("##", year % 100),
        "%E": fill("####", year + 543),
        "%W": decimal(week, 0),
    }
    text: Text = repeat("", count)
    for token, literal in _tokens(form):
        text = join(text, values[token] if token else literal)
    return text


def moments(form: str, days: Ints, seconds: Ints) -> Text:
    """Instants as text: the format's date part comes first, its clock part (if any) begins at %H."""
    if not len(days):
        return pa.array([], pa.string())
    date_form, mark, rest = form.partition("%H")
    first = int(days.min())
    dates = day_table(date_form, first, int(days.max()) - first + 1).take(pa.array(days - first))
    return join(dates, clock_table("%H" + rest).take(pa.array(seconds))) if mark else dates


def _tokens(form: str) -> list[tuple[str, str]]:
    """(token, "") or ("", literal) in order."""
    found: list[tuple[str, str]] = []
    position = 0
    while position < len(form):
        step = 2 if form[position] == "%" else 1
        part = form[position : position + step]
        found.append((part, "") if step == 2 else ("", part))
        position += step
    return found
