"""What a pack's objects say of each other: unknown names, wrong expressions, missing mappings, circles."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from cdp_lib.contracts.activation import suppression
from cdp_lib.contracts.activation_references import activation_faults
from cdp_lib.contracts.audience_references import audience_faults
from cdp_lib.contracts.gold import CUSTOMER_FIXED, trait_type
from cdp_lib.contracts.identity import GOLDEN_FIELDS, GOLDEN_RECORD
from cdp_lib.contracts.journey_references import journey_faults
from cdp_lib.contracts.matching_references import matching_faults
from cdp_lib.contracts.reference_checks import fact_faults, feed_fault, row_faults, way_back
from cdp_lib.contracts.rule_references import pack_rule_faults
from cdp_lib.contracts.score_references import score_faults
from cdp_lib.contracts.scores import customer_scores
from cdp_lib.contracts.silver import CAMPAIGN_RESPONSE, COMPUTED, CUSTOMER_RECORD, ENTITIES, RAW_RECORD_FIELDS
from cdp_lib.errors import ConfigError, Fault, near_miss
from cdp_lib.settings.export import Export
from cdp_lib.settings.pack import Pack
from cdp_lib.settings.source import Feed, Source
from cdp_lib.settings.sql import columns_in, columns_outside_aggregates, expression_faults, has_aggregate, map_entries
from cdp_lib.settings.trait import Trait
from cdp_lib.settings.validation import closest

IMPLIED = ("source_system", "currency")
"""Entity columns that a feed need not map: the source's id, and the pack's currency."""

_Keyed = Iterator[tuple[str, str]]
"""(key path below the object, message)."""


def check_pack(pack: Pack, functions: Collection[str] = ()) -> None:
    """Raises ConfigError with every reference that leads nowhere; `functions` are the SQL functions Spark knows."""
    faults = reference_faults(pack, functions) or tuple(pack_rule_faults(pack, functions))
    if faults:
        raise ConfigError(faults)


def reference_faults(pack: Pack, functions: Collection[str] = (), *, is_whole: bool = True) -> tuple[Fault, ...]:
    """Every reference that leads nowhere, sorted.

    Where the pack is not whole (a file of it could not be read), names that the lost file may define are not judged.
    Quality rules are left to `pack_rule_faults`: they name tables that a faulty pack does not have yet.
    """
    check = _Check(pack, functions, is_whole)
    faults = [*check.sources(), *check.traits(), *_circles(pack), *check.identity(), *check.exports(), *check.scores()]
    return tuple(sorted(set(faults)))


def mappable_columns(entity: str) -> tuple[str, ...]:
    """Columns a feed may map: the entity's own but lineage, what is implied stays open to mapping."""
    own = tuple(name for name in ENTITIES[entity].content_columns if name not in COMPUTED.get(entity, ()))
    return (*own, *RAW_RECORD_FIELDS) if entity == CUSTOMER_RECORD.noun else own


def required_columns(entity: str) -> tuple[str, ...]:
    """Columns that a feed must map and that no row may lack: the key and the required ones, but those implied."""
    table = ENTITIES[entity]
    needed = [column.name for column in table.columns if column.required or column.name in table.key]
    open_columns = set(mappable_columns(entity)) - set(IMPLIED)
    return tuple(name for name in needed if name in open_columns)


@dataclass(frozen=True)
class _Check:
    """One pack under examination."""

    pack: Pack
    functions: Collection[str]
    is_whole: bool

    def sources(self) -> Iterator[Fault]:
        for source in self.pack.sources:
            file, path = self.pack.place("source", source.id)
            for name, column in source.columns.items():
                for position, condition in enumerate(column.expect):
                    for message in self._row_expression(condition, source.columns):
                        yield Fault(file, f"{path}.columns.{name}.expect[{position}]", message)
            for position, feed in enumerate(source.feeds):
                for key, message in self._feed(source, feed):
                    yield Fault(file, f"{path}.feeds[{position}]{key}", message)
            for key, message in self._lost_people(source):
                yield Fault(file, f"{path}{key}", message)

    def _feed(self, source: Source, feed: Feed) -> _Keyed:
        if feed.to not in ENTITIES:
            yield ".to", f"unknown entity '{feed.to}'.{near_miss(feed.to, ENTITIES)}"
            return
        allowed = mappable_columns(feed.to)
        for target, expression in feed.map.items():
            if target not in allowed:
                yield f".map.{target}", f"unknown column '{target}' of {feed.to}.{near_miss(target, allowed)}"
            messages = expression_faults(expression, source.columns, self.functions)
            for message in messages or _grouping_faults(expression, feed, source):
                yield f".map.{target}", message
        misspelt = {closest(target, allowed) for target in feed.map if target not in allowed}
        missing = sorted(set(required_columns(feed.to)) - set(feed.map) - misspelt)
        if missing:
            yield ".map", f"{feed.to} needs {', '.join(missing)}"
        for position, column in enumerate(feed.group_by):
            if column not in source.columns:
                yield f".group_by[{position}]", f"unknown column '{column}'.{near_miss(column, source.columns)}"
        if feed.where:
            for message in self._row_expression(feed.where, source.columns):
                yield ".where", message

    def _lost_people(self, source: Source) -> _Keyed:
        """Facts whose person no customer_record can have: it is found by source_system and person_id."""
        records = [feed for one in self.pack.sources for feed in one.feeds if feed.to == CUSTOMER_RECORD.noun]
        is_known = any(feed.to == CUSTOMER_RECORD.noun or feed.to not in ENTITIES for feed in source.feeds)
        if is_known or any("source_system" in feed.map for feed in records):
            return
        for position, feed in enumerate(source.feeds):
            is_found_by_message = feed.to == CAMPAIGN_RESPONSE.noun and "message_id" in feed.map
            if "person_id" in feed.map and "source_system" not in feed.map and not is_found_by_message:
                yield (
                    f".feeds[{position}].map.person_id",
                    f"'{source.id}' feeds no customer_record, so nobody is known by it. Add a feed "
                    "`to: customer_record` whose source_record_id is the same expression",
                )

    def _row_expression(self, text: str, columns: Collection[str] | None) -> list[str]:
        """Faults of an expression that looks at one row at a time."""
        return row_faults(text, columns, self.functions)

    def traits(self) -> Iterator[Fault]:
        fixed = {column.name for column in CUSTOMER_FIXED}
        scores = {column.name: table for table, columns in customer_scores(self.pack).items() for column in columns}
        for trait in self.pack.traits:
            file, path = self.pack.place("trait", trait.name)
            if trait.name in fixed:
                message = f"'{trait.name}' is a fixed column of gold.customer; choose another name"
                yield Fault(file, f"{path}.name", message)
            if trait.name in scores:
                message = f"'{trait.name}' is a column of {scores[trait.name]}; choose another name"
                yield Fault(file, f"{path}.name", message)
            faults = list(self._derived_trait(trait) if trait.is_derived else self._trait_of_facts(trait))
            for key, message in faults or _type_faults(trait, self.pack):
                yield Fault(file, f"{path}{key}", message)

    def _trait_of_facts(self, trait: Trait) -> _Keyed:
        unfed = feed_fault(trait.from_, self.pack) if self.is_whole else ""
        if unfed:
            yield ".from", unfed
        yield from fact_faults(trait, self.functions)

    def _derived_trait(self, trait: Trait) -> _Keyed:
        columns = self._customer_columns() if trait.from_ == "customer" else set(GOLDEN_RECORD.content_columns)
        if not trait.ratio:
            for message in self._row_expression(trait.select, columns):
                yield ".select", message
            return
        for name in trait.ratio:
            if columns is not None and name not in columns:
                yield ".select", f"unknown trait '{name}'.{near_miss(name, columns)}"

    def _customer_columns(self) -> set[str] | None:
        """Columns of gold.customer; None where a file that may declare more of them was lost."""
        if not self.is_whole:
            return None
        fixed = {column.name for column in CUSTOMER_FIXED}
        return fixed | {trait.name for trait in self.pack.traits} | self.pack.written_names("trait")

    def identity(self) -> Iterator[Fault]:
        file, path = self.pack.place("identity", self.pack.identity.id)
        for key, message in self._identity():
            yield Fault(file, f"{path}{key}", message)

    def _identity(self) -> _Keyed:
        identity = self.pack.identity
        for name in identity.survivorship:
            if name not in GOLDEN_FIELDS:
                yield f".survivorship.{name}", f"unknown field '{name}'.{near_miss(name, GOLDEN_FIELDS)}"
        yield from self._source_references(".source_priority", identity.source_priority)
        known = self._identifier_fields()
        for position, identifier in enumerate(identity.identifiers):
            if known is not None and identifier.field not in known:
                hint = near_miss(identifier.field, known)
                yield f".identifiers[{position}].field", f"no source feeds identifier '{identifier.field}'.{hint}"
        if identity.matching is not None:
            yield from self._source_references(
                ".matching.one_record_per_source", identity.matching.one_record_per_source
            )
            for key, message in matching_faults(identity.matching, self._fed_identifiers(), self._row_expression):
                yield f".matching{key}", message

    def _source_references(self, key: str, names: Collection[str]) -> _Keyed:
        sources = self._source_names()
        for position, name in enumerate(names):
            if self.is_whole and name not in sources:
                yield f"{key}[{position}]", f"unknown source '{name}'.{near_miss(name, sources)}"

    def _source_names(self) -> set[str]:
        return {source.id for source in self.pack.sources} | self.pack.written_names("source")

    def _identifier_fields(self) -> set[str] | None:
        """Record fields, and the keys that feeds put into `identifiers`; None where the pack does not tell them all."""
        fed = self._fed_identifiers()
        return None if fed is None else fed | set(GOLDEN_FIELDS)

    def _fed_identifiers(self) -> set[str] | None:
        """The keys that feeds put into customer_record's `identifiers`; None where the pack does not tell them all."""
        if not (self.is_whole and self.pack.knows_all("source")):
            return None
        fields: set[str] = set()
        for feed in (feed for source in self.pack.sources for feed in source.feeds if feed.to == CUSTOMER_RECORD.noun):
            expression = feed.map.get("identifiers")
            keys = _map_keys(expression) if expression else ()
            if keys is None:
                return None
            fields |= set(keys)
        return fields

    def exports(self) -> Iterator[Fault]:
        for export in self.pack.exports:
            file, path = self.pack.place("export", export.id)
            for key, message in self._export(export):
                yield Fault(file, f"{path}{key}", message)

    def scores(self) -> Iterator[Fault]:
        columns = self._customer_columns()
        if columns is not None:
            yield from score_faults(self.pack, columns)
            for faults_of in (audience_faults, activation_faults, journey_faults):
                yield from faults_of(self.pack, columns, self.functions)

    def _export(self, export: Export) -> _Keyed:
        columns = self._customer_columns()
        if columns is not None:
            columns |= {column.name for of_table in customer_scores(self.pack).values() for column in of_table}
        for header, expression in export.columns.items():
            for message in self._row_expression(expression, columns):
                yield f".columns.{header}", message
        if export.where:
            for message in self._row_expression(export.where, columns):
                yield ".where", message
        if export.may_receive and not suppression(self.pack):
            yield (
                ".may_receive",
                "nobody's unsubscribing is gathered without an audience or activation.",
            )
        named = {f".order_by[{position}]": header for position, header in enumerate(export.order_by)}
        named |= {f".notes.{header}": header for header in export.notes}
        if export.also_known_as:
            named[".also_known_as.column"] = export.also_known_as.column
            yield from self._source_references(".also_known_as.source_systems", export.also_known_as.source_systems)
        for key, header in named.items():
            if header not in export.columns:
                yield key, f"unknown export column '{header}'.{near_miss(header, export.columns)}"


def _grouping_faults(expression: str, feed: Feed, source: Source) -> list[str]:
    """What Spark would say only at run time of a sum without groups, or of a bare column among groups."""
    if not set(feed.group_by) <= set(source.columns):
        return []  # the group itself is at fault
    if not feed.group_by:
        aggregates = has_aggregate(expression)
        return [f"{expression!r} aggregates rows: name the group's columns in group_by"] if aggregates else []
    bare = sorted(columns_outside_aggregates(expression) - {name.lower() for name in feed.group_by})
    return [f"'{name}' in {expression!r} has many values in a group: aggregate it, e.g. min({name})" for name in bare]


def _type_faults(trait: Trait, pack: Pack) -> _Keyed:
    try:
        trait_type(trait, pack)
    except ValueError as problem:
        yield ".type", str(problem)


def _map_keys(expression: str) -> tuple[str, ...] | None:
    try:
        entries = map_entries(expression)
    except ValueError:
        return None
    return None if entries is None else tuple(entries)


def _circles(pack: Pack) -> Iterator[Fault]:
    """Traits from customer that are, over others, computed from themselves."""
    derived = {trait.name: _columns_or_none(trait) for trait in pack.traits if trait.from_ == "customer"}
    reads = {name: sorted(columns & set(derived)) for name, columns in derived.items()}
    for name in derived:
        circle = way_back(name, reads)
        if circle:
            file, path = pack.place("trait", name)
            yield Fault(file, f"{path}.select", f"'{name}' is computed from itself: {' -> '.join(circle)}")


def _columns_or_none(trait: Trait) -> frozenset[str]:
    try:
        return frozenset(trait.ratio) if trait.ratio else columns_in(trait.select)
    except ValueError:
        return frozenset()
