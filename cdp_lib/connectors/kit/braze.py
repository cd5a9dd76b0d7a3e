"""A Braze workspace: success with errors by place, 400 where no object is any good, a wait of its own at 429."""

from typing import Any

from cdp_lib.connectors.braze import KIND
from cdp_lib.connectors.kit.bench import Bench, intent_of
from cdp_lib.connectors.kit.server import Request, Response
from cdp_lib.connectors.protocol import Item

_KEY = "kit-braze-key"
_MOST_OBJECTS = 75
_ARRAYS = ("attributes", "events", "purchases")
_LONGEST = 255


class BrazeFake:
    """Users by external_id. To set what is set changes nothing."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, str]] = []
        self._users: dict[str, dict[str, Any]] = {}

    def answer(self, request: Request) -> Response:
        """201 with what was processed and what not, or 400, 401, 404."""
        if request.headers.get("authorization") != f"Bearer {_KEY}":
            return Response(401, {"message": "Invalid API Key"})
        if (request.method, request.path) != ("POST", "/users/track"):
            return Response(404)
        try:
            body = request.json()
        except ValueError:
            return Response(400, {"message": "no JSON"})
        if not isinstance(body, dict) or not body or not set(body) <= set(_ARRAYS):
            return Response(400, {"message": "Valid data must be provided in the 'attributes' field."})
        objects = body.get("attributes", [])
        if not 0 < sum(len(rows) for rows in body.values()) <= _MOST_OBJECTS:
            return Response(400, {"message": "too many objects, or none"})
        found = {place: fault for place, one in enumerate(objects) if (fault := _fault(one))}
        errors = [{"index": place, "input_array": "attributes", "type": fault} for place, fault in found.items()]
        if len(errors) == len(objects):
            return Response(400, {"message": "Valid data must be provided.", "errors": errors})
        good = [one for place, one in enumerate(objects) if place not in found]
        for one in good:
            self._take(one)
        told: dict[str, Any] = {"message": "success", "attributes_processed": len(good)}
        return Response(201, {**told, "errors": errors} if errors else told)

    def _take(self, one: dict[str, Any]) -> None:
        if self._users.get(one["external_id"]) != one:
            self._users[one["external_id"]] = one
            self.taken.append(("send", one["external_id"]))


def _fault(one: Any) -> str:
    """What is wrong with an object, quoting its value; empty where nothing is."""
    if not isinstance(one, dict) or not isinstance(one.get("external_id"), str) or not one["external_id"]:
        return "'external_id', 'braze_id', 'user_alias', 'email' or 'phone' is required"
    for name, value in one.items():
        if isinstance(value, str) and len(value) > _LONGEST:
            return f"'{name}' is too long: {value[:40]}"
    return ""


def _person(number: int, tier: str) -> Item:
    person = {
        "golden_id": f"golden-{number}",
        "email": f"person{number}@example.com",
        "first_name": f"Firstname{number}",
        "tier": tier,
    }
    return Item(intent_id=intent_of(number), person=person)


BENCH = Bench(
    kind=KIND,
    fake=BrazeFake,
    settings=lambda url: {"api_key": _KEY, "attributes": {"first_name": "first_name"}, "base_url": url},
    item=lambda number: _person(number, "gold"),
    bad_item=lambda number: _person(number, f"person{number}@example.com " * 20),
    whom=lambda item: str(item.person["golden_id"]),
)
