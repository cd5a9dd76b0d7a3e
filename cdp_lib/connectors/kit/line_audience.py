"""A fake of LINE's audience groups, after connectors.md: row `LINE audience`."""

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cdp_lib.connectors.kit.bench import Bench, intent_of
from cdp_lib.connectors.kit.server import Request, Response
from cdp_lib.connectors.line_audience import KIND
from cdp_lib.connectors.protocol import Item

_ROOT = "/v2/bot/audienceGroup"


@dataclass
class Group:
    """An audience and its jobs: each is at work when it is first asked for, and over at the second look."""

    number: int
    name: str
    created: int = 0
    """UNIX time."""
    members: set[str] = field(default_factory=set)
    jobs: list[dict[str, Any]] = field(default_factory=list)

    @property
    def is_ready(self) -> bool:
        """Whether no job is under way."""
        return all(job["jobStatus"] == "FINISHED" for job in self.jobs)

    def facts(self) -> dict[str, Any]:
        """As the channel lists it."""
        return {
            "audienceGroupId": self.number,
            "description": self.name,
            "status": "READY" if self.is_ready else "IN_PROGRESS",
            "createRoute": "MESSAGING_API",
            "audienceCount": len(self.members),
            "created": self.created,
        }


class LineAudienceFake:
    """A channel's groups by number."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, str]] = []
        self.groups: dict[int, Group] = {}
        self.now = 0
        """UNIX time at which groups are made."""
        self._made = 0

    def answer(self, request: Request) -> Response:
        """200 or 202, or what is wrong with the request."""
        if request.headers.get("authorization") != "Bearer token-of-nobody":
            return Response(401, {"message": "Authentication failed"})
        address = urlsplit(request.path)
        if (request.method, address.path) == ("GET", f"{_ROOT}/list"):
            return self._list({name: values[0] for name, values in parse_qs(address.query).items()})
        if (request.method, address.path) == ("POST", f"{_ROOT}/upload"):
            return self._make(request.json())
        if (request.method, address.path) == ("PUT", f"{_ROOT}/upload"):
            return self._add(request.json())
        found = re.fullmatch(rf"{_ROOT}/([0-9]+)", address.path)
        if request.method == "GET" and found:
            return self._look(int(found[1]))
        if request.method == "DELETE" and found:
            return self._delete(int(found[1]))
        return Response(404, {"message": "Not found"})

    def _list(self, query: dict[str, str]) -> Response:
        page, size = int(query.get("page", 0)), int(query.get("size", 20))
        if page < 1 or not 1 <= size <= 40:
            return _bad("page")
        named = [
            one.facts() for one in self.groups.values() if query.get("description", "").lower() in one.name.lower()
        ]
        shown = named[(page - 1) * size : page * size]
        return Response(200, {"audienceGroups": shown, "hasNextPage": page * size < len(named), "page": page})

    def _make(self, body: dict[str, Any]) -> Response:
        if set(body) - {"description", "isIfaAudience", "uploadDescription", "audiences"}:
            return _bad("body")
        if not 1 <= len(body.get("description", "")) <= 120:
            return _bad("description")
        group = Group(1_000 + self._made, body["description"], self.now)
        self._made += 1
        self.groups[group.number] = group
        return Response(202, {"audienceGroupId": group.number, "description": group.name, "type": "UPLOAD"})

    def _add(self, body: dict[str, Any]) -> Response:
        if set(body) - {"audienceGroupId", "uploadDescription", "audiences"}:
            return _bad("body")
        group = self.groups.get(body["audienceGroupId"])
        if group is None:
            return _bad("audienceGroupId", "AUDIENCE_GROUP_NOT_FOUND")
        users = [one["id"] for one in body["audiences"]]
        if len(users) > 10_000 or not all(re.fullmatch(r"U[0-9a-f]{32}", user) for user in users):
            return _bad("audiences")
        for user in users:
            if user not in group.members:
                group.members.add(user)
                self.taken.append(("add", user))
        job = {"description": body.get("uploadDescription", ""), "type": "DIFF_ADD", "jobStatus": "QUEUED"}
        group.jobs.append({**job, "audienceGroupJobId": len(group.jobs) + 1})
        return Response(202, {})

    def _delete(self, number: int) -> Response:
        group = self.groups.pop(number, None)
        if group is None:
            return _bad("audienceGroupId", "AUDIENCE_GROUP_NOT_FOUND")
        self.taken += [("remove", user) for user in sorted(group.members)]
        return Response(200, {})

    def _look(self, number: int) -> Response:
        group = self.groups.get(number)
        if group is None:
            return _bad("audienceGroupId", "AUDIENCE_GROUP_NOT_FOUND")
        for job in group.jobs:
            job["jobStatus"] = "WORKING" if job["jobStatus"] == "QUEUED" else "FINISHED"
        return Response(200, {"audienceGroup": group.facts(), "jobs": group.jobs[-50:]})


def _bad(name: str, message: str = "invalid") -> Response:
    return Response(400, {"message": "bad request", "details": [{"property": name, "message": message}]})


def _item(number: int) -> Item:
    return Item(intent_of(number), f"U{number:032x}")


def _bad_item(number: int) -> Item:
    return Item(intent_of(number), f"as_typed_{number}")


BENCH = Bench(
    kind=KIND,
    fake=LineAudienceFake,
    settings=lambda url: {"access_token": "token-of-nobody", "poll_seconds": 0.001, "base_url": url},
    item=_item,
    bad_item=_bad_item,
    whom=lambda item: item.address,
)
