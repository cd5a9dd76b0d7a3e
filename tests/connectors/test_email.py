"""Mail against a real SMTP server on loopback."""

import base64
import json
import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, UTC
from pathlib import Path
from typing import Any

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import ValidationError

from cdp_lib.connectors.email import EmailConnector, EmailSettings, message_of
from cdp_lib.connectors.kit.bench import intent_of
from cdp_lib.connectors.kit.mail_server import (
    authenticated,
    certificate,
    mail_server,
    Mailbox,
    PASSWORD,
    pem,
    USER,
)
from cdp_lib.connectors.protocol import Batch, Item, Receipt, Refused, Rejected, Retryable, Unsure

GOLDEN = json.loads((Path(__file__).parent / "golden" / "email.json").read_text())
NOON = datetime(2025, 1, 31, 12, 0, tzinfo=UTC)
ITEM = Item(**GOLDEN["item"])


def item(number: int = 7, **fields: Any) -> Item:
    parts = {"subject": "Hello", "text": "Hi\n"}
    return Item(intent_of(number), **{"address": f"person{number}@example.com", "parts": parts, **fields})


def send(connector: EmailConnector, one: Item) -> Receipt:
    return connector.deliver(Batch("send", "spring", (one,)), idempotency_key="key")


@contextmanager
def connected(port: int, **settings: Any) -> Iterator[EmailConnector]:
    given = {"host": "127.0.0.1", "port": port, "security": "none", "sender": "news@example.com", **settings}
    given = {key: value for key, value in given.items() if value is not None}
    with closing(EmailConnector(EmailSettings(**given), lambda: NOON)) as connector:
        yield connector


def test_the_message_is_the_golden_one_to_the_byte() -> None:
    mailbox = Mailbox()
    with mail_server(mailbox) as server, connected(server.port, sender_name="The Café") as connector:
        receipt = send(connector, ITEM)
    assert mailbox.messages == ["\r\n".join(GOLDEN["message"]).encode()]
    assert [(one.status, one.provider_id) for one in receipt.outcomes] == [
        ("accepted", f"{ITEM.intent_id}@example.com")
    ]


def test_one_connection_serves_many_messages() -> None:
    mailbox = Mailbox()
    with mail_server(mailbox) as server, connected(server.port) as connector:
        for number in range(3):
            send(connector, item(number))
    assert mailbox.recipients == [f"person{number}@example.com" for number in range(3)]
    assert mailbox.connections == 1


def test_a_connection_that_the_server_dropped_is_made_anew() -> None:
    mailbox = Mailbox()
    with mail_server(mailbox) as server, connected(server.port) as connector:
        send(connector, item(1))
        mailbox.hang_up(server)
        send(connector, item(2))
    assert (len(mailbox.messages), mailbox.connections) == (2, 2)


@pytest.mark.parametrize("url", [None, "http://example.com/u", "https://example.com/u\r\nBcc: x@example.com"])
def test_without_https_there_is_no_one_click_header(url: str | None) -> None:
    settings = EmailSettings(**GOLDEN["settings"])
    assert b"List-Unsubscribe" not in message_of(item(unsubscribe_url=url), settings, NOON)


@pytest.mark.parametrize(
    ("step", "answer", "state", "said"),
    [
        ("RCPT", "450 4.2.0 person7@example.com is busy", Retryable, "SMTP 450 4.2.0 to RCPT"),
        ("RCPT", "550 5.1.1 person7@example.com unknown", Rejected, "SMTP 550 5.1.1 to RCPT"),
        ("RCPT", "421 closing", Retryable, "SMTP 421 to RCPT"),
        ("MAIL", "451 later", Retryable, "SMTP 451 to MAIL"),
        ("MAIL", "550 no such sender", Refused, "SMTP 550 to MAIL: the server takes nothing"),
        ("DATA", "452 full", Retryable, "SMTP 452 to the message"),
        ("DATA", "421 closing", Retryable, "SMTP 421 to the message"),
        ("DATA", "554 5.7.1 spam", Rejected, "SMTP 554 5.7.1 to the message"),
    ],
)
def test_an_answer_is_sorted_and_told_without_the_address(
    step: str, answer: str, state: type[Exception], said: str
) -> None:
    mailbox = Mailbox({step: answer})
    with mail_server(mailbox) as server, connected(server.port) as connector:
        with pytest.raises(state, match=said) as caught:
            send(connector, item())
        mailbox.answers.clear()
        send(connector, item())
    assert "example.com" not in str(caught.value)
    assert len(mailbox.messages) == 1


@pytest.mark.parametrize(
    ("step", "answer", "of_item"),
    [
        ("RCPT", "450 4.2.0 greylisted", True),
        ("DATA", "452 full", True),
        ("MAIL", "451 later", False),
        ("RCPT", "421 closing", False),
        ("DATA", "421 closing", False),
    ],
)
def test_a_server_that_is_busy_is_told_from_a_mailbox_that_is(step: str, answer: str, of_item: bool) -> None:
    with (
        mail_server(Mailbox({step: answer})) as server,
        connected(server.port) as connector,
        pytest.raises(Retryable) as caught,
    ):
        send(connector, item())
    assert caught.value.of_item == of_item


def test_a_server_that_is_not_there_may_be_tried_again() -> None:
    with mail_server(Mailbox()) as server:
        port = server.port
    with connected(port) as connector, pytest.raises(Retryable, match="ConnectionRefusedError"):
        send(connector, item())


@pytest.mark.parametrize("fault", [{"hangs_up": True}, {"stalls": True}])
def test_silence_after_the_message_is_unsure(fault: dict[str, bool]) -> None:
    mailbox = Mailbox(**fault)
    with (
        mail_server(mailbox) as server,
        connected(server.port, timeout_seconds=0.5) as connector,
        pytest.raises(Unsure, match="the connection ended after DATA"),
    ):
        send(connector, item())
    assert len(mailbox.messages) == 1


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"parts": {"subject": "Hi\r\nBcc: x@example.com", "text": "Hi"}}, "it could forge headers"),
        ({"parts": {"subject": "Hi", "text": " "}}, "text is empty"),
        ({"parts": {"text": "Hi"}}, "subject is empty"),
        ({"address": "a@example.com>\r\nRCPT TO:<b@example.com"}, "the address cannot be written to"),
        ({"address": "a@example.com,b@example.com"}, "the address cannot be written to"),
        ({"address": "nobody"}, "the address cannot be written to"),
        ({"address": ""}, "the address cannot be written to"),
    ],
)
def test_what_could_forge_a_message_is_rejected_before_it_is_sent(fields: dict[str, Any], said: str) -> None:
    with connected(1) as connector, pytest.raises(Rejected, match=said):
        send(connector, item(**fields))


def test_an_international_address_goes_where_the_server_takes_it() -> None:
    mailbox = Mailbox()
    with mail_server(mailbox, enable_SMTPUTF8=True) as server, connected(server.port) as connector:
        send(connector, item(address="café@example.com"))
    assert mailbox.recipients == ["café@example.com"]
    assert "To: café@example.com\r\n".encode() in mailbox.messages[0]


def test_an_international_address_is_rejected_where_the_server_does_not() -> None:
    with (
        mail_server(Mailbox(), enable_SMTPUTF8=False) as server,
        connected(server.port) as connector,
        pytest.raises(Rejected, match="does not take international addresses"),
    ):
        send(connector, item(address="café@example.com"))


def test_a_signature_holds_and_covers_the_unsubscribe_headers() -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    signer = {"domain": "example.com", "selector": "s1", "private_key": pem(key).decode()}
    message = message_of(ITEM, EmailSettings(**GOLDEN["settings"], dkim=signer), NOON)
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    record = b"v=DKIM1; k=rsa; p=" + base64.b64encode(public)

    def verified(text: bytes) -> bool:
        return bool(dkim.verify(text, dnsfunc=lambda *asked, **options: record, logger=logging.getLogger("quiet")))

    assert verified(message)
    assert not verified(message.replace(b"list=spring", b"list=summer"))
    assert not verified(message.replace(b"=One-Click", b"=Two-Click"))


def test_a_key_that_cannot_sign_stops_the_destination() -> None:
    signer = {"domain": "example.com", "selector": "s1", "private_key": "no key"}
    with (
        mail_server(Mailbox()) as server,
        connected(server.port, dkim=signer) as connector,
        pytest.raises(Refused, match="look at the key") as caught,
    ):
        send(connector, item())
    assert "no key" not in str(caught.value)


@pytest.mark.parametrize("security", ["starttls", "ssl"])
def test_a_login_goes_over_a_safe_connection(security: str, tmp_path: Path) -> None:
    context, trusted = certificate(tmp_path)
    tls = {"ssl_context": context} if security == "ssl" else {"tls_context": context, "require_starttls": True}
    who = {"security": security, "ca_file": str(trusted), "user": USER.decode()}
    options = {"authenticator": authenticated, "auth_require_tls": security == "starttls"}
    mailbox = Mailbox()
    with mail_server(mailbox, **tls, **options) as server:
        with connected(server.port, **who, password=PASSWORD.decode()) as connector:
            send(connector, item())
        for wrong, said in (
            ({"password": "wrong"}, "user and password are wrong"),
            ({"ca_file": None, "password": PASSWORD.decode()}, "certificate is not trusted"),
        ):
            with connected(server.port, **{**who, **wrong}) as connector, pytest.raises(Refused, match=said):
                send(connector, item())
    assert len(mailbox.messages) == 1


def test_nothing_is_sent_in_the_clear_where_the_server_offers_no_starttls() -> None:
    with (
        mail_server(Mailbox()) as server,
        connected(server.port, security="starttls") as connector,
        pytest.raises(Refused, match="does not offer STARTTLS"),
    ):
        send(connector, item())


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"user": "me", "password": "secret-of-nobody"}, "a password is not sent in the clear"),
        ({"user": "me"}, "user and password are given together"),
        ({"sender": "news@example.com\r\nBcc: x@example.com"}, "not an address"),
        ({"sender_name": "News\nBcc: x"}, "has a line break"),
    ],
)
def test_settings_that_are_unsafe_are_refused_without_showing_them(wrong: dict[str, str], said: str) -> None:
    with pytest.raises(ValidationError, match=said) as caught:
        EmailSettings(**{**GOLDEN["settings"], **wrong})
    assert "secret-of-nobody" not in str(caught.value)
