"""Rules as settings, and which of them are in force for a table."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from cdp_lib.contracts import identity, silver
from cdp_lib.contracts.gold import CUSTOMER_FIXED
from cdp_lib.contracts.rule_references import rule_faults
from cdp_lib.contracts.table import ReplaceAll, Table
from cdp_lib.io.yaml_files import load_rules
from cdp_lib.settings.rule import Rule
from quality.suites import needs_previous, neighbours_of, rules_in_force, rules_of

RULES_DIR = Path(__file__).parents[3] / "quality" / "rules"
CUSTOMER = Table("gold.customer", "The fixed columns.", ("golden_id",), CUSTOMER_FIXED, ReplaceAll())
TABLES = {table.name: table for table in (*silver.ENTITIES.values(), *identity.TABLES, CUSTOMER)}


def rule(**given: Any) -> Rule:
    body = {"kind": "rule", "id": "a_rule", "tables": ["silver.order"], "severity": "warn"}
    return Rule.model_validate(body | given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "exactly one of freshness, volume, referential, coverage, drift, distinct; found none"),
        ({"volume": {"at_least": 1}, "distinct": {"columns": ["a"], "at_least": 1}}, "found .'volume', 'distinct'."),
        ({"volume": {}}, "volume without a bound"),
        ({"volume": {"at_least": 9, "at_most": 3}}, "lower bound 9 is above the upper bound 3"),
        ({"volume": {"relative_at_least": 2, "relative_at_most": 1}}, "lower bound 2.* is above the upper bound 1"),
        ({"distinct": {"columns": ["a"]}}, "distinct without a bound"),
        ({"drift": {"at_most": 0.1}}, "exactly one of nulls, share, psi; found none"),
        ({"drift": {"nulls": "a", "psi": "b", "at_most": 0.1}}, "found .'nulls', 'psi'."),
        (
            {"referential": {"columns": ["a"], "found_in": "silver.product", "found_columns": ["a", "b"]}},
            "found_columns names 2 columns, columns names 1",
        ),
        (
            {"coverage": {"columns": ["a", "b"], "of": "silver.product", "of_columns": ["a"]}},
            "of_columns names 1 columns, columns names 2",
        ),
        ({"freshness": {"column": "ordered_at", "at_most_days": 0}}, "greater than 0"),
        ({"tables": ["Order"], "volume": {"at_least": 1}}, "should match pattern"),
    ],
)
def test_a_rule_that_says_nothing_or_contradicts_itself_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        rule(**given)


def test_the_default_rules_name_only_what_every_business_has() -> None:
    defaults = load_rules(RULES_DIR)

    assert {one.id: list(rule_faults(one, TABLES)) for one in defaults} == {one.id: [] for one in defaults}


def test_every_default_rule_says_what_to_do() -> None:
    assert [one.id for one in load_rules(RULES_DIR) if not one.description] == []


def test_own_rules_replace_defaults_of_the_same_id_and_the_rest_is_added() -> None:
    defaults = [rule(id="a", volume={"at_least": 1}), rule(id="b", volume={"at_least": 1})]
    own = [rule(id="c", volume={"at_least": 3}), rule(id="a", volume={"at_least": 9})]

    assert rules_in_force(defaults, own) == (own[1], defaults[1], own[0])


def test_a_star_names_every_table_of_a_layer() -> None:
    of_silver = rule(tables=["silver.*"], volume={"at_least": 1})

    assert [rules_of(name, [of_silver]) for name in ("silver.order", "gold.customer")] == [(of_silver,), ()]


def test_the_caller_learns_which_tables_the_gate_needs() -> None:
    rules = [
        rule(id="a", referential={"columns": ["store_id"], "found_in": "silver.store"}),
        rule(id="b", coverage={"columns": ["order_id"], "of": "silver.order_line"}),
        rule(id="c", volume={"at_least": 1}),
        rule(id="d", tables=["silver.event"], drift={"psi": "value", "at_most": 0.1}),
    ]

    assert neighbours_of("silver.order", rules) == ("silver.order_line", "silver.store")
    assert neighbours_of("silver.event", rules) == ()
    assert [needs_previous(name, rules) for name in ("silver.order", "silver.event")] == [False, True]
