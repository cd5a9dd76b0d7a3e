"""What the conformance kit needs of a connector: its channel on loopback, items for it, and their names there."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from cdp_lib.connectors.kit.script import Behaviour
from cdp_lib.connectors.kit.server import ChannelFake, serving
from cdp_lib.connectors.protocol import ConnectorKind, Item


@dataclass(frozen=True)
class Channel:
    """A channel at work on loopback."""

    url: str
    """With all that the bench's settings must know of it."""
    taken: Callable[[], Sequence[tuple[str, str]]]
    """(operation, whom) of everything it committed, in order: doubles show. Whom is what `Bench.whom` gives."""
    will: Callable[[Iterable[Behaviour]], None]
    """How it misbehaves at the next requests, one each."""


@dataclass(frozen=True)
class Bench:
    """One connector on the bench."""

    kind: ConnectorKind
    fake: Callable[[], ChannelFake] | None
    """A new, empty channel of HTTP that speaks the connector's wire shape; None: it is `served`."""
    settings: Callable[[str], Mapping[str, Any]]
    """The destination's settings for a channel at that address."""
    item: Callable[[int], Item]
    """The n-th made-up customer; another n, another customer."""
    bad_item: Callable[[int], Item] | None
    """A customer whom the channel refuses although the rest of the batch is fine; None: it refuses nobody."""
    whom: Callable[[Item], str]
    """What the channel has in `taken` for that item."""
    served: Callable[[Iterable[Behaviour], float], AbstractContextManager[Channel]] | None = None
    """A new, empty channel that speaks no HTTP, by script and seconds that `slow` lasts; None: it is a `fake`."""
    needs: tuple[str, ...] = ()
    """Libraries of the channel that the suite does without."""
    lacks: Mapping[Behaviour, str] = field(default_factory=dict)
    """Faults that such a channel cannot have, and why."""
    timeout_seconds: float = 0.2
    """How long the connector waits for it."""

    @property
    def missing(self) -> tuple[str, ...]:
        """Libraries that are not installed and without which the channel cannot be started."""
        return tuple(library for library in self.needs if find_spec(library) is None)

    @contextmanager
    def channel(self, script: Iterable[Behaviour] = (), *, slow_seconds: float = 2.0) -> Iterator[Channel]:
        """A new channel that misbehaves request by request as the script says, until the block ends."""
        if self.served is not None:
            with self.served(script, slow_seconds) as served:
                yield served
        elif self.fake is not None:
            with serving(self.fake(), script, slow_seconds=slow_seconds) as server:
                yield Channel(server.url, lambda: server.fake.taken, lambda more: server.will(*more))


def intent_of(number: int) -> str:
    """An intent id for the n-th item."""
    return f"{number:064x}"
