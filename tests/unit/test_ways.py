"""What is wrong with how an activation's connector is used is told before anything runs."""

from typing import Any

import pytest

from jobs.activation.ways import destination_faults, ways_of
from tests.unit.activation.conftest import pack_of

CLUB = {"kind": "audience", "id": "club", "where": {"trait": "order_count", "gte": 1}}
SEGMENT = {"audience_id": "1", "advertiser_ids": ["2"], "access_token": "${SECRET:TIKTOK}"}
LIST = {"kind": "destination", "id": "wall", "connector": "tiktok_audience", "settings": SEGMENT}
FILE = {"kind": "destination", "id": "box", "connector": "drop", "settings": {"path": "out"}}
FOLLOW = {"kind": "activation", "id": "follow", "destination": "wall"}
TELL = {"kind": "activation", "id": "tell", "destination": "box"}


def journey(**steps: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "journey", "id": "walk", "entry": "club", "steps": steps}


@pytest.mark.parametrize(
    ("steps", "places"),
    [
        ({"put": {"send": "follow", "then": "rest"}, "rest": {"wait": "1d"}}, []),
        ({"put": {"send": "follow"}}, ["steps.put.send"]),
        ({"put": {"send": "follow", "then": "rest"}, "rest": {"wait": "0d"}}, ["steps.put.send"]),
        ({"rest": {"wait": "1d", "then": "put"}, "put": {"send": "follow"}}, ["steps.put.send"]),
        ({"rest": {"wait": "1d", "then": "put"}, "put": {"send": "tell"}}, []),
    ],
)
def test_a_journey_that_ends_where_it_puts_customers_on_a_list_is_refused(
    steps: dict[str, dict[str, Any]], places: list[str]
) -> None:
    faults = list(destination_faults(pack_of(CLUB, LIST, FILE, FOLLOW, TELL, journey(**steps))))
    assert [fault.path.partition(".")[2] for fault in faults] == places
    assert all("let a wait of 1d or more follow" in fault.message for fault in faults)


def test_a_list_knows_no_birthdays_and_no_repetition() -> None:
    at_times = {"on_birthday": True, "repeat_after": "30d", "audience": "club"}
    faults = list(destination_faults(pack_of(CLUB, LIST, FILE, FOLLOW | at_times, TELL | at_times)))
    assert [(fault.path.partition(".")[2], fault.message) for fault in faults] == [
        (key, f"connector tiktok_audience keeps a list, which nothing is sent to: leave {key} out")
        for key in ("on_birthday", "repeat_after")
    ]


PLAIN = "hunter2hunter2hunter2"
PROJECT = {"project": "coffee"}
DKIM = {"domain": "example.com", "selector": "s1"}
MAIL = {"host": "mail.example.com", "sender": "news@example.com"}


@pytest.mark.parametrize(
    ("connector", "settings", "place"),
    [
        ("email", {**MAIL, "user": "shop", "password": PLAIN}, "password"),
        ("email", {**MAIL, "dkim": {**DKIM, "private_key": PLAIN}}, "dkim.private_key"),
        ("push", {**PROJECT, "service_account": PLAIN}, "service_account"),
        ("webhook", {"base_url": "https://example.com", "secrets": ["${SECRET:OLD}", PLAIN]}, "secrets[1]"),
        ("tiktok_audience", {**SEGMENT, "access_token": PLAIN}, "access_token"),
        ("email", {**MAIL, "login": {"pass_key": PLAIN}}, "login.pass_key"),
    ],
)
def test_a_secret_in_plain_text_is_found_by_its_type_however_deep_it_stands_and_not_repeated(
    connector: str, settings: dict[str, Any], place: str
) -> None:
    pack = pack_of({"kind": "destination", "id": "out", "connector": connector, "settings": settings})
    faults = [(fault.path, fault.message) for fault in destination_faults(pack)]
    name = place.partition("[")[0].rpartition(".")[2].upper()
    said = f"a secret stands in plain text: write ${{SECRET:{name}}}, and keep it elsewhere"
    assert [path.partition(".settings.")[2] for path, message in faults if message == said] == [place]
    assert PLAIN not in str(faults)


def test_a_secret_by_name_and_what_is_for_everybody_are_no_faults() -> None:
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ2rqY3lNpMsZgx2SqJZs4sNZ0D0LJz0mWmWpR0Y0Y0Y"
    server = {"path": "/in", "host": "files.example.com", "user": "me", "password": "${SECRET:SFTP}", "host_key": key}
    account = {**PROJECT, "service_account": "${SECRET:FCM}", "token_url": "https://example.com/token"}
    pack = pack_of(
        {"kind": "destination", "id": "box", "connector": "drop", "settings": server},
        {"kind": "destination", "id": "phones", "connector": "push", "settings": account},
    )
    assert list(destination_faults(pack)) == []


SMS = {"kind": "destination", "id": "wire", "connector": "sms", "settings": {"account_sid": "AC1", "from_number": "+1"}}
HI = {"kind": "message", "id": "hi", "texts": {"en": {"text": "Hello"}}}


@pytest.mark.parametrize(
    ("said", "is_whole"),
    [
        ({"message": "hi"}, True),
        ({}, False),
        ({"arms": [{"id": "a", "share": 0.5, "message": "hi"}, {"id": "b", "share": 0.5}]}, False),
        ({"arms": [{"id": "a", "share": 0.5, "message": "hi"}, {"id": "b", "share": 0.5}], "message": "hi"}, True),
        ({"arms": [{"id": arm, "share": 0.5, "message": "hi"} for arm in "ab"]}, True),
    ],
    ids=["a message", "none", "one arm has none", "an arm falls back on it", "each arm its own"],
)
def test_a_channel_that_carries_texts_needs_one_for_everybody(said: dict[str, Any], is_whole: bool) -> None:
    settings = {**SMS["settings"], "auth_token": "${SECRET:SMS}"}
    greet = {"kind": "activation", "id": "greet", "audience": "club", "destination": "wire", **said}
    pack = pack_of(CLUB, HI, {**SMS, "settings": settings}, greet)
    faults = [fault.message for fault in destination_faults(pack)]
    assert faults == ([] if is_whole else ["connector sms needs a message with text"])


def test_a_list_is_kept_in_step_whoever_puts_customers_on_it() -> None:
    steps = {"put": {"send": "follow", "then": "rest"}, "rest": {"wait": "1d"}}
    pack = pack_of(CLUB, LIST, FILE, FOLLOW, {**TELL, "audience": "club"}, journey(**steps))
    assert {way.activation.id: (way.is_synced, way.first_operation) for way in ways_of(pack)} == {
        "follow": (True, "add"),
        "tell": (False, "send"),
    }
