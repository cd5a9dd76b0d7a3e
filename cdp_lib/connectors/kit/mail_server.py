"""A real SMTP server on loopback that can refuse, stall and hang up, by itself or as a script tells it.

Needs aiosmtpd, which sending needs not: only who wants this server imports this module.
"""

import asyncio
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, UTC
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, Session, SMTP
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from cdp_lib.connectors.kit.script import Behaviour, Script
from cdp_lib.connectors.kit.server import hushed

USER, PASSWORD = b"mailer", b"password-of-nobody"
LOGIN = f"{USER.decode()}:{PASSWORD.decode()}"
UNKNOWN = "unknown."
"""Addresses that begin so are refused alone."""

_LATER, _CLOSING = "451 4.7.1 later", "421 4.3.0 closing"
_NOT_ADMITTED, _NO_SUCH_USER = "530 5.7.0 authentication required", "550 5.1.1 no such user"
_CUTS: tuple[Behaviour, ...] = ("cut_before", "cut_after", "5xx_after")
"""After DATA a server that fails says that it took nothing: what it took and does not confirm is cut off."""


@dataclass
class Mailbox:
    """Its answers by step; `hangs_up` cuts the connection after the message, `stalls` never answers it.

    `script` says how it misbehaves message by message; when it is used up, all goes well.
    """

    answers: dict[str, str] = field(default_factory=dict)
    hangs_up: bool = False
    stalls: bool = False
    messages: list[bytes] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    """Recipients of the messages, in order."""
    connections: int = 0
    server: SMTP | None = None
    script: Script = field(default_factory=Script)
    _now: Behaviour = "well"

    async def handle_EHLO(  # noqa: N802 - the name and shape that aiosmtpd calls
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        """Count the connection."""
        session.host_name = hostname
        self.connections += 1
        self.server = server
        return responses

    async def handle_MAIL(self, *call: Any) -> str:  # noqa: N802 - the name that aiosmtpd calls
        """A message begins: this is what the script counts."""
        call[2].mail_from = call[3]
        self._now = self.script.next()
        scripted = {"429": _LATER, "5xx_before": _CLOSING, "denied": _NOT_ADMITTED}
        return scripted.get(self._now) or self.answers.get("MAIL", "250 OK")

    async def handle_RCPT(self, *call: Any) -> str:  # noqa: N802 - the name that aiosmtpd calls
        """One recipient."""
        self.recipients.append(call[3])
        if call[3].startswith(UNKNOWN):
            return _NO_SUCH_USER
        call[2].rcpt_tos.append(call[3])
        return self.answers.get("RCPT", "250 OK")

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - as above
        """The message is here: it is kept before anything else may go wrong, unless it is to be lost."""
        answer = self.answers.get("DATA", "250 2.0.0 OK")
        if answer.startswith("250") and self._now != "cut_before":
            self.messages.append(envelope.original_content or b"")
            self.taken += envelope.rcpt_tos
        if self.stalls:
            await asyncio.Event().wait()
        if self._now == "slow":
            await asyncio.sleep(self.script.slow_seconds)
        if self.hangs_up or self._now in _CUTS:
            _cut(server)
        return answer

    def admits(self, login: bytes, password: bytes) -> bool:
        """Whether it is the one user that it knows, and the script lets them in."""
        return not self.script.denies() and (login, password) == (USER, PASSWORD)

    def hang_up(self, controller: Controller) -> None:
        """Drop the connection as servers do that have waited long enough."""
        asyncio.run_coroutine_threadsafe(self._abort(), controller.loop).result(5)

    async def _abort(self) -> None:
        _cut(self.server)


def _cut(server: SMTP | None) -> None:
    transport = server.transport if server is not None else None
    if isinstance(transport, asyncio.Transport):
        transport.abort()


class Loopback(Controller):
    """Listens on a port of its own choice."""

    def __init__(self, mailbox: Mailbox, **settings: Any) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        super().__init__(mailbox, hostname="127.0.0.1", port=port, **settings)


@contextmanager
def mail_server(mailbox: Mailbox, **settings: Any) -> Iterator[Loopback]:
    """The server, until the block ends. It logs nothing: its lines name people."""
    controller = Loopback(mailbox, **settings)
    with hushed("mail.log"):
        controller.start()
        mailbox.connections = 0
        try:
            yield controller
        finally:
            controller.stop()


def authenticated(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
    """Whether the mailbox admits the user."""
    return AuthResult(success=server.event_handler.admits(data.login, data.password), handled=False)


def certificate(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """The server's side of TLS for 127.0.0.1, and the PEM that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(pem(key))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert_file, key_file)
    return context, cert_file


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    """The private key as text."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
