"""Google customer match by the Data Manager API: members by hashed e-mail and phone, with their consent."""

import time
from collections.abc import Callable
from typing import Any, Literal

from pydantic import Field

from cdp_lib.connectors import normalise
from cdp_lib.connectors.bearer import BearerChannel, GoogleProof
from cdp_lib.connectors.http import HttpChannel, Reply
from cdp_lib.connectors.protocol import (
    Batch,
    ConnectorKind,
    Item,
    Limits,
    Receipt,
    Refused,
    Rejected,
    Unsure,
)
from cdp_lib.connectors.rows import accepted, code, named_members, objects, rejected

Consent = Literal["granted", "denied"]
_PATHS = {
    "add": "/v1/audienceMembers:ingest",
    "update": "/v1/audienceMembers:ingest",
    "remove": "/v1/audienceMembers:remove",
}
_BAD_REQUEST = 400
_MOST_MEMBERS = 10_000
_SCOPE = "https://www.googleapis.com/auth/datamanager"
_TIMEOUT_SECONDS = 60.0
"""Ten thousand members take their time."""


class GoogleAudienceSettings(GoogleProof):
    """One audience of an account, and what its members agreed to."""

    account_id: str = Field(pattern=r"^[0-9]+$", description="The account that owns the audience, digits only")
    account_type: str = Field(default="GOOGLE_ADS", pattern=r"^[A-Z_]+$", description="What kind of account it is")
    login_account_id: str | None = Field(default=None, pattern=r"^[0-9]+$", description="Manager account, if any")
    audience_id: str = Field(pattern=r"^[0-9]+$", description="The audience (user list)")
    ad_user_data: Consent = Field(description="Whether members of the activation's purpose agreed to ad use of data")
    ad_personalization: Consent = Field(description="Whether they agreed to personalised ads")
    validate_only: bool = Field(
        default=False, description="Google checks the first request and takes nobody; all stay planned"
    )
    base_url: str = Field(default="https://datamanager.googleapis.com", description="Where the channel is")


class GoogleAudience:
    """Adds and removes. Adding a member again changes nothing, so every request may be repeated."""

    def __init__(self, settings: GoogleAudienceSettings, *, now: Callable[[], float] = time.time) -> None:
        self._settings = settings
        channel = HttpChannel(settings.base_url, headers={}, repeats_safely=True, timeout_seconds=_TIMEOUT_SECONDS)
        self._channel = BearerChannel(channel, settings.exchange(_SCOPE, now))

    def deliver(self, batch: Batch, *, idempotency_key: str) -> Receipt:
        """Accepted means taken over: Google works it off later, under the request id that is the provider_id.

        One bad member fails the whole request and nothing of it is taken. The members that the answer names are only
        known to be bad, the others not to be good, so Rejected is raised and the courier halves the batch.
        """
        sent, names, nobody = named_members(batch, identifiers, _MOST_MEMBERS)
        unknown = rejected(nobody, "neither e-mail nor international phone")
        if not sent:
            return Receipt(unknown)
        body = self._body(batch, [[{kind: value} for kind, value in one.items()] for one in names])
        reply = self._channel.request("POST", _PATHS[batch.operation], sees=(_BAD_REQUEST,), json=body)
        if reply.status == _BAD_REQUEST:
            raise _problem(reply)
        if self._settings.validate_only:
            raise Refused("validate_only: Google found the request valid and took nobody; leave it out to send")
        request_id = reply.fields.get("requestId")
        if not isinstance(request_id, str) or not request_id:
            raise Unsure(f"HTTP {reply.status} without requestId")
        return Receipt((*unknown, *accepted(sent, request_id)))

    def close(self) -> None:
        """Let go of the connections."""
        self._channel.close()

    def _body(self, batch: Batch, members: list[list[dict[str, str]]]) -> dict[str, Any]:
        """Who leaves an audience has agreed to nothing, so a removal says nothing of consent."""
        settings = self._settings
        destination: dict[str, Any] = {
            "operatingAccount": {"accountType": settings.account_type, "accountId": settings.account_id},
            "productDestinationId": settings.audience_id,
        }
        if settings.login_account_id:
            destination["loginAccount"] = {"accountType": "GOOGLE_ADS", "accountId": settings.login_account_id}
        body: dict[str, Any] = {
            "destinations": [destination],
            "audienceMembers": [{"userData": {"userIdentifiers": member}} for member in members],
            "encoding": "HEX",
            "validateOnly": settings.validate_only,
        }
        if batch.operation != "remove":
            consent = {
                "adUserData": f"CONSENT_{settings.ad_user_data.upper()}",
                "adPersonalization": f"CONSENT_{settings.ad_personalization.upper()}",
            }
            body["audienceMembers"] = [member | {"consent": consent} for member in body["audienceMembers"]]
            body["termsOfService"] = {"customerMatchTermsOfServiceStatus": "ACCEPTED"}
        return body


def identifiers(item: Item) -> dict[str, str]:
    """Hashes of the customer's e-mail and international phone, by Google's names; empty without either."""
    email = normalise.sha256(normalise.google_email(item.person.get("email")))
    phone = normalise.sha256(normalise.google_phone(item.person.get("phone")))
    return {name: one for name, one in (("emailAddress", email), ("phoneNumber", phone)) if one}


def _problem(reply: Reply) -> Exception:
    """Tells field and reason of each violation, without its description; the status where there is none.

    Where fields are named and none of them is a member's, the destination is wrong and no other batch fares better.
    """
    error = reply.fields.get("error")
    fields = error if isinstance(error, dict) else {}
    found = [one for detail in objects(fields.get("details")) for one in objects(detail.get("fieldViolations"))]
    places = [str(one.get("field")) for one in found]
    said = ", ".join(sorted({f"{code(one.get('field'))} {code(one.get('reason'))}" for one in found})[:5])
    if found and not any("member" in place for place in places):
        return Refused(f"HTTP 400: {said}; check the destination's settings")
    return Rejected(f"HTTP 400: {said or code(fields.get('status'))}")


KIND = ConnectorKind(
    name="google_audience",
    channel="ads",
    mode="audience",
    settings=GoogleAudienceSettings,
    build=GoogleAudience,
    limits=Limits(batch_size=_MOST_MEMBERS, per_second=5.0),
    needs_address=False,
    operations=("add", "update", "remove"),
    is_idempotent=True,
    identifiers=identifiers,
    doc="Members of a Google audience (customer match); accepted means taken over, the audience needs 100 members",
    unverified=(
        "names of a destination's fields: operatingAccount, loginAccount, productDestinationId, accountType",
        "customerMatchTermsOfServiceStatus has to be ACCEPTED on an ingest",
        "a service account's token address, scope and grant",
    ),
)
