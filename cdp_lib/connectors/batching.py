"""Items cut into batches that a channel bears in one request, the key of each, and its receipt held against it."""

import json
import logging
from collections.abc import Callable, Hashable, Iterable, Iterator
from itertools import chain
from uuid import UUID, uuid5

from cdp_lib.connectors.protocol import Batch, Item, Operation, Outcome, Receipt

log = logging.getLogger(__name__)

_KEYS = UUID("6d2a9c1e-6c7b-5d0f-9f0a-2b1f4c8e7a35")
"""Our own name space: the same intents give the same key in every process."""

_HELD_BATCHES = 20
"""Items that wait for others with the same text, in full batches; then the largest group goes as it is."""


def batches(
    items: Iterable[Item], size: int, most_bytes: int | None, *, shares_parts: bool
) -> Iterator[tuple[Item, ...]]:
    """Every item once, in groups of at most `size` items and `most_bytes` bytes; with equal parts where shared.

    A single item that is larger than the bytes allowed stands alone: the channel says what it thinks of it.
    """
    groups = _by_text(items, size) if shares_parts else _in_order(items, size)
    if most_bytes is None:
        return groups
    return chain.from_iterable(_cut(group, most_bytes, shares_parts) for group in groups)


def _in_order(items: Iterable[Item], size: int) -> Iterator[tuple[Item, ...]]:
    group: list[Item] = []
    for item in items:
        group.append(item)
        if len(group) == size:
            yield tuple(group)
            group = []
    if group:
        yield tuple(group)


def _by_text(items: Iterable[Item], size: int) -> Iterator[tuple[Item, ...]]:
    groups: dict[Hashable, list[Item]] = {}
    held = 0
    for item in items:
        text = tuple(sorted(item.parts.items()))
        group = groups.setdefault(text, [])
        group.append(item)
        held += 1
        if len(group) < size and held < size * _HELD_BATCHES:
            continue
        ready = text if len(group) == size else max(groups, key=lambda one: len(groups[one]))
        held -= len(groups[ready])
        yield tuple(groups.pop(ready))
    for group in groups.values():
        yield tuple(group)


def _cut(group: tuple[Item, ...], most_bytes: int, shares_parts: bool) -> Iterator[tuple[Item, ...]]:
    weigh: Callable[[Item], int] = _weight_of_address if shares_parts else _weight
    shared = _weight_of_parts(group[0]) if shares_parts else 0
    piece: list[Item] = []
    total = shared
    for item in group:
        weight = weigh(item)
        if piece and total + weight > most_bytes:
            yield tuple(piece)
            piece, total = [], shared
        piece.append(item)
        total += weight
    yield tuple(piece)


def _weight(item: Item) -> int:
    return _weight_of_address(item) + _weight_of_parts(item)


def _weight_of_address(item: Item) -> int:
    """Bytes of the JSON in which most channels are told of a person; hashes make it longer, names shorter."""
    return len(json.dumps([item.intent_id, item.address, dict(item.person)]).encode())


def _weight_of_parts(item: Item) -> int:
    return len(json.dumps(dict(item.parts)).encode())


def key_of(operation: Operation, intent_ids: Iterable[str]) -> str:
    """A UUID that the same items under the same operation have in every process, in whatever order."""
    return str(uuid5(_KEYS, "\n".join([operation, *sorted(intent_ids)])))


def batch_key(batch: Batch) -> str:
    """The `key_of` the batch."""
    return key_of(batch.operation, (item.intent_id for item in batch.items))


def accounted(batch: Batch, receipt: Receipt) -> tuple[Outcome, ...]:
    """One outcome for each item: what a connector leaves out, or tells twice, is unknown."""
    told: dict[str, list[Outcome]] = {item.intent_id: [] for item in batch.items}
    strangers = 0
    for outcome in receipt.outcomes:
        if outcome.intent_id in told:
            told[outcome.intent_id].append(outcome)
        else:
            strangers += 1
    if strangers:
        log.error("campaign=%s outcomes_of_unknown_intents=%s", batch.campaign, strangers)
    return tuple(
        each[0] if len(each) == 1 else Outcome(intent_id, "unknown", f"the connector told {len(each)} outcomes of it")
        for intent_id, each in told.items()
    )
