"""Text messages: the wire is as the golden file says, every answer is read, and wrong settings are refused."""

import pytest
from pydantic import ValidationError

from cdp_lib.connectors.sms import E164, KIND, SmsSettings
from tests.connectors.transcript import exchanges, golden, played


@pytest.mark.parametrize("exchange", exchanges("sms"))
def test_exchange_is_as_the_golden_transcript(exchange: str) -> None:
    actual, expected = played("sms", exchange, KIND)

    assert actual == expected


@pytest.mark.parametrize("vector", golden("sms")["vectors"], ids=lambda vector: repr(vector["raw"]))
def test_only_e164_is_sendable(vector: dict[str, object]) -> None:
    assert (E164.fullmatch(str(vector["raw"])) is not None) == vector["is_sendable"]


@pytest.mark.parametrize(
    "sender", [{}, {"from_number": "+66800000000", "messaging_service_sid": "MGmadeup"}], ids=["none", "two"]
)
def test_one_sender_is_needed_and_no_secret_is_told(sender: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="either from_number or messaging_service_sid") as problem:
        SmsSettings.model_validate({"account_sid": "ACmadeup", "auth_token": "token-of-nobody", **sender})

    assert "token-of-nobody" not in str(problem.value)
