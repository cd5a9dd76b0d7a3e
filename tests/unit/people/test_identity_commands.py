"""`cdp identity link|unlink|withdraw`: what people know is written down, checked, and never contradicts itself."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from cdp_lib.contracts import identity
from cdp_lib.io.ledger import OpsLedger
from cdp_lib.io.lock import run_lock
from jobs.decisions import contradiction, Decision, read_book, Verdict, write_decisions
from tests.unit.people.conftest import AT, Deli, record, told


def test_a_link_is_written_with_who_when_and_why_and_a_deed_without_ids(deli: Deli) -> None:
    said = deli.say("link", "crm:1", "shop:1", "--reason", "same passport")

    assert said.exit_code == 0, said.output
    assert "crm:1 and shop:1 are one person by decision." in said.stdout
    assert f"cdp run daily --pack {deli.pack}" in said.stdout
    (row,) = deli.overrides()
    named = {(row[f"source_system_{side}"], row[f"source_record_id_{side}"]) for side in "lr"}
    assert named == {("crm", "1"), ("shop", "1")}
    assert (row["decision"], row["reason"], row["origin"]) == ("link", "same passport", "command")
    assert "@" in row["decided_by"]
    (deed,) = deli.deeds()
    assert deed["action"] == "identity_link"
    assert set(deed["subject"].split()) == {record("crm:1").hash, record("shop:1").hash}


def test_the_record_with_the_smaller_hash_stands_left_whichever_was_named_first(deli: Deli) -> None:
    deli.say("link", "crm:1", "crm:2")
    deli.say("unlink", "crm:2", "crm:1")

    first, second = deli.overrides()
    assert first["source_record_id_l"] == second["source_record_id_l"]
    assert deli.decided() == ["link", "unlink"]
    assert first["override_id"] != second["override_id"]


def test_a_record_may_be_named_by_the_digits_that_explain_shows_and_stays_hidden(deli: Deli) -> None:
    shown = record("crm:1").hidden
    said = deli.say("link", shown, "shop:1")
    assert f"{shown} and shop:1 are one person by decision." in said.stdout
    assert "crm:1 " not in said.output
    (row,) = deli.overrides()
    assert "1" in {row[f"source_record_id_{side}"] for side in "lr"}
    assert "already: nothing was written" in deli.say("link", "crm:1", "shop:1").stdout
    unknown = told(deli.say("link", "crm:0123abcd", "shop:1"))
    assert "crm:0123abcd: silver.customer_record has no such record" in unknown


def test_digits_that_stand_for_two_records_name_neither(deli: Deli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.decisions._SHOWN_DIGITS", 0)
    deli.know(*(f"crm:x{number}" for number in range(20)))
    hashes = [record(f"crm:x{number}").hash for number in range(20)]
    digit = next(one for one in "abcdef" if sum(name.startswith(one) for name in hashes) > 1)
    said = told(deli.say("link", f"crm:{digit}", "shop:1"))
    assert f"crm:{digit}: more than one record's digits begin so. Give more of them" in said


@pytest.mark.parametrize("verdict", ["link", "unlink"])
def test_what_is_in_force_already_is_not_written_again(deli: Deli, verdict: str) -> None:
    deli.say(verdict, "crm:1", "crm:2")
    said = deli.say(verdict, "crm:2", "crm:1")

    assert said.exit_code == 0
    assert "It was so already: nothing was written." in said.stdout
    assert deli.decided() == [verdict]
    assert len(deli.deeds()) == 1


def test_a_withdrawn_decision_holds_no_longer_and_cannot_be_withdrawn_twice(deli: Deli) -> None:
    deli.say("link", "crm:1", "crm:2")
    once = deli.say("withdraw", "crm:1", "crm:2")
    twice = deli.say("withdraw", "crm:1", "crm:2")

    assert "No decision holds about crm:1 and crm:2. The next run carries it out" in once.stdout
    assert "It was so already: nothing was written." in twice.stdout
    assert deli.decided() == ["link", "withdraw"]
    assert read_book(deli.ledger).held == {}
    assert [deed["action"] for deed in deli.deeds()] == ["identity_link", "identity_withdraw"]


def test_a_decision_about_a_record_that_is_gone_can_be_withdrawn(deli: Deli) -> None:
    gone = Decision(record("web:9"), record("crm:1"), "link")
    write_decisions(deli.suite, [gone], read_book(deli.ledger), origin="command")

    assert deli.say("withdraw", "web:9", "crm:1").exit_code == 0
    assert deli.decided() == ["link", "withdraw"]


def test_an_id_may_hold_colons_and_what_looks_like_sql(deli: Deli) -> None:
    assert deli.say("link", "shop:a:b'; --", "crm:1").exit_code == 0
    assert "a:b'; --" in {row[f"source_record_id_{side}"] for row in deli.overrides() for side in "lr"}


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ("crm", "shop:1", "'crm' names no record. Write SOURCE:RECORD_ID, e.g. crm:1042."),
        ("crm:", ":1", "'crm:' names no record. Write SOURCE:RECORD_ID, e.g. crm:1042.\n':1' names no record."),
        ("crm:\udc80", "crm:1", "'crm:\\udc80' names no record."),
        ("crm:1", "crm:1", "crm:1 is named twice; a decision is about two records."),
        ("crmm:1", "shop:1", "pack deli: unknown source 'crmm'. Did you mean 'crm'?"),
        ("crmm:1", "sh:1", "unknown source 'crmm'. Did you mean 'crm'?\npack deli: unknown source 'sh'."),
        ("crm:11", "shop:1", "crm:11: silver.customer_record has no such record. Check the id; a record that has only"),
    ],
)
def test_what_names_no_two_records_is_refused(deli: Deli, first: str, second: str, message: str) -> None:
    assert message in told(deli.say("link", first, second))
    assert deli.decided() == []
    assert deli.deeds() == []


def test_an_unknown_id_is_not_answered_with_another_persons(deli: Deli) -> None:
    deli.know("crm:1042")
    assert "1042" not in told(deli.say("link", "crm:1041", "crm:1"))


def test_both_unknown_records_are_told_at_once(deli: Deli) -> None:
    said = told(deli.say("unlink", "crm:88", "crm:99"))
    assert "crm:88: silver.customer_record has no such record" in said
    assert "crm:99: silver.customer_record has no such record" in said


def test_before_the_first_run_there_is_nobody_to_decide_about(bare_deli: Callable[..., Deli]) -> None:
    assert "customer_record does not exist. First: cdp run daily" in told(bare_deli().say("link", "crm:1", "crm:2"))


def test_while_a_run_holds_the_lakehouse_nothing_is_decided(deli: Deli) -> None:
    with run_lock(deli.lakehouse, "daily of deli"):
        said = told(deli.say("link", "crm:1", "crm:2"))
    assert "is in use by" in said
    assert "daily of deli" in said
    assert deli.decided() == []


def test_two_people_by_a_chain_cannot_be_linked(deli: Deli) -> None:
    deli.say("link", "crm:1", "crm:3")
    deli.say("unlink", "crm:3", "crm:2")
    said = told(deli.say("link", "crm:1", "crm:2"))

    hidden = record("crm:3").hidden
    assert "crm:1 and crm:2 cannot be one person: decisions in force make them two." in said
    assert f"  crm:1 is the same person as {hidden} (decided 20" in said
    assert f"  {hidden} is another person than crm:2 (decided 20" in said
    assert "Withdraw one of these first: cdp identity withdraw A B" in said
    assert "crm:3" not in said
    assert deli.decided() == ["link", "unlink"]


def test_one_person_by_a_chain_cannot_be_parted(deli: Deli) -> None:
    deli.say("link", "crm:1", "crm:3")
    deli.say("link", "crm:3", "crm:2")
    said = told(deli.say("unlink", "crm:1", "crm:2"))

    assert "crm:1 and crm:2 cannot be two people: decisions in force make them one." in said
    assert deli.decided() == ["link", "link"]


def test_a_withdrawn_link_of_the_chain_contradicts_nothing(deli: Deli) -> None:
    deli.say("link", "crm:1", "crm:3")
    deli.say("link", "crm:3", "crm:2")
    deli.say("withdraw", "crm:3", "crm:2")

    assert deli.say("unlink", "crm:1", "crm:2").exit_code == 0


def test_people_may_change_their_minds_about_the_two_records_themselves(deli: Deli) -> None:
    deli.say("unlink", "crm:1", "crm:2")
    assert deli.say("link", "crm:1", "crm:2").exit_code == 0
    assert read_book(deli.ledger).held[Decision(record("crm:1"), record("crm:2"), "link").pair].verdict == "link"


def held(*decisions: tuple[str, Verdict, str]) -> dict:
    found = [Decision(record(f"crm:{one}"), record(f"crm:{other}"), verdict) for one, verdict, other in decisions]
    return {decision.pair: decision for decision in found}


def chain(one: str, verdict: Verdict, other: str, book: dict) -> int:
    return len(contradiction(Decision(record(f"crm:{one}"), record(f"crm:{other}"), verdict), book))


def test_a_chain_may_be_parted_anywhere_and_the_shortest_is_told() -> None:
    long_way = held(("a", "link", "c"), ("c", "link", "d"), ("e", "unlink", "d"), ("e", "link", "b"))
    assert chain("a", "link", "b", long_way) == 4
    assert chain("b", "link", "a", long_way) == 4
    assert chain("a", "link", "b", long_way | held(("b", "unlink", "c"))) == 2


def test_two_that_are_apart_from_a_third_may_be_one() -> None:
    assert chain("a", "link", "b", held(("a", "unlink", "c"), ("c", "unlink", "b"))) == 0


def test_a_circle_of_links_ends_the_search() -> None:
    circle = held(("a", "link", "c"), ("c", "link", "d"), ("d", "link", "a"))
    assert chain("a", "unlink", "b", circle) == 0
    assert chain("a", "unlink", "d", circle) == 2


def test_the_newest_decision_holds_even_if_the_clock_was_set_back(deli: Deli) -> None:
    for verdict, at in (("link", AT), ("unlink", AT - timedelta(days=1))):
        slow = OpsLedger(deli.ledger.root, clock=lambda at=at: at)
        suite = replace(deli.suite, ledger=slow)
        decision = Decision(record("crm:1"), record("crm:2"), verdict)  # type: ignore[arg-type]
        write_decisions(suite, [decision], read_book(slow), origin="command")

    (in_force,) = read_book(deli.ledger).held.values()
    assert in_force.verdict == "unlink"
    assert in_force.decided_at == AT + timedelta(microseconds=1)


def test_deltas_log_holds_no_ids_of_people(deli: Deli) -> None:
    deli.know("crm:somchai@example.com")
    deli.say("link", "crm:somchai@example.com", "crm:1", "--reason", "Somchai called")

    log = Path(deli.ledger.path(identity.IDENTITY_OVERRIDE)) / "_delta_log"
    assert not any("somchai" in file.read_text().lower() for file in log.glob("*.json"))
