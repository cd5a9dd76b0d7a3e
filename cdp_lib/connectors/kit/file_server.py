"""A real SFTP server on loopback that can deny, fail and hang up as a script tells it.

Needs asyncssh, which sending needs not: only who wants this server imports this module.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncssh

from cdp_lib.connectors.kit.script import Behaviour, Script
from cdp_lib.connectors.kit.server import hushed

USER, PASSWORD = "dropper", "password-of-nobody"
LOGIN = f"{USER}:{PASSWORD}"

_COMMIT = b".manifest.json"
"""A file of such a name makes a drop whole."""


Session = Callable[[], asyncssh.SSHServerSession[bytes]]
"""What answers in place of SFTP."""


class _Login(asyncssh.SSHServer):
    def __init__(
        self, script: Script, connections: list[asyncssh.SSHServerConnection], session: Session | None
    ) -> None:
        self._script = script
        self._connections = connections
        self._session = session

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connections.append(conn)

    def begin_auth(self, username: str) -> bool:
        return True

    def session_requested(self) -> asyncssh.SSHServerSession[bytes] | bool:
        return self._session() if self._session else False

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return not self._script.denies() and (username, password) == (USER, PASSWORD)


class _Files(asyncssh.SFTPServer):
    """A folder. A request begins when it is listed, and is committed when its manifest gets its name."""

    def __init__(self, script: Script, channel: asyncssh.SSHServerChannel[bytes], root: Path) -> None:
        super().__init__(channel, chroot=bytes(root))
        self._script = script
        self._now: Behaviour = "well"

    def scandir(self, path: bytes) -> AsyncIterator[asyncssh.SFTPName]:
        self._now = self._script.next()
        if self._now == "429":
            raise asyncssh.SFTPFailure("busy")
        if self._now == "gone":
            raise asyncssh.SFTPNoSuchFile("gone")
        return super().scandir(path)

    async def rename(self, oldpath: bytes, newpath: bytes) -> None:
        now, self._now = (self._now, "well") if newpath.endswith(_COMMIT) else ("well", self._now)
        if now in ("well", "slow", "5xx_after", "cut_after"):
            super().rename(oldpath, newpath)
        if now == "slow":
            await asyncio.sleep(self._script.slow_seconds)
        if now in ("cut_before", "cut_after"):
            self.channel.get_connection().abort()
        if now not in ("well", "slow"):
            raise asyncssh.SFTPFailure("broken")


@dataclass(frozen=True)
class FileServer:
    """Where it listens, and how it is known."""

    port: int
    host_key: str
    """As a line of known_hosts, without the host."""


@contextmanager
def file_server(
    root: Path,
    user_key: asyncssh.SSHKey | None = None,
    script: Script | None = None,
    *,
    host_keys: Sequence[asyncssh.SSHKey] = (),
    session: Session | None = None,
) -> Iterator[FileServer]:
    """The server, with `root` as its /, until the block ends. It logs nothing: its lines name files.

    It is known by the last of its keys, and likes to show the first; without any it makes one.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    own_keys = list(host_keys) or [asyncssh.generate_private_key("ssh-ed25519")]
    keys = asyncssh.import_authorized_keys(user_key.export_public_key().decode()) if user_key else None
    plan = script or Script()
    connections: list[asyncssh.SSHServerConnection] = []

    async def listen() -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            "127.0.0.1",
            0,
            server_factory=lambda: _Login(plan, connections, session),
            server_host_keys=own_keys,
            authorized_client_keys=keys,
            sftp_factory=None if session else lambda channel: _Files(plan, channel, root),
        )

    with hushed("asyncssh"):
        acceptor = asyncio.run_coroutine_threadsafe(listen(), loop).result(10)
        try:
            yield FileServer(acceptor.get_port(), own_keys[-1].export_public_key().decode().strip())
        finally:
            asyncio.run_coroutine_threadsafe(_end(acceptor, connections), loop).result(10)
            loop.call_soon_threadsafe(loop.stop)
            thread.join(10)
            loop.close()


async def _end(acceptor: asyncssh.SSHAcceptor, connections: list[asyncssh.SSHServerConnection]) -> None:
    acceptor.close()
    await acceptor.wait_closed()
    for connection in connections:
        connection.abort()
        await connection.wait_closed()
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    # A socket is closed one turn of the loop after its transport.
    await asyncio.sleep(0)
