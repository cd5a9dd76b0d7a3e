"""The checks that a contract implies, as plain data."""

from cdp_lib.contracts import identity, silver
from cdp_lib.contracts.table import MergeByKey, number, one_of, Table, text
from quality.expectations import expectation_of
from quality.suites import BETWEEN, COMPLETE, CONDITION, DISTINCT, FOUND, STABLE, suite_for, UNIQUE
from quality.verdict import Check

TABLE = Table(
    name="silver.visit",
    purpose="One row per visit.",
    key=("source_system", "visit_id"),
    columns=(
        text("source_system", "Source.", required=True),
        text("visit_id", "Id."),
        one_of("status", "State.", ("open", "closed")),
        number("guest_count", "Guests.", required=True, check="guest_count >= 1"),
        number("seat_count", "Seats."),
    ),
    write=MergeByKey(newest_by=("visit_id",)),
    checks=(("guests_have_seats", "guest_count <= seat_count"),),
)


def outline(checks: tuple[Check, ...]) -> list[tuple[str, str, tuple[str, ...], str, str]]:
    return [(check.name, check.expectation, check.columns, check.scope, check.severity) for check in checks]


def test_a_contract_implies_complete_columns_its_checks_and_a_unique_key() -> None:
    assert outline(suite_for(TABLE)) == [
        (COMPLETE, COMPLETE, ("source_system",), "row", "error"),
        (COMPLETE, COMPLETE, ("visit_id",), "row", "error"),
        (COMPLETE, COMPLETE, ("guest_count",), "row", "error"),
        (CONDITION, CONDITION, ("status",), "row", "error"),
        (CONDITION, CONDITION, ("guest_count",), "row", "error"),
        ("guests_have_seats", CONDITION, (), "row", "error"),
        (UNIQUE, UNIQUE, ("source_system", "visit_id"), "table", "error"),
    ]


def test_a_closed_list_becomes_a_condition_of_its_values() -> None:
    (of_status,) = [check for check in suite_for(TABLE) if check.columns == ("status",)]

    assert of_status.kwargs["expression"] == "count_if(NOT (status IN ('open', 'closed')))"


def test_every_fixed_table_has_checks_with_different_names() -> None:
    tables = (*silver.ENTITIES.values(), *identity.TABLES)

    twins = [table.name for table in tables if len({check.key for check in suite_for(table)}) < len(suite_for(table))]

    assert twins == []


def test_every_expectation_type_of_a_check_is_known_to_great_expectations() -> None:
    types = (BETWEEN, COMPLETE, CONDITION, DISTINCT, FOUND, STABLE, UNIQUE)

    made = [expectation_of(Check("any", kind, "it holds", kwargs={"expression": "count(1)"})) for kind in types]

    assert [expectation.expectation_type for expectation in made] == list(types)
