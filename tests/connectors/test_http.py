"""What an HTTP answer means: who may be told again, who was told for certain, and when nothing was taken."""

from contextlib import closing
from datetime import datetime, timedelta, UTC
from typing import Any

import pytest

from cdp_lib.connectors.bearer import access_token
from cdp_lib.connectors.http import HttpChannel, retry_after
from cdp_lib.connectors.kit.bench import intent_of
from cdp_lib.connectors.kit.server import serving
from cdp_lib.connectors.meta_audience import KIND as META
from cdp_lib.connectors.protocol import Batch, ConnectorKind, Item, Refused, Rejected, Retryable, Unsure
from cdp_lib.connectors.tiktok_audience import KIND as TIKTOK
from cdp_lib.connectors.zendesk import KIND as ZENDESK
from tests.connectors.transcript import Tape

UNREACHED = "http://127.0.0.1:9"
PERSON = {"golden_id": "g1", "email": "a@example.com"}


def asked(status: int, *, repeats_safely: bool = True) -> Exception:
    """What an answer of that status raises."""
    with (
        serving(Tape([{"status": status}])) as server,
        closing(HttpChannel(server.url, headers={}, repeats_safely=repeats_safely)) as channel,
        pytest.raises((Retryable, Rejected, Refused, Unsure)) as caught,
    ):
        channel.request("POST", "/rows", json={})
    return caught.value


@pytest.mark.parametrize(("status", "nothing_taken"), [(429, True), (503, False), (408, False)])
def test_a_throttled_request_was_not_taken_and_one_that_failed_may_have_been(status: int, nothing_taken: bool) -> None:
    problem = asked(status)
    assert isinstance(problem, Retryable)
    assert problem.nothing_taken == nothing_taken
    assert isinstance(asked(503, repeats_safely=False), Unsure)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("", None),
        ("30", 30.0),
        ("1.5", 1.5),
        ("-1", 0.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Wed, 21 Oct 2015 07:28:00", 0.0),
        ("Wed, 21 Oct 2015 07:28:00 -0000", 0.0),
        ("soon", None),
        ("inf", None),
        ("nan", None),
        ("1e999", None),
    ],
)
def test_a_wish_to_wait_is_read_as_seconds_or_as_a_date(text: str | None, seconds: float | None) -> None:
    assert retry_after(text) == seconds


@pytest.mark.parametrize("zone", ["GMT", "-0000", ""])
def test_a_date_without_a_zone_is_utc(zone: str) -> None:
    at = datetime.now(UTC) + timedelta(hours=2)
    assert retry_after(f"{at:%a, %d %b %Y %H:%M:%S} {zone}") == pytest.approx(7200.0, abs=5.0)


@pytest.mark.parametrize("status", [404, 405, 410])
def test_an_address_where_nothing_is_refuses_everybody(status: int) -> None:
    assert str(asked(status)) == f"HTTP {status}: nothing is at that address; check the destination's base_url and ids"
    assert type(asked(status)) is Refused
    assert type(asked(400)) is Rejected


def test_a_connector_may_see_for_itself_what_is_not_there() -> None:
    with (
        serving(Tape([{"status": 404}])) as server,
        closing(HttpChannel(server.url, headers={}, repeats_safely=True)) as channel,
    ):
        assert channel.request("DELETE", "/rows/1", sees=(404,)).status == 404


def test_a_channel_that_cannot_be_reached_took_nothing() -> None:
    with closing(HttpChannel(UNREACHED, headers={}, repeats_safely=True)) as channel, pytest.raises(Retryable) as one:
        channel.request("POST", "/rows")
    assert one.value.nothing_taken


def test_a_token_that_is_not_had_takes_nobody() -> None:
    with serving(Tape([{"status": 503}])) as server, pytest.raises(Retryable) as caught:
        access_token(server.url, headers={}, form={})
    assert caught.value.nothing_taken


@pytest.mark.parametrize(
    ("kind", "settings", "answer", "nothing_taken", "of_item"),
    [
        (META, {"audience_id": "9", "access_token": "t"}, {"error": {"code": 17}}, True, False),
        (META, {"audience_id": "9", "access_token": "t"}, {"error": {"code": 2}}, False, False),
        (TIKTOK, {"audience_id": "9", "advertiser_ids": ["1"], "access_token": "t"}, {"code": 40100}, True, False),
        (TIKTOK, {"audience_id": "9", "advertiser_ids": ["1"], "access_token": "t"}, {"code": 50000}, False, False),
        (ZENDESK, {"user_email": "a@example.com", "api_token": "t"}, {}, True, True),
    ],
)
def test_a_channels_own_codes_say_whether_anything_was_taken(
    kind: ConnectorKind, settings: dict[str, Any], answer: dict[str, Any], nothing_taken: bool, of_item: bool
) -> None:
    status = {"meta_audience": 400, "tiktok_audience": 200, "zendesk": 409}[kind.name]
    item = Item(intent_of(1), "a@example.com", {"subject": "s", "body": "b"}, PERSON)
    with serving(Tape([{"status": status, "body": answer}])) as server:
        connector = kind.build(kind.settings.model_validate({**settings, "base_url": server.url}))
        with closing(connector), pytest.raises(Retryable) as caught:
            connector.deliver(Batch(kind.operations[0], "loyal", (item,)), idempotency_key="key")
    assert (caught.value.nothing_taken, caught.value.of_item) == (nothing_taken, of_item)
