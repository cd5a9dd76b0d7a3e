"""The `simulator` kind: which people, systems, files and faults a pack's practice data has.

Rates are shares between 0 and 1; tables of weights need not add up to anything. Nothing here names a business:
a pack says what its systems are called, which columns they have and how sloppily they are kept.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from cdp_lib.errors import near_miss
from cdp_lib.settings.kind import Frozen, Name

Rate = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(ge=0)]
Weights = Annotated[dict[str, Weight], Field(min_length=1)]
Day = date

PersonField = Literal[
    "first_name", "last_name", "full_name", "nickname", "email", "phone", "birth_date", "age", "gender",
    "address", "city", "postcode", "handle", "household_id",
]  # fmt: skip


class HouseholdKind(Frozen):
    """One way of living together; `related` households share a surname and raise children of the first adult."""

    share: Weight
    adults: int = Field(ge=1, le=8)
    children: int = Field(default=0, ge=0, le=6)
    related: bool = True


class Population(Frozen):
    """Who lives with whom, and what changes in their lives. Shares are of the people (or homes) they can apply to."""

    households: tuple[HouseholdKind, ...] = Field(min_length=1)
    cultures: Weights
    given_names: int = Field(default=900, ge=10)
    surnames: int = Field(default=20_000, ge=10)
    history_days: int = Field(default=1460, ge=1)
    newcomers: Rate = 0.1
    leavers: Rate = 0.15
    partners_share_surname: Rate = 0.7
    surname_changed_in_history: Rate = 0.15
    twins: Rate = 0.03
    namesakes: Rate = 0.05
    homes_moved: Rate = 0.2
    email_changed: Rate = 0.2
    phone_changed: Rate = 0.2
    second_email: Rate = 0.1
    second_phone: Rate = 0.03
    family_email: Rate = 0.05
    family_phone: Rate = 0.1


class City(Frozen):
    """A city, how often it is drawn, and the postcodes its homes get (first and last, both included)."""

    weight: Weight
    postcodes: tuple[int, int]
    local_name: str | None = None


class Contacts(Frozen):
    """What addresses, phones and mailboxes look like."""

    phone_prefixes: tuple[Annotated[str, Field(pattern=r"^[1-9]\d*$")], ...] = Field(min_length=1)
    phone_digits: int = Field(ge=7, le=12)
    country_code: Annotated[str, Field(pattern=r"^\d{1,3}$")]
    email_domains: Weights
    cities: dict[str, City] = Field(min_length=1)
    streets: int = Field(default=400, ge=1)
    address_forms: Weights = Field(default={"{number} {street} Road": 1.0})
    postcode_digits: int = Field(default=5, ge=3, le=7)

    @model_validator(mode="after")
    def _fiction_only(self) -> Self:
        bad = sorted(d for d in self.email_domains if not (d.endswith(".test") or ".example." in f".{d}"))
        if bad:
            raise ValueError(f"email_domains: {bad} could be real. Use names under example.com, .net, .org or .test.")
        return self


class FieldNoise(Frozen):
    """What goes wrong with one field, each as a share of the records that hold it."""

    missing: Rate = 0
    placeholder: Rate = 0
    typo: Rate = 0
    scan: Rate = 0
    sound: Rate = 0
    nickname: Rate = 0
    initial: Rate = 0
    swapped: Rate = 0
    shifted: Rate = 0


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


SOURCES = ("person", "key", "of", "when", "pick", "number", "item", "total", "says", "step", "serial")


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
    noise: dict[str, FieldNoise] = Field(default_factory=dict)


class Ident(Frozen):
    """One way an event may name its person: the columns it fills, and how often (none: a stranger)."""

    weight: Weight
    shows: tuple[str, ...] = ()


class Lines(Frozen):
    """The lines of one event: weights of how many, and how often the person's favourite item is drawn."""

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
    hours: dict[int, Weight] = Field(default={12: 1.0}, min_length=1)
    members: Literal["everyone", "adults", "heads"] = "everyone"
    needs: Name | None = None
    idents: tuple[Ident, ...] = ()
    record_id: tuple[str, ...] = ()
    lines: Lines | None = None
    steps: dict[str, Rate] = Field(default_factory=dict)
    local_script: Rate = 0
    noise: dict[str, FieldNoise] = Field(default_factory=dict)


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
    start: Day
    utc_offset_hours: int = Field(default=0, ge=-12, le=14)
    population: Population
    contacts: Contacts
    noise: dict[str, FieldNoise] = Field(default_factory=dict)
    names_swapped: Rate = 0
    placeholders: dict[str, Weights] = Field(default_factory=dict)
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
        for where, noise in self._noises():
            if noise.placeholder and where not in self.placeholders:
                faults.append(f"noise.{where}: placeholder rate without placeholders.{where}")
        if faults:
            raise ValueError("; ".join(dict.fromkeys(faults)))
        return self

    def _noises(self) -> list[tuple[str, FieldNoise]]:
        noisy = [s for s in self.systems if not isinstance(s, FixedTable)]
        return [pair for noise in (self.noise, *(s.noise for s in noisy)) for pair in noise.items()]

    def noise_for(self, system: RecordSystem | FactStream) -> dict[str, FieldNoise]:
        """The pack's noise per field with the system's own rates laid over it, key by key."""
        merged = dict(self.noise)
        for field, own in system.noise.items():
            merged[field] = merged.get(field, FieldNoise()).model_copy(update=own.model_dump(exclude_unset=True))
        return merged


def _unique(values: Iterable[str], faults: list[str]) -> None:
    seen: dict[str, int] = {}
    for value in values:
        seen[value] = seen.get(value, 0) + 1
    faults += [f"systems: '{value}' is used {count} times" for value, count in seen.items() if count > 1]


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
