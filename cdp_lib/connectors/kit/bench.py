"""What the conformance kit needs of a connector: a fake of its channel, items for it, and how the fake names them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cdp_lib.connectors.kit.server import ChannelFake
from cdp_lib.connectors.protocol import ConnectorKind, Item


@dataclass(frozen=True)
class Bench:
    """One connector on the bench."""

    kind: ConnectorKind
    fake: Callable[[], ChannelFake]
    """A new, empty channel that speaks the connector's wire shape."""
    settings: Callable[[str], Mapping[str, Any]]
    """The destination's settings for a fake at that address."""
    item: Callable[[int], Item]
    """The n-th made-up customer; another n, another customer."""
    bad_item: Callable[[int], Item] | None
    """A customer whom the channel refuses although the rest of the batch is fine; None: it refuses nobody."""
    whom: Callable[[Item], str]
    """What the fake writes into `taken` for that item."""


def intent_of(number: int) -> str:
    """An intent id for the n-th item."""
    return f"{number:064x}"
