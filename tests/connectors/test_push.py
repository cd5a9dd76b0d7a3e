"""Push messages: the wire is as the golden file says, every answer is read, and a service account gets its token."""

import base64
import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta, UTC
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import ValidationError

from cdp_lib.connectors.bearer import ServiceAccount
from cdp_lib.connectors.kit.bench import intent_of
from cdp_lib.connectors.kit.push import BENCH, PushFake
from cdp_lib.connectors.kit.server import serving
from cdp_lib.connectors.protocol import Batch, Item, Refused
from cdp_lib.connectors.push import KIND, Push, PushSettings
from cdp_lib.errors import DeliveryError
from tests.connectors.transcript import exchanges, played, Tape

NOW = 1_764_057_600.9
PRIVATE_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
BATCH = Batch("send", "ready", (Item(intent_of(1), "phone-1", {"title": "Ready", "body": "Coffee"}),))
SENT = {"status": 200, "body": {"name": "projects/coffee/messages/7"}}


def key_file(private_key: Any = PRIVATE_KEY, **changes: str) -> str:
    pem = private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    account = {"client_email": "sender@example.com", "private_key_id": "k1", "private_key": pem}
    return json.dumps({**account, **changes})


def pushing(url: str) -> Push:
    settings = {"project": "coffee", "service_account": key_file(), "base_url": url, "token_url": f"{url}/token"}
    return Push(PushSettings.model_validate(settings), now=lambda: NOW)


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


@pytest.mark.parametrize("exchange", exchanges("push"))
def test_exchange_is_as_the_golden_transcript(exchange: str) -> None:
    actual, expected = played("push", exchange, KIND, lambda settings: Push(settings, now=lambda: NOW))

    assert actual == expected


@pytest.mark.parametrize(
    ("length", "status", "reason"), [(4052, "accepted", ""), (4053, "rejected", "payload_too_large")]
)
def test_payload_beyond_4096_bytes_is_refused_before_it_leaves(length: int, status: str, reason: str) -> None:
    item = Item(intent_of(1), "phone-1", {"title": "Ready", "body": "x" * length})
    with serving(Tape([SENT])) as server:
        settings = {"project": "coffee", "access_token": "t", "base_url": server.url}
        push = KIND.build(PushSettings.model_validate(settings))
        receipt = push.deliver(Batch("send", "ready", (item,)), idempotency_key="key")
        push.close()

    assert [(outcome.status, outcome.reason) for outcome in receipt.outcomes] == [(status, reason)]
    assert len(server.requests) == (status == "accepted")


@pytest.mark.parametrize(("days", "seconds"), [(1, 86_400), (28, 2_419_200), (90, 2_419_200)])
def test_a_message_waits_for_a_phone_until_its_end_and_28_days_at_most(days: int, seconds: int) -> None:
    end = datetime.fromtimestamp(int(NOW), UTC) + timedelta(days=days)
    item = replace(BENCH.item(1), expires_at=end)
    with serving(PushFake()) as server:
        push = Push(PushSettings.model_validate(BENCH.settings(server.url)), now=lambda: NOW)
        with closing(push):
            (outcome,) = push.deliver(Batch("send", "ready", (item,)), idempotency_key="key").outcomes

    message = server.requests[0].json()["message"]
    assert outcome.status == "accepted"
    assert (message["android"]["ttl"], message["webpush"]["headers"]["TTL"]) == (f"{seconds}s", str(seconds))
    assert message["apns"]["headers"]["apns-expiration"] == str(int(end.timestamp()))


def test_signed_claim_is_exchanged_once_for_all_messages() -> None:
    with serving(Tape([{"status": 200, "body": {"access_token": "t-1"}}, SENT, SENT])) as server:
        push = pushing(server.url)
        for _ in range(2):
            push.deliver(BATCH, idempotency_key="key")
        push.close()

    asked, *sent = server.requests
    grant, assertion = asked.body.decode().split("&assertion=")
    header, claims, signature = assertion.split(".")
    assert (asked.method, asked.path) == ("POST", "/token")
    assert grant == "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer"
    assert json.loads(decoded(header)) == {"alg": "RS256", "kid": "k1", "typ": "JWT"}
    assert json.loads(decoded(claims)) == {
        "iss": "sender@example.com",
        "scope": "https://www.googleapis.com/auth/firebase.messaging",
        "aud": f"{server.url}/token",
        "iat": 1_764_057_600,
        "exp": 1_764_061_200,
    }
    PRIVATE_KEY.public_key().verify(decoded(signature), f"{header}.{claims}".encode(), padding.PKCS1v15(), SHA256())
    assert [(one.path, one.headers["authorization"]) for one in sent] == [
        ("/v1/projects/coffee/messages:send", "Bearer t-1")
    ] * 2


def test_expired_token_is_got_anew_once() -> None:
    answers: list[Mapping[str, Any]] = [
        {"status": 200, "body": {"access_token": "t-1"}},
        {"status": 401},
        {"status": 200, "body": {"access_token": "t-2"}},
        SENT,
    ]
    with serving(Tape(answers)) as server:
        push = pushing(server.url)
        receipt = push.deliver(BATCH, idempotency_key="key")
        push.close()

    assert [outcome.status for outcome in receipt.outcomes] == ["accepted"]
    assert [one.headers.get("authorization") for one in server.requests] == [None, "Bearer t-1", None, "Bearer t-2"]


def test_refused_claim_refuses_everything() -> None:
    with serving(Tape([{"status": 400, "body": {"error": "invalid_grant"}}])) as server:
        push = pushing(server.url)
        with pytest.raises(Refused, match=r"HTTP 400 from the token address.*check the destination's secrets"):
            push.deliver(BATCH, idempotency_key="key")
        push.close()

    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("no json", "service_account is no JSON"),
        ("[]", "lacks client_email, private_key, private_key_id"),
        (key_file(client_email=""), "lacks client_email:"),
        (json.dumps({**json.loads(key_file()), "private_key": "no key"}), "is no PEM key"),
        (key_file(ec.generate_private_key(ec.SECP256R1())), "is no RSA key"),
    ],
    ids=["text", "list", "field", "pem", "curve"],
)
def test_key_that_cannot_sign_is_refused(key: str, said: str) -> None:
    with pytest.raises(DeliveryError, match=said):
        ServiceAccount(key)


@pytest.mark.parametrize("proof", [{}, {"service_account": "{}", "access_token": "token-of-nobody"}], ids=["no", "two"])
def test_one_proof_is_needed_and_no_secret_is_told(proof: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="either service_account or access_token") as problem:
        PushSettings.model_validate({"project": "coffee", **proof})

    assert "token-of-nobody" not in str(problem.value)
