"""Where every column of silver, gold and the exports comes from, read off the pack's expressions."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from cdp_lib.contracts.gold import CUSTOMER_FIXED, FIXED_TRAITS
from cdp_lib.contracts.identity import GOLDEN_RECORD
from cdp_lib.contracts.silver import CUSTOMER_RECORD, ENTITIES, FACT_TIME
from cdp_lib.settings.pack import Pack
from cdp_lib.settings.source import Feed, Source
from cdp_lib.settings.sql import columns_in, fields_in, map_entries
from cdp_lib.settings.trait import Trait

CONSTANT = "(constant)"
"""Stands for the source of a column whose expression reads none."""

_CUSTOMER = "gold.customer"
_RECORD = "silver.golden_record"
_OF_RECORDS = f"silver.{CUSTOMER_RECORD.noun}."
_SPLIT_FIELDS = {"full_name": ("first_name", "last_name")}
_TIME_MATTERS = ("first", "last")


class Step(NamedTuple):
    """One column computed from another: `layer.table.column`, with `.key` for one key of a map; and the expression."""

    target: str
    source: str
    expression: str


def column_lineage(pack: Pack) -> list[Step]:
    """Every step from bronze over silver to gold and the exports, in the pack's order."""
    feeds = [step for source in pack.sources for feed in source.feeds for step in _feed(source, feed)]
    return [*feeds, *_golden_record(pack, feeds), *_customer(pack), *_exports(pack)]


def lineage_paths(steps: Iterable[Step], target: str) -> list[tuple[str, ...]]:
    """The ways from one column down to what it is made of, each as columns from the target on; empty if unknown.

    `steps` are a pack's column lineage. A way ends at a bronze column, at a constant, or at a silver column that no
    source of the pack feeds.
    """
    below: dict[str, list[str]] = {}
    for step in steps:
        sources = below.setdefault(step.target, [])
        if step.source not in sources:
            sources.append(step.source)
    return list(_descend((target,), below)) if target in below else []


def _descend(path: tuple[str, ...], below: dict[str, list[str]]) -> Iterator[tuple[str, ...]]:
    sources = [source for source in below.get(path[-1], ()) if source not in path]
    if not sources:
        yield path
    for source in sources:
        yield from _descend((*path, source), below)


def _feed(source: Source, feed: Feed) -> Iterator[Step]:
    for field, expression in feed.map.items():
        entries = map_entries(expression)
        named = {field: expression} if entries is None else {f"{field}.{key}": value for key, value in entries.items()}
        for name, value in named.items():
            columns = [f"bronze.{source.id}.{column}" for column in sorted(columns_in(value))]
            for target in _SPLIT_FIELDS.get(name, (name,)):
                yield from (Step(f"silver.{feed.to}.{target}", column, value) for column in columns or [CONSTANT])


def _golden_record(pack: Pack, feeds: Sequence[Step]) -> Iterator[Step]:
    """A surviving value is one of the records' values; which one, the pack's survivorship decides."""
    for target in dict.fromkeys(step.target for step in feeds):
        name = target.removeprefix(_OF_RECORDS)
        field = name.split(".")[0]
        if target.startswith(_OF_RECORDS) and field in GOLDEN_RECORD.content_columns:
            rules = pack.identity.survivorship.get(field, pack.identity.default_survivorship)
            yield Step(f"{_RECORD}.{name}", target, ", ".join(rules))


def _customer(pack: Pack) -> Iterator[Step]:
    computed = {trait.name for trait in FIXED_TRAITS}
    for column in CUSTOMER_FIXED:
        if column.name not in computed and column.name in GOLDEN_RECORD.content_columns:
            yield Step(f"{_CUSTOMER}.{column.name}", f"{_RECORD}.{column.name}", column.name)
    for trait in (*FIXED_TRAITS, *pack.traits):
        table = _CUSTOMER if trait.from_ == "customer" else f"silver.{trait.from_}"
        for name in _reads(trait) or [""]:
            yield Step(f"{_CUSTOMER}.{trait.name}", f"{table}.{name}" if name else CONSTANT, trait.select)


def _reads(trait: Trait) -> list[str]:
    """The columns that decide a trait: what it names, the key where it counts rows, the time where time decides."""
    if trait.is_derived:
        return sorted(trait.ratio or fields_in(trait.select))
    argument = trait.call.argument
    counted = [name for name in ENTITIES[trait.from_].key if name != "source_system"]
    columns = set(counted) if argument == "*" else set(fields_in(argument))
    if trait.where:
        columns |= fields_in(trait.where)
    if trait.window or trait.call.function in _TIME_MATTERS:
        columns.add(FACT_TIME[trait.from_])
    return sorted(columns)


def _exports(pack: Pack) -> Iterator[Step]:
    for export in pack.exports:
        for header, expression in export.columns.items():
            for column in sorted(columns_in(expression)) or [""]:
                yield Step(f"export.{export.id}.{header}", f"{_CUSTOMER}.{column}" if column else CONSTANT, expression)
