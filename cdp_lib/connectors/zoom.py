"""Registrations for a Zoom webinar, and the proof that an incoming event is Zoom's."""

import base64
import hashlib
import hmac

from pydantic import Field, SecretStr

from cdp_lib.connectors.bearer import access_token, BearerChannel
from cdp_lib.connectors.http import HttpChannel
from cdp_lib.connectors.protocol import (
    Batch,
    ConnectorKind,
    ConnectorSettings,
    Limits,
    Outcome,
    Receipt,
    Refused,
    reveal,
    Unsure,
)

_BAD_REQUEST, _NOT_FOUND = 400, 404


class ZoomSettings(ConnectorSettings):
    """A server-to-server app of the account, and the webinar."""

    account_id: str = Field(description="The account")
    client_id: str = Field(description="The app's client id")
    client_secret: SecretStr = Field(description="The app's client secret")
    webinar_id: str = Field(
        pattern=r"^[0-9]{9,12}$", description="The webinar's number, without spaces; quote it in YAML"
    )
    unknown_first_name: str = Field(default="Guest", min_length=1, description="Who has no first name registers so")
    base_url: str = Field(default="https://api.zoom.us", description="Where the channel is")
    timeout_seconds: float = Field(default=30.0, gt=0, description="How long an answer is waited for")
    token_url: str = Field(default="https://zoom.us/oauth/token", description="Where tokens are had")


class Zoom:
    """Registers one customer per request; the same address is the same registrant."""

    def __init__(self, settings: ZoomSettings) -> None:
        login = base64.b64encode(f"{settings.client_id}:{reveal(settings.client_secret)}".encode()).decode()
        form = {"grant_type": "account_credentials", "account_id": settings.account_id}
        self._channel = BearerChannel(
            HttpChannel(settings.base_url, headers={}, repeats_safely=True, timeout_seconds=settings.timeout_seconds),
            lambda: access_token(settings.token_url, headers={"Authorization": f"Basic {login}"}, form=form),
        )
        self._path = f"/v2/webinars/{settings.webinar_id}/registrants"
        self._unknown_first_name = settings.unknown_first_name

    def deliver(self, batch: Batch, *, idempotency_key: str) -> Receipt:
        """The registrant's id, or the code with which the registration was refused."""
        (item,) = batch.items
        person = {
            "email": item.address,
            "first_name": item.person.get("first_name") or self._unknown_first_name,
            "last_name": item.person.get("last_name") or "",
        }
        reply = self._channel.request("POST", self._path, sees=(_BAD_REQUEST, _NOT_FOUND), json=person)
        code = reply.fields.get("code")
        if reply.status == _NOT_FOUND:
            raise Refused("HTTP 404: no such webinar, or it is over; check webinar_id")
        if reply.status == _BAD_REQUEST:
            reason = f"code {code}" if isinstance(code, int) else "HTTP 400"
            return Receipt((Outcome(item.intent_id, "rejected", reason),))
        registrant = reply.fields.get("registrant_id")
        if not isinstance(registrant, str):
            raise Unsure(f"HTTP {reply.status} that names no registrant")
        return Receipt((Outcome(item.intent_id, "accepted", provider_id=registrant),))

    def close(self) -> None:
        """Let go of connections."""
        self._channel.close()


def verify_signature(secret: str, timestamp: str, body: bytes, signature: str) -> bool:
    """Whether Zoom signed the event: headers x-zm-request-timestamp and x-zm-signature, raw body.

    The caller refuses timestamps that are too old, and events that it has seen.
    """
    expected = f"v0={_hex(secret, b'v0:' + timestamp.encode() + b':' + body)}"
    return hmac.compare_digest(expected.encode(), signature.encode())


def validation_answer(secret: str, plain_token: str) -> dict[str, str]:
    """What the event `endpoint.url_validation` must be answered with, which Zoom asks again every 72 hours."""
    return {"plainToken": plain_token, "encryptedToken": _hex(secret, plain_token.encode())}


def _hex(secret: str, content: bytes) -> str:
    return hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()


KIND = ConnectorKind(
    name="zoom",
    channel="events",
    mode="record",
    settings=ZoomSettings,
    build=Zoom,
    limits=Limits(batch_size=1, per_second=10.0),
    address="email",
    is_idempotent=True,
    doc="Registrations for a Zoom webinar",
    unverified=(
        "POST /v2/webinars/{id}/registrants {email, first_name, last_name}, 201 with registrant_id",
        "the same address registered twice is the same registrant",
        "POST /oauth/token with grant_type=account_credentials and the account, basic auth of the app",
        "400 answers hold an integer `code`; 404 means that the webinar is unknown or over",
        "encryptedToken is the lower hex HMAC-SHA256 of plainToken under the webhook's secret",
        "an account bears 10 registrations a second",
    ),
)
