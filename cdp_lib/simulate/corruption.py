"""What people, keyboards and scanners do to a value."""

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cdp_lib.settings.simulated_people import FieldNoise
from cdp_lib.simulate.draws import between, chance, Flags, Ints, pick
from cdp_lib.simulate.text import blank, column, Text

Chars = npt.NDArray[np.uint32]
Damage = Callable[[Text, np.random.Generator], Text]

INSERT, DELETE, SUBSTITUTE, TRANSPOSE = range(4)
_EDITS = (0.2, 0.28, 0.32, 0.2)
_SCANNED = ("o0", "l1", "il", "s5", "ec", "nh", "b6", "g9", "mn", "0o", "1l", "5s", "83")
_SCANNED_THAI = ("ดค", "ตค", "บป", "พฟ", "มน", "ชซ", "ภถ")
_HEARD = ("ck", "kc", "sz", "zs", "iy", "yi", "vw", "wv", "fv", "ae", "ea", "ou", "dt", "td", "rl")
_HEARD_THAI = ("รล", "ลร", "ณน", "นณ", "ทธ", "ธท", "สศ", "ศส", "ภพ")
_THAI_FIRST = 0x0E01
_THAI_LETTERS = 46


def spoil(values: Text, noise: FieldNoise, rng: np.random.Generator) -> Text:
    """The values with typing, scanning and hearing errors at the noise's rates."""
    for rate, damage in ((noise.typo, typed), (noise.scan, scanned), (noise.sound, heard)):
        if rate:
            values = _damage(values, chance(rng, rate, len(values)), damage, rng)
    return values


def _damage(values: Text, mask: Flags, damage: Damage, rng: np.random.Generator) -> Text:
    mask = mask & np.asarray(values.is_valid())
    if not mask.any():
        return values
    spoilt = damage(values.filter(pa.array(mask)), rng)
    return column(pc.replace_with_mask(values, pa.array(mask), spoilt))


def typed(values: Text, rng: np.random.Generator) -> Text:
    """One insertion, deletion, substitution or swap of neighbours in each value."""
    chars, lengths = _chars(values)
    rows, width = chars.shape
    kind = pick(rng, _EDITS, rows)
    kind = np.where(lengths < 2, INSERT, kind)
    room = np.where(kind == TRANSPOSE, lengths - 1, lengths)
    spot = np.minimum((rng.random(rows) * room).astype(np.int64), np.maximum(room - 1, 0))
    at = np.broadcast_to(np.arange(width), (rows, width))
    here = spot[:, None]
    source = np.select(
        [
            (kind == INSERT)[:, None] & (at > here),
            (kind == DELETE)[:, None] & (at >= here),
            (kind == TRANSPOSE)[:, None] & (at == here),
            (kind == TRANSPOSE)[:, None] & (at == here + 1),
        ],
        [at - 1, np.minimum(at + 1, width - 1), at + 1, at - 1],
        at,
    )
    edited = np.take_along_axis(chars, source, axis=1)
    row = np.arange(rows)
    replaced = (kind == INSERT) | (kind == SUBSTITUTE)
    edited[row[replaced], spot[replaced]] = _neighbour(chars[row, spot], rng)[replaced]
    return _text(edited)


def scanned(values: Text, rng: np.random.Generator) -> Text:
    """One letter read as a similar-looking one, where the value has such a letter."""
    return _mapped(values, _SCANNED + _SCANNED_THAI, rng)


def heard(values: Text, rng: np.random.Generator) -> Text:
    """One letter written as a similar-sounding one, where the value has such a letter."""
    return _mapped(values, _HEARD + _HEARD_THAI, rng)


def _neighbour(char: Chars, rng: np.random.Generator) -> Chars:
    """A random character of the same alphabet: digit, Thai letter, else a lower-case Latin letter."""
    size = len(char)
    digit = between(rng, ord("0"), ord("9"), size)
    thai = between(rng, _THAI_FIRST, _THAI_FIRST + _THAI_LETTERS - 1, size)
    latin = between(rng, ord("a"), ord("z"), size)
    is_digit = (char >= ord("0")) & (char <= ord("9"))
    return np.select([is_digit, char >= _THAI_FIRST], [digit, thai], latin).astype(np.uint32)


def _mapped(values: Text, pairs: tuple[str, ...], rng: np.random.Generator) -> Text:
    chars, _ = _chars(values)
    table = np.arange(0x0E80, dtype=np.uint32)
    for pair in pairs:
        table[ord(pair[0])] = ord(pair[1])
    swapped = np.where(chars < len(table), table[np.minimum(chars, len(table) - 1)], chars)
    score = rng.random(chars.shape) * (swapped != chars)
    spot = score.argmax(axis=1)
    row = np.arange(len(chars))
    chars[row, spot] = swapped[row, spot]
    return _text(chars)


def _chars(values: Text) -> tuple[Chars, Ints]:
    """A code-point matrix, one row a value and at least one empty column to the right, with the lengths."""
    words = np.asarray(values.to_pylist(), dtype=np.str_)
    width = words.dtype.itemsize // 4 + 1
    chars = words.astype(f"<U{width}").view(np.uint32).reshape(len(words), width).copy()
    return chars, (chars != 0).sum(axis=1).astype(np.int64)


def _text(chars: Chars) -> Text:
    words = np.ascontiguousarray(chars).view(f"<U{chars.shape[1]}").ravel()
    return pa.array(words.tolist(), pa.string())


def drop_some(values: Text, rate: float, rng: np.random.Generator) -> Text:
    """Null at the given rate."""
    return blank(values, chance(rng, rate, len(values))) if rate else values


def stand_in(values: Text, rate: float, pool: Mapping[str, float], rng: np.random.Generator) -> Text:
    """A placeholder from the weighted pool at the given rate, as people type to get past a mandatory field."""
    if not rate:
        return values
    mask = chance(rng, rate, len(values))
    count = int(mask.sum())
    words = pa.array(list(pool), pa.string()).take(pa.array(pick(rng, pool.values(), count)))
    return column(pc.replace_with_mask(values, pa.array(mask), words))


def misdialled(numbers: Ints, digits: int, rate: float, rng: np.random.Generator) -> Ints:
    """Numbers with one digit (not the first three) changed, or two neighbours swapped, at the given rate."""
    size = len(numbers)
    mask = chance(rng, rate, size)
    power = np.power(np.int64(10), between(rng, 0, digits - 5, size))
    low, high = numbers // power % 10, numbers // (power * 10) % 10
    other = (low + between(rng, 1, 9, size)) % 10
    changed = np.where(chance(rng, 0.6, size), (other - low) * power, (low - high) * power * 9)
    return np.where(mask, numbers + changed, numbers)


def misdated(days: Ints, noise: FieldNoise, rng: np.random.Generator) -> Ints:
    """Dates with day and month swapped (where that is a date), a slip of the day, or another year."""
    size = len(days)
    swapped = np.where(chance(rng, noise.swapped, size), _day_month_swapped(days), days)
    slip = between(rng, 1, 9, size) * (1 - 2 * between(rng, 0, 1, size))
    slipped = np.where(chance(rng, noise.typo, size), swapped + slip, swapped)
    years = np.array([-10, -1, 1, 10], dtype=np.int64)[between(rng, 0, 3, size)]
    moved = (slipped.astype("datetime64[D]").astype("datetime64[M]") + 12 * years).astype("datetime64[D]")
    in_month = slipped - slipped.astype("datetime64[D]").astype("datetime64[M]").astype("datetime64[D]").astype(
        np.int64
    )
    return np.where(chance(rng, noise.shifted, size), moved.astype(np.int64) + np.minimum(in_month, 27), slipped)


def _day_month_swapped(days: Ints) -> Ints:
    dates = days.astype("datetime64[D]")
    months = dates.astype("datetime64[M]")
    years = dates.astype("datetime64[Y]")
    day = (dates - months).astype(np.int64)
    month = months.astype(np.int64) % 12
    swapped = (years.astype("datetime64[M]") + day % 12).astype("datetime64[D]").astype(np.int64) + month
    return np.where(day < 12, swapped, days)
