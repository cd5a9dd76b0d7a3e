"""Rows of a request: what a tool is told of a customer, and what an answer says without repeating what it quotes."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from cdp_lib.connectors.protocol import Batch, Item, Operation, Outcome, Rejected

DETAILS = frozenset(
    {"golden_id", "email", "phone", "first_name", "last_name", "birth_date", "gender", "city", "postcode", "country"}
)
"""What every item may hold of a person; a tool is told of it only where its settings ask for it."""

_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.\[\]]{0,99}|[0-9]{1,8}")


def told(item: Item, names: Mapping[str, str]) -> dict[str, str]:
    """The activation's fields under their own names, and what `names` (theirs: ours) asks for.

    Unknown is left out: the tool keeps what it has.
    """
    fields = {name: value for name, value in item.person.items() if name not in DETAILS}
    asked = {theirs: item.person.get(ours) for theirs, ours in names.items()}
    return {name: value for name, value in {**fields, **asked}.items() if value is not None}


def names_of(item: Item, operation: Operation, names_now: Mapping[str, str]) -> tuple[Mapping[str, str], ...]:
    """By what a list's channel is to find a member: who leaves, by all that it was told before; else by what is known.

    Empty: by nothing.
    """
    if operation == "remove" and item.told_before:
        return item.told_before
    return (names_now,) if names_now else ()


def named_members(
    batch: Batch, names_now: Callable[[Item], Mapping[str, str]], most: int
) -> tuple[list[Item], list[Mapping[str, str]], list[Item]]:
    """Items that the channel can find, all their names in that order, and items that it cannot find.

    Raises Rejected as `check_count` does.
    """
    named = [(item, names_of(item, batch.operation, names_now(item))) for item in batch.items]
    names = [one for _, of_item in named for one in of_item]
    check_count(names, most)
    return [item for item, of_item in named if of_item], names, [item for item, of_item in named if not of_item]


def check_count(rows: Sequence[object], most: int) -> None:
    """Raises Rejected, so that the batch is halved, where its members have more names than a request bears."""
    if len(rows) > most:
        raise Rejected(f"the members have {len(rows):,} names, a request bears {most:,}")


def code(value: object) -> str:
    """The value where it is a plain code or field name, else `?`: prose may quote people."""
    text = "" if value is None else str(value)
    return text if _CODE.fullmatch(text) else "?"


def objects(value: object) -> list[dict[str, Any]]:
    """The objects in a list; none where it is no list."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def whole(value: object) -> int | None:
    """A count, given as a number or in digits; None where it is neither."""
    text = "" if isinstance(value, bool) else str(value)
    return int(text) if text.isdecimal() else None


def accepted(items: Iterable[Item], provider_id: str | None = None) -> tuple[Outcome, ...]:
    """All of them were taken, under one name of the channel's for the request."""
    return tuple(Outcome(item.intent_id, "accepted", provider_id=provider_id) for item in items)


def rejected(items: Iterable[Item], reason: str) -> tuple[Outcome, ...]:
    """None of them was taken, for one reason."""
    return tuple(Outcome(item.intent_id, "rejected", reason) for item in items)
