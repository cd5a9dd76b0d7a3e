"""Tokens of unsubscribe links: whoever holds one may end that person's messages by that channel, and nothing else."""

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from dataclasses import dataclass

from cdp_lib.errors import DeliveryError


@dataclass(frozen=True)
class Subscription:
    """Whose messages, by which channel, of which activation; and the message that the link stood in."""

    golden_id: str
    channel: str
    activation_id: str
    intent_id: str | None
    """Null in tokens of versions that did not name it."""


def unsubscribe_token(secret: str, of: Subscription) -> str:
    """A token for a URL that names recipient, list and message, signed with HMAC-SHA-256; it never expires.

    Raises DeliveryError without a secret: anybody could sign.
    """
    body = json.dumps([of.golden_id, of.channel, of.activation_id, of.intent_id], ensure_ascii=False).encode()
    return f"{_text(body)}.{_text(_signature(secret, body))}"


def read_token(secret: str, token: str) -> Subscription:
    """What a token of `unsubscribe_token` names; raises DeliveryError where it was not signed with the secret."""
    try:
        body, signature = (_bytes(part) for part in token.split("."))
    except (ValueError, NotBase64):
        raise DeliveryError("unsubscribe token: it is not whole. Take it from the link as it is.") from None
    if not hmac.compare_digest(signature, _signature(secret, body)):
        raise DeliveryError("unsubscribe token: its signature is wrong. Was the key replaced since it was sent?")
    golden_id, channel, activation_id, *intent_id = json.loads(body)
    return Subscription(golden_id, channel, activation_id, intent_id[0] if intent_id else None)


def _signature(secret: str, body: bytes) -> bytes:
    if not secret:
        raise DeliveryError("unsubscribe token: no secret to sign with. Give the sending folder's key.")
    return hmac.new(secret.encode(), b"unsubscribe|" + body, hashlib.sha256).digest()


def _text(body: bytes) -> str:
    return urlsafe_b64encode(body).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
