"""Files for those who take files: a CSV and its manifest, dropped into a local folder or by SFTP."""

import base64
import binascii
import csv
import errno
import hashlib
import io
import json
import os
import re
import socket
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from datetime import datetime, UTC
from pathlib import Path
from threading import Timer
from typing import Protocol

import paramiko
from paramiko.pkey import UnknownKeyType
from paramiko.ssh_exception import IncompatiblePeer
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
    Retryable,
    reveal,
)
from cdp_lib.settings.kind import Name

_FIXED = ("golden_id", "activation", "action", "batch_size")
_FORMULA = re.compile(r"^[=+\-@\t\n]")
_CARRIAGE_RETURN = re.compile(r"\r\n?")
_NUMBER = re.compile(r"^[+-]?[0-9]+(\.[0-9]+)?$")
_MANIFEST = ".manifest.json"
_SIGNED_BY = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}
"""Names of a key's type while keys are agreed on, where they are others than the key's own."""

_REFUSALS = (errno.ENOENT, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EROFS)


class DropSettings(ConnectorSettings):
    """Where files go, and what stands in them."""

    path: str = Field(min_length=1, description="Folder that exists; of this machine, or of the SFTP server")
    prefix: str = Field(default="cdp", pattern=r"^[A-Za-z0-9-]+(_[A-Za-z0-9-]+)*$", description="Begins file names")
    columns: tuple[Name, ...] = Field(default=(), description="After golden_id, activation, action and batch_size")
    host: str | None = Field(default=None, description="SFTP server; left out: a folder of this machine")
    port: int = Field(default=22, ge=1, le=65535)
    user: str | None = None
    password: SecretStr | None = None
    private_key: SecretStr | None = Field(default=None, description="OpenSSH or PEM text, without a passphrase")
    host_key: str | None = Field(
        default=None, description="The server's public key, as in known_hosts: type and base64"
    )
    timeout_seconds: float = Field(default=30.0, gt=0)

    @field_validator("columns")
    @classmethod
    def _are_new(cls, columns: tuple[str, ...]) -> tuple[str, ...]:
        if len({*columns, *_FIXED}) < len(columns) + len(_FIXED):
            raise ValueError(f"name each column once; {', '.join(_FIXED)} are always there")
        return columns

    @model_validator(mode="after")
    def _can_reach_its_server(self) -> "DropSettings":
        if self.host is None:
            return self
        if self.user is None or (self.password is None) == (self.private_key is None):
            raise ValueError("an SFTP server needs user, and either password or private_key")
        if self.host_key is None:
            raise ValueError("host_key is missing: ask the server's owner for it (an unknown server is never trusted)")
        try:
            _public_key(self.host_key)
        except (ValueError, paramiko.SSHException):
            raise ValueError("host_key is no public key such as `ssh-ed25519 AAAA...`") from None
        return self


class Folder(Protocol):
    """A place for files; its faults are OSError, EOFError or paramiko's."""

    def names(self) -> Iterable[str]:
        """Of the files there."""

    def write(self, name: str, content: bytes) -> None:
        """A whole file, on the disk when it returns."""

    def rename(self, old: str, new: str) -> None:
        """At once; there is no file of the new name."""

    def remove(self, name: str) -> None:
        """Take the file away."""

    def close(self) -> None:
        """Let go of connections."""


class LocalFolder:
    """A folder of this machine."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def names(self) -> Iterable[str]:
        return [entry.name for entry in self._path.iterdir()]

    def write(self, name: str, content: bytes) -> None:
        with (self._path / name).open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())

    def rename(self, old: str, new: str) -> None:
        (self._path / old).rename(self._path / new)

    def remove(self, name: str) -> None:
        (self._path / name).unlink()

    def close(self) -> None:
        """Nothing is held."""


class SftpFolder:
    """A folder of a server that shows the pinned key."""

    def __init__(self, settings: DropSettings) -> None:
        """Connects; raises Refused where the server is another than the pinned one, or does not let us in."""
        seconds = settings.timeout_seconds
        self._path = settings.path.rstrip("/")
        self._transport = paramiko.Transport(socket.create_connection((settings.host, settings.port), seconds))
        self._transport.banner_timeout = self._transport.auth_timeout = seconds
        with ExitStack() as undo:
            undo.callback(self._transport.close)
            self._meet(_public_key(settings.host_key or ""), seconds)
            self._log_in(settings)
            self._sftp = self._opened(seconds)
            undo.pop_all()

    def _meet(self, pinned: paramiko.PKey, seconds: float) -> None:
        """A server may have keys of several types: it is asked for that of the pinned one."""
        kind = pinned.get_name()
        self._transport.get_security_options().key_types = _SIGNED_BY.get(kind, (kind,))
        try:
            self._transport.start_client(timeout=seconds)
        except IncompatiblePeer:
            raise Refused(
                f"the SFTP server has no host key of the pinned one's type ({kind}), or no cipher of ours; ask its "
                "owner, then host_key"
            ) from None
        if self._transport.get_remote_server_key().asbytes() != pinned.asbytes():
            raise Refused("the SFTP server shows another host key than the pinned one; ask its owner, then host_key")

    def _opened(self, seconds: float) -> paramiko.SFTPClient:
        channel = self._transport.open_session(timeout=seconds)
        channel.settimeout(seconds)
        # The library waits without an end for this answer, unless the connection is closed.
        end = Timer(seconds, self._transport.close)
        end.start()
        try:
            channel.invoke_subsystem("sftp")
        finally:
            end.cancel()
        return paramiko.SFTPClient(channel)

    def _log_in(self, settings: DropSettings) -> None:
        try:
            if settings.private_key is not None:
                key = _private_key(reveal(settings.private_key))
                self._transport.auth_publickey(settings.user, key)
            else:
                self._transport.auth_password(settings.user, reveal(settings.password))
        except paramiko.AuthenticationException as problem:
            raise Refused(f"the SFTP server refuses the user ({type(problem).__name__})") from None

    def names(self) -> Iterable[str]:
        return list(self._sftp.listdir(self._path))

    def write(self, name: str, content: bytes) -> None:
        self._sftp.putfo(io.BytesIO(content), f"{self._path}/{name}", len(content))

    def rename(self, old: str, new: str) -> None:
        self._sftp.rename(f"{self._path}/{old}", f"{self._path}/{new}")

    def remove(self, name: str) -> None:
        self._sftp.remove(f"{self._path}/{name}")

    def close(self) -> None:
        self._transport.close()


class DropConnector:
    """One folder. A batch is there when its manifest is; the key in the file's name shows that it is."""

    def __init__(self, settings: DropSettings, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._settings = settings
        self._clock = clock
        self._folder: Folder | None = None

    def deliver(self, batch: Batch, *, idempotency_key: str) -> Receipt:
        """Write the file, then its manifest, each under a hidden name and renamed when whole; once per key.

        Nobody takes a file before its manifest has its name.
        """
        is_laid = False
        try:
            self._folder = self._folder or self._opened()
            manifest = self._laid(self._folder, batch, idempotency_key)
            is_laid = True
            if manifest:
                self._folder.rename(_part(manifest), manifest)
        except (OSError, EOFError, paramiko.SSHException) as problem:
            self.close()
            raise _fault(problem, nothing_taken=not is_laid) from None
        return Receipt(tuple(Outcome(item.intent_id, "accepted", provider_id=idempotency_key) for item in batch.items))

    def close(self) -> None:
        """Let go of the connection."""
        if self._folder is not None:
            self._folder.close()
        self._folder = None

    def _opened(self) -> Folder:
        return SftpFolder(self._settings) if self._settings.host else LocalFolder(self._settings.path)

    def _laid(self, folder: Folder, batch: Batch, key: str) -> str:
        """The manifest that is whole but for its name, beside its file; empty where both are there already."""
        of_key = [name for name in folder.names() if f"__{key}." in name]
        if any(name.endswith(_MANIFEST) for name in of_key):
            return ""
        # Also what an earlier try wrote under a hidden name: it holds personal data, and bears another time.
        for half_done in of_key:
            folder.remove(half_done)
        name = f"{self._settings.prefix}__{self._clock():%Y%m%dT%H%M%SZ}__{key}.csv"
        content = csv_of(batch, self._settings.columns)
        told = {"file": name, "rows": len(batch.items), "sha256": hashlib.sha256(content).hexdigest()}
        folder.write(_part(name), content)
        folder.rename(_part(name), name)
        manifest = name.removesuffix(".csv") + _MANIFEST
        folder.write(_part(manifest), json.dumps(told).encode() + b"\n")
        return manifest


def csv_of(batch: Batch, columns: Sequence[str]) -> bytes:
    """UTF-8 with a header, a line for each item, unknown values empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*_FIXED, *columns])
    for item in batch.items:
        fixed = (item.person.get("golden_id"), batch.campaign, batch.operation, str(len(batch.items)))
        writer.writerow([harmless(value) for value in (*fixed, *_values(item, columns))])
    return text.getvalue().encode()


def harmless(value: str | None) -> str:
    """The cell's text; with a leading apostrophe where a spreadsheet would run it as a formula.

    A carriage return is a line feed in it: `csv` writes it bare, and readers take it for the end of the row.
    A plain number stays as it is, and so does a telephone number such as +66812345678: neither can do anything, and
    programs that read the file need them unchanged.
    """
    text = _CARRIAGE_RETURN.sub("\n", value or "")
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.match(text) else text


def _values(item: Item, columns: Sequence[str]) -> list[str | None]:
    return [item.person.get(name) for name in columns]


def _public_key(line: str) -> paramiko.PKey:
    kind, _, encoded = line.strip().partition(" ")
    try:
        return paramiko.PKey.from_type_string(kind, base64.b64decode(encoded.split(" ")[0], validate=True))
    except (binascii.Error, UnknownKeyType):
        raise ValueError("no public key") from None


def _private_key(text: str) -> paramiko.PKey:
    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        try:
            return kind.from_private_key(io.StringIO(text))
        except (paramiko.SSHException, ValueError):
            continue
    raise Refused("private_key is no Ed25519, ECDSA or RSA key without a passphrase")


def _part(name: str) -> str:
    """What a file is called until it is whole."""
    return f".{name}.part"


def _fault(problem: Exception, *, nothing_taken: bool) -> Exception:
    """A folder that is missing or closed to us stays so; all else may pass."""
    if isinstance(problem, OSError) and problem.errno in _REFUSALS:
        return Refused(f"the folder is missing or closed to us ({errno.errorcode[problem.errno]}); look at `path`")
    said = f"the folder cannot be reached or written ({type(problem).__name__})"
    return Retryable(said, nothing_taken=nothing_taken)


KIND = ConnectorKind(
    name="drop",
    channel="file",
    mode="record",
    settings=DropSettings,
    build=DropConnector,
    limits=Limits(batch_size=50_000, per_second=5.0),
    needs_address=False,
    operations=("send", "add", "update", "remove"),
    is_idempotent=True,
    doc="CSV with manifest, into a folder or by SFTP",
)
