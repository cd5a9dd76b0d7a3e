"""A fake of LINE's multicast, after connectors.md: row `LINE multicast`."""

import re
from uuid import UUID

from cdp_lib.connectors.kit.bench import Bench, intent_of
from cdp_lib.connectors.kit.server import Request, Response
from cdp_lib.connectors.line import KIND
from cdp_lib.connectors.protocol import Item


class LineFake:
    """A channel that remembers retry keys."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, str]] = []
        self._requests: dict[str, str] = {}

    def answer(self, request: Request) -> Response:
        """200 with a request id, 409 with the first one's for a key that is known, or 400 for the whole batch."""
        if request.headers.get("authorization") != "Bearer token-of-nobody":
            return Response(401, {"message": "Authentication failed"})
        if (request.method, request.path) != ("POST", "/v2/bot/message/multicast"):
            return Response(404, {"message": "Not found"})
        fault = _fault(request)
        if fault:
            return Response(400, {"message": "The request body has 1 error(s)", "details": [{"property": fault}]})
        key = request.headers["x-line-retry-key"]
        if key in self._requests:
            return Response(
                409,
                {"message": "The retry key is already accepted"},
                {"X-Line-Request-Id": "another", "X-Line-Accepted-Request-Id": self._requests[key]},
            )
        self._requests[key] = f"request-{len(self._requests) + 1}"
        self.taken += [("send", user) for user in request.json()["to"]]
        return Response(200, {}, {"X-Line-Request-Id": self._requests[key]})


def _fault(request: Request) -> str:
    """The first field that is not as it must be."""
    body = request.json()
    to, messages = body.get("to", []), body.get("messages", [])
    key = request.headers.get("x-line-retry-key", "")
    if not re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", key) or str(UUID(key)) != key:
        return "X-Line-Retry-Key"
    if not 1 <= len(to) <= 500 or len(set(to)) < len(to) or not all(re.fullmatch(r"U[0-9a-f]{32}", one) for one in to):
        return "to"
    if not 1 <= len(messages) <= 5:
        return "messages"
    if any(set(one) != {"type", "text"} or one["type"] != "text" or not one["text"] for one in messages):
        return "messages[0].text"
    return "" if set(body) == {"to", "messages"} else "body"


def _item(number: int) -> Item:
    return Item(intent_of(number), f"U{number:032x}", {"text": "Coffee is ready"})


def _bad_item(number: int) -> Item:
    return Item(intent_of(number), f"as_typed_{number}", {"text": "Coffee is ready"})


BENCH = Bench(
    kind=KIND,
    fake=LineFake,
    settings=lambda url: {"access_token": "token-of-nobody", "base_url": url},
    item=_item,
    bad_item=_bad_item,
    whom=lambda item: item.address,
)
