"""Unsubscribe tokens name recipient and list, and cannot be made or changed without the secret."""

import re
from dataclasses import replace

import pytest

from cdp_lib.errors import DeliveryError
from cdp_lib.messages.tokens import read_token, Subscription, unsubscribe_token

HELLO = Subscription("g1", "email", "hello", "i1")
TOKEN = unsubscribe_token("pepper", HELLO)
OLD = "WyJnMSIsICJlbWFpbCIsICJoZWxsbyJd.NtpOWjeDE2WOOFPiH3IiUM-9BP-mfP0h1QW4V3AXJ-4"
"""Of a version that named no message."""


def test_a_token_tells_whose_it_is_and_fits_into_a_url() -> None:
    assert read_token("pepper", TOKEN) == HELLO
    assert re.fullmatch(r"[A-Za-z0-9_.-]+", TOKEN)
    assert unsubscribe_token("pepper", HELLO) == TOKEN
    strange = Subscription('g"|é', "any", "", "i")
    assert read_token("pepper", unsubscribe_token("pepper", strange)) == strange


def test_a_token_that_was_sent_by_an_earlier_version_is_read() -> None:
    assert read_token("pepper", OLD) == Subscription("g1", "email", "hello", None)


def test_every_recipient_and_list_has_another_token() -> None:
    others = [("g2", "email", "hello"), ("g1", "sms", "hello"), ("g1", "email", "bye"), ("g1e", "mail", "hello")]
    tokens = {unsubscribe_token("pepper", Subscription(*one, "i1")) for one in others}
    assert len({TOKEN, unsubscribe_token("pepper", replace(HELLO, intent_id="i2")), *tokens}) == 6


@pytest.mark.parametrize("secret", ["salt", "Pepper"])
def test_another_secret_does_not_read_it(secret: str) -> None:
    with pytest.raises(DeliveryError, match="its signature is wrong"):
        read_token(secret, TOKEN)


def test_a_changed_body_is_refused() -> None:
    body, signature = TOKEN.split(".")
    other = unsubscribe_token("pepper", replace(HELLO, golden_id="g2")).split(".")[0]
    for forged in (f"{other}.{signature}", f"{body}.{signature[:-4]}AAAA", f"{body}.", f".{signature}"):
        with pytest.raises(DeliveryError, match="its signature is wrong"):
            read_token("pepper", forged)


@pytest.mark.parametrize("token", ["", "abc", "a.b.c", "é.é", "a.b"])
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(DeliveryError, match="it is not whole"):
        read_token("pepper", token)


def test_nothing_is_signed_without_a_secret() -> None:
    with pytest.raises(DeliveryError, match="no secret to sign with"):
        unsubscribe_token("", HELLO)
