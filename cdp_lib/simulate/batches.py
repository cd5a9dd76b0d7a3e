"""Each kind of system's rows, batch by batch."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cdp_lib.settings.simulator import Column, FactStream, FixedTable, RecordSystem
from cdp_lib.simulate.behaviour import distinct_items, events_of_day, habits, lines_of, numbers_of, someone_else
from cdp_lib.simulate.books import Book, changes, Items, known_since
from cdp_lib.simulate.columns import DAY_SECONDS, make, Rows
from cdp_lib.simulate.draws import between, Flags, Ints, pick
from cdp_lib.simulate.known import Known, World
from cdp_lib.simulate.text import blank, column, Text

CHUNK = 200_000
"""Records rendered at once: bounds memory to a few hundred megabytes."""


@dataclass(frozen=True)
class Batch:
    """Rows of one file: columns as text, with the record id and person of each where the row names one."""

    cells: dict[str, Text]
    ids: Text | None
    persons: Ints


@dataclass(frozen=True)
class Stage:
    """What all systems of a run share. The window is [first day, last day]."""

    world: World
    books: Mapping[str, Book]
    items: Mapping[str, Items]
    first_day: int
    last_day: int


def standing_records(stage: Stage, system: RecordSystem, upto: int) -> Iterator[Batch]:
    """The records made before day `upto`, as they stood the day before."""
    book = stage.books[system.id]
    rows = np.flatnonzero(book.since < upto).astype(np.int64)
    days = known_since(stage.world, book, upto - 1)
    for number, start in enumerate(range(0, max(len(rows), 1), CHUNK)):
        chosen = rows[start : start + CHUNK]
        yield record_batch(stage, system, (chosen, days[chosen]), ("standing", number))


def record_days(stage: Stage, system: RecordSystem) -> Iterator[tuple[int, Batch]]:
    """Each day's new and changed records."""
    book = stage.books[system.id]
    changed_day, changed_row = changes(stage.world, book, (stage.first_day, stage.last_day + 1))
    for day in range(stage.first_day, stage.last_day + 1):
        rows = np.concatenate([np.flatnonzero(book.since == day), changed_row[changed_day == day]]).astype(np.int64)
        yield day, record_batch(stage, system, (rows, np.full(len(rows), day, dtype=np.int64)), ("day", day))


def record_batch(stage: Stage, system: RecordSystem, of: tuple[Ints, Ints], purpose: tuple[str | int, ...]) -> Batch:
    """The given records (row numbers of the book) with what the system knew on the given days."""
    rows, days = of
    book = stage.books[system.id]
    persons = book.person[rows]
    known = Known(
        world=stage.world,
        persons=persons,
        days=days,
        noise=stage.world.config.noise_for(system),
        local_script=system.local_script,
        purpose=(system.id, *purpose),
    )
    keys = book.keys(rows)
    made = Rows(
        known=known,
        others=persons,
        seconds=between(known.rng("seconds"), 0, DAY_SECONDS - 1, len(rows)),
        since=book.since[rows],
        serials=rows,
        books=stage.books,
        keys=keys,
    )
    return Batch(_make_all(made, system.columns), keys, persons)


def fact_days(stage: Stage, system: FactStream) -> Iterator[tuple[int, Batch]]:
    """Each day's events; days between two rounds of a stream that runs every n days have none."""
    items = stage.items[system.lines.catalogue] if system.lines else None
    habit = habits(stage.world, system, items)
    book = stage.books[system.needs] if system.needs else None
    serial = 1
    for day in range(stage.first_day, stage.last_day + 1, system.every):
        events = events_of_day(stage.world, system, habit, day, book)
        known = Known(
            world=stage.world,
            persons=events.person,
            days=np.full(len(events), day, dtype=np.int64),
            noise=stage.world.config.noise_for(system),
            local_script=system.local_script,
            purpose=(system.id, "day", day),
        )
        rows = Rows(
            known=known,
            others=someone_else(stage.world, events, known.rng("other")),
            seconds=events.seconds,
            since=known.days,
            serials=serial + np.arange(len(events), dtype=np.int64),
            books=stage.books,
            steps=(events.step, tuple(system.steps)) if system.steps else None,
        )
        serial += len(events)
        yield day, _fact_batch(system, rows, (items, habit.favourite))


def _fact_batch(system: FactStream, rows: Rows, wares: tuple[Items | None, Ints | None]) -> Batch:
    """Event columns first, then the columns of the lines, in the file's order."""
    per_line = _line_columns(system)
    cells = _make_all(rows, {name: spec for name, spec in system.columns.items() if name not in per_line})
    for name, hidden in _hidden(system, rows).items():
        cells[name] = blank(cells[name], hidden)
    ids = column(pc.coalesce(*(cells[name] for name in system.record_id))) if system.record_id else None
    persons = rows.known.persons
    items, favourite = wares
    if items is None or favourite is None or system.lines is None:
        return Batch({name: cells[name] for name in system.columns}, ids, persons)
    line = lines_of(system, len(rows), rows.known.rng("lines"))
    drawn = items.draw(favourite[persons[line]], system.lines.favourite, rows.known.rng("item"))
    if not any(spec.line for spec in per_line.values()):
        line, drawn = distinct_items(line, drawn)
    purpose = (*rows.known.purpose, "line")
    known = replace(rows.known, persons=persons[line], days=rows.known.days[line], purpose=purpose)
    lines = replace(rows, known=known, items=(drawn, items), line_numbers=numbers_of(line), numbers={}, made={})
    taken = pa.array(line)
    cells = {name: cell.take(taken) for name, cell in cells.items()} | _make_all(lines, per_line)
    return Batch({name: cells[name] for name in system.columns}, ids, persons)


def _make_all(rows: Rows, columns: Mapping[str, Column]) -> dict[str, Text]:
    """Every column's cells in the file's order; totals are made last, as they may need any other number."""
    order = sorted(columns, key=lambda name: columns[name].total is not None)
    cells = {name: make(rows, name, columns[name]) for name in order}
    return {name: cells[name] for name in columns}


def _line_columns(system: FactStream) -> dict[str, Column]:
    if system.lines is None:
        return {}
    return {name: spec for name, spec in system.columns.items() if spec.item or spec.total or spec.number or spec.line}


def _hidden(system: FactStream, rows: Rows) -> dict[str, Flags]:
    """For each column that only some ways of naming a person fill: the rows in which it stays empty."""
    if not system.idents:
        return {}
    way = pick(rows.known.rng("ident"), [ident.weight for ident in system.idents], len(rows))
    columns = dict.fromkeys(name for ident in system.idents for name in ident.shows)
    shown = {name: np.array([name in ident.shows for ident in system.idents]) for name in columns}
    return {name: ~flags[way] for name, flags in shown.items()}


def table_batch(stage: Stage, system: FixedTable) -> Batch:
    """A catalogue, a row an item."""
    items = stage.items[system.catalogue]
    size = len(items.price)
    index = np.arange(size, dtype=np.int64)
    nobody = np.zeros(size, dtype=np.int64)
    known = Known(
        world=stage.world,
        persons=nobody,
        days=nobody + stage.first_day,
        noise={},
        local_script=0.0,
        purpose=(system.id, "table"),
    )
    rows = Rows(
        known=known,
        others=nobody,
        seconds=nobody,
        since=nobody,
        serials=index + 1,
        books=stage.books,
        items=(index, items),
    )
    return Batch(_make_all(rows, system.columns), None, nobody)
