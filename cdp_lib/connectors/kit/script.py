"""How a channel on loopback misbehaves: a script that is used up request by request, and then all goes well."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

Behaviour = Literal["well", "429", "5xx_before", "5xx_after", "cut_before", "cut_after", "slow", "denied", "gone"]
"""`before` and `after` are those of the commit: after it the channel has taken what it then fails to confirm. `gone`:
the account or list that is asked for is not there any more."""


@dataclass
class Script:
    """One entry for each request, or whatever the channel counts as one."""

    slow_seconds: float = 2.0
    _left: deque[Behaviour] = field(default_factory=deque)

    def will(self, behaviours: Iterable[Behaviour]) -> None:
        """What comes after all that is to come already."""
        self._left.extend(behaviours)

    def next(self) -> Behaviour:
        """What is to come now."""
        return self._left.popleft() if self._left else "well"

    def denies(self) -> bool:
        """Whether a login is refused now, where that is a request of its own."""
        is_denied = bool(self._left) and self._left[0] == "denied"
        if is_denied:
            self._left.popleft()
        return is_denied
