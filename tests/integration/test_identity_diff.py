"""`cdp identity diff`: what other settings would merge and split is told, and nothing is written."""

import io
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from rich.console import Console

from cdp_lib.contracts import identity
from cdp_lib.errors import ConfigError, StorageError
from cdp_lib.settings.settings import MlflowSettings
from jobs.decisions import Decision, Record
from jobs.identities import record_decision
from jobs.matching.trial import show_difference
from tests.integration.people import Business, business

pytestmark = pytest.mark.slow

BY_MEMBER = "identifiers: [{field: member_no}]\n"
BY_EMAIL = "kind: identity\nidentifiers: [{field: email}]\n"


@pytest.fixture
def shop(spark: SparkSession, tmp_path: Path, mlflow_store: MlflowSettings) -> Business:
    """By member_no 1 and 2 are one person; by e-mail 2 and 3 would be."""
    made = business(spark, tmp_path / "difference", tmp_path / "lake", mlflow_store, BY_MEMBER)
    made.publish(
        [
            {"source_record_id": "1", "identifiers": {"member_no": "m1"}},
            {"source_record_id": "2", "identifiers": {"member_no": "m1"}, "email": "a@example.com"},
            {"source_record_id": "3", "identifiers": {"member_no": "m3"}, "email": "a@example.com"},
            {"source_record_id": "4", "identifiers": {"member_no": "m4"}},
        ],
        1,
    )
    return made


def told(shop: Business, settings: str, folder: Path) -> str:
    other = folder / "other_identity.yml"
    other.write_text(settings)
    screen = Console(file=io.StringIO(), width=120)
    show_difference(screen, shop.suite, other)
    return screen.file.getvalue()  # type: ignore[attr-defined]


def test_merges_and_splits_are_told_and_nothing_is_written(shop: Business, tmp_path: Path) -> None:
    shop.run()
    before, version = shop.ids(), shop.suite.store.version(identity.IDENTITY_LINK)

    said = told(shop, BY_EMAIL, tmp_path)

    assert "people: 3 today, 3 with the other settings" in said
    assert before["crm:1"] in said
    assert before["crm:3"] in said
    assert before["crm:4"] not in said
    assert "2 people" in next(line for line in said.splitlines() if before["crm:1"] in line)
    assert "1 other" in next(line for line in said.splitlines() if before["crm:3"] in line)
    assert "a@example.com" not in said
    assert "Nothing was written." in said
    assert shop.suite.store.version(identity.IDENTITY_LINK) == version


def test_the_same_settings_change_nobody(shop: Business, tmp_path: Path) -> None:
    shop.run()

    assert "No record would change its person." in told(shop, "kind: identity\n" + BY_MEMBER, tmp_path)


def test_other_limits_of_shared_values_and_no_decision_since_the_run_are_told(shop: Business, tmp_path: Path) -> None:
    """Two records have the e-mail: by a limit of one it is nobody's."""
    shop.run()
    three, four = Record("crm", "3"), Record("crm", "4")
    record_decision(shop.suite, Decision(three, four, "link"), (three, four))

    limited = told(shop, "kind: identity\nshared_value_limits: {email: 1}\nidentifiers: [{field: email}]\n", tmp_path)

    assert "people: 3 today, 4 with the other settings" in limited
    assert "people: 3 today, 3 with the other settings" in told(shop, BY_EMAIL, tmp_path)


def test_before_the_first_run_there_is_nothing_to_compare_with(shop: Business, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"silver/identity_link does not exist\. First: cdp run daily --pack"):
        told(shop, BY_EMAIL, tmp_path)


def test_settings_with_faults_are_refused_with_the_near_miss(shop: Business, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="identifers"):
        told(shop, "kind: identity\nidentifers: []\n", tmp_path)
