"""Google's Data Manager: one bad member fails the request; what is valid is taken over under a request id."""

import hashlib
import re
from typing import Any

from cdp_lib.connectors.google_audience import KIND
from cdp_lib.connectors.kit.bench import Bench, intent_of
from cdp_lib.connectors.kit.server import Request, Response
from cdp_lib.connectors.protocol import Item

_TOKEN = "kit-google-token"
_ACCOUNT, _AUDIENCE = "1234567890", "55"
_VERBS = {"/v1/audienceMembers:ingest": "add", "/v1/audienceMembers:remove": "remove"}
_MOST_MEMBERS, _MOST_IDENTIFIERS = 10_000, 10
_HEX = re.compile(r"[0-9a-f]{64}")
_CONSENT = {"CONSENT_GRANTED", "CONSENT_DENIED"}
_SPURNED = {hashlib.sha256(f"spurned{number}@example.com".encode()).hexdigest() for number in range(100)}
"""People whom it will not take."""


class GoogleAudienceFake:
    """Members by the hash of their address. To add who is in, or remove who is not, changes nothing."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, str]] = []
        self._members: set[str] = set()
        self._requests = 0

    def answer(self, request: Request) -> Response:
        """A request id alone, 401, 404, or 400 with the field and reason of what is wrong."""
        if request.headers.get("authorization") != f"Bearer {_TOKEN}":
            return Response(401, {"error": {"code": 401, "status": "UNAUTHENTICATED"}})
        verb = _VERBS.get(request.path)
        if verb is None or request.method != "POST":
            return Response(404)
        try:
            body = request.json()
            found = _shape_fault(body, verb) or _member_fault(body["audienceMembers"], verb)
        except (ValueError, KeyError, TypeError):
            found = ("request", "INVALID_ARGUMENT")
        if found:
            return _bad(*found)
        if not body.get("validateOnly"):
            for member in body["audienceMembers"]:
                self._take(verb, next(iter(member["userData"]["userIdentifiers"][0].values())))
        self._requests += 1
        return Response(200, {"requestId": f"request-{self._requests}"})

    def _take(self, verb: str, whom: str) -> None:
        if (verb == "add") != (whom in self._members):
            (self._members.add if verb == "add" else self._members.remove)(whom)
            self.taken.append((verb, whom))


def _shape_fault(body: Any, verb: str) -> tuple[str, str] | None:
    """Field and reason of what is wrong with the request itself."""
    (destination,) = body["destinations"]
    if destination["operatingAccount"] != {"accountType": "GOOGLE_ADS", "accountId": _ACCOUNT}:
        return "destinations[0].operating_account", "INVALID_DESTINATION"
    if destination["productDestinationId"] != _AUDIENCE:
        return "destinations[0].product_destination_id", "INVALID_USER_LIST_ID"
    if body["encoding"] != "HEX":
        return "encoding", "INVALID_ENUM_VALUE"
    terms = {"customerMatchTermsOfServiceStatus": "ACCEPTED"}
    if verb == "add" and body.get("termsOfService") != terms:
        return "terms_of_service", "TERMS_AND_CONDITIONS_NOT_SIGNED"
    if not 0 < len(body["audienceMembers"]) <= _MOST_MEMBERS:
        return "audience_members", "TOO_MANY_AUDIENCE_MEMBERS"
    return None


def _member_fault(members: list[Any], verb: str) -> tuple[str, str] | None:
    """Field and reason of the first bad member."""
    for place, member in enumerate(members):
        field = f"audience_members[{place}]"
        identifiers = member["userData"]["userIdentifiers"]
        if not 0 < len(identifiers) <= _MOST_IDENTIFIERS:
            return f"{field}.user_data.user_identifiers", "TOO_MANY_USER_IDENTIFIERS"
        for identifier in identifiers:
            ((name, value),) = identifier.items()
            if name not in ("emailAddress", "phoneNumber") or not _HEX.fullmatch(value):
                return f"{field}.user_data", "INVALID_SHA256_FORMAT"
            if value in _SPURNED:
                return field, "INVALID_AUDIENCE_MEMBER"
        consent = member.get("consent")
        is_told = consent is not None and consent.keys() == {"adUserData", "adPersonalization"}
        if verb == "add" and not (is_told and set(consent.values()) <= _CONSENT):
            return f"{field}.consent", "REQUIRED_FIELD_MISSING"
    return None


def _bad(field: str, reason: str) -> Response:
    violation = {"field": field, "reason": reason, "description": "what is wrong with person1@example.com"}
    detail = {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [violation]}
    return Response(400, {"error": {"code": 400, "status": "INVALID_ARGUMENT", "details": [detail]}})


def _person(number: int, mailbox: str) -> Item:
    person = {"golden_id": f"golden-{number}", "email": f"{mailbox}{number}@example.com"}
    return Item(intent_id=intent_of(number), person=person)


BENCH = Bench(
    kind=KIND,
    fake=GoogleAudienceFake,
    settings=lambda url: {
        "account_id": _ACCOUNT,
        "audience_id": _AUDIENCE,
        "ad_user_data": "granted",
        "ad_personalization": "granted",
        "access_token": _TOKEN,
        "base_url": url,
    },
    item=lambda number: _person(number, "person"),
    bad_item=lambda number: _person(number, "spurned"),
    whom=lambda item: hashlib.sha256(str(item.person["email"]).encode()).hexdigest(),
)
