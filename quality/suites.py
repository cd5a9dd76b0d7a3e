"""Checks of a table: those its contract implies, and those that rules add."""

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase

from cdp_lib.contracts.table import Table
from cdp_lib.settings.rule import Coverage, Distinct, Drift, Freshness, Referential, Requirement, Rule, Volume
from quality.verdict import Candidate, Check

Suite = Callable[[Table], tuple[Check, ...]]
"""The checks of a table."""

COMPLETE = "expect_column_to_be_complete"
CONDITION = "expect_condition_to_hold"
BETWEEN = "expect_figure_to_be_between"
UNIQUE = "expect_key_to_be_unique"
FOUND = "expect_references_to_be_found"
STABLE = "expect_distribution_to_be_stable"
DISTINCT = "expect_distinct_count_to_be_between"

_SECONDS_A_DAY = 86_400


def suite_for(table: Table) -> tuple[Check, ...]:
    """What the contract implies: required and key columns complete, every CHECK held, the key unique."""
    complete = [
        Check(
            name=COMPLETE,
            expectation=COMPLETE,
            statement=f"{column.name} is never null",
            columns=(column.name,),
            kwargs={"expression": f"count_if(`{column.name}` IS NULL)", "max_value": 0},
            unit="rows",
            cure=f"Map {column.name}, or quarantine such rows before this table.",
        )
        for column in table.columns
        if column.required or column.name in table.key
    ]
    of_columns = [
        _condition(CONDITION, column.check, (column.name,), f"the CHECK of {column.name}")
        for column in table.columns
        if column.check
    ]
    of_table = [_condition(name, condition, (), f"CHECK {name}") for name, condition in table.checks]
    return (*complete, *of_columns, *of_table, _unique(table))


def _condition(name: str, condition: str, columns: tuple[str, ...], declared_as: str) -> Check:
    return Check(
        name=name,
        expectation=CONDITION,
        statement=f"{condition} holds wherever it is known",
        columns=columns,
        kwargs={"expression": f"count_if(NOT ({condition}))", "max_value": 0},
        unit="rows",
        cure=f"Correct or null the values before this table, or relax {declared_as} in its contract.",
    )


def _unique(table: Table) -> Check:
    return Check(
        name=UNIQUE,
        expectation=UNIQUE,
        statement=f"no two rows share {' + '.join(table.key)}",
        columns=table.key,
        kwargs={"max_value": 0},
        scope="table",
        unit="rows too many",
        cure="Keep one row per key before the write: the newest, by a total order.",
    )


def rules_in_force(defaults: Sequence[Rule], own: Sequence[Rule]) -> tuple[Rule, ...]:
    """The default rules, each replaced by the business's own of the same id, then its other ones."""
    own_by_id = {rule.id: rule for rule in own}
    replaced = {rule.id for rule in defaults}
    return (
        *(own_by_id.get(rule.id, rule) for rule in defaults),
        *(rule for rule in own if rule.id not in replaced),
    )


def rules_of(table_name: str, rules: Sequence[Rule]) -> tuple[Rule, ...]:
    """The rules whose `tables` name the table."""
    return tuple(rule for rule in rules if any(fnmatchcase(table_name, pattern) for pattern in rule.tables))


def neighbours_of(table_name: str, rules: Sequence[Rule]) -> tuple[str, ...]:
    """Names of the tables that the gate must be handed beside this one, sorted."""
    return tuple(sorted({rule.other_table for rule in rules_of(table_name, rules) if rule.other_table}))


def needs_previous(table_name: str, rules: Sequence[Rule]) -> bool:
    """Whether a rule compares the rows with those published now, so that the gate must be handed `previous`."""
    return any(rule.drift and rule.drift.psi for rule in rules_of(table_name, rules))


def check_of(rule: Rule, candidate: Candidate) -> Check:
    """The check that a rule makes of this candidate, with the bounds that history and the as-of date give."""
    requirement = rule.requirement
    columns, expectation, statement, unit, kwargs = _shape(rule, requirement, candidate)
    return Check(
        name=rule.id,
        expectation=expectation,
        statement=statement,
        columns=columns,
        kwargs=kwargs,
        severity=rule.severity,
        scope="table",
        unit=unit,
        cure=rule.description or f"Look at what feeds {candidate.table.name}, or change rule {rule.id}.",
    )


_Shape = tuple[tuple[str, ...], str, str, str, dict[str, object]]


def _shape(rule: Rule, requirement: Requirement, candidate: Candidate) -> _Shape:
    past = candidate.history.get(rule.id, ())
    match requirement:
        case Freshness():
            return _freshness(requirement, candidate)
        case Volume():
            return (), BETWEEN, "the number of rows is in its band", "rows", _volume_bounds(requirement, past)
        case Drift():
            return _drift(requirement, past)
        case Distinct(columns=columns):
            bounds = _bounds(requirement.at_least, requirement.at_most)
            return columns, DISTINCT, f"{' + '.join(columns)} has so many different values", "values", bounds
        case Referential(columns=columns):
            statement = f"{' + '.join(columns)} is found in {requirement.found_in}"
            return columns, FOUND, statement, "of the rows", _bounds(requirement.at_least, None)
        case Coverage(columns=columns):
            statement = f"{' + '.join(columns)} covers {requirement.of}"
            return columns, FOUND, statement, f"of the rows of {requirement.of}", _bounds(requirement.at_least, None)


def _freshness(requirement: Freshness, candidate: Candidate) -> _Shape:
    column = requirement.column
    # Where rows exist but none has an instant, the age is counted from 1970: such a table is not fresh.
    newest = f"coalesce(unix_seconds(CAST(max(`{column}`) AS TIMESTAMP)), 0)"
    age = f"({int(candidate.as_of.timestamp())} - {newest}) / {_SECONDS_A_DAY}"
    kwargs: dict[str, object] = {
        "expression": f"CASE WHEN count(1) > 0 THEN {age} END",
        "max_value": requirement.at_most_days,
    }
    return (column,), BETWEEN, f"the newest {column} is recent on the as-of date", "days old", kwargs


def _volume_bounds(requirement: Volume, past: tuple[float, ...]) -> dict[str, object]:
    lows: list[float | None] = [requirement.at_least]
    highs: list[float | None] = [requirement.at_most]
    if past:
        recent = past[-requirement.of_last_runs :]
        mean = sum(recent) / len(recent)
        lows.append(None if requirement.relative_at_least is None else mean * requirement.relative_at_least)
        highs.append(None if requirement.relative_at_most is None else mean * requirement.relative_at_most)
    low = max((bound for bound in lows if bound is not None), default=None)
    high = min((bound for bound in highs if bound is not None), default=None)
    return {"expression": "count(1)", **_bounds(low, high)}


def _drift(requirement: Drift, past: tuple[float, ...]) -> _Shape:
    if requirement.psi:
        statement = f"{requirement.psi} is distributed as in the published version"
        return (requirement.psi,), STABLE, statement, "population stability index", _bounds(None, requirement.at_most)
    condition = f"`{requirement.nulls}` IS NULL" if requirement.nulls else str(requirement.share)
    bounds = _bounds(past[-1] - requirement.at_most, past[-1] + requirement.at_most) if past else {}
    kwargs = {"expression": f"avg(CASE WHEN {condition} THEN 1.0D ELSE 0.0D END)", **bounds}
    columns = (requirement.nulls,) if requirement.nulls else ()
    return columns, BETWEEN, f"the share of rows with {condition} is as before", "of the rows", kwargs


def _bounds(low: float | None, high: float | None) -> dict[str, object]:
    given = {"min_value": low, "max_value": high}
    return {name: bound for name, bound in given.items() if bound is not None}
