"""A fake of Zendesk's tickets; connectors.md knows its webhooks only, the ticket's shape is unverified."""

import base64
from typing import Any

from cdp_lib.connectors.kit.bench import Bench, intent_of
from cdp_lib.connectors.kit.server import Request, Response
from cdp_lib.connectors.protocol import Item
from cdp_lib.connectors.zendesk import KIND

_LOGIN = base64.b64encode(b"agent@example.com/token:token-of-nobody").decode()
_FIELDS = {"subject", "comment", "requester", "tags", "external_id", "priority"}


class ZendeskFake:
    """An account that answers a key it knows as it did the first time."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, str]] = []
        self._answers: dict[str, Response] = {}

    def answer(self, request: Request) -> Response:
        """201 with the ticket, or 422 with the field that is wrong."""
        if request.headers.get("authorization") != f"Basic {_LOGIN}":
            return Response(401, {"error": "Couldn't authenticate you"})
        if (request.method, request.path) != ("POST", "/api/v2/tickets.json"):
            return Response(404, {"error": "InvalidEndpoint"})
        key = request.headers.get("idempotency-key")
        if not key or len(key) > 255:
            return Response(400, {"error": "InvalidIdempotencyKey"})
        if key not in self._answers:
            self._answers[key] = self._open(request.json())
        return self._answers[key]

    def _open(self, body: dict[str, Any]) -> Response:
        ticket = body.get("ticket", {})
        if set(body) != {"ticket"} or not set(ticket) <= _FIELDS:
            return Response(400, {"error": "InvalidRequest"})
        requester = ticket.get("requester", {})
        if not ticket.get("comment", {}).get("body"):
            return _invalid("base", "BlankValue")
        if not requester.get("name"):
            return _invalid("requester", "BlankValue")
        if requester.get("email", "").count("@") != 1:
            return _invalid("requester", "InvalidValue")
        self.taken.append(("send", requester["email"]))
        return Response(201, {"ticket": {"id": len(self.taken), **ticket}})


def _invalid(field: str, code: str) -> Response:
    details = {field: [{"description": "someone@: is not properly formatted", "error": code}]}
    return Response(422, {"error": "RecordInvalid", "description": "Record validation errors", "details": details})


def _item(number: int) -> Item:
    person = {"first_name": "Made", "last_name": f"Up {number}"}
    parts = {"subject": "Unhappy customer", "body": f"Rated visit {number} with 1"}
    return Item(intent_of(number), f"person-{number}@example.com", parts, person)


def _bad_item(number: int) -> Item:
    return Item(intent_of(number), f"nowhere-{number}", {"subject": "Unhappy customer", "body": "Rated with 1"})


BENCH = Bench(
    kind=KIND,
    fake=ZendeskFake,
    settings=lambda url: {"user_email": "agent@example.com", "api_token": "token-of-nobody", "base_url": url},
    item=_item,
    bad_item=_bad_item,
    whom=lambda item: item.address,
)
