"""A Mailchimp list: 200 even with refused members, whom it names by address."""

import base64
import hashlib
from typing import Any

from cdp_lib.connectors.kit.bench import Bench, intent_of
from cdp_lib.connectors.kit.server import Request, Response
from cdp_lib.connectors.mailchimp import KIND
from cdp_lib.connectors.protocol import Item

_KEY = "kit-mailchimp-key-us19"
_LIST = "dbfd4023ad"
_MOST_MEMBERS = 500
_STATUS = {"subscribed", "unsubscribed", "cleaned", "pending", "transactional"}
_OPERATIONS = {"unsubscribed": "remove"}


class MailchimpFake:
    """Members by the MD5 of their address in lower case. To set what is set changes nothing."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, str]] = []
        self._members: dict[str, dict[str, Any]] = {}

    def answer(self, request: Request) -> Response:
        """New, updated and refused members, or 400, 401, 404 for the request as a whole."""
        if not _is_signed(request):
            return Response(401, {"title": "API Key Invalid"})
        if (request.method, request.path) != ("POST", f"/3.0/lists/{_LIST}"):
            return Response(404)
        try:
            body = request.json()
            members, is_update = body["members"], body["update_existing"]
        except (ValueError, KeyError, TypeError):
            return Response(400, {"title": "Invalid Resource"})
        if not 0 < len(members) <= _MOST_MEMBERS or not all(_is_member(one) for one in members):
            return Response(400, {"title": "Invalid Resource"})
        told: dict[str, list[dict[str, Any]]] = {"new_members": [], "updated_members": [], "errors": []}
        for one in members:
            key, row = self._judged(one, is_update)
            told[key].append(row)
        counts = {
            "total_created": len(told["new_members"]),
            "total_updated": len(told["updated_members"]),
            "error_count": len(told["errors"]),
        }
        return Response(200, {**told, **counts})

    def _judged(self, one: dict[str, Any], is_update: bool) -> tuple[str, dict[str, Any]]:
        """Where the answer names the member, and how."""
        address = one["email_address"]
        member = hashlib.md5(address.lower().encode(), usedforsecurity=False).hexdigest()
        if "@" not in address:
            return "errors", _refused(address, "ERROR_GENERIC")
        was = self._members.get(member)
        if was and not is_update:
            return "errors", _refused(address, "ERROR_CONTACT_EXISTS")
        if was != one:
            self._members[member] = one
            self.taken.append((_OPERATIONS.get(one["status"], "add"), member))
        row = {"id": member, "contact_id": member[::-1], "email_address": address, "status": one["status"]}
        return ("updated_members" if was else "new_members"), row


def _is_signed(request: Request) -> bool:
    name, _, login = request.headers.get("authorization", "").partition(" ")
    return name == "Basic" and base64.b64decode(login).decode().partition(":")[2] == _KEY


def _is_member(one: Any) -> bool:
    if not isinstance(one, dict) or not set(one) <= {"email_address", "status", "merge_fields"}:
        return False
    fields = one.get("merge_fields", {})
    return bool(one.get("email_address")) and one.get("status") in _STATUS and all(name.isupper() for name in fields)


def _refused(address: str, code: str) -> dict[str, Any]:
    said = f"{address} looks fake or invalid"
    return {"email_address": address, "error": said, "error_code": code, "field": "email_address", "field_message": ""}


def _person(number: int, address: str) -> Item:
    person = {"golden_id": f"golden-{number}", "email": address, "first_name": f"Firstname{number}", "points": "12"}
    return Item(intent_id=intent_of(number), address=address, person=person)


BENCH = Bench(
    kind=KIND,
    fake=MailchimpFake,
    settings=lambda url: {"list_id": _LIST, "api_key": _KEY, "status_if_new": "subscribed", "base_url": url},
    item=lambda number: _person(number, f"Person{number}@example.com"),
    bad_item=lambda number: _person(number, f"person{number}.example.com"),
    whom=lambda item: hashlib.md5(item.address.lower().encode(), usedforsecurity=False).hexdigest(),
)
