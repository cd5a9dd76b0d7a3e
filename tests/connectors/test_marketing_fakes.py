"""The fakes of ad and marketing channels refuse what the real ones would, and do not share a connector's mistakes."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from cdp_lib.connectors.kit.braze import BrazeFake
from cdp_lib.connectors.kit.google_audience import GoogleAudienceFake
from cdp_lib.connectors.kit.hubspot import HubSpotFake
from cdp_lib.connectors.kit.mailchimp import MailchimpFake
from cdp_lib.connectors.kit.meta_audience import MetaAudienceFake
from cdp_lib.connectors.kit.server import ChannelFake, Request, Response
from cdp_lib.connectors.kit.tiktok_audience import TikTokAudienceFake

_HASH = "0" * 64
_META = ("POST", "/v25.0/23850000000000001/users", {"authorization": "Bearer kit-meta-token"})
_GOOGLE = ("POST", "/v1/audienceMembers:ingest", {"authorization": "Bearer kit-google-token"})
_TIKTOK = ("POST", "/open_api/v1.3/segment/mapping/", {"access-token": "kit-tiktok-token"})
_BRAZE = ("POST", "/users/track", {"authorization": "Bearer kit-braze-key"})
_LOGIN = {"authorization": "Basic Y2RwOmtpdC1tYWlsY2hpbXAta2V5LXVzMTk="}
_MAILCHIMP = ("POST", "/3.0/lists/dbfd4023ad", _LOGIN)
_HUBSPOT = ("POST", "/crm/v3/objects/contacts/batch/upsert", {"authorization": "Bearer kit-hubspot-token"})
Line = tuple[str, str, Mapping[str, str]]


def asked(fake: ChannelFake, line: Line, body: Any) -> Response:
    return fake.answer(Request(*line, json.dumps(body).encode()))


def meta(rows: list[list[str]], schema: tuple[str, ...] = ("EXTERN_ID", "EMAIL")) -> dict[str, Any]:
    return {"payload": {"schema": list(schema), "data": rows}}


def google(**other: Any) -> dict[str, Any]:
    consent = {"adUserData": "CONSENT_GRANTED", "adPersonalization": "CONSENT_GRANTED"}
    account = {"accountType": "GOOGLE_ADS", "accountId": "1234567890"}
    return {
        "destinations": [{"operatingAccount": account, "productDestinationId": "55"}],
        "audienceMembers": [{"userData": {"userIdentifiers": [{"emailAddress": _HASH}]}, "consent": consent}],
        "encoding": "HEX",
        "validateOnly": False,
        "termsOfService": {"customerMatchTermsOfServiceStatus": "ACCEPTED"},
        **other,
    }


def tiktok(rows: list[Any]) -> dict[str, Any]:
    advertisers = ["7178918106775994370"]
    schema = ["EMAIL_SHA256", "PHONE_SHA256"]
    return {"action": "add", "advertiser_ids": advertisers, "id_schema": schema, "batch_data": rows}


def contact(mail: str, **other: Any) -> dict[str, Any]:
    return {"id": mail, "idProperty": "email", "objectWriteTraceId": "t", "properties": {"email": mail}, **other}


def entry(value: str) -> dict[str, Any]:
    return {"id": value, "audience_ids": ["167290896"]}


def member(**other: Any) -> dict[str, Any]:
    return {"email_address": "a@example.com", "status": "subscribed", **other}


@pytest.mark.parametrize(
    ("fake", "line", "body"),
    [
        (MetaAudienceFake, _META, meta([["g1", _HASH]])),
        (GoogleAudienceFake, _GOOGLE, google()),
        (TikTokAudienceFake, _TIKTOK, tiktok([[entry(_HASH), {}]])),
        (BrazeFake, _BRAZE, {"attributes": [{"external_id": "g1"}]}),
        (MailchimpFake, _MAILCHIMP, {"members": [member()], "update_existing": True}),
        (HubSpotFake, _HUBSPOT, {"inputs": [contact("a@example.com")]}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_right_request_is_taken_once_and_a_stranger_is_sent_away(
    fake: Callable[[], ChannelFake], line: Line, body: Any
) -> None:
    channel = fake()
    statuses = [asked(channel, line, body).status for _ in range(2)]
    stranger = asked(fake(), (line[0], line[1], {}), body)

    assert all(200 <= status < 300 for status in statuses)
    assert len(channel.taken) == 1
    assert stranger.status == 401 or stranger.body["code"] == 40105


@pytest.mark.parametrize(
    ("fake", "line", "body", "status"),
    [
        (MetaAudienceFake, _META, meta([["g1", _HASH]] * 10_001), 400),
        (MetaAudienceFake, _META, meta([["g1", _HASH]], ("EXTERN_ID", "MAIL")), 400),
        (MetaAudienceFake, _META, {"schema": [], "data": []}, 400),
        (GoogleAudienceFake, _GOOGLE, google(encoding="BASE64"), 400),
        (GoogleAudienceFake, _GOOGLE, google(termsOfService=None), 400),
        (GoogleAudienceFake, _GOOGLE, google(audienceMembers=google()["audienceMembers"] * 10_001), 400),
        (GoogleAudienceFake, _GOOGLE, google(audienceMembers=[{"userData": {"userIdentifiers": []}}]), 400),
        (
            GoogleAudienceFake,
            _GOOGLE,
            google(audienceMembers=[{"userData": {"userIdentifiers": [{"emailAddress": _HASH}] * 11}}]),
            400,
        ),
        (
            GoogleAudienceFake,
            _GOOGLE,
            google(audienceMembers=[{"userData": {"userIdentifiers": [{"emailAddress": _HASH}]}}]),
            400,
        ),
        (
            GoogleAudienceFake,
            _GOOGLE,
            google(audienceMembers=[{"userData": {"userIdentifiers": [{"emailAddress": "a@example.com"}]}}]),
            400,
        ),
        (BrazeFake, _BRAZE, {"attributes": [{"external_id": f"g{number}"} for number in range(76)]}, 400),
        (BrazeFake, _BRAZE, {"attributes": [{"tier": "gold"}]}, 400),
        (BrazeFake, _BRAZE, {"users": []}, 400),
        (MailchimpFake, _MAILCHIMP, {"members": [member()] * 501, "update_existing": True}, 400),
        (MailchimpFake, _MAILCHIMP, {"members": [member(status="archived")], "update_existing": True}, 400),
        (MailchimpFake, _MAILCHIMP, {"members": [member(merge_fields={"fname": "A"})], "update_existing": True}, 400),
        (MailchimpFake, _MAILCHIMP, {"members": [member()]}, 400),
        (HubSpotFake, _HUBSPOT, {"inputs": [contact(f"a{number}@example.com") for number in range(101)]}, 400),
        (HubSpotFake, _HUBSPOT, {"inputs": [contact("a@example.com"), contact("A@example.com")]}, 400),
        (HubSpotFake, _HUBSPOT, {"inputs": [contact("a@example.com", objectWriteTraceId="")]}, 400),
        (HubSpotFake, _HUBSPOT, {"inputs": [contact("nobody")]}, 409),
    ],
)
def test_wrong_request_is_refused_whole(fake: Callable[[], ChannelFake], line: Line, body: Any, status: int) -> None:
    channel = fake()

    assert asked(channel, line, body).status == status
    assert channel.taken == []


@pytest.mark.parametrize(
    "row", [["g2", "a@example.com"], ["g2", _HASH.upper().replace("0", "A")], ["g2"], ["", _HASH], ["g2", ""]]
)
def test_meta_counts_a_row_that_is_wrong_and_takes_the_other(row: list[str]) -> None:
    channel = MetaAudienceFake()
    told = asked(channel, _META, meta([["g1", _HASH], row])).body

    assert (told["num_received"], told["num_invalid_entries"]) == (2, 1)
    assert channel.taken == [("add", "g1")]


@pytest.mark.parametrize(
    "row", [[entry(_HASH)], [{}, {}], [entry("a@example.com"), {}], [{"id": _HASH, "audience_ids": ["1"]}, {}]]
)
def test_tiktok_says_in_a_200_that_a_row_is_wrong_and_takes_none(row: list[Any]) -> None:
    channel = TikTokAudienceFake()
    told = asked(channel, _TIKTOK, tiktok([[entry(_HASH), {}], row]))

    assert (told.status, told.body["code"]) == (200, 40002)
    assert channel.taken == []


def test_mailchimp_names_whom_it_refuses_where_it_may_not_update() -> None:
    channel = MailchimpFake()
    asked(channel, _MAILCHIMP, {"members": [member()], "update_existing": False})
    told = asked(channel, _MAILCHIMP, {"members": [member(status="unsubscribed")], "update_existing": False}).body

    assert [one["error_code"] for one in told["errors"]] == ["ERROR_CONTACT_EXISTS"]
    assert len(channel.taken) == 1
