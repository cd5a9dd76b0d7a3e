"""Meta custom audiences: members by hashed details, kept in step by add and remove."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import Field, SecretStr

from cdp_lib.connectors import normalise
from cdp_lib.connectors.http import HttpChannel, Reply
from cdp_lib.connectors.protocol import (
    Batch,
    ConnectorKind,
    ConnectorSettings,
    Item,
    Limits,
    Receipt,
    Refused,
    Rejected,
    Retryable,
    reveal,
    Unsure,
)
from cdp_lib.connectors.rows import accepted, code, named_members, rejected, whole

Detail = Literal["EMAIL", "PHONE", "FN", "LN", "CT", "ST", "ZIP", "COUNTRY", "DOBY", "DOBM", "DOBD", "GEN"]
_EXTERN_ID = "EXTERN_ID"
_MOST_ROWS = 10_000
_SEEN = frozenset({400, 401, 403, 500})
_UPLOAD_BLOCKED = (100, 1713230)
_NO_SUCH_AUDIENCE = (100, 33)
_NO_RIGHT = frozenset({10, 102, 190, 294, *range(200, 300)})
_SERVER_FAULTS = frozenset({1, 2})
_TOO_MANY = frozenset({4, 17, 32, 613, *range(80000, 80015)})
_TIMEOUT_SECONDS = 60.0
"""Ten thousand rows take their time."""


class MetaAudienceSettings(ConnectorSettings):
    """One custom audience, and what its members are found by."""

    audience_id: str = Field(pattern=r"^[0-9]+$", description="The custom audience; its campaign is made at Meta")
    access_token: SecretStr = Field(description="Token of a system user with ads_management")
    match_by: tuple[Detail, ...] = Field(
        default=("EMAIL", "PHONE", "FN", "LN", "CT", "ZIP", "COUNTRY", "DOBY", "DOBM", "DOBD", "GEN"),
        min_length=1,
        description="What Meta is told, hashed; ST and COUNTRY (ISO code) stand in the activation's fields `state` "
        "and `country`",
    )
    base_url: str = Field(default="https://graph.facebook.com", description="Where the channel is")


class MetaAudience:
    """Adds and removes. Adding a member again changes nothing, so every request may be repeated."""

    def __init__(self, settings: MetaAudienceSettings) -> None:
        self._match_by = settings.match_by
        self._path = f"/v25.0/{settings.audience_id}/users"
        self._channel = HttpChannel(
            settings.base_url,
            headers={"Authorization": f"Bearer {reveal(settings.access_token)}"},
            repeats_safely=True,
            timeout_seconds=_TIMEOUT_SECONDS,
        )

    def deliver(self, batch: Batch, *, idempotency_key: str) -> Receipt:
        """Accepted means received and well formed: Meta does not tell who was matched.

        Meta takes the good rows of a request and says how many were bad, not which. Then Rejected is raised although
        the good rows are in: the courier halves the batch until the bad row stands alone, and to add or remove the
        others again leaves the same audience. A member who is removed needs no detail but the golden_id.
        """
        is_removal = batch.operation == "remove"
        sent, names, nobody = named_members(batch, lambda item: self._names(item, is_removal), _MOST_ROWS)
        unknown = rejected(nobody, "nothing to match the customer by")
        if not sent:
            return Receipt(unknown)
        schema = [_EXTERN_ID, *self._match_by]
        rows = ([one.get(name, "") for name in schema] for one in names)
        # What is kept of a member may be more than `match_by` lets Meta be told.
        data = [row for row in rows if any(row)]
        if not data:
            return Receipt((*unknown, *accepted(sent)))
        payload = {"schema": schema, "data": data}
        method = "DELETE" if is_removal else "POST"
        reply = self._channel.request(method, self._path, sees=_SEEN, json={"payload": payload})
        if reply.status in _SEEN:
            raise _problem(reply)
        received, invalid = whole(reply.fields.get("num_received")), whole(reply.fields.get("num_invalid_entries"))
        if received is None or invalid is None:
            raise Unsure(f"HTTP {reply.status} that does not say how many rows were received and how many invalid")
        if invalid >= len(data):
            return Receipt((*unknown, *rejected(sent, "num_invalid_entries: no detail of the row is valid")))
        if invalid or received < len(data):
            raise Rejected(f"num_received {received} of {len(data)}, num_invalid_entries {invalid}", partly_taken=True)
        return Receipt((*unknown, *accepted(sent, str(reply.fields.get("session_id") or "") or None)))

    def close(self) -> None:
        """Let go of the connections."""
        self._channel.close()

    def _names(self, item: Item, is_removal: bool) -> dict[str, str]:
        """The golden_id as it is, and the hash of each detail that is known; empty where a new member has none."""
        details = _hashes(item, self._match_by)
        return {_EXTERN_ID: item.person.get("golden_id") or "", **details} if details or is_removal else {}


def identifiers(item: Item) -> dict[str, str]:
    """The golden_id, and hashes of e-mail and phone, by Meta's names."""
    return {_EXTERN_ID: item.person.get("golden_id") or "", **_hashes(item, ("EMAIL", "PHONE"))}


def _hashes(item: Item, details: Iterable[Detail]) -> dict[str, str]:
    plain = _plain(item.person)
    hashes = {name: normalise.sha256(plain[name]) for name in details}
    return {name: one for name, one in hashes.items() if one}


def _plain(person: Mapping[str, str | None]) -> dict[Detail, str | None]:
    year, month, day = normalise.meta_birth(person.get("birth_date"))
    return {
        "EMAIL": normalise.meta_email(person.get("email")),
        "PHONE": normalise.meta_phone(person.get("phone")),
        "FN": normalise.meta_name(person.get("first_name")),
        "LN": normalise.meta_name(person.get("last_name")),
        "CT": normalise.meta_city(person.get("city")),
        "ST": normalise.meta_city(person.get("state")),
        "ZIP": normalise.meta_postcode(person.get("postcode"), person.get("country")),
        "COUNTRY": normalise.meta_country(person.get("country")),
        "DOBY": year,
        "DOBM": month,
        "DOBD": day,
        "GEN": normalise.meta_gender(person.get("gender")),
    }


def _problem(reply: Reply) -> Exception:
    """What an error's code and subcode say of trying again."""
    error: Any = reply.fields.get("error")
    fields = error if isinstance(error, dict) else {}
    number, part = whole(fields.get("code")), whole(fields.get("error_subcode"))
    said = f"HTTP {reply.status}, code {code(number)}" + (f", subcode {part}" if part is not None else "")
    if (number, part) == _UPLOAD_BLOCKED:
        return Refused(f"{said}: Meta has blocked uploads to the audience; see the account's quality page")
    if (number, part) == _NO_SUCH_AUDIENCE:
        return Refused(f"{said}: there is no such audience, or the token may not see it; check audience_id")
    if number in _TOO_MANY:
        return Retryable(said, nothing_taken=True)
    if number in _SERVER_FAULTS or reply.status >= 500:
        return Retryable(said)
    if number in _NO_RIGHT or reply.status in (401, 403):
        return Refused(f"{said}: the token is wrong, has expired or lacks a right")
    return Rejected(said)


KIND = ConnectorKind(
    name="meta_audience",
    channel="ads",
    mode="audience",
    settings=MetaAudienceSettings,
    build=MetaAudience,
    limits=Limits(batch_size=_MOST_ROWS, per_second=5.0),
    needs_address=False,
    operations=("add", "update", "remove"),
    is_idempotent=True,
    identifiers=identifiers,
    doc="Members of a Meta custom audience, by hashed details; up to 24 hours until it shows",
    unverified=(
        "Meta takes the token in the header Authorization",
        "EXTERN_ID alone finds the member to remove, and an address alone takes off what was matched by it",
        "which codes of an error are for a while (4, 17, 32, 613, 80000 to 80014), which speak of rights, and that 100 "
        "with subcode 33 speaks of the audience",
        "five requests a second are borne",
        "how a postcode, a city's spaces and a month's leading zero are written",
        "what invalid_entry_samples holds: it is not read, the bad row is found by halving",
    ),
)
