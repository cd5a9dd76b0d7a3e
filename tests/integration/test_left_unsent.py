"""What an earlier run planned and did not send goes out only where it still may, and then once."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from cdp_lib.connectors.kit import sms, tiktok_audience
from cdp_lib.connectors.kit.server import serving
from cdp_lib.contracts import activation
from cdp_lib.io.ledger import OpsLedger, RUN_ITSELF, utc_now
from jobs.deliveries import last_states, plan_again
from tests.integration.conftest import OpenShop
from tests.integration.cut_off import cut_off_at, PowerCutError
from tests.integration.mailing import Mailing, NOON, phones, RULES, sending_in_fours

pytestmark = pytest.mark.slow

NIGHT, MORNING = NOON.replace(hour=22), NOON.replace(hour=9) + timedelta(days=1)
QUIET = """
kind: contact_policy
quiet_hours: {start: "21:00", end: "08:00"}
---
"""
LANDLINE = "+66299999001"
"""The fake refuses it alone."""


@pytest.fixture
def shop(open_shop: OpenShop) -> Iterator[Mailing]:
    """Texts, and a list that asks for consent too; nobody is written to at night, by the clocks of UTC."""
    rules = RULES.replace("needs_consent: false\n", "") + QUIET
    with serving(sms.BENCH.fake()) as texts, serving(tiktok_audience.BENCH.fake()) as network:
        channels = {"texts": (sms.BENCH, texts), "network": (tiktok_audience.BENCH, network)}
        yield Mailing(sending_in_fours(open_shop(rules, channels)), texts, network)


def run(shop: Mailing, at: datetime = NOON, *, sends: bool = True, resume: bool = False) -> None:
    """A run by a clock that says so when it begins."""
    ahead = at - utc_now()
    ledger = OpsLedger(shop.suite.ledger.root, lambda: utc_now() + ahead)
    shop.suite = replace(shop.suite, ledger=ledger)
    shop.run(sends=sends, resume=resume, at=at)


def cut_off(shop: Mailing, point: str, at: datetime = NOON, *, sends: bool = True) -> None:
    """A run that ends there."""
    whole, shop.suite = shop.suite, cut_off_at(shop.suite, point)
    with pytest.raises(PowerCutError):
        run(shop, at, sends=sends)
    shop.suite = whole


def last(shop: Mailing) -> dict[tuple[str, str], tuple[str, str | None]]:
    """(activation, customer): status and reason."""
    return {(row["activation_id"], row["golden_id"]): (row["status"], row["reason"]) for row in last_states(shop.suite)}


def texted(*numbers: int) -> dict[str, int]:
    return {f"+6680{number:07d}": 1 for number in numbers}


@pytest.mark.parametrize("resume", [False, True])
def test_who_withdraws_between_plan_and_request_is_told_to_nobody(shop: Mailing, resume: bool) -> None:
    shop.publish(phones(3))
    cut_off(shop, "noted:activate")
    shop.publish(phones(3), refusing=["c001"])
    run(shop, resume=resume)
    assert shop.texted == texted(0, 2)
    assert len(shop.network.fake.taken) == 2
    found = last(shop)
    anew = ("expired", "judged anew")
    assert {key for key, told in found.items() if told == anew} == {("greet", "c001"), ("follow", "c001")}
    assert {key for key, told in found.items() if told[0] == "accepted"} == set(found) - {
        ("greet", "c001"),
        ("follow", "c001"),
    }
    assert {row["golden_id"] for row in shop.suite.ledger.rows(activation.LIST_ENTRY)} == {"c000", "c002"}


def test_who_withdraws_before_a_retry_is_not_written_to(shop: Mailing) -> None:
    people = {who: {"first_name": who, "phone": LANDLINE} for who in ("willing", "withdrawn")}
    shop.publish(people)
    run(shop)
    assert plan_again(shop.suite, "greet", None) == 2
    shop.publish(people, refusing=["withdrawn"])
    run(shop)
    assert len(shop.texts.requests) == 3
    found = last(shop)
    assert (found["greet", "willing"][0], found["greet", "withdrawn"]) == ("rejected", ("expired", "judged anew"))
    run(shop)
    assert len(shop.texts.requests) == 3


def test_what_is_left_waits_for_the_end_of_quiet_hours(shop: Mailing) -> None:
    shop.publish(phones(2))
    cut_off(shop, "noted:activate")
    run(shop, at=NIGHT)
    assert (shop.texted, len(shop.network.fake.taken)) == ({}, 2)
    run(shop, at=MORNING)
    assert shop.texted == texted(0, 1)


@pytest.mark.parametrize("points", [["codes:activate"], ["noted:activate"], ["codes:activate", "noted:activate"] * 2])
def test_a_plan_that_is_cut_off_anywhere_is_sent_once(shop: Mailing, points: Sequence[str]) -> None:
    shop.publish(phones(3))
    for number, point in enumerate(points):
        cut_off(shop, point, NOON + timedelta(minutes=number))
    run(shop, at=NOON + timedelta(hours=1))
    assert shop.texted == texted(0, 1, 2)
    assert len(shop.network.fake.taken) == 3
    assert set(last(shop).values()) == {("accepted", None)}
    assert len({row["offer_code"] for row in shop.suite.ledger.rows(activation.OFFER_CODE)}) == 3


def test_a_dry_run_that_was_killed_is_finished_without_sending_when_the_next_one_sends(shop: Mailing) -> None:
    shop.publish(phones(2))
    cut_off(shop, "before:activate", sends=False)
    # As a kill leaves it: the runner, which outlived this one, has noted a failure.
    ledger = shop.suite.ledger
    begun = next(state for state in reversed(ledger.states()) if state.job == RUN_ITSELF)
    ledger.record(replace(begun, status="started", error=None, recorded_at=ledger.clock()))
    shop.publish(phones(2, start=2))
    run(shop)
    states = [state for state in ledger.states() if state.job == "activate" and state.status == "succeeded"]
    assert [state.run_number for state in states] == [1, 2]
    assert shop.texted == texted(2, 3)
    assert len(shop.network.fake.taken) == 2
