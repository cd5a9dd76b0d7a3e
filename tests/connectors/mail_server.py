"""A real SMTP server on loopback that can refuse, stall and hang up."""

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
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

USER, PASSWORD = b"mailer", b"password-of-nobody"


@dataclass
class Mailbox:
    """Its answers by step; `hangs_up` cuts the connection after the message, `stalls` never answers it."""

    answers: dict[str, str] = field(default_factory=dict)
    hangs_up: bool = False
    stalls: bool = False
    messages: list[bytes] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    connections: int = 0
    server: SMTP | None = None

    async def handle_EHLO(  # noqa: N802 - the name and shape that aiosmtpd calls
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        self.connections += 1
        self.server = server
        return responses

    async def handle_MAIL(self, *call: Any) -> str:  # noqa: N802 - the name that aiosmtpd calls
        call[2].mail_from = call[3]
        return self.answers.get("MAIL", "250 OK")

    async def handle_RCPT(self, *call: Any) -> str:  # noqa: N802 - the name that aiosmtpd calls
        self.recipients.append(call[3])
        call[2].rcpt_tos.append(call[3])
        return self.answers.get("RCPT", "250 OK")

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - as above
        answer = self.answers.get("DATA", "250 2.0.0 OK")
        if answer.startswith("250"):
            assert envelope.original_content is not None
            self.messages.append(envelope.original_content)
        if self.stalls:
            await asyncio.Event().wait()
        if self.hangs_up:
            server.transport.abort()
        return answer

    def hang_up(self, controller: Controller) -> None:
        """Drop the connection as servers do that have waited long enough."""
        assert self.server is not None
        done = asyncio.run_coroutine_threadsafe(self._abort(), controller.loop)
        done.result(5)

    async def _abort(self) -> None:
        assert self.server is not None
        self.server.transport.abort()


class Loopback(Controller):
    """Listens on a port of its own choice."""

    def __init__(self, mailbox: Mailbox, **settings: Any) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        super().__init__(mailbox, hostname="127.0.0.1", port=port, **settings)


@contextmanager
def mail_server(mailbox: Mailbox, **settings: Any) -> Iterator[Loopback]:
    """The server, until the block ends."""
    controller = Loopback(mailbox, **settings)
    controller.start()
    mailbox.connections = 0
    try:
        yield controller
    finally:
        controller.stop()


def authenticated(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
    """Whether it is the one user that the server knows."""
    return AuthResult(success=(data.login, data.password) == (USER, PASSWORD), handled=False)


def certificate(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """The server's side of TLS for 127.0.0.1, and the PEM that trusts it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
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


def pem(key: rsa.RSAPrivateKey) -> bytes:
    """The private key as text."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
