"""A batch under way, cut in halves while a bad row is looked for, and in two where some of it has become late."""

from dataclasses import dataclass, replace
from datetime import datetime

from cdp_lib.connectors.batching import batch_key
from cdp_lib.connectors.protocol import Batch, Item, Outcome, Status

_HOPELESS = 32
"""Rows refused one by one, none taken: the fault is not in the rows, and the rest of their batch is not asked again."""


@dataclass
class Request:
    """One batch under one key. `in_doubt`: an earlier try may have been taken."""

    batch: Batch
    in_doubt: bool = False

    @property
    def key(self) -> str:
        """The same for the same items."""
        return batch_key(self.batch)

    def all_are(self, status: Status, reason: str) -> tuple[Outcome, ...]:
        """One outcome for all of its items."""
        return tuple(Outcome(item.intent_id, status, reason) for item in self.batch.items)

    def halves(self, *, in_doubt: bool) -> tuple["Request", "Request"]:
        """Both halves, the first last: it is taken from the end."""
        items = self.batch.items
        middle = (len(items) + 1) // 2
        return self._of(items[middle:], in_doubt), self._of(items[:middle], in_doubt)

    def has_late_items(self, now: datetime) -> bool:
        """Whether the time of any is over."""
        return any(_is_late(item, now) for item in self.batch.items)

    def parted(self, now: datetime) -> tuple["Request", "Request"]:
        """Those whose time is over, and the others."""
        items = self.batch.items
        late = tuple(item for item in items if _is_late(item, now))
        rest = tuple(item for item in items if not _is_late(item, now))
        return self._of(late), self._of(rest)

    def _of(self, items: tuple[Item, ...], in_doubt: bool = False) -> "Request":
        return Request(replace(self.batch, items=items), in_doubt)


@dataclass
class Bisection:
    """What halving one batch has shown so far."""

    refused_alone: int = 0
    is_any_taken: bool = False

    @property
    def is_hopeless(self) -> bool:
        """Whether the rows are not to blame."""
        return self.refused_alone >= _HOPELESS and not self.is_any_taken

    @property
    def verdict(self) -> str:
        """Why the rest of the batch is refused unasked."""
        return f"as for each of {_HOPELESS} others of its batch"

    def saw(self, outcomes: tuple[Outcome, ...]) -> None:
        """What became of a request."""
        self.is_any_taken |= any(one.status == "accepted" for one in outcomes)
        if len(outcomes) == 1 and outcomes[0].status == "rejected":
            self.refused_alone += 1


def _is_late(item: Item, now: datetime) -> bool:
    return item.expires_at is not None and now >= item.expires_at
