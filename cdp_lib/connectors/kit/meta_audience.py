"""A Meta custom audience: it answers 200, drops rows it cannot use, and only counts them."""

import hashlib
import re
from typing import Any

from cdp_lib.connectors.kit.bench import Bench, intent_of
from cdp_lib.connectors.kit.server import Request, Response
from cdp_lib.connectors.meta_audience import KIND
from cdp_lib.connectors.protocol import Item

_AUDIENCE = "23850000000000001"
_TOKEN = "kit-meta-token"
_MOST_ROWS = 10_000
_PLAIN = {"EXTERN_ID", "MADID", "LOOKALIKE_VALUE"}
_HASHED = {"EMAIL", "PHONE", "FN", "LN", "CT", "ST", "ZIP", "COUNTRY", "DOBY", "DOBM", "DOBD", "GEN"}
_ADDRESSES = ("EMAIL", "PHONE")
_HEX = re.compile(r"[0-9a-f]{64}")
_DROPPED = {hashlib.sha256(f"dropped{number}@example.com".encode()).hexdigest() for number in range(100)}
"""People whom it will not take, for reasons that it keeps to itself."""


class MetaAudienceFake:
    """Members by EXTERN_ID, each with the hashes of addresses. To add who is in, or remove who is not, changes nothing.

    A row to remove without EXTERN_ID takes off the addresses that it names, whosever they are.
    """

    def __init__(self) -> None:
        self.taken: list[tuple[str, str]] = []
        self.members: dict[str, set[str]] = {}
        self._sessions = 0

    def answer(self, request: Request) -> Response:
        """Counts, or an error with a code: 190 for a wrong token, 100 for a wrong shape."""
        if request.headers.get("authorization") != f"Bearer {_TOKEN}":
            return _error(401, 190)
        if request.path != f"/v25.0/{_AUDIENCE}/users" or request.method not in ("POST", "DELETE"):
            return _error(400, 100, 33)
        schema, rows = _payload(request)
        if schema is None or not 0 < len(rows) <= _MOST_ROWS:
            return _error(400, 100)
        good = [row for row in rows if _is_usable(schema, row, request.method)]
        for row in good:
            named = dict(zip(schema, row, strict=True))
            self._take(request.method, named["EXTERN_ID"], {named.get(name, "") for name in _ADDRESSES} - {""})
        self._sessions += 1
        return Response(
            200,
            {
                "audience_id": _AUDIENCE,
                "session_id": str(self._sessions),
                "num_received": len(rows),
                "num_invalid_entries": len(rows) - len(good),
                "invalid_entry_samples": {},
            },
        )

    def _take(self, method: str, whom: str, addresses: set[str]) -> None:
        if method == "POST":
            if whom not in self.members:
                self.taken.append(("add", whom))
            self.members.setdefault(whom, set()).update(addresses)
        elif not whom:
            for known in self.members.values():
                known -= addresses
        elif self.members.pop(whom, None) is not None:
            self.taken.append(("remove", whom))


def _payload(request: Request) -> tuple[list[str] | None, list[Any]]:
    try:
        payload = request.json()["payload"]
        schema, rows = payload["schema"], payload["data"]
    except (ValueError, KeyError, TypeError):
        return None, []
    is_known = isinstance(schema, list) and "EXTERN_ID" in schema and set(schema) <= _PLAIN | _HASHED
    return (schema, rows) if is_known and isinstance(rows, list) else (None, [])


def _is_usable(schema: list[str], row: Any, method: str) -> bool:
    """As many cells as the schema has names, hashes where they belong, and something to match by."""
    if not isinstance(row, list) or len(row) != len(schema):
        return False
    hashed = [cell for name, cell in zip(schema, row, strict=True) if name in _HASHED and cell]
    if not all(_HEX.fullmatch(cell) for cell in hashed) or _DROPPED.intersection(hashed):
        return False
    has_name = bool(row[schema.index("EXTERN_ID")])
    return has_name or bool(hashed) if method == "DELETE" else has_name and bool(hashed)


def _error(status: int, code: int, subcode: int | None = None) -> Response:
    return Response(status, {"error": {"message": "no", "code": code, "error_subcode": subcode}})


def _person(number: int, mailbox: str) -> Item:
    return Item(
        intent_id=intent_of(number),
        person={
            "golden_id": f"golden-{number}",
            "email": f"{mailbox}{number}@example.com",
            "first_name": f"Firstname{number}",
            "gender": "other",
        },
    )


BENCH = Bench(
    kind=KIND,
    fake=MetaAudienceFake,
    settings=lambda url: {"audience_id": _AUDIENCE, "access_token": _TOKEN, "base_url": url},
    item=lambda number: _person(number, "person"),
    bad_item=lambda number: _person(number, "dropped"),
    whom=lambda item: str(item.person["golden_id"]),
)
