"""A key with nothing behind it is a fault: left out, it may mean everybody or always, which nobody wrote."""

import pytest

from cdp_lib.errors import ConfigError
from cdp_lib.settings.schemas import pack_schemas
from cdp_lib.settings.settings import merge_settings, SettingsLayer
from tests.unit.settings.conftest import EXPORTS, IDENTITY, LoadFaults, PACK, SOURCES, TRAITS
from tests.unit.settings.test_faults import spoiled
from tests.unit.settings.test_journey import ACTIVATIONS, AUDIENCES, JOURNEY

SAID = "has nothing behind it: write a value, or remove the key"
RULE = "where: {trait: visit_count, gte: 1}\n"


@pytest.mark.parametrize(
    ("file", "text", "place"),
    [
        ("audiences", spoiled(AUDIENCES, RULE, "where:\n  # trait: visit_count\n"), "audiences[0].where"),
        ("audiences", spoiled(AUDIENCES, RULE, "where: {not: }\n"), "audiences[0].where.not"),
        ("audiences", spoiled(AUDIENCES, RULE, "where: {all: [{trait: x, is: }]}\n"), "audiences[0].where.all[0].is"),
        ("audiences", spoiled(AUDIENCES, RULE, "exclude:\n"), "audiences[0].exclude"),
        ("audiences", spoiled(AUDIENCES, RULE, "exclude: [null]\n"), "audiences[0].exclude[0]"),
        ("identity", f"{IDENTITY}matching:\n", "identity.matching"),
        ("identity", f"{IDENTITY}shared_value_limits: {{email: }}\n", "identity.shared_value_limits.email"),
        ("traits", spoiled(TRAITS, "window: 90d", "window:"), "traits[1].window"),
        ("traits", spoiled(TRAITS, "window: 90d", "where: ~"), "traits[1].where"),
        ("sources", spoiled(SOURCES, "  - to: order\n", "  - to: order\n    where:\n"), "sources[0].feeds[0].where"),
        ("sources", spoiled(SOURCES, "order_id: swipe_id", "order_id: "), "sources[0].feeds[0].map.order_id"),
        ("exports", f"{EXPORTS}where:\n", "exports[0].where"),
        ("pack", f"{PACK}phone_region:\n", "pack.phone_region"),
    ],
)  # fmt: skip
def test_a_key_with_nothing_behind_it_is_a_fault(faults_of: LoadFaults, file: str, text: str, place: str) -> None:
    assert faults_of(**{file: text}) == [f"{file}.yml: {place}: {SAID}"]


def test_a_journey_that_nobody_would_leave_is_a_fault(faults_of: LoadFaults) -> None:
    journey = spoiled(JOURNEY, "exit_when: {trait: visit_count, gte: 9}", "exit_when:")
    found = faults_of(campaigns=f"{AUDIENCES}---\n{ACTIVATIONS}---\n{journey}")
    assert f"campaigns.yml: journeys[0].exit_when: {SAID}" in found


@pytest.mark.parametrize("values", [{"spark": {"master": None}}, {"spark": {"ui": None}}])
def test_a_setting_with_nothing_behind_it_is_a_fault(values: dict[str, dict[str, None]]) -> None:
    (key,) = values["spark"]
    with pytest.raises(ConfigError, match=f"local.yml: spark.{key}: {SAID}"):
        merge_settings(SettingsLayer("local.yml", values))


def test_an_editor_is_told_so_too_but_a_made_up_catalogue_may_lack_a_value() -> None:
    schemas = pack_schemas()
    assert schemas["trait"]["properties"]["where"]["type"] == "string"
    assert {"type": "null"} in schemas["simulator"]["$defs"]["Catalogue"]["properties"]["rows"]["items"][
        "additionalProperties"
    ]["anyOf"]
