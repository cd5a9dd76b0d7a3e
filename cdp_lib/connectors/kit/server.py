"""A loopback server that speaks a channel's shape, and misbehaves as a script tells it."""

import json
import logging
import socket
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

from cdp_lib.connectors.kit.script import Behaviour, Script

_ANSWERS: Mapping[str, int] = {"429": 429, "5xx_before": 503, "5xx_after": 502, "denied": 401, "gone": 404}
_AFTER = ("5xx_after", "cut_after", "slow")


@dataclass(frozen=True)
class Request:
    """What the server was asked."""

    method: str
    path: str
    """With its query."""
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    def json(self) -> Any:
        """The body as JSON; None where it is empty."""
        return json.loads(self.body) if self.body else None


@dataclass(frozen=True)
class Response:
    """What it says."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


class ChannelFake(Protocol):
    """A channel in memory. It judges each row as the real one would, and commits what it takes."""

    taken: list[tuple[str, str]]
    """(operation, whom) of everything it committed, in order: doubles show. Whom is what `Bench.whom` gives."""

    def answer(self, request: Request) -> Response:
        """Take what is in the request, and answer as the channel does."""


class LoopbackServer:
    """Serves one fake on 127.0.0.1. `script` is consumed request by request; when it is used up, all goes well."""

    def __init__(self, fake: ChannelFake, *, slow_seconds: float = 2.0) -> None:
        self.fake = fake
        self.requests: list[Request] = []
        self._script = Script(slow_seconds)
        self._lock = threading.Lock()
        self._released = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Its address, without a path."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def will(self, *behaviours: Behaviour) -> None:
        """What it does at the next requests, one each."""
        self._script.will(behaviours)

    def stop(self) -> None:
        """End it; nothing of it stays behind."""
        self._released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def serve(self, request: Request, connection: socket.socket) -> Response | None:
        """The answer; None: the connection was cut."""
        with self._lock:
            self.requests.append(request)
            behaviour = self._script.next()
            response = self.fake.answer(request) if behaviour in ("well", *_AFTER) else Response()
        if behaviour in ("cut_before", "cut_after"):
            connection.shutdown(socket.SHUT_RDWR)
            return None
        if behaviour == "slow":
            self._released.wait(self._script.slow_seconds)
            return response
        if behaviour in _ANSWERS:
            headers = {"Retry-After": "0"} if behaviour == "429" else {}
            return Response(_ANSWERS[behaviour], {"error": behaviour}, headers)
        return response


@contextmanager
def serving(
    fake: ChannelFake, script: Iterable[Behaviour] = (), *, slow_seconds: float = 2.0
) -> Iterator[LoopbackServer]:
    """The fake on a loopback address, until the block ends."""
    server = LoopbackServer(fake, slow_seconds=slow_seconds)
    server.will(*script)
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def hushed(name: str) -> Iterator[None]:
    """That library's logger and those below it say nothing while the block runs: a server's lines name people."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)


def _handler(server: LoopbackServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        """Head and body are written apart: with it the body waits 40 ms for the client to confirm the head."""

        def _serve(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            headers = {name.lower(): text for name, text in self.headers.items()}
            request = Request(self.command, self.path, headers, self.rfile.read(size))
            response = server.serve(request, self.connection)
            if response is None:
                self.close_connection = True
                return
            body = b"" if response.body is None else json.dumps(response.body).encode()
            self.send_response(response.status)
            for name, text in {"Content-Type": "application/json", **response.headers}.items():
                self.send_header(name, text)
            self.send_header("Content-Length", str(len(body)))
            with suppress(ConnectionError):  # the client may have given up waiting
                self.end_headers()
                self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 - the names that http.server calls

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing: requests name people."""

    return Handler
