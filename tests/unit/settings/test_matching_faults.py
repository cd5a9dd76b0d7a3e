"""What is wrong with a pack's `matching` is said with its place and a near-miss, all faults at once."""

from collections.abc import Callable

import pytest

from cdp_lib.settings.pack import Pack
from jobs.compose import sql_functions
from tests.unit.settings.conftest import IDENTITY, LoadFaults, SOURCES

Load = Callable[..., Pack]

FIELDS = "comparisons: [{field: last_name, kind: name}, {field: birth_date, kind: birth_date}]\n"


def section(text: str) -> str:
    """The gym's identity.yml with these lines under `matching`."""
    return IDENTITY + "matching:\n" + "".join(f"  {line}\n" for line in text.splitlines())


@pytest.mark.parametrize(
    ("matching", "fault"),
    [
        (
            "blocking: [{on: [last_name]}, {on: [email, birthdate]}]",
            "blocking[1].on[1]: unknown column 'birthdate' in 'birthdate'. Did you mean 'birth_date'?",
        ),
        (
            FIELDS + "blocking: [{on: [city]}]",
            "blocking[0].on[0]: unknown column 'city' in 'city'. Choices: birth_date, last_name.",
        ),
        (
            "blocking: [{on: ['soundx(last_name)']}]",
            "blocking[0].on[0]: unknown function 'soundx' in 'soundx(last_name)'. Did you mean 'soundex'?",
        ),
        (
            "blocking: [{on: [max(last_name)]}]",
            "blocking[0].on[0]: 'max(last_name)' aggregates rows, but only one row is looked at here",
        ),
        (
            FIELDS,
            "blocking: is missing, and a default rule does not fit the comparisons: unknown column 'national_id' in "
            "'national_id'. Choices: birth_date, last_name.",
        ),
        (
            "blocking: [{on: [nick]}]\ncomparisons: [{field: nick, kind: name, value: lower(frist_name)}]",
            "comparisons[0].value: unknown column 'frist_name' in 'lower(frist_name)'. Did you mean 'first_name'?",
        ),
        (
            "blocking: [{on: [nick]}]\ncomparisons: [{field: nick, kind: name, value: max(first_name)}]",
            "comparisons[0].value: 'max(first_name)' aggregates rows, but only one row is looked at here",
        ),
        (
            "blocking: [{on: [cards]}]\ncomparisons: [{field: cards, kind: exact}]",
            "comparisons[0].field: 'cards' is no column of customer_record and no identifier that a source feeds. "
            "Did you mean 'card'?",
        ),
        (
            "blocking: [{on: [address]}]\ncomparisons: [{field: address, kind: address, coarser: [postcode, cty]}]",
            "comparisons[0].coarser[1]: 'cty' is no column of customer_record and no identifier that a source feeds. "
            "Did you mean 'city'?",
        ),
        (
            "one_record_per_source: [dor]",
            "one_record_per_source[0]: unknown source 'dor'. Did you mean 'door'?",
        ),
    ],
)
def test_a_fault_is_told_with_its_place_and_what_was_meant(faults_of: LoadFaults, matching: str, fault: str) -> None:
    found = faults_of(functions=tuple(sql_functions()), identity=section(matching))
    assert found == [f"identity.yml: identity.matching.{fault}"]


def test_all_faults_come_at_once(faults_of: LoadFaults) -> None:
    found = faults_of(
        identity=section(
            "blocking: [{on: [nik, card]}]\n"
            "comparisons: [{field: nick, kind: name, value: frist_name}, {field: cart, kind: exact}]\n"
            "one_record_per_source: [dor]"
        )
    )
    assert [line.split(": ")[1].removeprefix("identity.matching.") for line in found] == [
        "blocking[0].on[0]",
        "blocking[0].on[1]",
        "comparisons[0].value",
        "comparisons[1].field",
        "one_record_per_source[0]",
    ]


@pytest.mark.parametrize(
    "matching",
    [
        "review_pairs: 10",
        "blocking: [{on: [national_id]}, {on: ['soundex(last_name)', 'substr(birth_date, 1, 4)', city]}]",
        "blocking: [{on: [card]}]\ncomparisons: [{field: card, kind: exact}]",
        "blocking: [{on: [nick]}]\ncomparisons: [{field: nick, kind: name, value: \"attributes['nick']\"}]",
        "blocking: [{on: [area]}]\n"
        "comparisons: [{field: address, kind: address, coarser: [area]}, {field: area, kind: text, value: city}]",
        "one_record_per_source: [door]",
    ],
)
def test_what_leads_somewhere_is_left_alone(load: Load, matching: str) -> None:
    assert load(identity=section(matching)).identity.matching is not None


def test_identifiers_that_the_pack_does_not_tell_are_not_called_unknown(load: Load) -> None:
    sources = SOURCES.replace("\"map('card', card)\"", '"str_to_map(card)"')
    assert sources != SOURCES
    pack = load(sources=sources, identity=section("blocking: [{on: [x]}]\ncomparisons: [{field: x, kind: exact}]"))
    assert pack.identity.matching.fields == ("x",)


def test_a_source_in_a_file_that_was_lost_is_not_called_unknown(faults_of: LoadFaults) -> None:
    found = faults_of(sources="kind: source\n\tid: door\n", identity=section("one_record_per_source: [other]"))
    assert [line.split(":")[0] for line in found] == ["sources.yml"]
