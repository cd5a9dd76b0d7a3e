"""Braze: attributes of users, known there by their golden_id."""

import re

from pydantic import Field, SecretStr

from cdp_lib.connectors.http import HttpChannel, Reply, throttled
from cdp_lib.connectors.protocol import (
    Batch,
    ConnectorKind,
    ConnectorSettings,
    Limits,
    Receipt,
    Rejected,
    reveal,
    Unsure,
)
from cdp_lib.connectors.rows import accepted, objects, rejected, told, whole
from cdp_lib.settings.kind import Name

_BAD_REQUEST, _TOO_MANY = 400, 429
_QUOTED = re.compile(r"'([a-z][a-z0-9_]*)'")


class BrazeSettings(ConnectorSettings):
    """A workspace, and what it is told of a customer beside the activation's fields."""

    base_url: str = Field(default="https://rest.iad-01.braze.com", description="REST address of the instance")
    api_key: SecretStr = Field(description="REST key with users.track")
    attributes: dict[str, Name] = Field(
        default_factory=dict,
        description="Attribute: detail of the customer (email, first_name, ...); the activation's fields always go",
    )
    timeout_seconds: float = Field(default=30.0, gt=0)


class Braze:
    """Sets attributes. Setting them again changes nothing, so every request may be repeated; events are not sent."""

    def __init__(self, settings: BrazeSettings) -> None:
        self._names = settings.attributes
        self._channel = HttpChannel(
            settings.base_url,
            headers={"Authorization": f"Bearer {reveal(settings.api_key)}"},
            repeats_safely=True,
            timeout_seconds=settings.timeout_seconds,
        )

    def deliver(self, batch: Batch, *, idempotency_key: str) -> Receipt:
        """A success may name objects that were not taken, by their place. Unknown is not sent: Braze keeps what it has.

        A 400 that names every object is an answer for each of them; any other refuses the request as a whole.
        """
        rows = [{**told(item, self._names), "external_id": item.person.get("golden_id") or ""} for item in batch.items]
        seen = (_BAD_REQUEST, _TOO_MANY)
        reply = self._channel.request("POST", "/users/track", sees=seen, json={"attributes": rows})
        if reply.status == _TOO_MANY:
            wait = reply.headers.get("x-ratelimit-retry-after") or reply.headers.get("retry-after")
            raise throttled(wait)
        bad = _bad_places(reply, rows)
        if reply.status == _BAD_REQUEST and len(bad) < len(rows):
            raise Rejected("HTTP 400")
        if reply.status != _BAD_REQUEST and reply.fields.get("message") != "success":
            raise Unsure(f"HTTP {reply.status} without the message success")
        refused = [one for place, reason in bad.items() for one in rejected([batch.items[place]], reason)]
        good = [item for place, item in enumerate(batch.items) if place not in bad]
        return Receipt((*refused, *accepted(good)))

    def close(self) -> None:
        """Let go of the connections."""
        self._channel.close()


def _bad_places(reply: Reply, rows: list[dict[str, str]]) -> dict[int, str]:
    """Place of each refused object: why. An error that names no place of ours is nobody's."""
    bad: dict[int, str] = {}
    for error in objects(reply.fields.get("errors")):
        place = whole(error.get("index"))
        if error.get("input_array") != "attributes" or place is None or place >= len(rows):
            raise Rejected(f"HTTP {reply.status} with an error that names no row")
        names = sorted(set(_QUOTED.findall(str(error.get("type")))) & rows[place].keys())
        bad[place] = f"refused by Braze{': ' if names else ''}{', '.join(names)}"
    return bad


KIND = ConnectorKind(
    name="braze",
    channel="crm",
    mode="record",
    settings=BrazeSettings,
    build=Braze,
    limits=Limits(batch_size=75, per_second=1000.0),
    needs_address=False,
    operations=("send",),
    is_idempotent=True,
    doc="Attributes of Braze users, whose external_id is the golden_id",
    unverified=("a 400 that names objects took none of them",),
)
