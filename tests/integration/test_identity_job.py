"""The identity job, run by run: a day's news does what a whole run does; ids stay; people have the last word."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import functions as F, SparkSession

from cdp_lib.contracts import identity, matching as tables
from cdp_lib.contracts.table import Table
from cdp_lib.errors import StorageError
from cdp_lib.io.store import Batch, DeltaStore, Stamp
from cdp_lib.settings.settings import MlflowSettings
from cdp_lib.transforms.identity.history import resolve
from jobs.compose import Suite
from jobs.decisions import Decision, Record, Verdict
from jobs.explanation.evidence import matcher_in_force
from jobs.identities import record_decision
from jobs.matching.matchers import MATCH
from tests.integration.people import Business, business, simulated

EXACT = "identifiers: [{field: member_no, max_values: 1}]\n"
PROBABLE = EXACT + "matching: {random_pairs: 20000}\n"
EXACT_ONLY_COLUMNS = ("source_system", "source_record_id", "cluster_id", "component_id", "matched_by")

New = Callable[..., Business]


@pytest.fixture
def new_business(
    spark: SparkSession, tmp_path: Path, mlflow_store: MlflowSettings, request: pytest.FixtureRequest
) -> New:
    name = "".join(letter for letter in request.node.name.lower() if letter.isalnum())[:40]

    def make(settings: str = PROBABLE, lake: str = "lake") -> Business:
        return business(spark, tmp_path / name, tmp_path / lake, mlflow_store, settings)

    return make


def content(shop: Business) -> dict[str, list[tuple]]:
    """What does not depend on when and in which order records came."""
    settings = shop.suite.pack.identity.matching
    links = shop.table(identity.IDENTITY_LINK).select(*EXACT_ONLY_COLUMNS)
    found = {"links": links, "rules": shop.table(tables.MATCH_KEY).drop("_run_id")}
    if settings is not None:
        pairs = shop.table(tables.match_pair(settings))
        found["pairs"] = pairs.withColumns({"match_weight": F.round("match_weight", 9), "match_probability": F.lit(0)})
        found["review"] = shop.table(tables.REVIEW_PAIR).drop("match_weight", "match_probability")
    people = shop.table(identity.GOLDEN_RECORD)
    found["people"] = people.select(*[name for name in people.columns if name[0] != "_" and name != "golden_id"])
    return {name: sorted((str(row),) for row in frame.collect()) for name, frame in found.items()}


@pytest.mark.slow
@pytest.mark.parametrize("plans", ["as_ever", "planned_anew"])
def test_days_one_by_one_find_the_same_people_as_all_at_once(
    new_business: New, plans: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if plans == "planned_anew":
        request.getfixturevalue(plans)
    rows = simulated(600)
    by_day, at_once = new_business(), new_business(lake="at_once")
    # Both by what the first day taught: a lakehouse of its own would learn from all days at once.
    models = by_day.suite.models
    monkeypatch.setattr(Suite, "models", lambda _: models())
    days = [rows[:450], rows[450:500], [moved(row) for row in rows[20:30]] + rows[500:]]
    for number, news in enumerate(days, start=1):
        by_day.publish(news, number)
        assert by_day.run().status == "succeeded"
        at_once.publish(news, number)
    at_once.run()

    assert by_day.people() == at_once.people()
    assert content(by_day) == content(at_once)
    assert len(by_day.people()) < len(rows)


@pytest.mark.slow
def test_ids_come_back_when_a_stricter_rule_is_taken_back(new_business: New) -> None:
    shop = new_business()
    shop.publish(simulated(600), 1)
    shop.run()
    before = shop.ids()

    strict = new_business(PROBABLE.replace("20000", "20000, threshold: 25"))
    strict.run()
    assert len(set(strict.ids().values())) > len(set(before.values()))
    back = new_business()
    back.run()

    assert back.ids() == before


def moved(row: dict) -> dict:
    """The record after its person moved and wrote the name otherwise."""
    return {**row, "address": "1 new street", "city": "Elsewhere", "postcode": "99999", "first_name": row["last_name"]}


@pytest.mark.slow
def test_a_run_without_a_model_trains_one_and_the_next_has_nothing_to_do(new_business: New) -> None:
    shop = new_business()
    shop.publish(simulated(300), 1)

    assert shop.run().status == "succeeded"
    champion = shop.suite.models().champion("match")
    assert champion is not None
    assert champion.version == 1
    assert {row[0] for row in shop.table(tables.MATCH_KEY).select("model_version").collect()} == {champion.label}
    assert shop.run().status == "nothing new"


@pytest.mark.slow
def test_people_have_the_last_word_and_may_take_it_back(new_business: New) -> None:
    shop = new_business(EXACT)
    shop.publish([record("1", "m1"), record("2", "m1"), record("3", "m3"), record("4", "m4")], 1)
    shop.run()
    before, people = shop.ids(), shop.people()
    assert people == {frozenset({"crm:1", "crm:2"}), frozenset({"crm:3"}), frozenset({"crm:4"})}

    decide(shop, "unlink", "1", "2")
    decide(shop, "link", "3", "4")
    shop.run()
    assert shop.people() == {frozenset({"crm:1"}), frozenset({"crm:2"}), frozenset({"crm:3", "crm:4"})}
    links = shop.table(identity.IDENTITY_LINK).collect()
    assert {row["source_record_id"]: row["matched_by"] for row in links if row["matched_by"]} == {
        "3": "decision",
        "4": "decision",
    }
    split = shop.table(identity.IDENTITY_EVENT).where("event_type = 'split'").collect()
    assert [row["golden_id"] for row in split] == [before["crm:1"]]

    decide(shop, "withdraw", "1", "2")
    decide(shop, "withdraw", "4", "3")
    shop.run()
    assert shop.people() == people
    # Of two ids that were merged one has ended for ever; the one that was split lives on.
    assert [shop.ids()[name] for name in ("crm:1", "crm:2")] == [before["crm:1"]] * 2
    counts = [row["record_count"] for row in shop.table(identity.GOLDEN_RECORD).collect()]
    assert sorted(counts) == [1, 1, 2]


@pytest.mark.slow
def test_a_merge_that_a_failed_run_did_not_come_to_tell_is_told_by_the_next_new_run(
    new_business: New, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = new_business(EXACT)
    shop.publish([record("1", "m1"), record("2", "m2")], 1)
    shop.run()
    before = set(shop.ids().values())
    shop.publish([record("2", "m1")], 2)
    with monkeypatch.context() as patched:
        patched.setattr(DeltaStore, "write", _full_disk_for(identity.IDENTITY_EVENT, DeltaStore.write))
        with pytest.raises(StorageError, match="disk is full"):
            shop.run()
    assert len(set(shop.ids().values())) == 1

    shop.run()

    (survivor,) = set(shop.ids().values())
    events = shop.table(identity.IDENTITY_EVENT)
    old = shop.suite.session().createDataFrame([(name,) for name in sorted(before)], "golden_id string")
    assert {row[1] for row in resolve(events, old).collect()} == {survivor}
    assert [row["event_type"] for row in events.where("event_type = 'merge'").collect()] == ["merge"]


def _full_disk_for(table: Table, write: Callable[..., Any]) -> Callable[..., Any]:
    def writes(store: DeltaStore, batch: Batch, stamp: Stamp) -> int | None:
        if batch.table == table:
            raise StorageError("the disk is full")
        version: int | None = write(store, batch, stamp)
        return version

    return writes


def record(number: str, member: str) -> dict:
    return {"source_system": "crm", "source_record_id": number, "identifiers": {"member_no": member}}


def decide(shop: Business, decision: Verdict, one: str, other: str) -> None:
    asked = Decision(Record("crm", one), Record("crm", other), decision, None)
    record_decision(shop.suite, asked, asked.records)


@pytest.mark.slow
def test_records_that_nothing_brings_together_are_people_of_their_own_without_a_model(new_business: New) -> None:
    shop = new_business(PROBABLE)
    shop.publish([record("1", "m1"), record("2", "m2")], 1)
    shop.run()

    assert shop.people() == {frozenset({"crm:1"}), frozenset({"crm:2"})}
    assert shop.suite.models().champion(MATCH) is None
    assert {row["model_version"] for row in shop.table(tables.MATCH_KEY).collect()} == {"none"}
    assert shop.table(tables.REVIEW_PAIR).count() == 0
    assert matcher_in_force(shop.suite) is None


@pytest.mark.slow
def test_a_mailbox_that_all_share_is_told_though_nothing_can_be_learnt(new_business: New) -> None:
    """A pack that compares by e-mail alone, and a business that gave everybody its own address."""
    shop = new_business(EXACT + "matching: {blocking: [{on: [email], max_records: 5}], random_pairs: 20000}\n")
    shop.publish([record(str(number), f"m{number}") | {"email": "shop@shop.test"} for number in range(8)], 1)
    shop.run()

    (rule,) = shop.table(tables.MATCH_KEY).collect()
    assert (rule["blocking_rule"], rule["max_records"], rule["dropped_record_count"]) == ("email", 0, 8)
    assert len(shop.people()) == 8


@pytest.mark.slow
def test_pairs_that_a_veto_parts_teach_nothing_and_stop_no_run(new_business: New) -> None:
    """A couple at one address, and nobody else."""
    apart = "{same: [address, last_name], different: [first_name]}"
    shop = new_business(EXACT + f"matching: {{vetoes: [{apart}], random_pairs: 20000}}\n")
    home = {"last_name": "Poom", "email": "home@poom.test", "address": "12 Old Road", "postcode": "10110"}
    shop.publish(
        [record("1", "m1") | home | {"first_name": "Anna"}, record("2", "m2") | home | {"first_name": "Karl"}], 1
    )
    shop.run()

    assert len(shop.people()) == 2
