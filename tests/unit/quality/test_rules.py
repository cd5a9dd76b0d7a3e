"""Rules as settings, which of them are in force, and faults in what they name."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from cdp_lib.contracts import identity, silver
from cdp_lib.contracts.gold import CUSTOMER_FIXED
from cdp_lib.contracts.table import ReplaceAll, Table
from cdp_lib.io.yaml_files import load_rules
from cdp_lib.settings.rule import Rule
from quality.rulebook import rule_faults, rules_in_force
from quality.suites import needs_previous, neighbours_of, rules_of

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


@pytest.mark.parametrize(
    ("given", "path", "message"),
    [
        (
            {"tables": ["silver.ordr"], "volume": {"at_least": 1}},
            ".tables[0]",
            "no table is called 'silver.ordr'. Did you mean 'silver.order'?",
        ),
        (
            {"freshness": {"column": "orderd_at", "at_most_days": 1}},
            ".freshness.column",
            "silver.order has no column 'orderd_at'. Did you mean 'ordered_at'?",
        ),
        (
            {"freshness": {"column": "order_id", "at_most_days": 1}},
            ".freshness.column",
            "silver.order.order_id is string; it must be one of date, timestamp, timestamp_ntz",
        ),
        (
            {"tables": ["silver.customer_record"], "freshness": {"column": "birth_date", "at_most_days": 1}},
            ".freshness.column",
            "silver.customer_record.birth_date is personal: its newest value tells of one person",
        ),
        (
            {"drift": {"psi": "channel", "at_most": 0.1}},
            ".drift.psi",
            "silver.order.channel is string; it must be one of tinyint, smallint, int, bigint, float, double, decimal",
        ),
        (
            {"drift": {"nulls": "chanel", "at_most": 0.1}},
            ".drift.nulls",
            "silver.order has no column 'chanel'. Did you mean 'channel'?",
        ),
        (
            {"drift": {"share": "chanel = 'app'", "at_most": 0.1}},
            ".drift.share",
            "silver.order: unknown column 'chanel' in \"chanel = 'app'\". Did you mean 'channel'?",
        ),
        (
            {"referential": {"columns": ["order_id"], "found_in": "silver.ordr"}},
            ".referential.found_in",
            "unknown table 'silver.ordr'. Did you mean 'silver.order'?",
        ),
        (
            {"coverage": {"columns": ["order_id"], "of": "silver.order_line", "of_columns": ["order_idd"]}},
            ".coverage.of",
            "silver.order_line has no column 'order_idd'. Did you mean 'order_id'?",
        ),
        (
            {"distinct": {"columns": ["curency"], "at_most": 1}},
            ".distinct.columns",
            "silver.order has no column 'curency'. Did you mean 'currency'?",
        ),
    ],
)
def test_a_rule_that_names_what_does_not_exist_has_a_fault(given: dict[str, Any], path: str, message: str) -> None:
    assert rule_faults(rule(**given), TABLES) == [(path, message)]


def test_the_default_rules_name_only_what_every_business_has() -> None:
    defaults = load_rules(RULES_DIR)

    assert {one.id: rule_faults(one, TABLES) for one in defaults} == {one.id: [] for one in defaults}


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
