"""LINE messages: one text to as many as 500 users in one request, which a retry key makes safe to repeat."""

import re

from pydantic import Field, SecretStr

from cdp_lib.connectors.http import HttpChannel, throttled
from cdp_lib.connectors.protocol import (
    Batch,
    ConnectorKind,
    ConnectorSettings,
    Limits,
    Outcome,
    Receipt,
    Refused,
    reveal,
)

_USER_ID = re.compile(r"U[0-9a-f]{32}")
_ACCEPTED_BEFORE, _TOO_MANY = 409, 429
_LONGEST_TEXT = 5000
"""UTF-16 units."""


class LineSettings(ConnectorSettings):
    """A channel of the Messaging API."""

    access_token: SecretStr = Field(description="The channel's access token")
    base_url: str = Field(default="https://api.line.me", description="Where the channel is")
    timeout_seconds: float = Field(default=30.0, gt=0, description="How long an answer is waited for")


class Line:
    """Sends one text to all items of a batch. The key must be a UUID, as the courier's are."""

    def __init__(self, settings: LineSettings) -> None:
        bearer = {"Authorization": f"Bearer {reveal(settings.access_token)}"}
        self._channel = HttpChannel(
            settings.base_url, headers=bearer, repeats_safely=True, timeout_seconds=settings.timeout_seconds
        )

    def deliver(self, batch: Batch, *, idempotency_key: str) -> Receipt:
        """The request's id for everybody whose user id has the right form. Accepted is not yet delivered."""
        text = batch.items[0].parts["text"]
        if len(text.encode("utf-16-le")) // 2 > _LONGEST_TEXT:
            return Receipt(tuple(Outcome(item.intent_id, "rejected", "text_too_long") for item in batch.items))
        users = list(dict.fromkeys(item.address for item in batch.items if is_user_id(item.address)))
        request_id = self._send(users, text, idempotency_key) if users else None
        return Receipt(
            tuple(
                Outcome(item.intent_id, "accepted", provider_id=request_id)
                if is_user_id(item.address)
                else Outcome(item.intent_id, "rejected", "not_a_line_user_id")
                for item in batch.items
            )
        )

    def close(self) -> None:
        """Let go of connections."""
        self._channel.close()

    def _send(self, users: list[str], text: str, key: str) -> str | None:
        reply = self._channel.request(
            "POST",
            "/v2/bot/message/multicast",
            sees=(_ACCEPTED_BEFORE, _TOO_MANY),
            headers={"X-Line-Retry-Key": key},
            json={"to": users, "messages": [{"type": "text", "text": text}]},
        )
        if reply.status == _TOO_MANY and "monthly limit" in str(reply.fields.get("message")):
            raise Refused("HTTP 429: the month's messages are used up")
        if reply.status == _TOO_MANY:
            raise throttled(reply.headers.get("retry-after"))
        if reply.status == _ACCEPTED_BEFORE:
            return reply.headers.get("x-line-accepted-request-id")
        return reply.headers.get("x-line-request-id")


def is_user_id(address: str) -> bool:
    """Whether it has the form that webhook events name users by; a LINE ID as people type it has not."""
    return _USER_ID.fullmatch(address) is not None


KIND = ConnectorKind(
    name="line",
    channel="line",
    mode="message",
    settings=LineSettings,
    build=Line,
    limits=Limits(batch_size=500, per_second=50.0),
    parts=("text",),
    is_idempotent=True,
    key_hours=24.0,
    shares_parts=True,
    doc="LINE messages; the activation's `address` must give the userId of webhook events",
    unverified=(
        "a userId is U and 32 lower hex digits",
        "a text has at most 5,000 UTF-16 units",
        "a retry key is known for 24 hours",
        "x-line-request-id and x-line-accepted-request-id name the request",
        "429 whose message speaks of the monthly limit ends only with the month",
    ),
)
