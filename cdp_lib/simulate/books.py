"""Which people each record system holds, under which ids, since when; and the items of a catalogue."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from cdp_lib.errors import ConfigError
from cdp_lib.settings.simulator import Catalogue, RecordSystem, Simulator
from cdp_lib.simulate.draws import chance, edges, Flags, Floats, Ints, place, scatter, stream
from cdp_lib.simulate.known import World
from cdp_lib.simulate.people import People
from cdp_lib.simulate.text import decimal, fill, Text


@dataclass(frozen=True)
class Book:
    """The records of one system, sorted by person. `since` is the day a record was made."""

    system: RecordSystem
    person: Ints
    since: Ints
    kept_current: Flags
    first_row: Ints
    count: Ints
    home: Ints

    def keys(self, rows: Ints) -> Text:
        """The ids of some records; the home's number where the system keeps one record a home."""
        if self.system.id_format is None:
            return decimal(self.home[self.person[rows]] + 1, 0)
        room = 10 ** self.system.id_format.count("#")
        return fill(self.system.id_format, scatter(rows, room, 1_013))

    def rows_of(self, persons: Ints, days: Ints, rng: np.random.Generator) -> tuple[Ints, Flags]:
        """One of each person's records, and whether there was any such record on the day."""
        last = len(self.person) - 1
        chosen = self.first_row[persons] + (rng.random(len(persons)) * self.count[persons]).astype(np.int64)
        if last < 0:
            return np.zeros_like(persons), np.zeros(len(persons), dtype=np.bool_)
        chosen = np.minimum(chosen, last)
        return chosen, (self.count[persons] > 0) & (self.since[chosen] <= days)


def allowed(people: People, members: str) -> Flags:
    """Who may take part: everyone, grown-ups, or the first grown-up of each home."""
    if members == "adults":
        return ~people.family.is_child
    if members == "heads":
        return np.equal(people.family.head, np.arange(len(people)))
    return np.ones(len(people), dtype=np.bool_)


def build_book(world: World, system: RecordSystem, end: int) -> Book:
    """Who is in the system by `end` (the day after the last simulated one)."""
    people = world.people
    rng = stream(world.seed, system.id, "book")
    size = len(people)
    more = allowed(people, system.members) & chance(rng, system.share, size)
    count = more.astype(np.int64)
    for rate in system.again:
        more = more & chance(rng, rate, size)
        count += more
    first_row = np.cumsum(count) - count
    person = np.repeat(np.arange(size, dtype=np.int64), count)
    if system.id_format is not None and len(person) > 10 ** system.id_format.count("#"):
        raise ConfigError(f"systems.{system.id}.id_format: too few digits for {len(person)} records. Add `#` signs.")
    is_first = np.arange(len(person)) == first_row[person]
    uniform = rng.random(len(person))
    uniform = np.where(is_first, uniform * uniform, uniform)
    since = people.joined[person] + (uniform * (end - people.joined[person])).astype(np.int64)
    return Book(
        system=system,
        person=person,
        since=since,
        kept_current=chance(rng, system.updates, len(person)),
        first_row=first_row,
        count=count,
        home=people.family.home,
    )


def changes(world: World, book: Book, window: tuple[int, int]) -> tuple[Ints, Ints]:
    """(day, row) of each change inside the window that the system hears of, by day; a record's creation is none."""
    found_days: list[Ints] = []
    found_rows: list[Ints] = []
    for day in _change_days(world.people, book.person):
        rows = np.flatnonzero(book.kept_current & (day > book.since) & (day >= window[0]) & (day < window[1]))
        found_days.append(day[rows])
        found_rows.append(rows)
    day, row = np.concatenate(found_days), np.concatenate(found_rows).astype(np.int64)
    both = np.unique(day * max(len(book.person), 1) + row)
    return both // max(len(book.person), 1), both % max(len(book.person), 1)


def known_since(world: World, book: Book, now: int) -> Ints:
    """The day whose truth each record shows at `now`: of the last change it heard of, else of its creation."""
    last = book.since
    for day in _change_days(world.people, book.person):
        last = np.where(book.kept_current & (day <= now), np.maximum(last, day), last)
    return last


def _change_days(people: People, person: Ints) -> tuple[Ints, ...]:
    mail, phone = people.mail_owner[person], people.phone_owner[person]
    return (
        people.mail.first[mail],
        people.mail.second[mail],
        people.phone.first[phone],
        people.phone.second[phone],
        people.surname_day[person],
        people.move_day[person],
    )


@dataclass(frozen=True)
class Items:
    """A catalogue's items side by side. Prices are in the smallest unit of the currency."""

    columns: dict[str, Text]
    price: Ints
    weight: Floats

    def draw(self, favourites: Ints, share: float, rng: np.random.Generator) -> Ints:
        """An item for each entry: the favourite with the given share, else any by popularity."""
        any_item = place(rng.random(len(favourites)), np.cumsum(self.weight))
        return np.where(chance(rng, share, len(favourites)), favourites, any_item)

    def favourites(self, people: int, rng: np.random.Generator) -> Ints:
        """Everybody's favourite, by popularity."""
        return place(rng.random(people), edges(self.weight.tolist()))


_NOT_SHOWN = ("variants", "weight", "price_step")


def build_items(config: Simulator) -> dict[str, Items]:
    """Every catalogue of the pack by name."""
    return {name: _items(catalogue) for name, catalogue in config.catalogues.items()}


def _items(catalogue: Catalogue) -> Items:
    rows: list[dict[str, str | None]] = []
    price: list[int] = []
    weight: list[float] = []
    for row in catalogue.rows:
        for n in range(_whole(row, "variants", 1)):
            price.append(_whole(row, "price", 0) + n * _whole(row, "price_step", 0))
            weight.append(_whole(row, "weight", 10) / (n + 1))
            shown = {key: _label(value, n) for key, value in row.items() if key not in _NOT_SHOWN}
            rows.append(shown)
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {name: pa.array([row.get(name) for row in rows], pa.string()) for name in names}
    order = scatter(np.arange(len(rows), dtype=np.int64), 10 ** catalogue.id_format.count("#"), catalogue.first_id)
    columns["id"] = fill(catalogue.id_format, order)
    columns["price"] = decimal(np.array(price, dtype=np.int64), 2)
    return Items(columns, np.array(price, dtype=np.int64), np.array(weight, dtype=np.float64))


def _whole(row: dict[str, str | int | None], key: str, default: int) -> int:
    value = row.get(key, default)
    if not isinstance(value, int):
        raise ConfigError(f"catalogues: {key} must be a whole number, not {value!r}.")
    return value


def _label(value: str | int | None, n: int) -> str | None:
    return None if value is None else str(value).replace("{n}", str(n + 1))
