"""HubSpot: properties of contacts, known there by their e-mail address."""

from pydantic import Field, SecretStr

from cdp_lib.connectors.http import HttpChannel, Reply
from cdp_lib.connectors.protocol import (
    Batch,
    ConnectorKind,
    ConnectorSettings,
    Item,
    Limits,
    Outcome,
    Receipt,
    Rejected,
    reveal,
    Unsure,
)
from cdp_lib.connectors.rows import code, objects, told
from cdp_lib.settings.kind import Name

_PATH = "/crm/v3/objects/contacts/batch/upsert"
_TRACE = "objectWriteTraceId"


class HubSpotSettings(ConnectorSettings):
    """An account, and what it is told of a customer beside the activation's fields."""

    access_token: SecretStr = Field(description="Token of a private app with crm.objects.contacts.write")
    id_property: Name = Field(default="email", description="Unique property that the customer's address stands in")
    properties: dict[Name, Name] = Field(
        default={"firstname": "first_name", "lastname": "last_name"},
        description="Property: detail of the customer; the activation's fields always go, under their own names",
    )
    base_url: str = Field(default="https://api.hubapi.com", description="Where the channel is")
    timeout_seconds: float = Field(default=30.0, gt=0)


class HubSpot:
    """Upserts. To set the same properties again changes nothing, so every request may be repeated."""

    def __init__(self, settings: HubSpotSettings) -> None:
        self._settings = settings
        self._channel = HttpChannel(
            settings.base_url,
            headers={"Authorization": f"Bearer {reveal(settings.access_token)}"},
            repeats_safely=True,
            timeout_seconds=settings.timeout_seconds,
        )

    def deliver(self, batch: Batch, *, idempotency_key: str) -> Receipt:
        """Each input bears its intent id as trace, so that a partial answer (207) names the rows that failed.

        A 400 or 409 fails the whole batch for one bad row: it is Rejected, and the courier halves it. So is an answer
        whose errors name no row: to set the others again leaves the same contacts.
        """
        reply = self._channel.request("POST", _PATH, json={"inputs": [self._input(item) for item in batch.items]})
        refused = _refused(reply)
        taken = {one.get(_TRACE): one.get("id") for one in objects(reply.fields.get("results"))}
        if not refused and not taken:
            raise Unsure(f"HTTP {reply.status} that names no contact")
        return Receipt(tuple(_outcome(item.intent_id, refused, taken) for item in batch.items))

    def close(self) -> None:
        """Let go of the connections."""
        self._channel.close()

    def _input(self, item: Item) -> dict[str, object]:
        settings = self._settings
        return {
            "id": item.address,
            "idProperty": settings.id_property,
            _TRACE: item.intent_id,
            "properties": {**told(item, settings.properties), settings.id_property: item.address},
        }


def _refused(reply: Reply) -> dict[str, str]:
    """Trace: why. Raises Rejected where an error names none."""
    refused: dict[str, str] = {}
    for error in objects(reply.fields.get("errors")):
        context = error.get("context")
        traces = context.get(_TRACE) if isinstance(context, dict) else None
        if not isinstance(traces, list) or not traces:
            raise Rejected(f"HTTP {reply.status}, {code(error.get('category'))} that names no row", partly_taken=True)
        inner = [f"{code(one.get('code'))} {code(one.get('in'))}" for one in objects(error.get("errors"))]
        refused |= {str(trace): ", ".join([code(error.get("category")), *inner[:3]]) for trace in traces}
    return refused


def _outcome(intent_id: str, refused: dict[str, str], taken: dict[object, object]) -> Outcome:
    if intent_id in refused:
        return Outcome(intent_id, "rejected", refused[intent_id])
    if intent_id in taken:
        contact = taken[intent_id]
        return Outcome(intent_id, "accepted", provider_id=str(contact) if contact else None)
    return Outcome(intent_id, "unknown", "the answer does not name the contact")


KIND = ConnectorKind(
    name="hubspot",
    channel="crm",
    mode="record",
    settings=HubSpotSettings,
    build=HubSpot,
    limits=Limits(batch_size=100, per_second=10.0),
    address="email",
    operations=("send",),
    is_idempotent=True,
    doc="Contacts at HubSpot, created or updated by address",
    unverified=("ten requests a second are borne", "a result bears the trace of its input"),
)
