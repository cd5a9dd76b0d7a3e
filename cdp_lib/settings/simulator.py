"""The `simulator` kind: which people, systems, files and faults a pack's practice data has.

Rates are shares between 0 and 1; tables of weights need not add up to anything. Nothing here names a business:
a pack says what its systems are called, which columns they have and how sloppily they are kept.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from cdp_lib.errors import near_miss
from cdp_lib.settings.kind import Frozen, Name
from cdp_lib.settings.simulated_people import (
    Contacts,
    FieldNoise,
    Noise,
    PersonField,
    Population,
    Rate,
    Weight,
    Weights,
)


class Column(Frozen):
    """One column of a file: exactly one key says where its value comes from, the others how it is shown."""

    person: PersonField | None = None
    key: bool = False
    of: Name | None = None
    when: Weights | None = None
    pick: Weights | None = None
    number: tuple[tuple[Weight, int, int], ...] | None = None
    item: str | None = None
    total: tuple[str, ...] | None = None
    says: tuple[str, dict[str, tuple[str, ...]]] | None = None
    step: bool = False
    line: bool = False
    serial: str | None = None

    other: bool = False
    first_seen: bool = False
    utc: bool = False
    decimals: int = Field(default=0, ge=0, le=6)
    less: str | None = None
    type: Literal["text", "number", "boolean"] = "text"
    blank: Rate = 0
    case: Rate = 0
    space: Rate = 0
    local_digits: Rate = 0
    formats: Weights | None = None
    map: dict[str, tuple[str, ...]] | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        chosen = [name for name in SOURCES if getattr(self, name) not in (None, False)]
        if len(chosen) != 1:
            raise ValueError(f"a column needs exactly one of {', '.join(SOURCES)}; found {chosen or 'none'}")
        return self


SOURCES = ("person", "key", "of", "when", "pick", "number", "item", "total", "says", "step", "line", "serial")


class File(Frozen):
    """Where a system drops its files. `{day}` in the path makes one file a day, else there is one file."""

    path: Annotated[str, Field(pattern=r"^[^/].*\.(csv|jsonl|csv\.gz|jsonl\.gz)$")]
    columns: dict[str, Column] = Field(min_length=1)


class RecordSystem(File):
    """A system that keeps a record per person it knows, such as an address book or a club's members."""

    what: Literal["records"]
    id: Name
    share: Rate
    again: tuple[Rate, ...] = ()
    members: Literal["everyone", "adults", "heads"] = "everyone"
    id_format: Annotated[str, Field(pattern="#")] | None = None
    local_script: Rate = 0
    updates: Rate = 0.7
    noise: Noise = Field(default_factory=dict)


class Ident(Frozen):
    """One way an event may name its person: the columns it fills, and how often (none: a stranger)."""

    weight: Weight
    shows: tuple[str, ...] = ()


class Lines(Frozen):
    """The lines of one event: weights of how many, and how often the person's favourite item is drawn.

    A stream that numbers its lines (a column with `line`) may have an item twice in an event, as a till that scans it
    twice; any other has each item once.
    """

    catalogue: Name
    counts: dict[int, Weight] = Field(min_length=1)
    favourite: Rate = 0.5


class FactStream(File):
    """Things people do: an event a row, or a line a row."""

    what: Literal["facts"]
    id: Name
    rate: tuple[tuple[Weight, Rate], ...] = Field(min_length=1)
    every: int = Field(default=1, ge=1)
    weekdays: tuple[Weight, Weight, Weight, Weight, Weight, Weight, Weight] = (1, 1, 1, 1, 1, 1, 1)
    hours: dict[Annotated[int, Field(ge=0, le=23)], Weight] = Field(default={12: 1.0}, min_length=1)
    members: Literal["everyone", "adults", "heads"] = "everyone"
    needs: Name | None = None
    idents: tuple[Ident, ...] = ()
    record_id: tuple[str, ...] = ()
    lines: Lines | None = None
    steps: dict[str, Rate] = Field(default_factory=dict)
    local_script: Rate = 0
    noise: Noise = Field(default_factory=dict)


class FixedTable(File):
    """A file whose rows are written out in the pack: a catalogue, or any small table."""

    what: Literal["table"]
    id: Name
    catalogue: Name


class Delivery(Frozen):
    """How files reach the landing folder, as shares of the daily files (`duplicate_rows`: of the rows)."""

    late: Rate = 0
    late_days: int = Field(default=3, ge=1)
    resent: Rate = 0
    duplicate_rows: Rate = 0


class Catalogue(Frozen):
    """Items that events are about. Each row stands for `variants` items: the i-th has price + i * `price_step`."""

    id_format: Annotated[str, Field(pattern="#")]
    first_id: int = 1
    rows: tuple[dict[str, str | int | None], ...] = Field(min_length=1)


System = Annotated[RecordSystem | FactStream | FixedTable, Field(discriminator="what")]


class Simulator(Frozen):
    """Practice data of one business: people with known identity, and what its systems would say about them."""

    kind: Literal["simulator"] = "simulator"
    id: Name
    start: date
    utc_offset_hours: int = Field(default=0, ge=-12, le=14)
    population: Population
    contacts: Contacts
    noise: Noise = Field(default_factory=dict)
    names_swapped: Rate = 0
    placeholders: dict[PersonField, Weights] = Field(default_factory=dict)
    catalogues: dict[Name, Catalogue] = Field(default_factory=dict)
    systems: tuple[System, ...] = Field(min_length=1)
    delivery: Delivery = Delivery()

    @property
    def record_systems(self) -> tuple[RecordSystem, ...]:
        """The systems that keep records, in the order of the file."""
        return tuple(system for system in self.systems if isinstance(system, RecordSystem))

    @model_validator(mode="after")
    def _references(self) -> Self:
        faults: list[str] = []
        _unique((system.id for system in self.systems), faults)
        _unique((system.path for system in self.systems), faults)
        for system in self.systems:
            faults += _system_faults(self, system)
        for noise in (self.noise, *(s.noise for s in self.systems if not isinstance(s, FixedTable))):
            bare = [field for field, rates in noise.items() if rates.placeholder and field not in self.placeholders]
            faults += [f"noise.{field}: placeholder rate without placeholders.{field}" for field in bare]
        for text in self.placeholders.get("birth_date", {}):
            date.fromisoformat(text)
        if faults:
            raise ValueError("; ".join(dict.fromkeys(faults)))
        return self

    def noise_for(self, system: RecordSystem | FactStream) -> Noise:
        """The pack's noise per field with the system's own rates laid over it, key by key."""
        merged = dict(self.noise)
        for field, own in system.noise.items():
            merged[field] = merged.get(field, FieldNoise()).model_copy(update=own.model_dump(exclude_unset=True))
        return merged


def _unique(values: Iterable[str], faults: list[str]) -> None:
    faults += [f"systems: '{value}' is used {count} times" for value, count in Counter(values).items() if count > 1]


def _known(what: str, word: str, choices: Iterable[str], faults: list[str]) -> None:
    known = list(choices)
    if word not in known:
        faults.append(f"{what}: unknown '{word}'.{near_miss(word, known)}")


def _system_faults(config: Simulator, system: RecordSystem | FactStream | FixedTable) -> list[str]:
    faults: list[str] = []
    here = f"systems.{system.id}"
    records = [s.id for s in config.record_systems]
    for name, column in system.columns.items():
        if column.of is not None:
            _known(f"{here}.columns.{name}.of", column.of, records, faults)
        short = [form for form in column.formats or () if form.count("#") != config.contacts.phone_digits]
        if column.person == "phone" and short:
            faults.append(f"{here}.columns.{name}.formats: {short} need {config.contacts.phone_digits} `#` signs")
        if column.says is not None:
            _known(f"{here}.columns.{name}.says", column.says[0], system.columns, faults)
    if isinstance(system, FixedTable):
        _known(f"{here}.catalogue", system.catalogue, config.catalogues, faults)
    if isinstance(system, FactStream):
        faults += _stream_faults(system, here, records, config.catalogues)
    return faults


def _stream_faults(system: FactStream, here: str, records: list[str], catalogues: Mapping[str, object]) -> list[str]:
    faults: list[str] = []
    if system.needs is not None:
        _known(f"{here}.needs", system.needs, records, faults)
    if system.lines is not None:
        _known(f"{here}.lines.catalogue", system.lines.catalogue, catalogues, faults)
    shown = [name for ident in system.idents for name in ident.shows]
    for name in (*shown, *system.record_id):
        _known(f"{here}.idents", name, system.columns, faults)
    return faults
