"""A HubSpot account: contacts by address, 207 for a bad property, 400 for the whole batch where an address is bad."""

from typing import Any

from cdp_lib.connectors.hubspot import KIND
from cdp_lib.connectors.kit.bench import Bench, intent_of
from cdp_lib.connectors.kit.server import Request, Response
from cdp_lib.connectors.protocol import Item

_TOKEN = "kit-hubspot-token"
_MOST_INPUTS = 100
_PROPERTIES = {"email", "firstname", "lastname", "points"}


class HubSpotFake:
    """To set what is set changes nothing. A property it does not know fails its row, a bad address the batch."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, str]] = []
        self._contacts: dict[str, dict[str, Any]] = {}

    def answer(self, request: Request) -> Response:
        """200, 207 with the traces of what failed, or 400, 401, 404, 409 for the request as a whole."""
        if request.headers.get("authorization") != f"Bearer {_TOKEN}":
            return _whole(401, "INVALID_AUTHENTICATION")
        if (request.method, request.path) != ("POST", "/crm/v3/objects/contacts/batch/upsert"):
            return Response(404)
        try:
            inputs = request.json()["inputs"]
            addresses = [one["id"].lower() for one in inputs]
            is_read = all(_is_input(one) for one in inputs)
        except (ValueError, KeyError, TypeError, AttributeError):
            return _whole(400, "VALIDATION_ERROR")
        if not is_read or not 0 < len(inputs) <= _MOST_INPUTS or len(set(addresses)) < len(addresses):
            return _whole(400, "VALIDATION_ERROR")
        if not all("@" in address for address in addresses):
            return _whole(409, "CONFLICT")
        bad = [one for one in inputs if not set(one["properties"]) <= _PROPERTIES]
        results = [self._taken_over(one) for one in inputs if one not in bad]
        errors = [_failed(one) for one in bad]
        if not errors:
            return Response(200, {"status": "COMPLETE", "results": results})
        return Response(207, {"status": "COMPLETE", "results": results, "numErrors": len(errors), "errors": errors})

    def _taken_over(self, one: dict[str, Any]) -> dict[str, Any]:
        address = one["id"].lower()
        is_new = address not in self._contacts
        if self._contacts.get(address) != one["properties"]:
            self._contacts[address] = one["properties"]
            self.taken.append(("send", address))
        place = list(self._contacts).index(address)
        return {"id": str(900 + place), "new": is_new, "objectWriteTraceId": one["objectWriteTraceId"]}


def _is_input(one: Any) -> bool:
    return (
        one.keys() == {"id", "idProperty", "objectWriteTraceId", "properties"}
        and one["idProperty"] == "email"
        and bool(one["objectWriteTraceId"])
        and all(isinstance(value, str) for value in one["properties"].values())
    )


def _failed(one: dict[str, Any]) -> dict[str, Any]:
    strange = sorted(set(one["properties"]) - _PROPERTIES)
    return {
        "status": "error",
        "category": "VALIDATION_ERROR",
        "message": f"{one['id']}: property {strange[0]} does not exist",
        "context": {"objectWriteTraceId": [one["objectWriteTraceId"]]},
        "errors": [{"message": one["id"], "code": "PROPERTY_DOESNT_EXIST", "in": strange[0]}],
    }


def _whole(status: int, category: str) -> Response:
    return Response(status, {"status": "error", "category": category, "message": "person1@example.com"})


def _person(number: int, address: str) -> Item:
    person = {"golden_id": f"golden-{number}", "email": address, "first_name": f"Firstname{number}", "points": "12"}
    return Item(intent_id=intent_of(number), address=address, person=person)


BENCH = Bench(
    kind=KIND,
    fake=HubSpotFake,
    settings=lambda url: {"access_token": _TOKEN, "base_url": url},
    item=lambda number: _person(number, f"person{number}@example.com"),
    bad_item=lambda number: _person(number, f"person{number}.example.com"),
    whom=lambda item: item.address.lower(),
)
