"""TikTok segments: members by hashed e-mail and phone, kept in step by add and delete."""

from typing import Any

from pydantic import Field, SecretStr

from cdp_lib.connectors import normalise
from cdp_lib.connectors.http import HttpChannel
from cdp_lib.connectors.protocol import (
    Batch,
    ConnectorKind,
    ConnectorSettings,
    Item,
    Limits,
    Receipt,
    Refused,
    Rejected,
    Retryable,
    reveal,
    Unsure,
)
from cdp_lib.connectors.rows import accepted, code, named_members, rejected, whole

_PATH = "/open_api/v1.3/segment/mapping/"
_MOST_MEMBERS = 1000
_SCHEMA = ("EMAIL_SHA256", "PHONE_SHA256")
_ACTIONS = {"add": "add", "update": "add", "remove": "delete"}
_NO_RIGHT = frozenset({40001, *range(40100, 40116)}) - {40100}
_TOO_MANY = frozenset({40016, 40100, 40133})
_SERVER_FAULTS = range(50000, 60000)


class TikTokAudienceSettings(ConnectorSettings):
    """One segment, shared by advertisers."""

    audience_id: str = Field(pattern=r"^[0-9]+$", description="The segment, made at TikTok")
    advertiser_ids: tuple[str, ...] = Field(min_length=1, description="Accounts that may use it")
    access_token: SecretStr = Field(description="Long-lived token of the business account")
    base_url: str = Field(default="https://business-api.tiktok.com", description="Where the channel is")
    timeout_seconds: float = Field(default=30.0, gt=0)


class TikTokAudience:
    """Adds and removes. Adding a member again changes nothing, so every request may be repeated."""

    def __init__(self, settings: TikTokAudienceSettings) -> None:
        self._settings = settings
        self._channel = HttpChannel(
            settings.base_url,
            headers={"Access-Token": reveal(settings.access_token)},
            repeats_safely=True,
            timeout_seconds=settings.timeout_seconds,
        )

    def deliver(self, batch: Batch, *, idempotency_key: str) -> Receipt:
        """All or nothing: HTTP 2xx alone is no success, the body's `code` must be 0 too."""
        sent, members, nobody = named_members(batch, identifiers, _MOST_MEMBERS)
        unknown = rejected(nobody, "neither e-mail nor phone")
        if not sent:
            return Receipt(unknown)
        body = {
            "action": _ACTIONS[batch.operation],
            "advertiser_ids": list(self._settings.advertiser_ids),
            "id_schema": list(_SCHEMA),
            "batch_data": [[self._entry(one.get(name)) for name in _SCHEMA] for one in members],
        }
        fields = self._channel.request("POST", _PATH, json=body).fields
        _check(whole(fields.get("code")))
        request_id = fields.get("request_id")
        return Receipt((*unknown, *accepted(sent, request_id if isinstance(request_id, str) else None)))

    def close(self) -> None:
        """Let go of the connections."""
        self._channel.close()

    def _entry(self, hashed: str | None) -> dict[str, Any]:
        return {"id": hashed, "audience_ids": [self._settings.audience_id]} if hashed else {}


def identifiers(item: Item) -> dict[str, str]:
    """Hashes of the customer's e-mail and phone, by TikTok's names; empty without either."""
    hashes = [normalise.sha256(normalise.tiktok_text(item.person.get(name))) for name in ("email", "phone")]
    return {name: one for name, one in zip(_SCHEMA, hashes, strict=True) if one}


def _check(number: int | None) -> None:
    """Raises for every code of a body but 0."""
    said = f"code {code(number)}"
    if number is None:
        raise Unsure("an answer without code")
    if number in _TOO_MANY or number in _SERVER_FAULTS:
        raise Retryable(said, nothing_taken=number in _TOO_MANY)
    if number in _NO_RIGHT:
        raise Refused(f"{said}: the token is wrong, has expired or lacks a right")
    if number != 0:
        raise Rejected(said)


KIND = ConnectorKind(
    name="tiktok_audience",
    channel="ads",
    mode="audience",
    settings=TikTokAudienceSettings,
    build=TikTokAudience,
    limits=Limits(batch_size=_MOST_MEMBERS, per_second=10.0, batch_bytes=1_000_000),
    needs_address=False,
    operations=("add", "update", "remove"),
    is_idempotent=True,
    identifiers=identifiers,
    doc="Members of a TikTok segment, by hashed e-mail and phone",
    unverified=(
        "which codes of a body speak of rights (40001, 40101 to 40115), of pace (40016, 40100, 40133) and of faults "
        "of the server (50000 and more)",
        "a phone number bears its plus before it is hashed",
        "ten requests a second are borne",
    ),
)
