"""Mailchimp: the wire is as the golden file says, and every answer is read to the row."""

import pytest
from pydantic import ValidationError

from cdp_lib.connectors.mailchimp import KIND, MailchimpSettings
from cdp_lib.connectors.normalise import mailchimp_member
from tests.connectors.transcript import exchanges, golden, played


@pytest.mark.parametrize("exchange", exchanges("mailchimp"))
def test_exchange_is_as_the_golden_transcript(exchange: str) -> None:
    actual, expected = played("mailchimp", exchange, KIND)

    assert actual == expected


@pytest.mark.parametrize("vector", golden("mailchimp")["vectors"], ids=lambda one: str(one["raw"]))
def test_member_is_named_as_the_golden_vector(vector: dict[str, str]) -> None:
    assert mailchimp_member(vector["raw"]) == vector["md5"]


def test_key_without_data_centre_needs_an_address() -> None:
    with pytest.raises(ValidationError, match="does not end with a data centre such as -us19") as problem:
        MailchimpSettings.model_validate({"list_id": "a1", "api_key": "key-of-nobody", "status_if_new": "subscribed"})

    assert "key-of-nobody" not in str(problem.value)


def test_double_opt_in_is_refused_because_a_repeated_request_would_ask_twice() -> None:
    with pytest.raises(ValidationError, match="'subscribed' or 'transactional'"):
        MailchimpSettings.model_validate({"list_id": "a1", "api_key": "k-us1", "status_if_new": "pending"})
