"""Signed webhooks as the receiver sees them; signatures were made with openssl."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from cdp_lib.connectors.kit.bench import intent_of
from cdp_lib.connectors.kit.server import LoopbackServer, Request, Response, serving
from cdp_lib.connectors.protocol import Batch, Item, Refused, Rejected, Retryable
from cdp_lib.connectors.webhook import WebhookConnector, WebhookSettings

GOLDEN = json.loads((Path(__file__).parent / "golden" / "webhook.json").read_text())
BATCH = Batch(
    "send",
    "spring",
    (Item(intent_of(7), parts={"title": "Hi"}, person={"golden_id": "g-ä", "email": "person7@example.com"}),),
)


class Receiver:
    """Answers everything with one status."""

    def __init__(self, status: int) -> None:
        self.taken: list[tuple[str, str]] = []
        self._status = status

    def answer(self, request: Request) -> Response:
        return Response(self._status)


@contextmanager
def receiver(status: int = 204) -> Iterator[tuple[LoopbackServer, WebhookConnector]]:
    with serving(Receiver(status)) as server:
        settings = WebhookSettings(
            base_url=server.url, path="/events", secrets=GOLDEN["secrets"], fields=("golden_id", "city")
        )
        with closing(WebhookConnector(settings, lambda: datetime.fromisoformat(GOLDEN["at"]))) as connector:
            yield server, connector


def test_the_request_is_the_golden_one_to_the_byte() -> None:
    with receiver() as (server, connector):
        receipt = connector.deliver(BATCH, idempotency_key=GOLDEN["key"])
    (request,) = server.requests
    wanted = GOLDEN["request"]
    assert (request.method, request.path, request.body.decode()) == (wanted["method"], wanted["path"], wanted["body"])
    assert {name: request.headers[name] for name in wanted["headers"]} == wanted["headers"]
    assert [(one.intent_id, one.status) for one in receipt.outcomes] == [(intent_of(7), "accepted")]


@pytest.mark.parametrize(
    ("status", "state", "said"),
    [
        (410, Refused, "wants no more events"),
        (401, Refused, "HTTP 401"),
        (400, Rejected, "HTTP 400"),
        (503, Retryable, "HTTP 503"),
    ],
)
def test_an_answer_is_sorted(status: int, state: type[Exception], said: str) -> None:
    with receiver(status) as (_, connector), pytest.raises(state, match=said):
        connector.deliver(BATCH, idempotency_key=GOLDEN["key"])


@pytest.mark.parametrize(
    "secret", ["plain-text", "whsec_!!", "whsec_c2hvcnQ=", "a2l0LXdlYmhvb2sta2V5LW9mLTMyLWJ5dGVzLWxvbmc="]
)
def test_a_secret_of_another_form_is_refused_and_not_shown(secret: str) -> None:
    settings: dict[str, Any] = {"base_url": "https://example.com", "secrets": [secret]}
    with pytest.raises(ValidationError, match="a secret is whsec_ and the base64 of 24 to 64") as caught:
        WebhookSettings.model_validate(settings)
    assert secret not in str(caught.value)
