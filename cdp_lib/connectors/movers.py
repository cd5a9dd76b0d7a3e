"""Members whom a list knows by what is theirs no more: that is taken off it before they are put on as they are now."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from cdp_lib.connectors.batching import accounted
from cdp_lib.connectors.protocol import Batch, ConnectorKind, Identifiers, Item, Outcome, Receipt

Ask = Callable[[Batch], Receipt]
"""One request."""


def deliver_in_step(kind: ConnectorKind, batch: Batch, ask: Ask, *, between: Callable[[], None]) -> Receipt:
    """One request, or two: a removal of what members were known by before, then, after `between`, the batch itself.

    Whose old entry the channel keeps (rejected) is not told anew, so that what is known of the list stays true. Where
    nobody can tell what became of the old entry, the new one is told, and the item is unknown until somebody looks.
    """
    old = _old_entries(kind, batch)
    if old is None:
        return ask(batch)
    removed = {one.intent_id: one for one in accounted(old, ask(old))}
    kept = {name: _about_the_old(one) for name, one in removed.items() if one.status == "rejected"}
    rest = replace(batch, items=tuple(item for item in batch.items if item.intent_id not in kept))
    if not rest.items:
        return Receipt(tuple(kept.values()))
    between()
    told = accounted(rest, ask(rest))
    return Receipt((*kept.values(), *(_of_both(removed.get(one.intent_id), one) for one in told)))


def _old_entries(kind: ConnectorKind, batch: Batch) -> Batch | None:
    """The removal that has to come first; None: nobody of the batch is known by anything old."""
    if kind.identifiers is None or batch.operation == "remove" or "remove" not in kind.operations:
        return None
    known = ((item, _old_names(item, kind.identifiers)) for item in batch.items)
    items = tuple(replace(item, told_before=names) for item, names in known if names)
    return Batch("remove", batch.campaign, items) if items else None


def _old_names(item: Item, identifiers: Identifiers) -> tuple[Mapping[str, str], ...]:
    """What the list was told of the member and would not be told today: a phone number that stays is not taken off."""
    now = identifiers(item).items()
    old = (dict(one.items() - now) for one in item.told_before)
    return tuple(one for one in old if one)


def _of_both(removed: Outcome | None, told: Outcome) -> Outcome:
    if removed is None or removed.status == "accepted" or told.status == "rejected":
        return told
    return _about_the_old(removed)


def _about_the_old(outcome: Outcome) -> Outcome:
    return replace(outcome, reason=f"the old entry: {outcome.reason}")
