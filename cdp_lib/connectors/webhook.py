"""Signed webhooks: a batch as one JSON event, with the headers of Standard Webhooks."""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable, Sequence
from datetime import datetime, UTC
from typing import Any

from pydantic import Field, field_validator, SecretStr

from cdp_lib.connectors.http import HttpChannel
from cdp_lib.connectors.protocol import (
    Batch,
    ConnectorKind,
    ConnectorSettings,
    Item,
    Limits,
    Outcome,
    Receipt,
    Refused,
    reveal,
)
from cdp_lib.settings.kind import Name

_PREFIX = "whsec_"
_FEWEST_BYTES, _MOST_BYTES = 24, 64
_GONE = 410


class WebhookSettings(ConnectorSettings):
    """Where events go, and what signs them."""

    base_url: str = Field(pattern=r"^https?://", description="Address of the receiver, without the path")
    path: str = Field(default="/", pattern=r"^/", description="Path of the receiver")
    secrets: tuple[SecretStr, ...] = Field(
        min_length=1, description="whsec_ and base64 of 24 to 64 bytes; several while a new one replaces an old one"
    )
    fields: tuple[Name, ...] = Field(
        default=("golden_id",), description="What the receiver is told of a customer: columns of the view, or `fields`"
    )
    timeout_seconds: float = Field(default=30.0, gt=0)

    @field_validator("secrets")
    @classmethod
    def _are_keys(cls, secrets: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for secret in secrets:
            key_of_secret(secret)
        return secrets


class WebhookConnector:
    """One receiver. It must know an event by its webhook-id: a retry bears the same."""

    def __init__(self, settings: WebhookSettings, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._settings = settings
        self._keys = [key_of_secret(secret) for secret in settings.secrets]
        self._clock = clock
        self._channel = HttpChannel(
            settings.base_url,
            headers={"content-type": "application/json"},
            repeats_safely=True,
            timeout_seconds=settings.timeout_seconds,
        )

    def deliver(self, batch: Batch, *, idempotency_key: str) -> Receipt:
        """Post one event; any 2xx takes all of it. 410 says that the receiver wants no more."""
        body = event_of(batch, self._settings.fields)
        headers = signed_headers(self._keys, idempotency_key, self._clock(), body)
        reply = self._channel.request("POST", self._settings.path, sees=(_GONE,), headers=headers, content=body)
        if reply.status == _GONE:
            raise Refused("HTTP 410: the receiver wants no more events; remove the destination")
        return Receipt(tuple(Outcome(item.intent_id, "accepted") for item in batch.items))

    def close(self) -> None:
        """Let go of the connections."""
        self._channel.close()


def event_of(batch: Batch, fields: Sequence[str]) -> bytes:
    """The body: the same batch gives the same bytes, so a retry has the same event."""
    event = {
        "type": f"cdp.customer.{batch.operation}",
        "data": {"activation": batch.campaign, "customers": [_told(item, fields) for item in batch.items]},
    }
    return json.dumps(event, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def signed_headers(keys: Sequence[bytes], event_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """Id, time in seconds, and one signature for each key, the first key's first."""
    seconds = str(int(at.timestamp()))
    signed = b".".join([event_id.encode(), seconds.encode(), body])
    signatures = [base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode() for key in keys]
    return {
        "webhook-id": event_id,
        "webhook-timestamp": seconds,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }


def key_of_secret(secret: SecretStr) -> bytes:
    """The bytes that sign; raises ValueError, which does not show the secret."""
    text = reveal(secret)
    try:
        key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not text.startswith(_PREFIX) or not _FEWEST_BYTES <= len(key) <= _MOST_BYTES:
        raise ValueError(f"a secret is {_PREFIX} and the base64 of {_FEWEST_BYTES} to {_MOST_BYTES} random bytes")
    return key


def _told(item: Item, fields: Sequence[str]) -> dict[str, Any]:
    told: dict[str, Any] = {"intent_id": item.intent_id, "fields": {name: item.person.get(name) for name in fields}}
    return told | {"parts": dict(item.parts)} if item.parts else told


KIND = ConnectorKind(
    name="webhook",
    channel="webhook",
    mode="record",
    settings=WebhookSettings,
    build=WebhookConnector,
    limits=Limits(batch_size=100, per_second=20.0, batch_bytes=1_000_000),
    needs_address=False,
    optional_parts=("title", "text"),
    operations=("send", "add", "update", "remove"),
    is_idempotent=True,
    doc="Signed JSON events to any address (Standard Webhooks); the receiver drops an event whose id it has seen",
)
