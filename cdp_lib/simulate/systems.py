"""`simulate`: run every system of a pack into a landing folder, with the truth beside it."""

import csv
import io
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cdp_lib.errors import ConfigError, StorageError
from cdp_lib.settings.simulator import FactStream, FixedTable, RecordSystem, Simulator
from cdp_lib.simulate.batches import Batch, fact_days, record_days, Stage, standing_records, table_batch
from cdp_lib.simulate.books import build_book, build_items
from cdp_lib.simulate.files import Arrival, iso, Landing
from cdp_lib.simulate.known import World
from cdp_lib.simulate.people import build_people, day_number
from cdp_lib.simulate.truth import Truth

TRUTH_FOLDER = "_truth"


@dataclass(frozen=True)
class SimulationSummary:
    """What was written: landing files, rows per source (copies of files not counted), people, records in the truth."""

    files: int
    rows: Mapping[str, int]
    people: int
    records: int


def simulate(config: Simulator, *, customers: int, days: int, seed: int, out: Path) -> SimulationSummary:
    """Write `days` days of landing files of `customers` people to `out`, byte for byte the same for the same seed.

    `out/_truth/records.parquet` says who is who; `out/_truth/arrivals.csv` says which file arrived when.
    `out` must be new or empty, so that no file of an earlier run is taken for one of this.
    """
    _check(customers, days, out)
    stage = build_stage(config, (customers, days), seed)
    landing = Landing(out, config.delivery, seed, stage.last_day)
    truth = Truth(stage.world.people)
    rows: Counter[str] = Counter()
    for system in config.systems:
        match system:
            case RecordSystem():
                rows[system.id] += _records(stage, system, landing, truth)
            case FactStream():
                rows[system.id] += _facts(stage, system, landing, truth)
            case FixedTable():
                rows[system.id] += landing.extend(system.id, system, table_batch(stage, system).cells)
    arrivals = landing.finish({system.path: system.id for system in config.systems})
    records = truth.write(out / TRUTH_FOLDER / "records.parquet")
    _write_arrivals(arrivals, out / TRUTH_FOLDER / "arrivals.csv")
    return SimulationSummary(len(arrivals), dict(rows), len(stage.world.people), records)


def build_stage(config: Simulator, size: tuple[int, int], seed: int) -> Stage:
    """The people, record books and catalogues of a run of (customers, days)."""
    customers, days = size
    people = build_people(config, customers, days, seed)
    world = World(config, people, seed)
    first = day_number(config)
    books = {system.id: build_book(world, system, first + days) for system in config.record_systems}
    return Stage(world, books, build_items(config), first, first + days - 1)


def _check(customers: int, days: int, out: Path) -> None:
    if customers < 1 or days < 1:
        raise ConfigError(f"simulate: needs at least one customer and one day, got {customers} and {days}.")
    if out.is_dir() and any(out.iterdir()):
        raise StorageError(f"{out}: is not empty. Give --out a new folder, or empty this one.")
    if out.exists() and not out.is_dir():
        raise StorageError(f"{out}: is a file. Give --out a new folder.")


def _records(stage: Stage, system: RecordSystem, landing: Landing, truth: Truth) -> int:
    """A first export with everybody known so far, then each day's news; or one file with everybody at the end."""
    by_day = "{day}" in system.path
    written = 0
    for batch in standing_records(stage, system, stage.first_day if by_day else stage.last_day + 1):
        _learn(truth, system.id, batch)
        if by_day:
            day = stage.first_day - 1
            written += landing.begin(system.id, system, batch.cells, iso(day), day)
        else:
            written += landing.extend(system.id, system, batch.cells)
    for day, batch in record_days(stage, system) if by_day else ():
        _learn(truth, system.id, batch)
        written += landing.drop(system.id, system, batch.cells, day)
    return written


def _facts(stage: Stage, system: FactStream, landing: Landing, truth: Truth) -> int:
    written = 0
    for day, batch in fact_days(stage, system):
        _learn(truth, system.id, batch)
        if "{day}" in system.path:
            written += landing.drop(system.id, system, batch.cells, day)
        else:
            written += landing.extend(system.id, system, batch.cells)
    return written


def _learn(truth: Truth, source: str, batch: Batch) -> None:
    if batch.ids is not None:
        truth.add(source, batch.ids, batch.persons)


def _write_arrivals(arrivals: tuple[Arrival, ...], path: Path) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["arrived_date", "about_date", "source_system", "path", "how", "rows"])
    for a in arrivals:
        writer.writerow([iso(a.arrived), iso(a.about) if a.about >= 0 else "", a.source, a.path, a.how, a.rows])
    path.write_bytes(text.getvalue().encode())
