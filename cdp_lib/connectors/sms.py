"""Text messages through an account of Twilio's shape: one request for each, which must not be repeated blindly."""

import base64
import re

from pydantic import Field, model_validator, SecretStr

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
    Unsure,
)

E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_BAD_REQUEST, _NOT_FOUND = 400, 404
_SENDER_IS_WRONG = frozenset({21212, 21603, 21606})
"""Codes that speak of From, which is the same for everybody."""


class SmsSettings(ConnectorSettings):
    """An account and who it sends as."""

    account_sid: str = Field(pattern=r"^AC[0-9A-Za-z]+$", description="The account's SID")
    auth_token: SecretStr = Field(description="Its auth token")
    from_number: str | None = Field(default=None, description="Sender: E.164 number, short code or name")
    messaging_service_sid: str | None = Field(
        default=None, pattern=r"^MG[0-9A-Za-z]+$", description="In place of from_number: a service that picks it"
    )
    base_url: str = Field(default="https://api.twilio.com", description="Where the channel is")
    timeout_seconds: float = Field(default=30.0, gt=0, description="How long an answer is waited for")

    @model_validator(mode="after")
    def _has_one_sender(self) -> "SmsSettings":
        if (self.from_number is None) == (self.messaging_service_sid is None):
            raise ValueError("give either from_number or messaging_service_sid")
        return self


class Sms:
    """Sends one text per request."""

    def __init__(self, settings: SmsSettings) -> None:
        login = base64.b64encode(f"{settings.account_sid}:{reveal(settings.auth_token)}".encode()).decode()
        self._channel = HttpChannel(
            settings.base_url,
            headers={"Authorization": f"Basic {login}"},
            repeats_safely=False,
            timeout_seconds=settings.timeout_seconds,
        )
        self._path = f"/2010-04-01/Accounts/{settings.account_sid}/Messages.json"
        self._sender = (
            {"From": settings.from_number}
            if settings.from_number
            else {"MessagingServiceSid": settings.messaging_service_sid}
        )

    def deliver(self, batch: Batch, *, idempotency_key: str) -> Receipt:
        """The message's SID, or the code with which the channel refused the number or the text."""
        (item,) = batch.items
        if not E164.fullmatch(item.address):
            return Receipt((Outcome(item.intent_id, "rejected", "phone_not_e164"),))
        return Receipt((self._send(item),))

    def close(self) -> None:
        """Let go of connections."""
        self._channel.close()

    def _send(self, item: Item) -> Outcome:
        form = {"To": item.address, **self._sender, "Body": item.parts["text"]}
        reply = self._channel.request("POST", self._path, sees=(_BAD_REQUEST, _NOT_FOUND), data=form)
        code = reply.fields.get("code")
        if reply.status == _NOT_FOUND:
            raise Refused("HTTP 404: no such account; check account_sid")
        if reply.status == _BAD_REQUEST and code in _SENDER_IS_WRONG:
            raise Refused(f"code {code}: the account may not send so; check from_number or messaging_service_sid")
        if reply.status == _BAD_REQUEST:
            return Outcome(item.intent_id, "rejected", f"code {code}" if isinstance(code, int) else "HTTP 400")
        sid = reply.fields.get("sid")
        if not isinstance(sid, str):
            raise Unsure(f"HTTP {reply.status} that names no message")
        return Outcome(item.intent_id, "accepted", provider_id=sid)


KIND = ConnectorKind(
    name="sms",
    channel="sms",
    mode="message",
    settings=SmsSettings,
    build=Sms,
    limits=Limits(batch_size=1, per_second=50.0),
    address="phone",
    parts=("text",),
    doc="Text messages through an account of Twilio's shape",
    unverified=(
        "POST .../Accounts/{sid}/Messages.json with the form fields To, From or MessagingServiceSid, Body; basic auth",
        "one recipient per request",
        "400 answers hold an integer `code`; 21212, 21603 and 21606 speak of the sender",
        "an account bears 50 requests a second",
    ),
)
