"""Push messages to phones and browsers through FCM v1: one request for each, which must not be repeated blindly."""

import json
import time
from collections.abc import Callable
from typing import Any

from pydantic import Field

from cdp_lib.connectors.bearer import BearerChannel, GoogleProof
from cdp_lib.connectors.http import HttpChannel, Reply, retry_after
from cdp_lib.connectors.protocol import (
    Batch,
    ConnectorKind,
    Item,
    Limits,
    Outcome,
    Receipt,
    Refused,
    Retryable,
    Unsure,
)

_SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
_LARGEST = 4096
_LONGEST_SECONDS = 2_419_200
"""28 days: the channel refuses a message that is to wait longer for a phone."""

_SEEN = (400, 403, 404, 503)
_TOKEN_FAULTS = {
    (400, "INVALID_ARGUMENT"): "token_invalid",
    (403, "SENDER_ID_MISMATCH"): "token_of_another_sender",
    (404, "UNREGISTERED"): "token_unregistered",
}


class PushSettings(GoogleProof):
    """A Firebase project and what proves that we may send for it."""

    project: str = Field(pattern=r"^[a-z][a-z0-9-]*$", description="The project's id")
    base_url: str = Field(default="https://fcm.googleapis.com", description="Where the channel is")
    timeout_seconds: float = Field(default=30.0, gt=0, description="How long an answer is waited for")


class Push:
    """Sends one push message per request. `now` is seconds since 1970."""

    def __init__(self, settings: PushSettings, *, now: Callable[[], float] = time.time) -> None:
        channel = HttpChannel(
            settings.base_url, headers={}, repeats_safely=False, timeout_seconds=settings.timeout_seconds
        )
        self._channel = BearerChannel(channel, settings.exchange(_SCOPE, now))
        self._path = f"/v1/projects/{settings.project}/messages:send"
        self._now = now

    def deliver(self, batch: Batch, *, idempotency_key: str) -> Receipt:
        """The message's name, or whether it is the token or the payload that is wrong.

        `token_invalid` and `token_unregistered` tell that the token may be deleted; `payload_invalid` does not.
        """
        (item,) = batch.items
        message = _message(item, self._now())
        if _size(message) > _LARGEST:
            return Receipt((Outcome(item.intent_id, "rejected", "payload_too_large"),))
        reply = self._channel.request("POST", self._path, sees=_SEEN, json={"message": message})
        refusal = _refusal(reply)
        if refusal:
            return Receipt((Outcome(item.intent_id, "rejected", refusal),))
        name = reply.fields.get("name")
        if not isinstance(name, str):
            raise Unsure(f"HTTP {reply.status} that names no message")
        return Receipt((Outcome(item.intent_id, "accepted", provider_id=name),))

    def close(self) -> None:
        """Let go of connections."""
        self._channel.close()


def _message(item: Item, now: float) -> dict[str, Any]:
    """A phone that is off gets it later, but not after the item's end."""
    message: dict[str, Any] = {
        "token": item.address,
        "notification": {"title": item.parts["title"], "body": item.parts["body"]},
    }
    if item.parts.get("link"):
        message["data"] = {"link": item.parts["link"]}
    if item.expires_at is not None:
        end = int(item.expires_at.timestamp())
        left = min(max(end - int(now), 0), _LONGEST_SECONDS)
        message["android"] = {"ttl": f"{left}s"}
        message["apns"] = {"headers": {"apns-expiration": str(end)}}
        message["webpush"] = {"headers": {"TTL": str(left)}}
    return message


def _size(message: dict[str, Any]) -> int:
    payload = {name: message[name] for name in ("notification", "data") if name in message}
    return len(json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode())


def _refusal(reply: Reply) -> str:
    """Why the channel will never take this message; empty where it took it. Raises for all that is no row's fault."""
    if reply.status == 503:
        wait = reply.headers.get("retry-after")
        raise Retryable("HTTP 503", retry_after(wait)) if wait else Unsure("HTTP 503")
    if reply.status not in _SEEN:
        return ""
    code, fields = _details(reply)
    if reply.status == 400 and fields - {"message.token"}:
        return "payload_invalid"
    if (reply.status, code) in _TOKEN_FAULTS:
        return _TOKEN_FAULTS[reply.status, code]
    if reply.status == 400:
        return "payload_invalid"
    raise Refused(f"HTTP {reply.status}: check the project and what its service account may do")


def _details(reply: Reply) -> tuple[str, set[str]]:
    """FcmError's code, and the fields that BadRequest complains of."""
    error = reply.fields.get("error")
    details = error.get("details", []) if isinstance(error, dict) else []
    code, fields = "", set()
    for detail in details:
        kind = str(detail.get("@type", ""))
        if kind.endswith("FcmError"):
            code = str(detail.get("errorCode", ""))
        elif kind.endswith("BadRequest"):
            fields |= {str(violation.get("field", "")) for violation in detail.get("fieldViolations", [])}
    return code, fields


KIND = ConnectorKind(
    name="push",
    channel="push",
    mode="message",
    settings=PushSettings,
    build=Push,
    limits=Limits(batch_size=1, per_second=500.0),
    parts=("title", "body"),
    optional_parts=("link",),
    doc="Push messages through FCM v1; the activation's `address` must give the registration token",
    unverified=(
        "POST /v1/projects/{project}/messages:send with message.token, notification and data",
        "a service account's signed claim (RS256, an hour) is exchanged for a token",
        "android.ttl, apns-expiration and the web push header TTL end a message that waits for a phone",
        "503 with Retry-After has not taken the message",
    ),
)
