"""`simulate_records`: the people records of all systems in one table, to measure identity resolution on."""

import numpy as np
import pyarrow as pa

from cdp_lib.errors import ConfigError
from cdp_lib.settings.simulator import RecordSystem, Simulator
from cdp_lib.simulate import known as fields
from cdp_lib.simulate.batches import Stage
from cdp_lib.simulate.books import known_since
from cdp_lib.simulate.draws import stream
from cdp_lib.simulate.known import FIELDS, Known
from cdp_lib.simulate.systems import build_stage
from cdp_lib.simulate.truth import household_ids, person_ids

FLAT_FIELDS = (
    "first_name", "last_name", "email", "phone", "birth_date", "gender", "address", "city", "postcode",
)  # fmt: skip
FLAT_SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("source_system", "source_record_id", "person_id", "household_id", *FLAT_FIELDS)]
)
FLAT_DAYS = 30
_PROBE = 4_000


def simulate_records(config: Simulator, *, records: int, seed: int) -> pa.Table:
    """About `records` records (within a few per cent) of the pack's record systems, shuffled, with the truth.

    Values are spelt as a cleaning step leaves them (E.164 phones, ISO dates, lower-case e-mail addresses), but with
    everything that is wrong about them, placeholders too. A field that a system does not hold is null.
    """
    if records < 1:
        raise ConfigError(f"simulate_records: needs at least one record, got {records}.")
    if not any(_names_people(system) for system in config.record_systems):
        raise ConfigError("simulate_records: no records system of the pack holds a name, an e-mail address or a phone.")
    systems = [system for system in config.record_systems if _names_people(system)]
    probe = build_stage(config, (_PROBE, FLAT_DAYS), seed)
    per_person = sum(len(probe.books[system.id].person) for system in systems) / _PROBE
    stage = build_stage(config, (max(1, round(records / per_person)), FLAT_DAYS), seed)
    table = pa.concat_tables([_flat(stage, system) for system in systems])
    order = stream(seed, "flat order").permutation(table.num_rows)
    return table.take(pa.array(order)).combine_chunks()


def _names_people(system: RecordSystem) -> bool:
    """Whether a record says who someone is (a table of incomes by home does not)."""
    naming = {"first_name", "last_name", "full_name", "email", "phone"}
    return any(spec.person in naming for spec in system.columns.values())


def _flat(stage: Stage, system: RecordSystem) -> pa.Table:
    book = stage.books[system.id]
    known = Known(
        world=stage.world,
        persons=book.person,
        days=known_since(stage.world, book, stage.last_day),
        noise=stage.world.config.noise_for(system),
        local_script=system.local_script,
        purpose=(system.id, "flat"),
    )
    held = {spec.person for spec in system.columns.values()}
    if "full_name" in held:
        held |= {"first_name", "last_name"}
    size = len(book.person)
    columns = [
        pa.repeat(pa.scalar(system.id, pa.string()), size),
        book.keys(np.arange(size, dtype=np.int64)),
        person_ids(book.person),
        household_ids(stage.world.people, book.person),
        *(_field(known, name) if name in held else pa.nulls(size, pa.string()) for name in FLAT_FIELDS),
    ]
    return pa.Table.from_arrays(columns, schema=FLAT_SCHEMA)


def _field(known: Known, name: str) -> pa.Array:
    if name == "phone":
        return fields.phone(known)
    if name == "birth_date":
        return fields.birth_date(known)
    return FIELDS[name](known)
