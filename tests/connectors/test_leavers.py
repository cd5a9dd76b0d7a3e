"""Who leaves a list is named by what the list was told before, although nothing else is known of them any more."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from cdp_lib.connectors import google_audience, mailchimp, meta_audience, normalise, rows, tiktok_audience
from cdp_lib.connectors.kit.bench import intent_of
from cdp_lib.connectors.kit.server import serving
from cdp_lib.connectors.protocol import Batch, ConnectorKind, Item, Outcome, Rejected
from tests.connectors.transcript import Tape

OLD, NEW, PHONE = "old@example.com", "new@example.com", "+66800000001"
GONE = {"golden_id": "g1"}


def hashed(value: str) -> str:
    return normalise.sha256(value) or ""


def known(email: str, phone: str | None = None) -> Item:
    """A customer of whom the list is told."""
    return Item(intent_of(1), email, person={**GONE, "email": email, "phone": phone, "first_name": "Made"})


def gone(kind: ConnectorKind, *before: Item) -> Item:
    """The same customer, of whom nothing is known any more."""
    assert kind.identifiers is not None
    return Item(intent_of(1), person=GONE, told_before=tuple(kind.identifiers(item) for item in before))


def removal(kind: ConnectorKind, settings: Mapping[str, Any], answer: Mapping[str, Any], *items: Item) -> Any:
    """The body of the one request that removes them, and what became of the first."""
    with serving(Tape([{"status": 200, "body": answer}])) as server:
        connector = kind.build(kind.settings.model_validate({**settings, "base_url": server.url}))
        receipt = connector.deliver(Batch("remove", "loyal", items), idempotency_key="key")
        connector.close()
        return json.loads(server.requests[0].body), receipt.outcomes[0]


def test_tiktok_is_told_a_row_for_each_name() -> None:
    settings = {"audience_id": "7", "advertiser_ids": ["1"], "access_token": "t"}
    item = gone(tiktok_audience.KIND, known(OLD, PHONE), known(NEW))
    body, outcome = removal(tiktok_audience.KIND, settings, {"code": 0, "request_id": "r"}, item)
    entry = {"audience_ids": ["7"]}
    assert (body["action"], body["batch_data"]) == (
        "delete",
        [[{"id": hashed(OLD), **entry}, {"id": hashed(PHONE), **entry}], [{"id": hashed(NEW), **entry}, {}]],
    )
    assert outcome == Outcome(item.intent_id, "accepted", provider_id="r")


def test_google_is_told_a_member_for_each_name() -> None:
    settings = {"account_id": "1", "audience_id": "2", "access_token": "t"}
    settings |= {"ad_user_data": "granted", "ad_personalization": "granted"}
    item = gone(google_audience.KIND, known(OLD, PHONE), known(NEW))
    body, outcome = removal(google_audience.KIND, settings, {"requestId": "r"}, item)
    assert [member["userData"]["userIdentifiers"] for member in body["audienceMembers"]] == [
        [{"emailAddress": hashed(OLD)}, {"phoneNumber": hashed(PHONE)}],
        [{"emailAddress": hashed(NEW)}],
    ]
    assert outcome.status == "accepted"


def test_google_is_told_the_hash_of_then_though_the_address_is_hashed_otherwise_by_now() -> None:
    settings = {"account_id": "1", "audience_id": "2", "access_token": "t"}
    settings |= {"ad_user_data": "granted", "ad_personalization": "granted"}
    as_it_was = {"emailAddress": hashed("a.b+c@gmail.com")}
    item = replace(known("a.b+c@gmail.com"), told_before=(as_it_was,))
    body, _ = removal(google_audience.KIND, settings, {"requestId": "r"}, item)
    assert [member["userData"]["userIdentifiers"] for member in body["audienceMembers"]] == [[as_it_was]]
    assert google_audience.identifiers(item) == {"emailAddress": hashed("ab@gmail.com")}


def test_meta_is_told_a_row_for_each_name_under_the_id_of_then() -> None:
    settings = {"audience_id": "9", "access_token": "t", "match_by": ["EMAIL", "FN"]}
    other = Item(intent_of(2), person={"golden_id": "g2", "email": OLD})
    item = gone(meta_audience.KIND, known(NEW, PHONE), other)
    answer = {"num_received": 2, "num_invalid_entries": 0, "session_id": "s"}
    body, outcome = removal(meta_audience.KIND, settings, answer, item)
    assert body["payload"] == {
        "schema": ["EXTERN_ID", "EMAIL", "FN"],
        "data": [["g1", hashed(NEW), ""], ["g2", hashed(OLD), ""]],
    }
    assert outcome.status == "accepted"


@pytest.mark.parametrize(
    ("updated", "errors", "status"),
    [((OLD, NEW), (), "accepted"), ((OLD,), (NEW,), "rejected"), ((OLD,), (), "unknown")],
)
def test_mailchimp_is_told_each_address_and_the_customer_is_out_when_all_are(
    updated: tuple[str, ...], errors: tuple[str, ...], status: str
) -> None:
    settings = {"list_id": "a1", "api_key": "k-us1", "status_if_new": "subscribed"}
    item = gone(mailchimp.KIND, known(OLD), known(NEW), known(OLD.upper()))
    answer = {
        "new_members": [],
        "updated_members": [{"email_address": address, "contact_id": "c"} for address in updated],
        "errors": [{"email_address": address, "error_code": "ERROR_GENERIC"} for address in errors],
        "error_count": len(errors),
    }
    body, outcome = removal(mailchimp.KIND, settings, answer, item)
    told = {normalise.mailchimp_member(one["email_address"]): one["status"] for one in body["members"]}
    assert told == {normalise.mailchimp_member(address): "unsubscribed" for address in (OLD, NEW)}
    assert (outcome.status, len(body["members"])) == (status, 2)


@pytest.mark.parametrize("module", [google_audience, mailchimp, meta_audience, tiktok_audience])
def test_nothing_but_names_is_kept_and_none_where_there_is_none(module: Any) -> None:
    identify: Callable[[Item], Mapping[str, str]] = module.KIND.identifiers
    kept = identify(known(OLD, PHONE))
    plain = {OLD} if module is mailchimp else set()
    assert set(kept.values()) <= {hashed(OLD), hashed(PHONE), hashed(PHONE.lstrip("+")), "g1", *plain}
    assert identify(Item(intent_of(2))) in ({}, {"EXTERN_ID": ""})


def test_more_names_than_a_request_bears_halve_the_batch() -> None:
    rows.check_count([1, 2], 2)
    with pytest.raises(Rejected, match="the members have 3 names, a request bears 2"):
        rows.check_count([1, 2, 3], 2)
