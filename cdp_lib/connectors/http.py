"""One HTTP request to a channel, and its answer sorted into what may be tried again and what may not."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, UTC
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from cdp_lib.connectors.protocol import Refused, Rejected, Retryable, Unsure

_UNREACHED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
"""Faults before the first byte of the request left."""

_TOO_MANY, _TOO_SLOW, _SERVER_FAULT = 429, 408, 500
_NOBODY_THERE = (404, 405, 410)
"""They speak of the address, which is the same for every row; a connector that means a row by it asks to see them."""


@dataclass(frozen=True)
class Reply:
    """A readable answer: a success, or a status that the caller asked to see."""

    status: int
    body: Any
    """What its JSON says; a text where it is none; None where it is empty."""
    headers: Mapping[str, str]
    """Names in lower case."""

    @property
    def fields(self) -> Mapping[str, Any]:
        """The body where it is a JSON object; else empty."""
        return self.body if isinstance(self.body, dict) else {}


class HttpChannel:
    """Connections to one account. Threads may share it.

    `repeats_safely`: a request that the server failed at, or did not answer, may be made again (it bears a key, or it
    sets a state); else it counts as unsure.
    """

    def __init__(
        self, base_url: str, *, headers: Mapping[str, str], repeats_safely: bool, timeout_seconds: float = 30.0
    ) -> None:
        self._client = httpx.Client(base_url=base_url, headers=dict(headers), timeout=timeout_seconds)
        self._repeats_safely = repeats_safely

    def request(
        self,
        method: str,
        path: str,
        *,
        sees: Collection[int] = (),
        headers: Mapping[str, str] | None = None,
        **body: Any,
    ) -> Reply:
        """The answer to one request; `body` is httpx's `json`, `data`, `content` or `params`.

        Statuses in `sees` are returned, whatever they are. Raises Retryable, Rejected, Unsure or Refused; a message
        holds the status and no text of the answer, which may quote people.
        """
        try:
            response = self._client.request(method, path, headers=dict(headers or {}), **body)
        except _UNREACHED as problem:
            name = type(problem).__name__
            raise Retryable(f"{self._client.base_url.host} cannot be reached ({name})", nothing_taken=True) from None
        except httpx.HTTPError as problem:
            raise self._unanswered(f"the connection ended without an answer ({type(problem).__name__})") from None
        return self._sorted(response, sees)

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def _sorted(self, response: httpx.Response, sees: Collection[int]) -> Reply:
        status = response.status_code
        if status in sees or response.is_success:
            return Reply(status, _body(response), {name.lower(): text for name, text in response.headers.items()})
        if status == _TOO_MANY:
            raise throttled(response.headers.get("retry-after"))
        if status >= _SERVER_FAULT or status == _TOO_SLOW:
            raise self._unanswered(f"HTTP {status}")
        if status in (401, 403):
            raise Refused(f"HTTP {status}: the credentials are wrong or lack a right")
        if response.is_redirect:
            raise Refused(f"HTTP {status}: the address has moved; change the destination's base_url")
        if status in _NOBODY_THERE:
            raise Refused(f"HTTP {status}: nothing is at that address; check the destination's base_url and ids")
        raise Rejected(f"HTTP {status}")

    def _unanswered(self, message: str) -> Exception:
        return Retryable(message) if self._repeats_safely else Unsure(message)


def throttled(wait: str | None) -> Retryable:
    """What 429 says, with the header that asks to wait: nothing was taken."""
    return Retryable("HTTP 429", retry_after(wait), nothing_taken=True)


def retry_after(text: str | None) -> float | None:
    """Seconds that a Retry-After header asks to wait, given as seconds or as a date; None where it says neither.

    A date without a zone is UTC.
    """
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = _seconds_until(text)
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def _seconds_until(date: str) -> float:
    """Not a number where it is no date."""
    try:
        at = parsedate_to_datetime(date)
    except ValueError:
        return math.nan
    zoned = at if at.tzinfo else at.replace(tzinfo=UTC)
    return (zoned - datetime.now(UTC)).total_seconds()


def _body(response: httpx.Response) -> Any:
    if not response.content:
        return None
    try:
        return response.json()
    except ValueError:
        return response.text
