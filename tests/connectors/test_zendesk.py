"""Tickets: the wire is as the golden file says, every answer is read, and only Zendesk's own webhooks are believed."""

from typing import Any

import pytest

from cdp_lib.connectors.kit.server import serving
from cdp_lib.connectors.kit.zendesk import BENCH, ZendeskFake
from cdp_lib.connectors.protocol import Batch, Retryable
from cdp_lib.connectors.zendesk import KIND, verify_signature
from tests.connectors.transcript import exchanges, golden, played

SIGNED: dict[str, Any] = golden("zendesk")["signatures"][0]
SAID = {name: SIGNED[name] for name in ("secret", "timestamp", "body", "signature")}


@pytest.mark.parametrize("exchange", exchanges("zendesk"))
def test_exchange_is_as_the_golden_transcript(exchange: str) -> None:
    actual, expected = played("zendesk", exchange, KIND)

    assert actual == expected


def test_signature_made_by_openssl_is_believed() -> None:
    assert verify_signature(**{**SAID, "body": SAID["body"].encode()})


@pytest.mark.parametrize(
    "changed",
    [
        {"secret": "another"},
        {"timestamp": "2026-11-25T08:00:01Z"},
        {"body": "{}"},
        {"signature": ""},
        {"signature": "é"},
    ],
    ids=lambda changed: "".join(changed),
)
def test_webhook_that_was_changed_is_not_believed(changed: dict[str, str]) -> None:
    told = {**SAID, **changed}

    assert not verify_signature(**{**told, "body": told["body"].encode()})


def test_ticket_opened_before_the_fault_is_opened_once_when_repeated() -> None:
    fake = ZendeskFake()
    batch = Batch("send", "save_unhappy", (BENCH.item(1),))
    with serving(fake, ["cut_after"]) as server:
        zendesk = KIND.build(KIND.settings(**BENCH.settings(server.url)))
        with pytest.raises(Retryable, match="ended without an answer"):
            zendesk.deliver(batch, idempotency_key="key")
        receipt = zendesk.deliver(batch, idempotency_key="key")
        zendesk.close()

    assert [(outcome.status, outcome.provider_id) for outcome in receipt.outcomes] == [("accepted", "1")]
    assert fake.taken == [("send", "person-1@example.com")]
