"""A receiver of signed webhooks that checks every signature and knows an event by its id."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import datetime, UTC

from cdp_lib.connectors.kit.bench import Bench, intent_of
from cdp_lib.connectors.kit.server import Request, Response
from cdp_lib.connectors.protocol import Item
from cdp_lib.connectors.webhook import KIND

_KEY = b"kit-webhook-key-of-32-bytes-long"
_NEXT_KEY = b"kit-webhook-key-that-comes-next!"
_TOLERANCE_SECONDS = 300
_PATH = "/events"


def _secret(key: bytes) -> str:
    return "whsec_" + base64.b64encode(key).decode()


class WebhookFake:
    """It knows `_KEY` alone, as a receiver does while the sender signs with an old and a new key."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.taken: list[tuple[str, str]] = []
        self._seen: set[str] = set()
        self._clock = clock

    def answer(self, request: Request) -> Response:
        """400 for a wrong shape, 401 for a wrong signature or time, 204 for all else, seen before or not."""
        if (request.method, request.path) != ("POST", _PATH):
            return Response(404)
        names = ("webhook-id", "webhook-timestamp", "webhook-signature")
        if not all(request.headers.get(name) for name in names):
            return Response(400, {"error": "a webhook header is missing"})
        if request.headers.get("content-type") != "application/json":
            return Response(415)
        if not self._is_genuine(request):
            return Response(401)
        try:
            event = json.loads(request.body)
            customers = [(one["intent_id"], one["fields"]["golden_id"]) for one in event["data"]["customers"]]
            operation = event["type"].removeprefix("cdp.customer.")
        except (ValueError, KeyError, TypeError):
            return Response(400, {"error": "no event"})
        if not customers or len(customers) > KIND.limits.batch_size or operation not in KIND.operations:
            return Response(400, {"error": "no event of ours"})
        event_id = request.headers["webhook-id"]
        if event_id not in self._seen:
            self._seen.add(event_id)
            self.taken += [(operation, golden_id) for _, golden_id in customers]
        return Response(204)

    def _is_genuine(self, request: Request) -> bool:
        seconds = request.headers["webhook-timestamp"]
        if not seconds.isdigit() or abs(self._clock().timestamp() - int(seconds)) > _TOLERANCE_SECONDS:
            return False
        signed = f"{request.headers['webhook-id']}.{seconds}.".encode() + request.body
        wanted = "v1," + base64.b64encode(hmac.new(_KEY, signed, hashlib.sha256).digest()).decode()
        return any(hmac.compare_digest(wanted, one) for one in request.headers["webhook-signature"].split(" "))


def _item(number: int) -> Item:
    return Item(
        intent_id=intent_of(number),
        parts={"title": f"Hello {number}"},
        person={"golden_id": f"golden-{number}", "email": f"person{number}@example.com"},
    )


BENCH = Bench(
    kind=KIND,
    fake=WebhookFake,
    settings=lambda url: {"base_url": url, "path": _PATH, "secrets": [_secret(_NEXT_KEY), _secret(_KEY)]},
    item=_item,
    bad_item=None,
    whom=lambda item: str(item.person["golden_id"]),
)
