"""A small pack on disk that a test spoils in one place."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cdp_lib.errors import ConfigError
from cdp_lib.io.yaml_files import load_pack
from cdp_lib.settings.pack import Pack

PACK = """\
kind: pack
id: gym
currency: EUR
time_zone: Europe/Berlin
"""

SOURCES = """\
kind: source
id: door
read: {format: csv, path: "door/*.csv"}
key: [swipe_id]
columns:
  swipe_id: {type: string}
  card: {type: string, pii: online_id}
  paid: {type: "decimal(18,2)", expect: ["paid >= 0"]}
  at: {type: timestamp, required: true}
feeds:
  - to: order
    map: {order_id: swipe_id, person_id: card, ordered_at: at, paid_amount: paid, source_updated_at: at}
  - to: customer_record
    map: {source_record_id: card, identifiers: "map('card', card)", source_updated_at: at}
"""

TRAITS = """\
kind: trait
name: visit_count
from: order
select: count(*)
---
kind: trait
name: spend_90d
from: order
select: sum(paid_amount)
window: 90d
---
kind: trait
name: spend_per_visit
from: customer
select: ratio(spend_90d, visit_count)
"""

IDENTITY = """\
kind: identity
identifiers: [{field: card}]
source_priority: [door]
"""

EXPORTS = """\
kind: export
id: members
columns: {Golden_ID: golden_id, Visits: visit_count}
order_by: [Golden_ID]
also_known_as: {column: Golden_ID, source_systems: [door]}
"""

RULES = """\
kind: rule
id: visits_name_members
tables: [silver.order, gold.customer]
severity: warn
referential: {columns: [currency], found_in: silver.product}
---
kind: rule
id: doors_are_fresh
tables: ["bronze.door*"]
severity: error
freshness: {column: _ingested_at, at_most_days: 2}
---
kind: rule
id: visits_stay
tables: [gold.customer]
severity: warn
drift: {share: visit_count > 0, at_most: 0.2}
"""

FILES = {
    "pack": PACK,
    "sources": SOURCES,
    "traits": TRAITS,
    "identity": IDENTITY,
    "exports": EXPORTS,
    "rules": RULES,
}

WritePack = Callable[..., Path]
LoadFaults = Callable[..., list[str]]


@pytest.fixture
def write_pack(tmp_path: Path) -> WritePack:
    """Write the gym's files, some of them replaced, into `packs/gym`; None leaves a file out."""

    def write(**replaced: str | None) -> Path:
        folder = tmp_path / "packs" / "gym"
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in (FILES | replaced).items():
            if text is not None:
                (folder / f"{name}.yml").write_text(text, encoding="utf-8")
        return folder

    return write


@pytest.fixture
def load(write_pack: WritePack) -> Callable[..., Pack]:
    """The gym with some files replaced."""
    return lambda **replaced: load_pack(str(write_pack(**replaced)), Path("nowhere"))


@pytest.fixture
def faults_of(write_pack: WritePack) -> LoadFaults:
    """The faults of the gym with some files replaced, each as text without the folder."""

    def faults(functions: tuple[str, ...] = (), **replaced: str | None) -> list[str]:
        folder = write_pack(**replaced)
        with pytest.raises(ConfigError) as caught:
            load_pack(str(folder), Path("nowhere"), functions)
        return [str(fault).replace(f"{folder}/", "").replace(f"{folder}", "gym") for fault in caught.value.faults]

    return faults
