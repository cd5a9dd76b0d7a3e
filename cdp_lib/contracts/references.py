"""What a pack's objects say of each other: unknown names, wrong expressions, missing mappings, and column lineage."""

from collections.abc import Collection, Iterator

from cdp_lib.contracts.gold import CUSTOMER_FIXED, trait_type
from cdp_lib.contracts.identity import GOLDEN_RECORD
from cdp_lib.contracts.silver import CUSTOMER_RECORD, ENTITIES, FACT_TIME, GOLDEN_FIELDS, RAW_RECORD_FIELDS
from cdp_lib.errors import ConfigError, Fault, near_miss
from cdp_lib.settings.pack import Pack
from cdp_lib.settings.source import Feed, Source
from cdp_lib.settings.sql import columns_in, expression_faults
from cdp_lib.settings.trait import DERIVED_FROM, Trait

IMPLIED = ("source_system", "currency")
"""Entity columns that a feed need not map: the source's id, and the pack's currency."""


def check_pack(pack: Pack, functions: Collection[str] = ()) -> None:
    """Raises ConfigError with every reference that leads nowhere; `functions` are the SQL functions Spark knows."""
    faults = [
        *_source_faults(pack, functions),
        *_trait_faults(pack, functions),
        *_identity_faults(pack),
        *_export_faults(pack, functions),
    ]
    if faults:
        raise ConfigError(sorted(set(faults)))


def mappable_columns(entity: str) -> tuple[str, ...]:
    """Columns a feed may map: the entity's own but lineage, what is implied stays open to mapping."""
    own = ENTITIES[entity].content_columns
    if entity != CUSTOMER_RECORD.noun:
        return own
    return (*(name for name in own if name != "rejected"), *RAW_RECORD_FIELDS)


def required_columns(entity: str) -> tuple[str, ...]:
    """Columns that a feed must map and that no row may lack: the key and the required ones, but those implied."""
    table = ENTITIES[entity]
    needed = [column.name for column in table.columns if column.required or column.name in table.key]
    open_columns = set(mappable_columns(entity)) - set(IMPLIED)
    return tuple(name for name in needed if name in open_columns)


def column_lineage(pack: Pack) -> list[tuple[str, str, str]]:
    """(target column, source column, expression) for every feed and trait, in the pack's order."""
    rows = [
        (f"silver.{feed.to}.{target}", f"bronze.{source.id}.{column}", expression)
        for source in pack.sources
        for feed in source.feeds
        for target, expression in feed.map.items()
        for column in sorted(columns_in(expression)) or ["(constant)"]
    ]
    return rows + [
        (f"gold.customer.{trait.name}", f"{_lineage_parent(trait, column, pack)}.{column}", trait.select)
        for trait in pack.traits
        for column in sorted(_trait_columns(trait)) or ["*"]
    ]


def _lineage_parent(trait: Trait, column: str, pack: Pack) -> str:
    del column, pack
    return "gold.customer" if trait.from_ == "customer" else f"silver.{trait.from_}"


def _trait_columns(trait: Trait) -> frozenset[str]:
    if trait.is_derived:
        return frozenset(trait.ratio) if trait.ratio else columns_in(trait.select)
    argument = trait.call.argument
    of_argument = frozenset() if argument == "*" else columns_in(argument)
    return of_argument | (columns_in(trait.where) if trait.where else frozenset())


def _source_faults(pack: Pack, functions: Collection[str]) -> Iterator[Fault]:
    for source in pack.sources:
        file, path = pack.place("source", source.id)
        for name, column in source.columns.items():
            for position, condition in enumerate(column.expect):
                for message in expression_faults(condition, source.columns, functions):
                    yield Fault(file, f"{path}.columns.{name}.expect[{position}]", message)
        for position, feed in enumerate(source.feeds):
            for key, message in _feed_faults(source, feed, functions):
                yield Fault(file, f"{path}.feeds[{position}]{key}", message)


def _feed_faults(source: Source, feed: Feed, functions: Collection[str]) -> Iterator[tuple[str, str]]:
    if feed.to not in ENTITIES:
        yield ".to", f"unknown entity '{feed.to}'.{near_miss(feed.to, ENTITIES)}"
        return
    allowed = mappable_columns(feed.to)
    for target, expression in feed.map.items():
        if target not in allowed:
            yield f".map.{target}", f"unknown column '{target}' of {feed.to}.{near_miss(target, allowed)}"
        for message in expression_faults(expression, source.columns, functions):
            yield f".map.{target}", message
    missing = sorted(set(required_columns(feed.to)) - set(feed.map))
    if missing:
        yield ".map", f"{feed.to} needs {', '.join(missing)}"
    for column in sorted(set(feed.group_by) - set(source.columns)):
        yield ".group_by", f"unknown column '{column}'.{near_miss(column, source.columns)}"
    if feed.where:
        for message in expression_faults(feed.where, source.columns, functions):
            yield ".where", message


def _trait_faults(pack: Pack, functions: Collection[str]) -> Iterator[Fault]:
    fixed = {column.name for column in CUSTOMER_FIXED}
    names = {trait.name for trait in pack.traits}
    for trait in pack.traits:
        file, path = pack.place("trait", trait.name)
        if trait.name in fixed:
            yield Fault(file, f"{path}.name", f"'{trait.name}' is a fixed column of gold.customer; choose another name")
        for key, message in _one_trait_faults(trait, fixed | names, functions):
            yield Fault(file, f"{path}{key}", message)
        if trait.from_ in (*FACT_TIME, *DERIVED_FROM):
            try:
                trait_type(trait, pack)
            except ValueError as problem:
                yield Fault(file, f"{path}.type", str(problem))
    yield from _trait_circles(pack)


def _one_trait_faults(trait: Trait, customer_columns: set[str], functions: Collection[str]) -> Iterator[tuple[str, str]]:
    if trait.from_ not in (*FACT_TIME, *DERIVED_FROM):
        yield ".from", f"unknown entity '{trait.from_}'.{near_miss(trait.from_, (*FACT_TIME, *DERIVED_FROM))}"
        return
    if trait.is_derived:
        columns = customer_columns if trait.from_ == "customer" else set(GOLDEN_RECORD.content_columns)
        if trait.ratio:
            for name in trait.ratio:
                if name not in columns:
                    yield ".select", f"unknown trait '{name}'.{near_miss(name, columns)}"
            return
        for message in expression_faults(trait.select, columns, functions):
            yield ".select", message
        return
    entity_columns = ENTITIES[trait.from_].content_columns
    if trait.call.argument != "*":
        for message in expression_faults(trait.call.argument, entity_columns, functions):
            yield ".select", message
    elif trait.call.function != "count":
        yield ".select", f"only count takes *, not {trait.call.function}"
    if trait.where:
        for message in expression_faults(trait.where, entity_columns, functions):
            yield ".where", message


def _trait_circles(pack: Pack) -> Iterator[Fault]:
    derived = {trait.name: _trait_columns_or_none(trait) for trait in pack.traits if trait.from_ == "customer"}
    for name in derived:
        seen: set[str] = set()
        waiting = set(derived[name]) & set(derived)
        while waiting:
            step = waiting.pop()
            seen.add(step)
            waiting |= (set(derived[step]) & set(derived)) - seen
        if name in seen:
            file, path = pack.place("trait", name)
            yield Fault(file, f"{path}.select", f"'{name}' is computed from itself: {' -> '.join(sorted(seen))}")


def _trait_columns_or_none(trait: Trait) -> frozenset[str]:
    try:
        return _trait_columns(trait)
    except ValueError:
        return frozenset()


def _identity_faults(pack: Pack) -> Iterator[Fault]:
    file, path = pack.place("identity", pack.identity.id)
    sources = [source.id for source in pack.sources]
    for position, name in enumerate(pack.identity.source_priority):
        if name not in sources:
            yield Fault(file, f"{path}.source_priority[{position}]", f"unknown source '{name}'.{near_miss(name, sources)}")
    for name in pack.identity.survivorship:
        if name not in GOLDEN_FIELDS:
            yield Fault(file, f"{path}.survivorship.{name}", f"unknown field '{name}'.{near_miss(name, GOLDEN_FIELDS)}")


def _export_faults(pack: Pack, functions: Collection[str]) -> Iterator[Fault]:
    columns = [column.name for column in CUSTOMER_FIXED] + [trait.name for trait in pack.traits]
    for export in pack.exports:
        file, path = pack.place("export", export.id)
        for header, expression in export.columns.items():
            for message in expression_faults(expression, columns, functions):
                yield Fault(file, f"{path}.columns.{header}", message)
        named = [*export.order_by, *export.notes, *([export.also_known_as.column] if export.also_known_as else [])]
        for header in sorted(set(named) - set(export.columns)):
            yield Fault(file, path, f"unknown export column '{header}'.{near_miss(header, export.columns)}")
