"""What quality rules say of tables: patterns that name no table, and columns that the named tables lack."""

from collections.abc import Collection, Iterator, Mapping
from fnmatch import fnmatchcase

from cdp_lib.contracts import activation, bronze, gold, identity, results, scores, silver
from cdp_lib.contracts.table import Table
from cdp_lib.errors import Fault, near_miss
from cdp_lib.settings.pack import Pack
from cdp_lib.settings.rule import Rule
from cdp_lib.settings.sql import expression_faults


def tables_by_name(pack: Pack) -> dict[str, Table]:
    """Every table of the pack that a rule may name."""
    derived = (bronze.tables, identity.tables, gold.tables, scores.tables, activation.tables, results.tables)
    every = (*silver.ENTITIES.values(), *(table for tables in derived for table in tables(pack)))
    return {table.name: table for table in every}


def pack_rule_faults(pack: Pack, functions: Collection[str] = ()) -> Iterator[Fault]:
    """Every name in the rules of a pack, otherwise without fault, that leads nowhere."""
    tables = tables_by_name(pack)
    for rule in pack.rules:
        file, path = pack.place("rule", rule.id)
        for key, message in rule_faults(rule, tables, functions):
            yield Fault(file, f"{path}{key}", message)


def rule_faults(rule: Rule, tables: Mapping[str, Table], functions: Collection[str] = ()) -> Iterator[tuple[str, str]]:
    """(key path below the rule, message) of every name that leads nowhere among `tables`."""
    named: dict[str, Table] = {}
    for position, pattern in enumerate(rule.tables):
        found = {name: table for name, table in tables.items() if fnmatchcase(name, pattern)}
        if not found:
            yield f".tables[{position}]", f"no table is called '{pattern}'.{near_miss(pattern, tables)}"
        named |= found
    if rule.other_table and rule.other_table not in tables:
        key = "referential.found_in" if rule.referential else "coverage.of"
        yield f".{key}", f"no table is called '{rule.other_table}'.{near_miss(rule.other_table, tables)}"
    for key, column, table in _columns(rule, named, tables):
        if column not in table.column_names:
            yield key, f"unknown column '{column}' of {table.name}.{near_miss(column, table.column_names)}"
    if rule.drift and rule.drift.share:
        for table in named.values():
            for message in expression_faults(rule.drift.share, table.column_names, functions):
                yield ".drift.share", message


def _columns(rule: Rule, named: Mapping[str, Table], tables: Mapping[str, Table]) -> Iterator[tuple[str, str, Table]]:
    """(key path, column, the table it should be in) for every column that the rule names."""
    for table in named.values():
        for key, columns in _own_columns(rule):
            yield from ((key, column, table) for column in columns)
    other = tables.get(rule.other_table or "")
    if other and rule.referential:
        for column in rule.referential.found_columns or rule.referential.columns:
            yield ".referential.found_columns", column, other
    if other and rule.coverage:
        for column in rule.coverage.of_columns or rule.coverage.columns:
            yield ".coverage.of_columns", column, other


def _own_columns(rule: Rule) -> Iterator[tuple[str, tuple[str, ...]]]:
    if rule.freshness:
        yield ".freshness.column", (rule.freshness.column,)
    for kind in ("referential", "coverage", "distinct"):
        requirement = getattr(rule, kind)
        if requirement:
            yield f".{kind}.columns", requirement.columns
    if rule.drift:
        yield from ((f".drift.{key}", (name,)) for key in ("nulls", "psi") if (name := getattr(rule.drift, key)))
