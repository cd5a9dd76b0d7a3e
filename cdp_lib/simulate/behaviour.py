"""What happens on a day: who does something, when, how far it goes, and with which items."""

from dataclasses import dataclass

import numpy as np

from cdp_lib.settings.simulator import FactStream
from cdp_lib.simulate.books import allowed, Book, Items
from cdp_lib.simulate.draws import between, chance, edges, Floats, Ints, pick, place, stream
from cdp_lib.simulate.known import World


@dataclass(frozen=True)
class Habits:
    """How often each person does a thing (a chance per day), and which item each prefers."""

    rate: Floats
    favourite: Ints | None


@dataclass(frozen=True)
class Events:
    """One entry per event (or per step reached), by second of the day. `step` counts from 0."""

    person: Ints
    seconds: Ints
    step: Ints

    def __len__(self) -> int:
        return len(self.person)


def habits(world: World, system: FactStream, items: Items | None) -> Habits:
    """Everybody's rate, from the stream's table; zero for those who may not take part."""
    people = world.people
    group = pick(stream(world.seed, system.id, "rate"), [weight for weight, _ in system.rate], len(people))
    rate = np.array([rate for _, rate in system.rate], dtype=np.float64)[group]
    rate = np.where(allowed(people, system.members), rate, 0.0)
    if items is None or system.lines is None:
        return Habits(rate, None)
    return Habits(rate, items.favourites(len(people), stream(world.seed, system.lines.catalogue, "favourite")))


def events_of_day(world: World, system: FactStream, habit: Habits, day: int, book: Book | None) -> Events:
    """The day's events of everyone who has joined, has not left, and is on the needed book by then."""
    people = world.people
    rng = stream(world.seed, system.id, "day", day)
    weekday = (day + 3) % 7
    busy = system.weekdays[weekday] / max(system.weekdays)
    active = (people.joined <= day) & (day < people.left)
    if book is not None and len(book.person):
        first = np.minimum(book.first_row, len(book.person) - 1)
        active &= (book.count > 0) & (book.since[first] <= day)
    elif book is not None:
        active &= False
    person = np.flatnonzero((rng.random(len(people)) < habit.rate * busy) & active).astype(np.int64)
    hour = np.array(list(system.hours), dtype=np.int64)[place(rng.random(len(person)), edges(system.hours.values()))]
    seconds = hour * 3600 + between(rng, 0, 3599, len(person))
    order = np.argsort(seconds, kind="stable")
    return _steps(world, system, Events(person[order], seconds[order], np.zeros_like(person)), rng)


def _steps(world: World, system: FactStream, events: Events, rng: np.random.Generator) -> Events:
    """Each event once per step it reaches; a person's affinity makes later steps more or less likely."""
    if not system.steps:
        return events
    warmth = 0.3 + 1.4 * world.people.affinity[events.person]
    alive = np.ones(len(events), dtype=np.bool_)
    seconds = events.seconds
    parts: list[tuple[Ints, Ints, Ints]] = []
    for number, rate in enumerate(system.steps.values()):
        reached = rng.random(len(events)) < (rate if number == 0 else np.minimum(rate * warmth, 0.98))
        alive = alive & reached
        seconds = seconds if number == 0 else np.minimum(seconds + between(rng, 20, 9_000, len(events)), 86_399)
        kept = np.flatnonzero(alive)
        parts.append((events.person[kept], seconds[kept], np.full(len(kept), number, dtype=np.int64)))
    person, second, step = (np.concatenate([part[i] for part in parts]) for i in range(3))
    order = np.argsort(second, kind="stable")
    return Events(person[order], second[order], step[order])


def lines_of(system: FactStream, events: int, rng: np.random.Generator) -> Ints:
    """The event index of each line, rising; every event has at least one line."""
    if system.lines is None:
        return np.arange(events, dtype=np.int64)
    counts = np.array(list(system.lines.counts), dtype=np.int64)
    return np.repeat(np.arange(events, dtype=np.int64), counts[pick(rng, system.lines.counts.values(), events)])


def distinct_items(line: Ints, item: Ints) -> tuple[Ints, Ints]:
    """The lines (event index, item) with each item once an event: more of it is a matter of quantity."""
    span = int(item.max()) + 1 if len(item) else 1
    kept = np.sort(np.unique(line * span + item, return_index=True)[1])
    return line[kept], item[kept]


def numbers_of(line: Ints) -> Ints:
    """The number of each line in its event, from 1; `line` is the event index of each, rising."""
    _, first, counts = np.unique(line, return_index=True, return_counts=True)
    return np.arange(len(line), dtype=np.int64) - np.repeat(first, counts) + 1


def someone_else(world: World, events: Events, rng: np.random.Generator) -> Ints:
    """For each event another person; one in fifty names himself."""
    size = len(world.people)
    other = (rng.random(len(events)) * size).astype(np.int64)
    return np.where(chance(rng, 0.02, len(events)), events.person, other)
