"""How fast a destination is asked, and how long one waits before asking it again."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from tenacity import RetryCallState

from cdp_lib.connectors.protocol import Retryable

_BURST_SECONDS = 0.1
"""A bucket holds what this time fills, and one token at least: a limit of 60 a minute is never 60 at once."""


@dataclass
class TokenBucket:
    """One token for each request; `delay` is asked, slept, and asked again."""

    per_second: float
    clock: Callable[[], datetime]
    _tokens: float = field(init=False)
    _seen_at: datetime = field(init=False)

    def __post_init__(self) -> None:
        self._tokens = self._size
        self._seen_at = self.clock()

    @property
    def _size(self) -> float:
        return max(1.0, self.per_second * _BURST_SECONDS)

    def delay(self) -> float:
        """Seconds to the next token; 0.0 takes one."""
        now = self.clock()
        passed = max((now - self._seen_at).total_seconds(), 0.0)
        self._tokens = min(self._size, self._tokens + passed * self.per_second)
        self._seen_at = now
        # A clock counts in microseconds: what rounding leaves must not be waited for.
        if self._tokens >= 1.0 - 1e-6 * max(self.per_second, 1.0):
            self._tokens -= 1.0
            return 0.0
        return (1.0 - self._tokens) / self.per_second


@dataclass(frozen=True)
class Retry:
    """How often one batch is tried and how long is waited in between."""

    attempts: int = 5
    first_wait_seconds: float = 1.0
    longest_wait_seconds: float = 60.0
    patience_seconds: float = 900.0
    """A channel that asks to wait longer is given up for this run."""

    def wait(self, key: str, state: RetryCallState) -> float:
        """Twice as long each time, between half and all of it by the key's own draw; never less than was asked for."""
        longest = min(self.longest_wait_seconds, self.first_wait_seconds * 2.0 ** (state.attempt_number - 1))
        draw = random.Random(f"{key}:{state.attempt_number}").uniform(0.5, 1.0)
        return max(draw * longest, _asked_wait(state))

    def is_over(self, state: RetryCallState) -> bool:
        """Whether the last try was the last."""
        return state.attempt_number >= self.attempts or _asked_wait(state) > self.patience_seconds


def _asked_wait(state: RetryCallState) -> float:
    problem = state.outcome.exception() if state.outcome else None
    if isinstance(problem, Retryable) and problem.retry_after_seconds is not None:
        return float(problem.retry_after_seconds)
    return 0.0
