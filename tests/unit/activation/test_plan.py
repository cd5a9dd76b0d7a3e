"""One decision for every candidate: each of them, their order, and what a second plan makes of the first."""

from dataclasses import replace
from datetime import date, datetime, timedelta, UTC
from typing import Any

import pytest
from chispa import assert_df_equality
from pyspark.sql import functions as F

from cdp_lib.contracts.activation import DECISIONS
from cdp_lib.errors import ConfigError
from cdp_lib.transforms.activation.plan import waterfall
from tests.unit.activation.conftest import (
    AS_OF,
    AT,
    consent,
    delivery,
    member,
    message_way,
    pack_of,
    World,
)

HELLO = ("hello", "g1")
REACHED = {"golden_id": "g1", "email": "g1@example.com", "phone": "+66800000001"}
OFFER = {"kind": "offer", "id": "gift", "title": "A gift", "ends_at": "2025-02-03T18:00:00"}


def utc(*parts: int) -> datetime:
    """An instant as Spark collects it: without a zone."""
    return datetime(*parts, tzinfo=UTC).replace(tzinfo=None)  # type: ignore[arg-type, misc] - parts of a date


def club(**more: Any) -> dict[str, Any]:
    return {"kind": "audience", "id": "club", **more}


def test_a_member_with_an_address_is_sent_to(world: World) -> None:
    (row,) = world.planned(message_way())
    digest = world.spark.range(1).select(F.sha2(F.lit('["hello","post","g1","send","entry:2025-01-10"]'), 256)).first()
    assert digest is not None
    assert row["payload_hash"] is not None
    assert {name: row[name] for name in row if name != "payload_hash"} == {
        "intent_id": digest[0],
        "activation_id": "hello",
        "destination": "post",
        "channel": "email",
        "golden_id": "g1",
        "operation": "send",
        "occasion": "entry:2025-01-10",
        "arm": "all",
        "decision": "to_send",
        "consent": None,
        "offer_id": None,
        "offer_code": None,
        "valid_from": None,
        "valid_until": None,
        "planned_at": AT.replace(tzinfo=None),
        "expires_at": None,
        "address_record": None,
    }


def test_the_record_that_told_the_address_is_noted_where_the_address_is_a_field_of_the_customers(world: World) -> None:
    won = {"email": "crm:7:a", "phone": "till:8"}
    known = world.but(golden_records=({"golden_id": "g1", "field_sources": won},), people=(REACHED,))
    ways = (
        message_way(),
        message_way("text", channel="sms", address="phone"),
        message_way("own", address="lower(email)"),
        message_way("push", channel="push", address="phone"),
    )
    told = {row["activation_id"]: row["address_record"] for row in known.planned(*ways)}
    assert told == {"hello": "crm:7:a", "text": "till:8", "own": None, "push": None}


def test_who_has_left_the_audience_or_is_in_another_is_no_candidate(world: World) -> None:
    others = (member("g1", status="exit"), member("g2", audience_id="other"))
    assert world.but(members=others).planned(message_way()) == []


def test_nobody_and_nothing_before_gives_nothing(world: World) -> None:
    assert world.but(members=(), people=()).planned(message_way()) == []


def test_a_pack_without_ways_has_nothing_to_plan(world: World) -> None:
    with pytest.raises(ConfigError, match="pack shop: nothing to plan"):
        world.plan()


@pytest.mark.parametrize(
    ("decided", "decision", "named"),
    [
        ((), "no_consent", None),
        ((consent("g1", "c1", "granted", 3),), "to_send", "crm:c1"),
        ((consent("g1", "c1", "granted", 3), consent("g1", "c2", "withdrawn", 2)), "no_consent", None),
        ((consent("g1", "c1", "granted", 3, purpose="research"),), "no_consent", None),
        ((consent("g1", "c1", "granted", 3, channel="sms"),), "no_consent", None),
        ((consent("g1", "c1", "granted", 3, channel="any"),), "to_send", "crm:c1"),
        ((consent(None, "c1", "granted", 3),), "no_consent", None),
        ((consent("g1", "c1", "granted", -1),), "no_consent", None),
    ],
)
def test_consent_of_the_audiences_purpose_decides(
    world: World, decided: tuple[Any, ...], decision: str, named: str | None
) -> None:
    asked = world.but(consents=decided, pack=pack_of(club()))
    (row,) = asked.planned(message_way(needs_consent=True))
    assert (row["decision"], row["consent"]) == (decision, named)


def test_the_activations_own_purpose_comes_before_the_audiences(world: World) -> None:
    asked = world.but(consents=(consent("g1", "c1", "granted", 3, purpose="research"),), pack=pack_of(club()))
    assert asked.decisions(message_way(needs_consent=True, purpose="research")) == {HELLO: "to_send"}
    of_research = asked.but(pack=pack_of(club(purpose="research")))
    assert of_research.decisions(message_way(needs_consent=True)) == {HELLO: "to_send"}


@pytest.mark.parametrize(("channel", "decision"), [("email", "suppressed"), ("any", "suppressed"), ("sms", "to_send")])
def test_suppression_is_of_a_channel_or_of_all(world: World, channel: str, decision: str) -> None:
    asked = world.but(suppressions=({"golden_id": "g1", "channel": channel},))
    assert asked.decisions(message_way()) == {HELLO: decision}


@pytest.mark.parametrize("people", [(), ({"golden_id": "g1"},), ({"golden_id": "g1", "email": "  "},)])
def test_without_an_address_nothing_is_sent(world: World, people: tuple[Any, ...]) -> None:
    assert world.but(people=people).decisions(message_way()) == {HELLO: "no_address"}


@pytest.mark.parametrize(
    ("times", "at", "decision"),
    [
        ({"ends_at": "2025-02-01T10:00:00"}, AT, "offer_closed"),  # 10:00 in Berlin is 09:00 UTC
        ({"ends_at": "2025-02-01T10:01:00"}, AT, "to_send"),
        ({"starts_at": "2025-02-01T10:00:00"}, AT, "to_send"),
        ({"starts_at": "2025-02-01T10:01:00"}, AT, "offer_closed"),
        ({"ends_at": None}, AT, "to_send"),
    ],
)
def test_an_offer_is_made_within_its_time_only(world: World, times: Any, at: datetime, decision: str) -> None:
    offer = {key: said for key, said in {**OFFER, **times}.items() if said is not None}
    pack = pack_of(offer, zone="Europe/Berlin")
    assert world.but(pack=pack).decisions(message_way(offer="gift")) == {HELLO: decision}


def test_a_code_ends_with_the_offer_or_earlier(world: World) -> None:
    short = world.but(pack=pack_of({**OFFER, "valid_hours": 24}))
    (row,) = short.planned(message_way(offer="gift"))
    assert row["valid_until"] == row["expires_at"] == utc(2025, 2, 2, 9)
    long = world.but(pack=pack_of({**OFFER, "valid_hours": 240, "starts_at": "2025-01-01T00:00:00"}))
    (row,) = long.planned(message_way(offer="gift"))
    assert (row["valid_from"], row["expires_at"]) == (utc(2025, 1, 1), utc(2025, 2, 3, 18))


@pytest.mark.parametrize("status", ["planned", "sent", "accepted", "rejected", "unknown", "held_out"])
def test_what_was_planned_once_is_not_planned_again(world: World, status: str) -> None:
    first = world.planned(message_way())
    assert world.after(first, status, days=40).decisions(message_way()) == {HELLO: "sent_before"}


def test_what_expired_unsent_is_planned_again_under_another_id(world: World) -> None:
    first = world.planned(message_way())
    again = world.after(first, "expired").planned(message_way())
    assert [row["occasion"] for row in again] == ["entry:2025-01-10#1"]
    assert again[0]["intent_id"] != first[0]["intent_id"]
    assert world.after(first, "expired").after(again).decisions(message_way()) == {HELLO: "sent_before"}


def test_a_new_entry_is_a_new_occasion(world: World) -> None:
    before = world.but(deliveries=(delivery("g1"),))
    entered = before.but(members=(member("g1", status="enter", entered_date=date(2025, 1, 31)),))
    assert before.decisions(message_way()) == {HELLO: "sent_before"}
    assert entered.decisions(message_way()) == {HELLO: "to_send"}


def test_a_merged_person_who_was_reached_since_the_entry_is_not_written_to_again(world: World) -> None:
    """The delivery was to another id, under another entry date; today both are g1."""
    asked = world.but(deliveries=(delivery("g1", occasion="entry:2025-01-20"),))
    assert asked.decisions(message_way()) == {HELLO: "sent_before"}
    of_another = world.but(deliveries=(delivery("g1", activation_id="other", occasion="entry:2025-01-20"),))
    assert of_another.decisions(message_way()) == {HELLO: "to_send"}


@pytest.mark.parametrize(("days", "decision", "occasion"), [(6, "sent_before", None), (7, "to_send", "repeat")])
def test_a_member_is_due_again_after_the_time_of_the_pack(
    world: World, days: int, decision: str, occasion: str | None
) -> None:
    way = message_way(repeat_after="7d")
    later = world.after(world.planned(way), days=days)
    (row,) = later.planned(way)
    assert row["decision"] == decision
    if occasion:
        assert row["occasion"] == f"repeat:{AS_OF + timedelta(days=days)}"
        assert later.after([row]).decisions(way) == {HELLO: "sent_before"}


@pytest.mark.parametrize(("days", "decision"), [(6, "sent_before"), (7, "to_send")])
def test_who_enters_again_before_the_time_of_the_pack_waits_for_it(world: World, days: int, decision: str) -> None:
    way = message_way(repeat_after="7d")
    entered = member("g1", status="enter", entered_date=AS_OF + timedelta(days=1))
    later = world.after(world.planned(way), days=days).but(members=(entered,))
    (row,) = later.planned(way)
    assert row["decision"] == decision
    if decision == "to_send":
        assert row["occasion"] == f"entry:{AS_OF + timedelta(days=1)}"


@pytest.mark.parametrize("as_of", [AS_OF, AS_OF + timedelta(days=1)])
def test_a_birthday_message_goes_on_the_day_by_the_packs_calendar_whatever_day_is_known(
    world: World, as_of: date
) -> None:
    """It is the 2nd in Tokyo. The audience knows the eve, or the day itself, and holds who has theirs a day on."""
    born = {"g1": date(1990, 2, 1), "g2": date(1990, 2, 2), "g3": date(1990, 2, 3), "g4": None}
    people = tuple({"golden_id": one, "email": f"{one}@example.com", "birth_date": on} for one, on in born.items())
    moment = replace(world.moment, as_of=as_of, at=AT.replace(hour=20))
    told = world.but(people=people, members=tuple(member(one) for one in born), moment=moment)
    told = told.but(pack=pack_of(zone="Asia/Tokyo"))
    greeting, all_others = message_way("greeting", on_birthday=True), message_way("hello")
    sent = told.decisions(greeting, all_others)
    assert {name for name, decision in sent.items() if decision == "to_send"} == {
        ("greeting", "g2"),
        *[("hello", one) for one in born],
    }
    assert len(sent) == 5


def test_a_journeys_message_is_sent_once_and_not_before_it_is_due(world: World) -> None:
    sends = (
        ("walk", "g1", "j:1:hi", AS_OF),
        ("walk", "g1", "j:1:later", AS_OF + timedelta(days=1)),
        ("gone", "g1", "j", AS_OF),
    )
    way = message_way("walk", audience=None)
    asked = world.but(sends=sends)
    found = asked.planned(way)
    assert [(row["occasion"], row["decision"]) for row in found] == [("j:1:hi", "to_send")]
    assert asked.after(found).decisions(way) == {("walk", "g1"): "sent_before"}


@pytest.mark.parametrize(
    ("given", "days", "decision"),
    [({}, 2, "to_send"), ({}, 3, None), ({"send_within": "1d"}, 0, "to_send"), ({"send_within": "1d"}, 1, None)],
)
def test_a_journeys_message_that_nobody_sent_in_its_days_is_stale(
    world: World, given: dict[str, str], days: int, decision: str | None
) -> None:
    asked = world.but(sends=(("walk", "g1", "j:1:hi", AS_OF - timedelta(days=days)),))
    found = asked.decisions(message_way("walk", audience=None, **given))
    assert found.get(("walk", "g1")) == decision


@pytest.mark.parametrize(
    ("city", "ends_at", "expires_at"),
    [
        ("UTC", None, utc(2025, 2, 1, 20)),
        ("Asia/Bangkok", None, utc(2025, 2, 1, 13)),
        ("Asia/Bangkok", "2025-02-01T12:00:00", utc(2025, 2, 1, 12)),
    ],
)
def test_a_message_is_not_sent_into_quiet_hours_though_its_offer_lives_on(
    world: World, city: str, ends_at: str | None, expires_at: datetime
) -> None:
    policy = {"kind": "contact_policy", "quiet_hours": {"start": "20:00", "end": "08:00"}, "time_zone": "zone"}
    people = ({"golden_id": "g1", "email": "g1@example.com", "zone": city},)
    asked = world.but(pack=pack_of({**OFFER, "ends_at": ends_at or OFFER["ends_at"]}, policy), people=people)
    (row,) = asked.planned(message_way(offer="gift"))
    until = utc(2025, 2, 3, 18) if ends_at is None else expires_at
    assert (row["decision"], row["expires_at"], row["valid_until"]) == ("to_send", expires_at, until)
    (row,) = asked.planned(message_way(channel="support"))
    assert row["expires_at"] is None


def test_decisions_come_in_the_contracts_order(world: World) -> None:
    """One reason after the other is taken away: the next one shows."""
    offer = {**OFFER, "ends_at": "2025-01-01T00:00:00"}
    policy = {
        "kind": "contact_policy",
        "quiet_hours": {"start": "08:00", "end": "10:00"},
        "caps": [{"count": 1, "window": "7d"}],
        "holdout_share": 0.999999,
    }
    way = message_way(needs_consent=True, offer="gift", holdout_share=0.999999)
    contact = delivery("g1", activation_id="other")
    bare = world.but(people=({"golden_id": "g1"},), suppressions=({"golden_id": "g1", "channel": "any"},))
    bare = bare.but(pack=pack_of(offer, policy, club()), deliveries=(delivery("g1"), contact))
    granted = (consent("g1", "c1", "granted", 3),)
    calm, free, open_offer = {**policy, "holdout_share": 0.0}, {"kind": "contact_policy"}, {**OFFER}
    steps: list[dict[str, Any]] = [
        {},
        {"consents": granted},
        {"suppressions": ()},
        {"people": ({"golden_id": "g1", "email": "g1@example.com"},)},
        {"pack": pack_of(open_offer, policy, club())},
        {"deliveries": (contact,)},
        {"pack": pack_of(open_offer, calm, club())},
        {"deliveries": ()},
        {"pack": pack_of(open_offer, free, club())},
    ]
    seen = []
    for step in steps:
        bare = bare.but(**step)
        seen += bare.decisions(way).values()
    seen += bare.decisions(message_way(needs_consent=True, offer="gift")).values()
    assert seen == list(DECISIONS)


def test_the_waterfall_counts_every_candidate_once(world: World) -> None:
    people = tuple({"golden_id": f"g{n}", "email": f"g{n}@example.com" if n % 2 else None} for n in range(5))
    asked = world.but(people=people, members=tuple(member(f"g{n}") for n in range(5)))
    expected = world.spark.createDataFrame(
        [("hello", "send", "no_address", 3), ("hello", "send", "to_send", 2)],
        "activation_id string, operation string, decision string, customer_count bigint",
    )
    assert_df_equality(waterfall(asked.plan(message_way())), expected, ignore_row_order=True, ignore_nullable=True)


def test_row_order_and_partitions_change_nothing(world: World) -> None:
    people = tuple({"golden_id": f"g{n}", "email": f"g{n}@example.com"} for n in range(30))
    policy = {"kind": "contact_policy", "caps": [{"count": 1, "window": "7d"}]}
    asked = world.but(people=people, members=tuple(member(f"g{n}") for n in range(30)), pack=pack_of(policy))
    ways = (message_way(holdout_share=0.3), message_way("second", channel="sms"))
    first = asked.plan(*ways)
    other = asked.but(people=people[::-1], members=asked.members[::-1])
    shuffled = other.plan(*ways).repartition(5, "intent_id")
    assert_df_equality(first, shuffled, ignore_row_order=True)
    assert {row["decision"] for row in first.collect()} == {"capped", "held_out", "to_send"}


def test_a_trait_may_be_called_as_a_column_of_the_plan(world: World) -> None:
    trait = {"kind": "trait", "name": "channel", "from": "customer", "select": "city", "type": "string"}
    asked = world.but(pack=pack_of(trait), people=({"golden_id": "g1", "channel": "x", "email": "g1@example.com"},))
    (row,) = asked.planned(message_way(address="channel"))
    assert (row["channel"], row["decision"]) == ("email", "to_send")


def test_a_record_of_a_tool_waits_for_no_hour_and_no_cap(world: World) -> None:
    policy = {
        "kind": "contact_policy",
        "quiet_hours": {"start": "00:00", "end": "23:59"},
        "caps": [{"count": 1, "window": "7d"}],
        "holdout_share": 0.999999,
    }
    way = message_way(channel="crm")
    asked = world.but(pack=pack_of(policy), deliveries=(delivery("g1", activation_id="other"),))
    assert asked.decisions(way) == {HELLO: "to_send"}


@pytest.mark.parametrize(
    ("before", "decision"),
    [
        ({"channel": "email"}, "capped"),
        ({"channel": "sms", "status": "planned"}, "capped"),
        ({"channel": "sms", "status": "rejected"}, "to_send"),
        ({"channel": "sms", "status": "held_out"}, "to_send"),
        ({"channel": "crm"}, "to_send"),
        ({"channel": "line", "operation": "add"}, "to_send"),
        ({"channel": "push", "golden_id": "g2"}, "to_send"),
    ],
)
def test_only_what_reached_for_the_person_counts_against_a_cap(
    world: World, before: dict[str, Any], decision: str
) -> None:
    policy = {"kind": "contact_policy", "caps": [{"count": 1, "window": "7d"}]}
    earlier = {**delivery("g1", activation_id="other"), **before}
    assert world.but(pack=pack_of(policy), deliveries=(earlier,)).decisions(message_way()) == {HELLO: decision}


def test_of_merged_people_on_one_journey_one_is_written_to(world: World) -> None:
    asked = world.but(sends=(("walk", "g1", "j:1:hi", AS_OF), ("walk", "g1", "j:1:hi", AS_OF - timedelta(days=1))))
    assert asked.decisions(message_way("walk", audience=None)) == {("walk", "g1"): "to_send"}
