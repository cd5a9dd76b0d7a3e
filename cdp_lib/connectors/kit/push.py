"""A fake of FCM v1, after connectors.md: row `Push FCM v1`."""

from collections.abc import Iterator
from typing import Any

from cdp_lib.connectors.kit.bench import Bench, intent_of
from cdp_lib.connectors.kit.server import Request, Response
from cdp_lib.connectors.protocol import Item
from cdp_lib.connectors.push import KIND

_PARTS = {"token", "notification", "data", "android", "apns", "webpush"}
_LONGEST_SECONDS = 28 * 24 * 3600
_FCM_ERROR, _BAD_REQUEST = (
    "type.googleapis.com/google.firebase.fcm.v1.FcmError",
    "type.googleapis.com/google.rpc.BadRequest",
)


class PushFake:
    """A project whose phones have tokens that begin with `phone-`, and `gone-` where the app was removed."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, str]] = []

    def answer(self, request: Request) -> Response:
        """200 with a name, or what is wrong with the token or the payload."""
        if request.headers.get("authorization") != "Bearer token-of-nobody":
            return _error(401, "UNAUTHENTICATED")
        if (request.method, request.path) != ("POST", "/v1/projects/coffee/messages:send"):
            return _error(404, "NOT_FOUND")
        body = request.json()
        message = body.get("message", {})
        field = _misshapen(body)
        if field:
            return _error(400, "INVALID_ARGUMENT", {"@type": _BAD_REQUEST, "fieldViolations": [{"field": field}]})
        token = message["token"]
        if token.startswith("gone-"):
            return _error(404, "NOT_FOUND", {"@type": _FCM_ERROR, "errorCode": "UNREGISTERED"})
        if not token.startswith("phone-"):
            return _error(400, "INVALID_ARGUMENT", {"@type": _FCM_ERROR, "errorCode": "INVALID_ARGUMENT"})
        self.taken.append(("send", token))
        return Response(200, {"name": f"projects/coffee/messages/{len(self.taken)}"})


def _misshapen(body: Any) -> str:
    """The first field that is not as it must be."""
    message = body.get("message", {})
    if set(body) != {"message"} or not set(message) <= _PARTS or not message.get("token"):
        return "message"
    if set(message.get("notification", {})) - {"title", "body"}:
        return "message.notification"
    if any(int(ttl) > _LONGEST_SECONDS for ttl in _lives(message)):
        return "message.android.ttl"
    if any(not isinstance(value, str) for value in message.get("data", {}).values()):
        return "message.data[0].value"
    texts = [*message.get("notification", {}).items(), *message.get("data", {}).items()]
    return "message.data" if sum(len(f"{name}{text}".encode()) for name, text in texts) > 4096 else ""


def _lives(message: Any) -> Iterator[str]:
    """Seconds that it is to wait for a phone or a browser."""
    if "android" in message:
        yield message["android"]["ttl"].removesuffix("s")
    if "webpush" in message:
        yield message["webpush"]["headers"]["TTL"]


def _error(status: int, name: str, *details: dict[str, Any]) -> Response:
    error = {"code": status, "message": "as the channel puts it", "status": name, "details": list(details)}
    return Response(status, {"error": error})


def _item(number: int) -> Item:
    parts = {"title": "Ready", "body": f"Coffee {number} is ready", "link": f"https://example.com/{number}"}
    return Item(intent_of(number), f"phone-{number}", parts)


def _bad_item(number: int) -> Item:
    return Item(intent_of(number), f"gone-{number}", {"title": "Ready", "body": "Coffee is ready"})


BENCH = Bench(
    kind=KIND,
    fake=PushFake,
    settings=lambda url: {"project": "coffee", "access_token": "token-of-nobody", "base_url": url},
    item=_item,
    bad_item=_bad_item,
    whom=lambda item: item.address,
)
