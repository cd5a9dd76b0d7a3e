"""A business as data: the pack's own facts, and all kinds gathered into one value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, Field, ValidationError, field_validator

from cdp_lib.errors import ConfigError, Fault, near_miss
from cdp_lib.settings.export import Export
from cdp_lib.settings.identity import Identity
from cdp_lib.settings.kind import Frozen, Name
from cdp_lib.settings.simulator import Simulator
from cdp_lib.settings.source import Source
from cdp_lib.settings.trait import Trait


class PackInfo(Frozen):
    """What holds for the whole business."""

    kind: Literal["pack"]
    id: Name
    title: str = ""
    currency: str = Field(pattern=r"^[A-Z]{3}$", description="ISO 4217 code of every amount")
    time_zone: str = Field(description="IANA zone of the business's days, windows and birthdays")
    phone_region: str = Field(default="US", pattern=r"^[A-Z]{2}$", description="ISO 3166 region of phones without +")
    day_first: bool = Field(default=True, description="03/04/2025 is 3 April")
    placeholders: tuple[str, ...] = Field(default=(), description="More patterns of values that mean nothing")

    @field_validator("time_zone")
    @classmethod
    def _zone_is_known(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError(f"unknown time zone {value!r}.{near_miss(value, available_timezones())}")
        return value

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
}
"""Every kind a pack may hold; each has a published JSON Schema."""

_AT_MOST_ONE = ("pack", "identity", "simulator")


@dataclass(frozen=True)
class Document:
    """One YAML document: its file as shown to people, its place among the file's documents of that kind, its body."""

    file: str
    index: int
    body: Mapping[str, Any]

    @property
    def path(self) -> str:
        """E.g. `traits[2]`."""
        return f"{self.body.get('kind', 'document')}s[{self.index}]"


@dataclass(frozen=True)
class Pack:
    """All objects of one business, and where each was written."""

    info: PackInfo
    sources: tuple[Source, ...]
    identity: Identity
    traits: tuple[Trait, ...] = ()
    exports: tuple[Export, ...] = ()
    simulator: Simulator | None = None
    written_at: Mapping[tuple[str, str], tuple[str, str]] = field(default_factory=dict, compare=False, hash=False)

    @property
    def name(self) -> str:
        """The pack's id: the folder below the lakehouse."""
        return self.info.id

    def source(self, source_id: str) -> Source:
        """The source with that id; raises ConfigError with a near-miss."""
        for source in self.sources:
            if source.id == source_id:
                return source
        known = [source.id for source in self.sources]
        raise ConfigError(f"pack {self.name}: unknown source '{source_id}'.{near_miss(source_id, known)}")

    def place(self, kind: str, name: str) -> tuple[str, str]:
        """(file, key path) of an object, for messages."""
        return self.written_at.get((kind, name), (f"pack {self.name}", f"{kind} {name}"))


def assemble_pack(documents: Sequence[Document], *, where: str) -> Pack:
    """The pack that the documents describe; raises ConfigError with every fault of every document."""
    faults: list[Fault] = []
    parsed: dict[str, list[Any]] = {kind: [] for kind in KINDS}
    written_at: dict[tuple[str, str], tuple[str, str]] = {}
    for document in documents:
        value = _parse(document, faults)
        if value is None:
            continue
        kind = str(document.body["kind"])
        name = str(getattr(value, "name", None) or getattr(value, "id", kind))
        if (kind, name) in written_at:
            faults.append(Fault(document.file, document.path, f"{kind} '{name}' stands already in {written_at[kind, name][0]}"))
        written_at.setdefault((kind, name), (document.file, document.path))
        parsed[kind].append(value)
    faults += [
        Fault(where, "", f"{len(parsed[kind])} documents of kind {kind}; a pack has one")
        for kind in _AT_MOST_ONE
        if len(parsed[kind]) > 1
    ]
    faults += [
        Fault(where, "", f"no document of kind {kind}: {cure}")
        for kind, cure in (("pack", "write pack.yml"), ("source", "write sources.yml"))
        if not parsed[kind] and not any(document.body.get("kind") == kind for document in documents)
    ]
    if faults:
        raise ConfigError(sorted(set(faults)))
    return Pack(
        info=parsed["pack"][0],
        sources=tuple(parsed["source"]),
        identity=parsed["identity"][0] if parsed["identity"] else Identity(kind="identity"),
        traits=tuple(parsed["trait"]),
        exports=tuple(parsed["export"]),
        simulator=parsed["simulator"][0] if parsed["simulator"] else None,
        written_at=written_at,
    )


def _parse(document: Document, faults: list[Fault]) -> Frozen | None:
    kind = document.body.get("kind")
    if kind not in KINDS:
        said = "no kind" if kind is None else f"unknown kind '{kind}'"
        faults.append(Fault(document.file, document.path, f"{said}.{near_miss(str(kind), KINDS)}"))
        return None
    model = KINDS[str(kind)]
    try:
        return model.model_validate(document.body)
    except ValidationError as problem:
        faults += [
            Fault(document.file, _key_path(document.path, error["loc"]), _message(model, error))
            for error in problem.errors(include_url=False)
        ]
        return None


def _key_path(start: str, location: Sequence[int | str]) -> str:
    return start + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)


def _message(model: type[BaseModel], error: Any) -> str:
    """pydantic's message in our words: unknown keys get the near-miss of the model they stand in."""
    if error["type"] == "extra_forbidden":
        key = str(error["loc"][-1])
        return f"unknown key '{key}'.{near_miss(key, _keys_at(model, error['loc'][:-1]))}"
    if error["type"] == "missing":
        return "is missing"
    text = str(error["msg"]).removeprefix("Value error, ")
    return text if error["type"] == "value_error" else f"{text} (found {error['input']!r})"


def _keys_at(model: type[BaseModel], location: Sequence[int | str]) -> list[str]:
    schema = model.model_json_schema(by_alias=True)
    definitions = schema.get("$defs", {})
    node: dict[str, Any] = schema
    for part in location:
        node = _follow(node, definitions)
        if isinstance(part, int):
            node = node.get("items", {})
        else:
            node = node.get("properties", {}).get(part) or node.get("additionalProperties") or {}
    return sorted(_follow(node, definitions).get("properties", {}))


def _follow(node: Any, definitions: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(node, dict):
        return {}
    if "$ref" in node:
        return _follow(definitions.get(str(node["$ref"]).rsplit("/", 1)[-1], {}), definitions)
    for choice in node.get("anyOf", ()):
        found = _follow(choice, definitions)
        if found.get("properties"):
            return found
    return node
