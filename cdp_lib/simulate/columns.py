"""Columns of a file: where each value comes from, and the many ways it is written down."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cdp_lib.errors import ConfigError, near_miss
from cdp_lib.settings.simulator import Column, SOURCES
from cdp_lib.simulate import known as fields
from cdp_lib.simulate.books import Book, Items
from cdp_lib.simulate.draws import chance, Floats, Ints, pick, place
from cdp_lib.simulate.known import Known
from cdp_lib.simulate.text import blank, choose, column, decimal, fill, join, moments, repeat, Text, where

_THAI_DIGITS = "๐๑๒๓๔๕๖๗๘๙"
DAY_SECONDS = 86_400


@dataclass(frozen=True)
class Rows:
    """The rows that a file is made of: what happened or is on record, and whatever was made of it so far."""

    known: Known
    others: Ints
    seconds: Ints
    since: Ints
    serials: Ints
    books: Mapping[str, Book]
    keys: Text | None = None
    steps: tuple[Ints, tuple[str, ...]] | None = None
    items: tuple[Ints, Items] | None = None
    line_numbers: Ints | None = None
    numbers: dict[str, tuple[Ints, int]] = field(default_factory=dict)
    made: dict[str, Text] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.known.persons)


def make(rows: Rows, name: str, spec: Column) -> Text:
    """One column's text; also remembered in `rows.made` (and `rows.numbers`) for the columns after it."""
    source = next(s for s in SOURCES if getattr(spec, s) not in (None, False))
    value = _show(rows, name, spec, _MAKERS[source](rows, name, spec))
    rows.made[name] = value
    return value


def _person(rows: Rows, name: str, spec: Column) -> Text:
    who = replace(rows.known, persons=rows.others, purpose=(*rows.known.purpose, "other")) if spec.other else rows.known
    if spec.person == "phone":
        return fields.phone(who, spec.formats)
    if spec.person == "birth_date":
        return fields.birth_date(who, spec.formats)
    return fields.FIELDS[str(spec.person)](who)


def _key(rows: Rows, name: str, spec: Column) -> Text:
    if rows.keys is None:
        raise ConfigError(f"column {name}: `key` belongs to a records system. Use `serial` or `of`.")
    return rows.keys


def _of(rows: Rows, name: str, spec: Column) -> Text:
    book = rows.books[str(spec.of)]
    persons = rows.others if spec.other else rows.known.persons
    record, there = book.rows_of(persons, rows.known.days, rows.known.rng("record of", str(spec.of)))
    if not there.any():
        return repeat(None, len(rows))
    return blank(book.keys(record), ~there)


def _when(rows: Rows, name: str, spec: Column) -> Text:
    days = rows.since if spec.first_seen else rows.known.days
    offset = rows.known.world.config.utc_offset_hours * 3600 if spec.utc else 0
    days, seconds = np.divmod(days * DAY_SECONDS + rows.seconds - offset, DAY_SECONDS)
    forms = spec.when or {}
    shown = [moments(form, days, seconds) for form in forms]
    return choose(pick(rows.known.rng(name, "format"), forms.values(), len(rows)), shown)


def _pick(rows: Rows, name: str, spec: Column) -> Text:
    weights = spec.pick or {}
    words = pa.array([word or None for word in weights], pa.string())
    return words.take(pa.array(pick(rows.known.rng(name), weights.values(), len(rows))))


def _number(rows: Rows, name: str, spec: Column) -> Text:
    table, rng = spec.number or (), rows.known.rng(name)
    band = pick(rng, [weight for weight, _, _ in table], len(rows))
    low = np.array([low for _, low, _ in table], dtype=np.int64)[band]
    high = np.array([high for _, _, high in table], dtype=np.int64)[band]
    return _counted(rows, name, low + (rng.random(len(rows)) * (high - low + 1)).astype(np.int64), spec.decimals)


def _counted(rows: Rows, name: str, values: Ints, decimals: int) -> Text:
    rows.numbers[name] = (values, decimals)
    return decimal(values, decimals)


def _item(rows: Rows, name: str, spec: Column) -> Text:
    if rows.items is None:
        raise ConfigError(f"column {name}: `item` needs `lines` with a catalogue.")
    index, items = rows.items
    if spec.item not in items.columns:
        raise ConfigError(f"column {name}: no item field '{spec.item}'.{near_miss(str(spec.item), items.columns)}")
    if spec.item == "price":
        return _counted(rows, name, items.price[index], 2)
    return items.columns[str(spec.item)].take(pa.array(index))


def _total(rows: Rows, name: str, spec: Column) -> Text:
    """The product of earlier number columns, less another one; money with two decimals."""
    product, decimals = np.ones(len(rows), dtype=np.int64), 0
    for factor in spec.total or ():
        values, places = _earlier(rows, name, factor)
        product, decimals = product * values, decimals + places
    cents = product * 10 ** (2 - decimals) if decimals <= 2 else product // 10 ** (decimals - 2)
    if spec.less is not None:
        cents = np.maximum(cents - _earlier(rows, name, spec.less)[0], 0)
    return _counted(rows, name, cents, 2)


def _earlier(rows: Rows, name: str, wanted: str) -> tuple[Ints, int]:
    if wanted == "price" and rows.items is not None:
        return rows.items[1].price[rows.items[0]], 2
    if wanted not in rows.numbers:
        raise ConfigError(f"column {name}: '{wanted}' is no earlier number column.{near_miss(wanted, rows.numbers)}")
    return rows.numbers[wanted]


def _says(rows: Rows, name: str, spec: Column) -> Text:
    by, phrases = spec.says or ("", {})
    if by not in rows.made:
        raise ConfigError(f"column {name}: '{by}' must stand before it.")
    uniform = rows.known.rng(name).random(len(rows))
    shown = repeat(None, len(rows))
    for value, choices in phrases.items():
        which = np.minimum((uniform * len(choices)).astype(np.int64), len(choices) - 1)
        words = pa.array(choices, pa.string()).take(pa.array(which))
        shown = column(pc.if_else(pc.equal(rows.made[by], value).fill_null(False), words, shown))
    return shown


def _step(rows: Rows, name: str, spec: Column) -> Text:
    if rows.steps is None:
        raise ConfigError(f"column {name}: `step` needs the stream's `steps`.")
    return pa.array(rows.steps[1], pa.string()).take(pa.array(rows.steps[0]))


def _line(rows: Rows, name: str, spec: Column) -> Text:
    if rows.line_numbers is None:
        raise ConfigError(f"column {name}: `line` needs the stream's `lines`.")
    return decimal(rows.line_numbers, 0)


def _serial(rows: Rows, name: str, spec: Column) -> Text:
    template = str(spec.serial)
    head, digits = template[: template.index("#")], template[template.index("#") :]
    return join(moments(head, rows.known.days, rows.seconds), fill(digits, rows.serials))


Maker = Callable[[Rows, str, Column], Text]
_MAKERS: dict[str, Maker] = {
    "person": _person, "key": _key, "of": _of, "when": _when, "pick": _pick, "number": _number, "item": _item,
    "total": _total, "says": _says, "step": _step, "line": _line, "serial": _serial,
}  # fmt: skip


def _show(rows: Rows, name: str, spec: Column, value: Text) -> Text:
    """The value as it is written: mapped words, upper case here, stray blanks there, local digits, gaps."""
    size = len(rows)
    if spec.map is not None:
        value = _mapped(value, spec.map, rows.known.rng(name, "map").random(size))
    if spec.case:
        rng = rows.known.rng(name, "case")
        upper = chance(rng, spec.case, size)
        cased = where(chance(rng, 0.5, size), column(pc.utf8_upper(value)), column(pc.utf8_lower(value)))
        value = where(upper, cased, value)
    if spec.space:
        rng = rows.known.rng(name, "space")
        spaced = where(chance(rng, 0.5, size), join(value, " "), join("  ", value))
        value = where(chance(rng, spec.space, size), spaced, value)
    if spec.local_digits:
        value = where(chance(rows.known.rng(name, "digits"), spec.local_digits, size), _in_thai_digits(value), value)
    return blank(value, chance(rows.known.rng(name, "blank"), spec.blank, size)) if spec.blank else value


def _mapped(value: Text, words: Mapping[str, tuple[str, ...]], uniform: Floats) -> Text:
    shown = value
    for word, choices in words.items():
        which = place(uniform, np.arange(1, len(choices) + 1, dtype=np.float64))
        chosen = pa.array(choices, pa.string()).take(pa.array(which))
        shown = column(pc.if_else(pc.equal(value, word).fill_null(False), chosen, shown))
    return shown


def _in_thai_digits(value: Text) -> Text:
    for digit, thai in enumerate(_THAI_DIGITS):
        value = pc.replace_substring(value, str(digit), thai)
    return column(value)
