"""A TikTok segment: it says what is wrong in the body of a 200, and takes all of a request or nothing."""

import hashlib
import re
from typing import Any

from cdp_lib.connectors.kit.bench import Bench, intent_of
from cdp_lib.connectors.kit.server import Request, Response
from cdp_lib.connectors.protocol import Item
from cdp_lib.connectors.tiktok_audience import KIND

_TOKEN = "kit-tiktok-token"
_AUDIENCE, _ADVERTISER = "167290896", "7178918106775994370"
_MOST_ROWS, _MOST_BYTES = 1000, 1_000_000
_WRONG, _BAD_TOKEN = 40002, 40105
_NAMES = {"EMAIL_SHA256", "PHONE_SHA256", "IDFA_SHA256", "AAID_SHA256"}
_HEX = re.compile(r"[0-9a-f]{64}")
_SPURNED = {hashlib.sha256(f"spurned{number}@example.com".encode()).hexdigest() for number in range(100)}
"""People whom it will not take."""


class TikTokAudienceFake:
    """Members by the hash of their address. To add who is in, or delete who is not, changes nothing."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, str]] = []
        self._members: set[str] = set()

    def answer(self, request: Request) -> Response:
        """200 with a code, 0 where all was taken."""
        if (request.method, request.path) != ("POST", "/open_api/v1.3/segment/mapping/"):
            return Response(404)
        if request.headers.get("access-token") != _TOKEN:
            return _told(_BAD_TOKEN)
        try:
            action, ids = _read(request)
        except (ValueError, KeyError, TypeError):
            return _told(_WRONG)
        for whom in ids:
            self._take(action, whom)
        return _told(0)

    def _take(self, action: str, whom: str) -> None:
        if (action == "add") != (whom in self._members):
            (self._members.add if action == "add" else self._members.remove)(whom)
            self.taken.append((action, whom))


def _read(request: Request) -> tuple[str, list[str]]:
    """Action and members; raises ValueError, KeyError or TypeError for a wrong shape."""
    body = request.json()
    schema, rows = body["id_schema"], body["batch_data"]
    if body.keys() != {"action", "advertiser_ids", "id_schema", "batch_data"}:
        raise ValueError("keys")
    if body["action"] not in ("add", "delete") or body["advertiser_ids"] != [_ADVERTISER] or not set(schema) <= _NAMES:
        raise ValueError("action, advertisers or schema")
    if not 0 < len(rows) <= _MOST_ROWS or len(request.body) > _MOST_BYTES:
        raise ValueError("size")
    return body["action"], [_member(row, schema) for row in rows]


def _member(row: list[dict[str, Any]], schema: list[str]) -> str:
    """The first hash of a row that has a place for each name of the schema."""
    known = [entry for entry in row if entry]
    if len(row) != len(schema) or not known:
        raise ValueError("a row is not of the schema")
    for entry in known:
        if entry.keys() != {"id", "audience_ids"} or entry["audience_ids"] != [_AUDIENCE]:
            raise ValueError("an entry is not of the segment")
        if not _HEX.fullmatch(entry["id"]) or entry["id"] in _SPURNED:
            raise ValueError("an id")
    return str(known[0]["id"])


def _told(code: int) -> Response:
    return Response(200, {"code": code, "message": "OK" if code == 0 else "no", "request_id": "request-1", "data": {}})


def _person(number: int, mailbox: str) -> Item:
    person = {"golden_id": f"golden-{number}", "email": f"{mailbox}{number}@example.com"}
    return Item(intent_id=intent_of(number), person=person)


BENCH = Bench(
    kind=KIND,
    fake=TikTokAudienceFake,
    settings=lambda url: {
        "audience_id": _AUDIENCE,
        "advertiser_ids": [_ADVERTISER],
        "access_token": _TOKEN,
        "base_url": url,
    },
    item=lambda number: _person(number, "person"),
    bad_item=lambda number: _person(number, "spurned"),
    whom=lambda item: hashlib.sha256(str(item.person["email"]).encode()).hexdigest(),
)
