"""Registrations: the wire is as the golden file says, every answer is read, and only Zoom's own events are believed."""

from typing import Any

import pytest

from cdp_lib.connectors.kit.server import serving
from cdp_lib.connectors.kit.zoom import BENCH, ZoomFake
from cdp_lib.connectors.protocol import Batch
from cdp_lib.connectors.zoom import KIND, validation_answer, verify_signature
from tests.connectors.transcript import exchanges, golden, played

SIGNED: dict[str, Any] = golden("zoom")["signatures"][0]
SAID = {name: SIGNED[name] for name in ("secret", "timestamp", "body", "signature")}


@pytest.mark.parametrize("exchange", exchanges("zoom"))
def test_exchange_is_as_the_golden_transcript(exchange: str) -> None:
    actual, expected = played("zoom", exchange, KIND)

    assert actual == expected


def test_one_token_serves_until_it_expires() -> None:
    fake = ZoomFake()
    with serving(fake) as server:
        zoom = KIND.build(KIND.settings(**BENCH.settings(server.url)))
        for number in (1, 2, 3):
            if number == 3:
                fake.expire()
            zoom.deliver(Batch("send", "cupping", (BENCH.item(number),)), idempotency_key=str(number))
        zoom.close()

    assert [request.path.split("/")[-1] for request in server.requests] == [
        *("token", "registrants", "registrants"),
        *("registrants", "token", "registrants"),
    ]
    assert fake.taken == [("send", f"person-{number}@example.com") for number in (1, 2, 3)]


def test_signature_made_by_openssl_is_believed() -> None:
    assert verify_signature(**{**SAID, "body": SAID["body"].encode()})


@pytest.mark.parametrize(
    "changed",
    [
        {"secret": "another"},
        {"timestamp": "1764057601"},
        {"body": "{}"},
        {"signature": SAID["signature"].removeprefix("v0=")},
        {"signature": "é"},
    ],
    ids=lambda changed: "".join(changed),
)
def test_event_that_was_changed_is_not_believed(changed: dict[str, str]) -> None:
    told = {**SAID, **changed}

    assert not verify_signature(**{**told, "body": told["body"].encode()})


@pytest.mark.parametrize("asked", golden("zoom")["validations"], ids=lambda asked: asked["plain_token"])
def test_validation_is_answered_as_openssl_computes_it(asked: dict[str, Any]) -> None:
    assert validation_answer(asked["secret"], asked["plain_token"]) == asked["answer"]
