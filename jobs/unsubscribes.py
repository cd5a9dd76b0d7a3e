"""`cdp unsubscribe`: whose ways out were used, as a file for the next run."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, UTC
from pathlib import Path

from rich.console import Console

from cdp_lib.errors import ConfigError, DeliveryError
from cdp_lib.io.private_file import private_file
from cdp_lib.messages.tokens import read_token, Subscription
from cdp_lib.settings.source import Source
from jobs.audit import note_deed
from jobs.compose import Suite
from jobs.deliveries import folder_of, last_states

SOURCE = "unsubscribe_link"
"""The pack's source that reads the files; the packs that the suite comes with have it."""

_NO_TIME = "no time with a zone stands before the token, such as 2025-01-31T10:00:00+07:00"
_NO_MESSAGE = "no message of it is known any more"


@dataclass(frozen=True)
class Use:
    """A way out that somebody used."""

    at: datetime
    of: Subscription


def unsubscribe(screen: Console, suite: Suite, lines: Iterable[str]) -> Path | None:
    """Write a landing file of the uses that the lines tell, say how many were refused and why, and give its path.

    A line is a time and a token. None: there was nothing to write. Raises ConfigError where the pack does not read such
    files, or its landing folder is not of this machine.
    """
    place = _place(suite)
    uses, refused = read_uses(lines, folder_of(suite).key())
    known, unknown = with_messages(suite, uses)
    refused[_NO_MESSAGE] += unknown
    for reason, count in refused.items():
        if count:
            screen.print(f"{count:,} refused: {reason}", highlight=False, soft_wrap=True)
    if not known:
        screen.print("Nobody to unsubscribe.", highlight=False)
        return None
    count = _write(place, known)
    note_deed(suite, "unsubscribe", suite.pack.name, f"{count} taken, {refused.total()} refused")
    screen.print(
        f"{place}: {count:,} unsubscribed. The next run keeps to it: cdp run daily --pack {suite.place.pack}",
        highlight=False,
        soft_wrap=True,
    )
    return place


def read_uses(lines: Iterable[str], key: str) -> tuple[list[Use], Counter[str]]:
    """The uses that the lines tell, and reason: how many lines were refused. Empty lines are none."""
    uses, refused = list[Use](), Counter[str]()
    for time, _, token in (line.strip().rpartition(" ") for line in lines if line.strip()):
        try:
            uses.append(Use(_instant(time), read_token(key, token)))
        except DeliveryError as problem:
            refused[str(problem)] += 1
    return uses, refused


def with_messages(suite: Suite, uses: Sequence[Use]) -> tuple[list[Use], int]:
    """The uses whose message is known, and how many others there are.

    A token that names none is of an earlier version: it stands for the last message of its activation to that customer.
    """
    nameless = {use.of.golden_id for use in uses if use.of.intent_id is None}
    sent = last_states(suite, {"golden_id": nameless, "operation": {"send"}}) if nameless else []
    in_order = sorted(sent, key=lambda row: (row["planned_at"], row["intent_id"]))
    last = {(row["golden_id"], row["channel"], row["activation_id"]): row["intent_id"] for row in in_order}

    def whole(of: Subscription) -> Subscription:
        return replace(of, intent_id=of.intent_id or last.get((of.golden_id, of.channel, of.activation_id)))

    told = [replace(use, of=whole(use.of)) for use in uses]
    known = [use for use in told if use.of.intent_id is not None]
    return known, len(told) - len(known)


def _instant(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise DeliveryError(_NO_TIME) from None
    if found.tzinfo is None:
        raise DeliveryError(_NO_TIME)
    return found.astimezone(UTC)


def _place(suite: Suite) -> Path:
    """The file to write, which the pack's source reads."""
    source: Source | None = next((one for one in suite.pack.sources if one.id == SOURCE), None)
    if source is None:
        raise ConfigError(
            f"pack {suite.pack.name}: no source '{SOURCE}' reads the files of this command. Copy the one of "
            "conf/packs/coffee_shop/sources.yml."
        )
    if "://" in suite.landing:
        raise ConfigError(f"{suite.landing} is no folder of this machine. Give one by --landing, and copy its file.")
    return Path(suite.landing) / source.read.path.replace("*", f"{suite.ledger.clock():%Y-%m-%dT%H%M%S.%f}")


def _write(place: Path, uses: Sequence[Use]) -> int:
    """A line for each message, the last use of it; how many. Nobody but the owner may read the file."""
    rows = {
        use.of.intent_id: {
            "intent_id": use.of.intent_id,
            "activation_id": use.of.activation_id,
            "channel": use.of.channel,
            "at": use.at.isoformat(),
        }
        for use in sorted(uses, key=lambda use: use.at)
    }
    with private_file(place) as file:
        file.writelines(f"{json.dumps(row)}\n" for row in rows.values())
    return len(rows)
