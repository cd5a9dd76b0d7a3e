"""E-mail by SMTP: one message for each customer, with one-click unsubscribe headers and a DKIM signature."""

import re
import smtplib
import ssl
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime, UTC
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime
from typing import Literal

import dkim
from pydantic import Field, field_validator, model_validator, SecretStr

from cdp_lib.connectors.protocol import (
    Batch,
    ConnectorKind,
    ConnectorSettings,
    Item,
    Limits,
    Outcome,
    Receipt,
    Refused,
    Rejected,
    Retryable,
    reveal,
    Unsure,
)

_ADDRESS = re.compile(r"[^\s\x00-\x20\x7f<>()\[\]\\,;:\"@]+@[^\s\x00-\x20\x7f<>()\[\]\\,;:\"@]+")
"""Quoted local parts are left out: hardly anybody has one, and what is quoted may hide a second address."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
_HTTPS = re.compile(r"https://[\x21-\x3b\x3d\x3f-\x7e]+")
_ENHANCED = re.compile(rb"^[245]\.[0-9]{1,3}\.[0-9]{1,3}\b")
_START_OF_LINE_DOT = re.compile(rb"(?m)^\.")
_SIGNED = (b"from", b"to", b"subject", b"date", b"message-id", b"reply-to", b"mime-version", b"content-type")
_SIGNED_ONE_CLICK = (b"list-unsubscribe", b"list-unsubscribe-post")
_CLOSING, _GO_ON, _NO_SUCH_OPTION = 421, 354, 555
_THE_MESSAGE = "the message"
_OF_THE_ITEM = ("RCPT", _THE_MESSAGE)


class DkimSettings(ConnectorSettings):
    """What signs messages; the public half stands in the domain's DNS."""

    domain: str = Field(pattern=r"^[A-Za-z0-9.-]+$")
    selector: str = Field(pattern=r"^[A-Za-z0-9._-]+$")
    private_key: SecretStr = Field(description="RSA key as PEM")


class EmailSettings(ConnectorSettings):
    """The mail server, and who writes."""

    host: str
    port: int = Field(default=587, ge=1, le=65535)
    security: Literal["none", "starttls", "ssl"] = Field(default="starttls", description="none: a relay of your own")
    ca_file: str | None = Field(default=None, description="PEM of the authorities to trust; else the system's")
    user: str | None = None
    password: SecretStr | None = None
    sender: str = Field(description="Address that messages come from")
    sender_name: str = ""
    reply_to: str | None = None
    dkim: DkimSettings | None = Field(default=None, description="Left out: the mail server signs")
    timeout_seconds: float = Field(default=30.0, gt=0)

    @field_validator("sender", "reply_to")
    @classmethod
    def _is_address(cls, value: str | None) -> str | None:
        if value is not None and not (_ADDRESS.fullmatch(value) and value.isascii()):
            raise ValueError("not an address such as news@example.com")
        return value

    @field_validator("sender_name")
    @classmethod
    def _is_one_line(cls, value: str) -> str:
        if _CONTROL.search(value):
            raise ValueError("has a line break or another control character")
        return value

    @model_validator(mode="after")
    def _hides_its_password(self) -> "EmailSettings":
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password are given together")
        if self.user is not None and self.security == "none":
            raise ValueError("a password is not sent in the clear: security is starttls or ssl")
        return self

    @property
    def sender_domain(self) -> str:
        """What follows the @."""
        return self.sender.rpartition("@")[2]


class EmailConnector:
    """One mail server. A connection serves many messages, and is made anew when the server has dropped it."""

    def __init__(self, settings: EmailSettings, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._settings = settings
        self._clock = clock
        self._smtp: smtplib.SMTP | None = None

    def deliver(self, batch: Batch, *, idempotency_key: str) -> Receipt:
        """Send one message. SMTP has no keys: a message whose receipt is cut off is unsure."""
        (item,) = batch.items
        fault = fault_of(item)
        if fault:
            raise Rejected(fault)
        try:
            smtp = self._ready()
            is_international = not item.address.isascii()
            if is_international and not smtp.has_extn("smtputf8"):
                raise Rejected("the mail server does not take international addresses (SMTPUTF8)")
            message = message_of(item, self._settings, self._clock())
            self._envelope(smtp, item.address, ["SMTPUTF8", "BODY=8BITMIME"] if is_international else [])
            self._expect(smtp, "DATA", *smtp.docmd("DATA"))
        except (OSError, smtplib.SMTPException) as problem:
            self._drop()
            raise _before_data(problem) from None
        self._data(smtp, message)
        return Receipt((Outcome(item.intent_id, "accepted", provider_id=message_id(item, self._settings)),))

    def close(self) -> None:
        """Say goodbye."""
        if self._smtp is not None:
            try:
                self._smtp.quit()
            except (OSError, smtplib.SMTPException):
                self._smtp.close()
        self._smtp = None

    def _ready(self) -> smtplib.SMTP:
        """A connection that answers: a server may have dropped the one of the last message."""
        if self._smtp is not None:
            try:
                code, _ = self._smtp.rset()
            except (OSError, smtplib.SMTPException):
                code = _CLOSING
            if code == 250:
                return self._smtp
            self._drop()
        self._smtp = _connected(self._settings)
        return self._smtp

    def _envelope(self, smtp: smtplib.SMTP, address: str, options: list[str]) -> None:
        self._expect(smtp, "MAIL", *smtp.mail(self._settings.sender, options))
        self._expect(smtp, "RCPT", *smtp.rcpt(address))

    def _data(self, smtp: smtplib.SMTP, message: bytes) -> None:
        """From here on the server may have the message, whatever becomes of the connection."""
        try:
            smtp.send(_START_OF_LINE_DOT.sub(b"..", message) + b".\r\n")
            code, said = smtp.getreply()
        except (OSError, smtplib.SMTPException) as problem:
            self._drop()
            raise Unsure(f"the connection ended after DATA ({type(problem).__name__})") from None
        self._expect(smtp, _THE_MESSAGE, code, said)

    def _expect(self, smtp: smtplib.SMTP, step: str, code: int, said: bytes) -> None:
        """Nothing, where the server goes on; else what its code means at that step."""
        if code == _GO_ON or 200 <= code < 300:
            return
        enhanced = _ENHANCED.match(said)
        told = f"SMTP {code}{f' {enhanced[0].decode()}' if enhanced else ''} to {step}"
        if code == _CLOSING or code < 200:
            self._drop()
        if code < 500:
            # Of the server itself 421 speaks, and what it says before there is a recipient.
            raise Retryable(told, of_item=step in _OF_THE_ITEM and code != _CLOSING)
        if code in (530, 535) or (step == "MAIL" and code != _NO_SUCH_OPTION):
            raise Refused(f"{told}: the server takes nothing from this sender or user")
        raise Rejected(told)

    def _drop(self) -> None:
        if self._smtp is not None:
            self._smtp.close()
        self._smtp = None


def fault_of(item: Item) -> str:
    """Why no message can be made for the item; empty: one can."""
    if not _ADDRESS.fullmatch(item.address):
        return "the address cannot be written to"
    for part in ("subject", "text"):
        if not item.parts.get(part, "").strip():
            return f"{part} is empty"
    if _CONTROL.search(item.parts["subject"]):
        return "subject has a line break or another control character: it could forge headers"
    return ""


def message_id(item: Item, settings: EmailSettings) -> str:
    """The same for the same intent, so that a double can be seen."""
    return f"{item.intent_id}@{settings.sender_domain}"


def message_of(item: Item, settings: EmailSettings, at: datetime) -> bytes:
    """The message as it goes on the wire: the same item at the same instant gives the same bytes.

    Long values without a space (ids, addresses of pages) stand in lines of their own making: the library's way to fold
    them would encode them. One-click needs https: without it there is no header.
    """
    message = EmailMessage(policy=SMTP if item.address.isascii() else SMTPUTF8)
    user, _, domain = settings.sender.partition("@")
    message["From"] = Address(settings.sender_name, user, domain)
    message["Subject"] = item.parts["subject"]
    message["Date"] = format_datetime(at)
    if settings.reply_to:
        message["Reply-To"] = settings.reply_to
    message.set_content(item.parts["text"], cte="quoted-printable")
    if item.parts.get("html"):
        message.add_alternative(item.parts["html"], subtype="html", cte="quoted-printable")
        message.set_boundary(f"=_{item.intent_id[:32]}")
    own = [f"To: {item.address}", f"Message-ID: <{message_id(item, settings)}>"]
    is_one_click = bool(_HTTPS.fullmatch(item.unsubscribe_url or ""))
    if is_one_click:
        own += [f"List-Unsubscribe: <{item.unsubscribe_url}>", "List-Unsubscribe-Post: List-Unsubscribe=One-Click"]
    whole = "".join(f"{line}\r\n" for line in own).encode() + bytes(message)
    return _signature(whole, settings.dkim, is_one_click) + whole if settings.dkim else whole


def _signature(message: bytes, by: DkimSettings, is_one_click: bool) -> bytes:
    names = {line.partition(b":")[0].lower() for line in message.partition(b"\r\n\r\n")[0].split(b"\r\n")}
    covered = [name for name in (*_SIGNED, *(_SIGNED_ONE_CLICK if is_one_click else ())) if name in names]
    try:
        signed: bytes = dkim.sign(
            message,
            by.selector.encode(),
            by.domain.encode(),
            reveal(by.private_key).encode(),
            canonicalize=(b"relaxed", b"relaxed"),
            include_headers=covered,
        )
    except dkim.DKIMException as problem:
        raise Refused(f"dkim: the message cannot be signed ({type(problem).__name__}); look at the key") from None
    return signed


def _connected(settings: EmailSettings) -> smtplib.SMTP:
    name, seconds = settings.sender_domain, settings.timeout_seconds
    if settings.security == "ssl":
        context = ssl.create_default_context(cafile=settings.ca_file)
        return _greeted(
            smtplib.SMTP_SSL(settings.host, settings.port, name, timeout=seconds, context=context), settings
        )
    return _greeted(smtplib.SMTP(settings.host, settings.port, name, timeout=seconds), settings)


def _greeted(smtp: smtplib.SMTP, settings: EmailSettings) -> smtplib.SMTP:
    with ExitStack() as undo:
        undo.callback(smtp.close)
        smtp.ehlo_or_helo_if_needed()
        if settings.security == "starttls":
            if not smtp.has_extn("starttls"):
                raise Refused("the mail server does not offer STARTTLS; nothing is sent in the clear")
            smtp.starttls(context=ssl.create_default_context(cafile=settings.ca_file))
            smtp.ehlo()
        if settings.user is not None:
            smtp.login(settings.user, reveal(settings.password))
        undo.pop_all()
    return smtp


def _before_data(problem: Exception) -> Exception:
    """What a fault means while the server has nothing of the message."""
    name = type(problem).__name__
    if isinstance(problem, ssl.SSLCertVerificationError):
        return Refused("the mail server's certificate is not trusted; set ca_file, or mend the host's name")
    if isinstance(problem, FileNotFoundError | PermissionError | ssl.SSLError):
        return Refused(f"the connection cannot be made safe ({name}); look at security, port and ca_file")
    if isinstance(problem, smtplib.SMTPAuthenticationError | smtplib.SMTPNotSupportedError):
        code = getattr(problem, "smtp_code", 500)
        if 400 <= code < 500:
            return Retryable(f"SMTP {code} to AUTH")
        return Refused(f"{name}: user and password are wrong, or the server takes no such login")
    if isinstance(problem, smtplib.SMTPResponseException) and problem.smtp_code >= 500:
        return Refused(f"SMTP {problem.smtp_code} to the greeting")
    return Retryable(f"the mail server cannot be reached or hung up ({name})")


KIND = ConnectorKind(
    name="email",
    channel="email",
    mode="message",
    settings=EmailSettings,
    build=EmailConnector,
    limits=Limits(batch_size=1, per_second=10.0),
    address="email",
    parts=("subject", "text"),
    optional_parts=("html",),
    doc="Mail by SMTP with one-click unsubscribe and DKIM",
    unverified=("SMTP: a reply 4yz may be tried again, 5yz is final",),
)
