"""From a staged row to what a connector is given: the customer's text, address and way out."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Literal

from cdp_lib.connectors import kind_named
from cdp_lib.connectors.protocol import Item
from cdp_lib.errors import DeliveryError
from cdp_lib.messages.rendering import Renderer
from cdp_lib.messages.tokens import Subscription, unsubscribe_token
from cdp_lib.settings.activation import Activation, Offer
from cdp_lib.settings.pack import Pack
from cdp_lib.transforms.activation.ledger import EMPTYING, REBUILD

_WHOLE_LIST = (f"{REBUILD}:", f"{EMPTYING}:")


@dataclass(frozen=True)
class Writer:
    """Writes the items of one pack."""

    pack: Pack
    key: str
    """Signs the tokens of unsubscribe links."""
    renderers: Mapping[str, Renderer]
    """By message."""
    needed: Mapping[str, tuple[str, ...]]
    """Parts that an activation's connector cannot do without."""

    def item(self, row: Mapping[str, Any]) -> Item:
        """The row as an item.

        Raises DeliveryError naming a field that the customer lacks, never the customer, a part that nothing is written
        for, or an activation that is gone.
        """
        activation = next((one for one in self.pack.activations if one.id == row["activation_id"]), None)
        if activation is None:
            raise DeliveryError(f"activation {row['activation_id']} is not in the pack any more")
        url = self._way_out(row, activation)
        message = _of_arm(activation, row["arm"], "message")
        parts: Mapping[str, str] = {}
        if message is not None and row["operation"] == "send":
            parts = self.renderers[message].render(self._context(row, activation, url), row["language"])
        lacking = [part for part in self.needed[activation.id] if part not in parts]
        if lacking:
            raise DeliveryError(
                f"there is no {' and no '.join(lacking)} to send: give the activation a message with it"
            )
        person = {**row["person"], "golden_id": row["golden_id"]}
        if row["occasion"].startswith(_WHOLE_LIST):
            # All of one planning go into one new list, later members into the newest; what was before is emptied.
            person["rebuild"] = f"{row['planned_at'].astimezone(UTC):%Y-%m-%d %H:%M:%S}"
        before = tuple(dict(one) for one in row["told_before"] or ())
        address, expires_at, attempt = row["address"] or "", row["expires_at"], row["attempt"]
        return Item(row["intent_id"], address, parts, person, url, expires_at, before, attempt)

    def _way_out(self, row: Mapping[str, Any], activation: Activation) -> str | None:
        policy = self.pack.contact_policy
        if policy is None or policy.unsubscribe_url is None or not activation.needs_consent:
            return None
        of = Subscription(row["golden_id"], row["channel"], activation.id, row["intent_id"])
        token = unsubscribe_token(self.key, of)
        return policy.unsubscribe_url.replace("{token}", token)

    def _context(self, row: Mapping[str, Any], activation: Activation, url: str | None) -> dict[str, Any]:
        offer = self._offer(row, _of_arm(activation, row["arm"], "offer"))
        return {
            "customer": row["view"],
            "offer": offer,
            "products": row["products"] or [],
            "activation": {"id": activation.id, "arm": row["arm"]},
            "business": {"title": self.pack.info.title, "currency": self.pack.info.currency},
            "unsubscribe_url": url,
        }

    def _offer(self, row: Mapping[str, Any], name: str | None) -> dict[str, Any]:
        offer: Offer | None = next((one for one in self.pack.offers if one.id == name), None)
        if offer is None:
            return {}
        until = row["valid_until"]
        return {
            "title": offer.title,
            "description": offer.description,
            "code": row["offer_code"],
            "ends_at": None if until is None else until.astimezone(self.pack.info.zone),
        }


def _of_arm(activation: Activation, arm: str, what: Literal["message", "offer"]) -> str | None:
    """The arm's own message or offer, else the activation's."""
    own = next((one for one in activation.arms if one.id == arm), None)
    if what == "message":
        return (own.message if own else None) or activation.message
    return (own.offer if own else None) or activation.offer


def writer_of(pack: Pack, key: str) -> Writer:
    """A writer for all messages of the pack."""
    connectors = {one.id: one.connector for one in pack.destinations}
    needed = {one.id: kind_named(connectors[one.destination]).parts for one in pack.activations}
    return Writer(pack, key, {message.id: Renderer(message) for message in pack.messages}, needed)
