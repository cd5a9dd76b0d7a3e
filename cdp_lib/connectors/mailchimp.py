"""Mailchimp: members of a list, by address."""

import base64
from collections.abc import Collection, Mapping
from typing import Literal

from pydantic import Field, model_validator, SecretStr

from cdp_lib.connectors.http import HttpChannel, Reply
from cdp_lib.connectors.normalise import mailchimp_member
from cdp_lib.connectors.protocol import (
    Batch,
    ConnectorKind,
    ConnectorSettings,
    Item,
    Limits,
    Operation,
    Outcome,
    Receipt,
    Rejected,
    reveal,
    Unsure,
)
from cdp_lib.connectors.rows import check_count, code, names_of, objects, told, whole
from cdp_lib.settings.kind import Name

_ADDRESS = "email_address"
_MOST_MEMBERS = 500


class MailchimpSettings(ConnectorSettings):
    """A list, and how its members stand in it."""

    list_id: str = Field(pattern=r"^[0-9a-f]+$", description="The list (Mailchimp calls it an audience)")
    api_key: SecretStr = Field(description="Key of the account; it ends with its data centre, such as -us19")
    status_if_new: Literal["subscribed", "transactional"] = Field(
        description="What who is added becomes; subscribed only where the activation's purpose is the list's mail. "
        "`pending` is not offered: a request that is repeated would ask the customer twice"
    )
    merge_fields: dict[str, Name] = Field(
        default={"FNAME": "first_name", "LNAME": "last_name"},
        description="Merge field: detail of the customer; the activation's fields always go, in capitals",
    )
    base_url: str | None = Field(default=None, description="Left out: https://<data centre of the key>.api...")
    timeout_seconds: float = Field(default=60.0, gt=0)

    @model_validator(mode="after")
    def _has_a_place(self) -> "MailchimpSettings":
        if self.base_url is None and not _data_centre(self.api_key):
            raise ValueError("api_key does not end with a data centre such as -us19: give base_url")
        return self


class Mailchimp:
    """Adds, updates and takes out members.

    A request that was cut off is made again, although others never repeat this POST: with update_existing it sets
    status and merge fields, and to set them twice is to set them once. Only `pending` would send a mail twice.
    """

    def __init__(self, settings: MailchimpSettings) -> None:
        self._settings = settings
        login = base64.b64encode(f"cdp:{reveal(settings.api_key)}".encode()).decode()
        self._channel = HttpChannel(
            settings.base_url or f"https://{_data_centre(settings.api_key)}.api.mailchimp.com",
            headers={"Authorization": f"Basic {login}"},
            repeats_safely=True,
            timeout_seconds=settings.timeout_seconds,
        )

    def deliver(self, batch: Batch, *, idempotency_key: str) -> Receipt:
        """A success names the members that were not taken. Who is removed is set to `unsubscribed`.

        The batch call cannot archive, and an unsubscription made by the API is undone by the next `add`; one that the
        customer made is not: Mailchimp refuses that row. Two customers with one address cannot stand in one request,
        which would say only once what became of them, so Rejected parts them.
        """
        addresses = {item.intent_id: _addresses(item, batch.operation) for item in batch.items}
        told_of = [(item, address) for item in batch.items for address in addresses[item.intent_id].values()]
        if len({member for of_item in addresses.values() for member in of_item}) < len(told_of):
            raise Rejected("two customers of the batch have one address")
        check_count(told_of, _MOST_MEMBERS)
        members = [self._member(item, address, batch.operation == "remove") for item, address in told_of]
        body = {"members": members, "update_existing": True}
        reply = self._channel.request("POST", f"/3.0/lists/{self._settings.list_id}", json=body)
        return Receipt(_outcomes(addresses, reply))

    def close(self) -> None:
        """Let go of the connections."""
        self._channel.close()

    def _member(self, item: Item, address: str, leaves: bool) -> dict[str, object]:
        """Who leaves is told by address alone."""
        if leaves:
            return {"email_address": address, "status": "unsubscribed"}
        asked = told(item, self._settings.merge_fields)
        fields = {name.upper(): value for name, value in asked.items()}
        return {"email_address": address, "status": self._settings.status_if_new, "merge_fields": fields}


def identifiers(item: Item) -> dict[str, str]:
    """The address as it was told: Mailchimp takes no hash for who leaves."""
    return {_ADDRESS: item.address} if item.address else {}


def _addresses(item: Item, operation: Operation) -> dict[str, str]:
    """Member: address, of everything that the item is about."""
    named = [one[_ADDRESS] for one in names_of(item, operation, {_ADDRESS: item.address})]
    return {mailchimp_member(address): address for address in named}


def _outcomes(addresses: Mapping[str, Collection[str]], reply: Reply) -> tuple[Outcome, ...]:
    """Rejected: a member of the item is named in errors. Accepted: all are named as new or updated. Else: unknown."""
    errors = objects(reply.fields.get("errors"))
    refused = {_member_named(one): f"{code(one.get('error_code'))} {code(one.get('field'))}" for one in errors}
    taken = {
        _member_named(one): one.get("contact_id")
        for key in ("new_members", "updated_members")
        for one in objects(reply.fields.get(key))
    }
    if whole(reply.fields.get("error_count")) != len(errors) or not (refused or taken):
        raise Unsure(f"HTTP {reply.status} that does not tell the members it took and the error_count of its errors")
    outcomes = []
    for intent_id, members in addresses.items():
        reasons = [refused[member] for member in members if member in refused]
        if reasons:
            outcomes.append(Outcome(intent_id, "rejected", reasons[0]))
        elif all(member in taken for member in members):
            contact = next(taken[member] or member for member in members)
            outcomes.append(Outcome(intent_id, "accepted", provider_id=str(contact)))
        else:
            outcomes.append(Outcome(intent_id, "unknown", "the answer does not name the member"))
    return tuple(outcomes)


def _member_named(told_of: dict[str, object]) -> str:
    return mailchimp_member(str(told_of.get("email_address")))


def _data_centre(key: SecretStr) -> str:
    """What follows the key's last hyphen, where that is a data centre."""
    centre = reveal(key).rpartition("-")[2]
    return centre if centre[:2] == "us" and centre[2:].isdecimal() else ""


KIND = ConnectorKind(
    name="mailchimp",
    channel="crm",
    mode="audience",
    settings=MailchimpSettings,
    build=Mailchimp,
    limits=Limits(batch_size=_MOST_MEMBERS, per_second=5.0),
    address="email",
    operations=("add", "update", "remove"),
    is_idempotent=True,
    identifiers=identifiers,
    doc="Members of a Mailchimp list; who leaves the audience is unsubscribed there",
    unverified=(
        "the answer names every member it took, under new_members or updated_members, with a contact_id",
        "who unsubscribed in person is not subscribed again by the batch call, and the row is refused",
        "five requests a second are borne",
        "the key is taken as the password of Basic authentication, and its end is the data centre",
    ),
)
