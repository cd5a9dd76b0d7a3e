"""A business as data: the pack's own facts, and all kinds gathered into one value."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, ValidationError

from cdp_lib.errors import ConfigError, Fault, near_miss
from cdp_lib.settings.activation import Activation, ContactPolicy, Destination, Message, Offer
from cdp_lib.settings.audience import Audience
from cdp_lib.settings.cleaning import known_region, placeholder_pattern
from cdp_lib.settings.export import Export
from cdp_lib.settings.forecast import Churn, LifetimeValue
from cdp_lib.settings.identity import Identity
from cdp_lib.settings.journey import Journey
from cdp_lib.settings.kind import AS_WRITTEN, Frozen, known_zone, Name
from cdp_lib.settings.purchase_pattern import PurchasePattern
from cdp_lib.settings.recommendation import Recommendation
from cdp_lib.settings.review_topics import ReviewTopics
from cdp_lib.settings.rule import Rule
from cdp_lib.settings.sample import Sample
from cdp_lib.settings.segmentation import Segmentation
from cdp_lib.settings.simulator import Simulator
from cdp_lib.settings.source import Source
from cdp_lib.settings.trait import Trait
from cdp_lib.settings.validation import shape_faults


class PackInfo(Frozen):
    """What holds for the whole business."""

    kind: Literal["pack"]
    id: Name
    title: str = ""
    currency: str = Field(pattern=r"^[A-Z]{3}$", description="ISO 4217 code of every amount")
    time_zone: str = Field(description="IANA zone of the business's days, windows and birthdays")
    phone_region: str = Field(default="US", description="ISO 3166 region of phones without +")
    day_first: bool = Field(default=True, description="03/04/2025 is 3 April")
    placeholders: tuple[str, ...] = Field(default=(), description="More Java patterns of values that mean nothing")

    @field_validator("time_zone")
    @classmethod
    def _zone_is_known(cls, value: str) -> str:
        return known_zone(value)

    @field_validator("phone_region")
    @classmethod
    def _region_is_known(cls, value: str) -> str:
        return known_region(value)

    @field_validator("placeholders")
    @classmethod
    def _patterns_find_something(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(placeholder_pattern, value))

    @property
    def zone(self) -> ZoneInfo:
        """The zone as Python knows it."""
        return ZoneInfo(self.time_zone)


KINDS: dict[str, type[Frozen]] = {
    "pack": PackInfo,
    "source": Source,
    "identity": Identity,
    "trait": Trait,
    "export": Export,
    "simulator": Simulator,
    "sample": Sample,
    "rule": Rule,
    "lifetime_value": LifetimeValue,
    "churn": Churn,
    "segmentation": Segmentation,
    "recommendation": Recommendation,
    "purchase_pattern": PurchasePattern,
    "review_topics": ReviewTopics,
    "audience": Audience,
    "offer": Offer,
    "message": Message,
    "destination": Destination,
    "activation": Activation,
    "contact_policy": ContactPolicy,
    "journey": Journey,
}
"""Every kind a pack may hold; each has a published JSON Schema."""

_SCORES = ("lifetime_value", "churn", "recommendation", "purchase_pattern", "review_topics")
OPTIONAL_KINDS = (*_SCORES, "segmentation", "audience", "activation", "journey")
"""What a pack asks for by writing it down: nothing of it is computed where it is left out."""
_AT_MOST_ONE = ("pack", "identity", "simulator", "sample", "contact_policy", *_SCORES)
_MANY = {
    "source": "sources",
    "trait": "traits",
    "export": "exports",
    "rule": "rules",
    "segmentation": "segmentations",
    "audience": "audiences",
    "offer": "offers",
    "message": "messages",
    "destination": "destinations",
    "activation": "activations",
    "journey": "journeys",
}
"""Kinds that a pack may have many of, and the field of `Pack` that holds them."""


@dataclass(frozen=True)
class Document:
    """One YAML document: its file as shown to people, its place among the file's documents of that kind, its body."""

    file: str
    index: int
    body: Mapping[str, Any]

    @property
    def path(self) -> str:
        """E.g. `traits[2]`; of a kind that a pack has once, the kind itself."""
        kind = self.body.get("kind", "document")
        return str(kind) if kind in _AT_MOST_ONE else f"{_MANY.get(str(kind), f'{kind}s')}[{self.index}]"

    @property
    def name(self) -> str:
        """What others call the object; the kind where it needs no name; empty where it should say one and does not."""
        said = self.body.get("name") or self.body.get("id")
        unnamed = str(self.body.get("kind")) if self.body.get("kind") in _AT_MOST_ONE else ""
        return said if isinstance(said, str) else unnamed


@dataclass(frozen=True)
class Pack:
    """All objects of one business, and where each was written."""

    info: PackInfo
    sources: tuple[Source, ...]
    identity: Identity
    traits: tuple[Trait, ...] = ()
    exports: tuple[Export, ...] = ()
    rules: tuple[Rule, ...] = ()
    segmentations: tuple[Segmentation, ...] = ()
    lifetime_value: LifetimeValue | None = None
    churn: Churn | None = None
    recommendation: Recommendation | None = None
    purchase_pattern: PurchasePattern | None = None
    review_topics: ReviewTopics | None = None
    audiences: tuple[Audience, ...] = ()
    offers: tuple[Offer, ...] = ()
    messages: tuple[Message, ...] = ()
    destinations: tuple[Destination, ...] = ()
    activations: tuple[Activation, ...] = ()
    contact_policy: ContactPolicy | None = None
    journeys: tuple[Journey, ...] = ()
    simulator: Simulator | None = None
    sample: Sample | None = None
    written_at: Mapping[tuple[str, str], tuple[str, str]] = field(default_factory=dict, compare=False, hash=False)

    @property
    def name(self) -> str:
        """The pack's id: the folder below the lakehouse."""
        return self.info.id

    @property
    def fed(self) -> frozenset[str]:
        """The entities that a source feeds."""
        return frozenset(feed.to for source in self.sources for feed in source.feeds)

    def source(self, source_id: str) -> Source:
        """The source with that id; raises ConfigError with a near-miss."""
        for source in self.sources:
            if source.id == source_id:
                return source
        known = [source.id for source in self.sources]
        raise ConfigError(f"pack {self.name}: unknown source '{source_id}'.{near_miss(source_id, known)}")

    def hash_of(self, kind: str) -> str:
        """Lower hex SHA-256 of the pack's objects of one kind: changes when one of them does."""
        hashes = [part.content_hash() for part in self.objects(kind)]
        return hashlib.sha256("\n".join(hashes).encode()).hexdigest()

    def objects(self, kind: str) -> tuple[Frozen, ...]:
        """The pack's objects of one kind, in the order of its files."""
        if kind == "pack":
            return (self.info,)
        found = getattr(self, _MANY.get(kind, kind))
        if kind in _MANY:
            return tuple(found)
        return () if found is None else (found,)

    def has(self, kind: str) -> bool:
        """Whether the pack has an object of that kind."""
        return bool(self.objects(kind))

    def written_names(self, kind: str) -> frozenset[str]:
        """Names of the objects of one kind that the pack's files write down, those in faulty documents included."""
        return frozenset(name for of_kind, name in self.written_at if of_kind == kind and name)

    def knows_all(self, kind: str) -> bool:
        """Whether no document of the kind is faulty: then what none of them says is not said. The kind's have an id."""
        sound = {getattr(one, "id", "") for one in self.objects(kind)}
        return (kind, "") not in self.written_at and self.written_names(kind) <= sound

    def place(self, kind: str, name: str) -> tuple[str, str]:
        """(file, key path) of an object, for messages."""
        return self.written_at.get((kind, name), (f"pack {self.name}", f"{kind} {name}"))


@dataclass(frozen=True)
class Reading:
    """What a pack's documents say, as far as they can be understood, and every fault in the others.

    With faults, `pack` holds only the objects without one (and a stand-in where `pack.yml` has one); `written_at`
    knows the names of all objects, so that nothing is called unknown that stands in a faulty document.
    """

    pack: Pack
    faults: tuple[Fault, ...]


def assemble_pack(documents: Sequence[Document], *, where: str) -> Pack:
    """The pack that the documents describe; raises ConfigError with every fault of every document."""
    reading = read_pack(documents, where=where)
    if reading.faults:
        raise ConfigError(reading.faults)
    return reading.pack


def read_pack(documents: Sequence[Document], *, where: str) -> Reading:
    """The pack and the faults of its documents' shape; what its objects say of each other is checked elsewhere."""
    parsed, faults = read_documents(documents, KINDS)
    faults += _count_faults([str(document.body.get("kind")) for document in documents], where)
    written_at: dict[tuple[str, str], tuple[str, str]] = {}
    for document in documents:
        place = (document.file, document.path)
        written_at.setdefault((str(document.body.get("kind")), document.name), place)
    fields: dict[str, Any] = {field: tuple(parsed[kind]) for kind, field in _MANY.items()}
    fields |= {kind: parsed[kind][0] for kind in (*_SCORES, "contact_policy", "simulator", "sample") if parsed[kind]}
    pack = Pack(
        info=parsed["pack"][0] if parsed["pack"] else _STAND_IN,
        identity=parsed["identity"][0] if parsed["identity"] else Identity(kind="identity"),
        **fields,
        written_at=written_at,
    )
    return Reading(pack, tuple(sorted(set(faults))))


def read_documents(
    documents: Sequence[Document], kinds: Mapping[str, type[Frozen]]
) -> tuple[dict[str, list[Any]], list[Fault]]:
    """Kind: the objects of that kind without a fault; and every fault, two objects of one name included."""
    faults: list[Fault] = []
    parsed: dict[str, list[Any]] = {kind: [] for kind in kinds}
    first: dict[tuple[str, str], Document] = {}
    for document in documents:
        value = _parse(document, kinds, faults)
        kind, name = str(document.body.get("kind")), document.name
        earlier = first.setdefault((kind, name), document)
        if earlier is not document and name and kind in kinds:
            message = f"{kind} '{name}' stands already in {earlier.file} as {earlier.path}"
            faults.append(Fault(document.file, document.path, message))
        if value is not None:
            parsed[kind].append(value)
    return parsed, faults


_STAND_IN = PackInfo(kind="pack", id="unreadable", currency="XXX", time_zone="UTC")
"""Never leaves this module without a fault beside it. XXX is ISO 4217's own code for no currency."""


def _count_faults(kinds: Sequence[str], where: str) -> list[Fault]:
    too_many = [
        Fault(where, "", f"{kinds.count(kind)} documents of kind {kind}; a pack has one")
        for kind in _AT_MOST_ONE
        if kinds.count(kind) > 1
    ]
    missing = [
        Fault(where, "", f"no document of kind {kind}: {cure}")
        for kind, cure in (("pack", "write pack.yml"), ("source", "write sources.yml"))
        if kind not in kinds
    ]
    return too_many + missing


def _parse(document: Document, kinds: Mapping[str, type[Frozen]], faults: list[Fault]) -> Frozen | None:
    kind = str(document.body.get("kind", ""))
    model = kinds.get(kind)
    if model is None:
        said = f"unknown kind '{kind}'" if kind else "no kind"
        faults.append(Fault(document.file, document.path, f"{said}.{near_miss(kind, kinds)}"))
        return None
    try:
        return model.model_validate(document.body, context=AS_WRITTEN)
    except ValidationError as problem:
        faults += [
            Fault(document.file, document.path + path, message)
            for path, message in shape_faults(model, document.body, problem)
        ]
        return None
