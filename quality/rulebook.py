"""Which rules are in force for a business, and whether they name tables and columns that exist."""

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

from cdp_lib.contracts.table import Table
from cdp_lib.errors import near_miss
from cdp_lib.settings.rule import Rule
from cdp_lib.settings.sql import expression_faults, parse_type

_NUMBERS = ("tinyint", "smallint", "int", "bigint", "float", "double", "decimal")
_TIMES = ("date", "timestamp", "timestamp_ntz")


def rules_in_force(defaults: Sequence[Rule], own: Sequence[Rule]) -> tuple[Rule, ...]:
    """The default rules, each replaced by the business's own of the same id, then its other ones."""
    own_by_id = {rule.id: rule for rule in own}
    default_ids = {rule.id for rule in defaults}
    return (
        *(own_by_id.get(rule.id, rule) for rule in defaults),
        *(rule for rule in own if rule.id not in default_ids),
    )


def rule_faults(rule: Rule, tables: Mapping[str, Table]) -> list[tuple[str, str]]:
    """(key path below the rule, message) of every table, column and expression that leads nowhere.

    `tables` are all tables of the business by name.
    """
    faults: list[tuple[str, str]] = []
    subjects: dict[str, Table] = {}
    for position, pattern in enumerate(rule.tables):
        found = {name: table for name, table in tables.items() if fnmatchcase(name, pattern)}
        if not found:
            faults.append((f".tables[{position}]", f"no table is called '{pattern}'.{near_miss(pattern, tables)}"))
        subjects |= found
    for table in subjects.values():
        faults += _requirement_faults(rule, table)
    return list(dict.fromkeys([*faults, *_neighbour_faults(rule, tables)]))


def _requirement_faults(rule: Rule, table: Table) -> Iterator[tuple[str, str]]:
    """What is wrong with the rule's columns and expressions in one of its tables."""
    if rule.freshness:
        yield from _column_faults(".freshness.column", (rule.freshness.column,), table, _TIMES)
        if rule.freshness.column in table.personal_columns:
            yield (
                ".freshness.column",
                f"{table.name}.{rule.freshness.column} is personal: its newest value tells of one person",
            )
    if rule.drift:
        yield from _column_faults(".drift.nulls", (rule.drift.nulls,) if rule.drift.nulls else (), table)
        yield from _column_faults(".drift.psi", (rule.drift.psi,) if rule.drift.psi else (), table, _NUMBERS)
        condition = rule.drift.share
        for message in expression_faults(condition, table.column_names) if condition else ():
            yield ".drift.share", f"{table.name}: {message}"
    for name in ("referential", "coverage", "distinct"):
        if requirement := getattr(rule, name):
            yield from _column_faults(f".{name}.columns", requirement.columns, table)


def _neighbour_faults(rule: Rule, tables: Mapping[str, Table]) -> Iterator[tuple[str, str]]:
    if rule.referential:
        key, columns = "found_in", rule.referential.found_columns or rule.referential.columns
        path = ".referential"
    elif rule.coverage:
        key, columns = "of", rule.coverage.of_columns or rule.coverage.columns
        path = ".coverage"
    else:
        return
    other = str(rule.other_table)
    if other not in tables:
        yield f"{path}.{key}", f"unknown table '{other}'.{near_miss(other, tables)}"
        return
    yield from _column_faults(f"{path}.{key}", columns, tables[other])


def _column_faults(
    path: str, columns: Sequence[str], table: Table, types: Sequence[str] = ()
) -> Iterator[tuple[str, str]]:
    for name in columns:
        if name not in table.column_names:
            yield path, f"{table.name} has no column '{name}'.{near_miss(name, table.column_names)}"
        elif types and parse_type(table.column(name).type).name not in types:
            yield path, f"{table.name}.{name} is {table.column(name).type}; it must be one of {', '.join(types)}"
