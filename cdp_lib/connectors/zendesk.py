"""Tickets at Zendesk for customers who need an answer, and the proof that an incoming webhook is Zendesk's."""

import base64
import hashlib
import hmac
import re
from typing import Any, Literal

from pydantic import Field, SecretStr

from cdp_lib.connectors.http import HttpChannel, Reply
from cdp_lib.connectors.protocol import (
    Batch,
    ConnectorKind,
    ConnectorSettings,
    Limits,
    Outcome,
    Receipt,
    Retryable,
    reveal,
    Unsure,
)

_CONFLICT, _UNPROCESSABLE = 409, 422
_WORD = re.compile(r"[A-Za-z0-9_.]{1,64}")
_NAMELESS = "Customer"


class ZendeskSettings(ConnectorSettings):
    """An account, who opens tickets there, and how they are marked."""

    base_url: str = Field(description="https://<account>.zendesk.com")
    timeout_seconds: float = Field(default=30.0, gt=0, description="How long an answer is waited for")
    user_email: str = Field(description="The agent whose API token it is")
    api_token: SecretStr = Field(description="That token")
    tags: tuple[str, ...] = Field(default=(), description="On every ticket, beside the activation's id")
    priority: Literal["urgent", "high", "normal", "low"] | None = Field(default=None, description="Of every ticket")


class Zendesk:
    """Opens one ticket per request; the key keeps a repeated request from opening another."""

    def __init__(self, settings: ZendeskSettings) -> None:
        login = base64.b64encode(f"{settings.user_email}/token:{reveal(settings.api_token)}".encode()).decode()
        self._channel = HttpChannel(
            settings.base_url,
            headers={"Authorization": f"Basic {login}"},
            repeats_safely=True,
            timeout_seconds=settings.timeout_seconds,
        )
        self._settings = settings

    def deliver(self, batch: Batch, *, idempotency_key: str) -> Receipt:
        """The ticket's number, or the fields for which it was refused."""
        (item,) = batch.items
        names = (item.person.get("first_name"), item.person.get("last_name"))
        ticket: dict[str, Any] = {
            "subject": item.parts["subject"],
            "comment": {"body": item.parts["body"]},
            "requester": {"name": " ".join(name for name in names if name) or _NAMELESS, "email": item.address},
            "tags": [*self._settings.tags, batch.campaign],
            "external_id": item.intent_id,
        }
        if self._settings.priority:
            ticket["priority"] = self._settings.priority
        reply = self._channel.request(
            "POST",
            "/api/v2/tickets.json",
            sees=(_CONFLICT, _UNPROCESSABLE),
            headers={"Idempotency-Key": idempotency_key},
            json={"ticket": ticket},
        )
        if reply.status == _CONFLICT:
            said = "HTTP 409: another request holds the key or the requester"
            raise Retryable(said, nothing_taken=True, of_item=True)
        if reply.status == _UNPROCESSABLE:
            return Receipt((Outcome(item.intent_id, "rejected", _refusal(reply)),))
        return Receipt((Outcome(item.intent_id, "accepted", provider_id=_number(reply)),))

    def close(self) -> None:
        """Let go of connections."""
        self._channel.close()


def verify_signature(secret: str, timestamp: str, body: bytes, signature: str) -> bool:
    """Whether Zendesk signed the webhook: headers X-Zendesk-Webhook-Signature-Timestamp and -Signature, raw body.

    The caller refuses timestamps that are too old.
    """
    digest = hmac.new(secret.encode(), timestamp.encode() + body, hashlib.sha256).digest()
    return hmac.compare_digest(base64.b64encode(digest), signature.encode())


def _number(reply: Reply) -> str:
    ticket = reply.fields.get("ticket")
    if not isinstance(ticket, dict) or not isinstance(ticket.get("id"), int):
        raise Unsure(f"HTTP {reply.status} that names no ticket")
    return str(ticket["id"])


def _refusal(reply: Reply) -> str:
    """`RecordInvalid: requester (InvalidValue)`: names of fields and codes; descriptions may quote people."""
    details = reply.fields.get("details")
    faults = [
        f"{field} ({_word(fault.get('error'))})"
        for field, faults in sorted((details if isinstance(details, dict) else {}).items())
        if _word(field) and isinstance(faults, list)
        for fault in faults
        if isinstance(fault, dict)
    ]
    name = _word(reply.fields.get("error")) or "HTTP 422"
    return f"{name}: {', '.join(faults)}" if faults else name


def _word(text: object) -> str:
    """A name or code; empty for all else."""
    return text if isinstance(text, str) and _WORD.fullmatch(text) else ""


KIND = ConnectorKind(
    name="zendesk",
    channel="support",
    mode="record",
    settings=ZendeskSettings,
    build=Zendesk,
    limits=Limits(batch_size=1, per_second=3.0),
    address="email",
    parts=("subject", "body"),
    is_idempotent=True,
    key_hours=2.0,
    doc="Tickets at Zendesk",
    unverified=(
        "POST /api/v2/tickets.json {ticket: {subject, comment, requester, tags, external_id, priority}}, 201 with id",
        "basic auth as <e-mail>/token:<API token>",
        "the header Idempotency-Key keeps a repeated request from opening a second ticket, for about two hours",
        "409 has opened no ticket",
        "422 answers {error, details: {field: [{error}]}}",
        "an account bears 3 requests a second",
    ),
)
