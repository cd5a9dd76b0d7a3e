"""What a connector is: one method that delivers one batch to one channel and reads the answer down to the row.

A connector knows nothing of retries, rate limits, journals or stopping: `courier.py` wraps it with all of them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import Any, get_args, Literal, Protocol

from pydantic import ConfigDict, SecretStr

from cdp_lib.errors import DeliveryError
from cdp_lib.settings.kind import Frozen

Operation = Literal["send", "add", "update", "remove"]
Status = Literal["accepted", "rejected", "unknown", "expired"]
Mode = Literal["message", "audience", "record"]
"""message: something a person reads. audience: a list kept in step by add and remove. record: facts for a tool."""


@dataclass(frozen=True)
class Item:
    """One customer in a batch. Its representation holds no personal data."""

    intent_id: str
    """Lower hex SHA-256; names the intent for ever, so it serves as idempotency key of a single request."""
    address: str = field(default="", repr=False)
    """What the channel knows the customer by: mail address, E.164 number, token, user id; empty where it needs none."""
    parts: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Rendered texts by part: subject, text, html, title, body, ..."""
    person: Mapping[str, str | None] = field(default_factory=dict, repr=False)
    """Cleaned, not hashed: golden_id, email, phone, first_name, last_name, birth_date (ISO), gender, city, postcode,
    country, and the activation's own `fields`. Null: unknown."""
    unsubscribe_url: str | None = field(default=None, repr=False)
    """https address that identifies recipient and list; null: none."""
    expires_at: datetime | None = None
    """Not sent after it."""
    told_before: tuple[Mapping[str, str], ...] = field(default=(), repr=False)
    """Of who is on a list: each thing once that the kind's `identifiers` said when the list was told of them. Whoever
    leaves is named by all of it; of who stays `movers.py` has that removed which is theirs no more."""
    attempt: int | None = None
    """Which try of the intent it is; null: not known. It says what an outcome in the journal is about."""


Identifiers = Callable[[Item], Mapping[str, str]]
"""By what a list's channel finds a member again, by name; empty: by nothing."""


@dataclass(frozen=True)
class Batch:
    """Items for one request; all have the same parts where the connector's kind `shares_parts`."""

    operation: Operation
    campaign: str
    """The activation's id."""
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Outcome:
    """What became of one item."""

    intent_id: str
    status: Status
    reason: str = ""
    """Why it is not accepted, in words and codes without personal data."""
    provider_id: str | None = None
    """The channel's own name for it."""


@dataclass(frozen=True)
class Receipt:
    """One outcome for each item of the batch, in any order."""

    outcomes: tuple[Outcome, ...]


class Retryable(DeliveryError):  # noqa: N818 - states of a request, in the words of the field
    """Nothing of the batch was taken, or trying again with the same key cannot double it.

    `nothing_taken`: the former is known; of a kind that knows no keys it goes without saying. `of_item`: it is the one
    item's own matter, such as a mailbox that is full, and others may fare better; else it is the channel's.
    """

    def __init__(
        self,
        message: str,
        retry_after_seconds: float | None = None,
        *,
        nothing_taken: bool = False,
        of_item: bool = False,
    ) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds
        self.nothing_taken = nothing_taken
        self.of_item = of_item


class Rejected(DeliveryError):  # noqa: N818 - states of a request, in the words of the field
    """The batch was refused, and one bad row may be why: it is bisected.

    `partly_taken`: the others were taken already, and taking them again changes nothing.
    """

    def __init__(self, message: str, *, partly_taken: bool = False) -> None:
        super().__init__(message)
        self.partly_taken = partly_taken


class Unsure(DeliveryError):  # noqa: N818 - states of a request, in the words of the field
    """Nobody can tell whether the batch was taken: the answer was cut off, or says nothing."""


class Refused(DeliveryError):  # noqa: N818 - states of a request, in the words of the field
    """The destination refuses everything (credentials, closed account), or is given up for this run: no other batch
    would fare better."""


class Connector(Protocol):
    """One account at one channel."""

    def deliver(self, batch: Batch, *, idempotency_key: str) -> Receipt:
        """Make one request (a kind with `batch_size` 1 gets one item). Raises Retryable, Rejected, Unsure, Refused."""

    def close(self) -> None:
        """Let go of connections."""


class ConnectorSettings(Frozen):
    """What a destination's `settings` may say; a connector's own class adds its keys. Secrets are SecretStr.

    What is wrong with a value is told without the value: it may be a secret.
    """

    model_config = ConfigDict(hide_input_in_errors=True)


@dataclass(frozen=True)
class Limits:
    """What the channel bears."""

    batch_size: int = 1
    per_second: float = 50.0
    batch_bytes: int | None = None


@dataclass(frozen=True)
class ConnectorKind:
    """All that the suite knows of a connector before it is built."""

    name: str
    channel: str
    """email, sms, push, line, ads, crm, support, events, webhook, file: what consent and caps speak of."""
    mode: Mode
    settings: type[ConnectorSettings]
    build: Callable[[Any], Connector]
    """From its validated settings; opens no connection yet."""
    limits: Limits = Limits()
    address: str | None = None
    """Column of the single view that holds the channel's address; null: the activation must say `address`, or none is
    needed (`needs_address`)."""
    needs_address: bool = True
    parts: tuple[str, ...] = ()
    """Parts that a message must have."""
    optional_parts: tuple[str, ...] = ()
    operations: tuple[Operation, ...] = ("send",)
    is_idempotent: bool = False
    """Whether a second request with the same key does nothing: then an unsure batch is tried again."""
    key_hours: float | None = None
    """How long the channel knows a key; null: for ever, or what it is asked for is the same done twice."""
    shares_parts: bool = False
    """Whether one request carries one text for all its items."""
    is_rebuilt: bool = False
    """Whether the channel can only take a whole list anew, because it removes nobody alone.

    Its items then name in `person["rebuild"]` when that was planned: UTC, as `2025-01-31 12:00:00`. Where it has the
    operation `remove` nevertheless, that is asked for all who are on a list of which nobody is left: what it took
    before that moment is to be empty.
    """
    identifiers: Identifiers | None = None
    """Of a list: by what it finds a member again when nothing else is known of them, hashed where it takes hashes;
    empty: by nothing. It is kept from before the member is told of until they are off the list. Null: nothing is."""
    doc: str = ""
    """One line for `cdp connectors list`."""
    unverified: tuple[str, ...] = ()
    """Facts of connectors.md marked [K] that it relies on."""


class Journal(Protocol):
    """Where intents are noted before and after each request, so that a crash leaves few of them unknown."""

    def begin(self, idempotency_key: str, batch: Batch) -> None:
        """On disk before the request is made."""

    def end(self, outcomes: tuple[Outcome, ...]) -> None:
        """What is known after it."""

    def part(self, requests: Sequence[tuple[str, Batch]]) -> None:
        """It took some of its items, nobody knows which: at once, these (key, batch) are begun in its place."""


def types_in(annotation: object) -> tuple[object, ...]:
    """The type and all that it is made of: a SecretStr in a tuple is found too."""
    return (annotation, *chain.from_iterable(map(types_in, get_args(annotation))))


def reveal(secret: SecretStr | None) -> str:
    """The secret's text, empty where there is none; never to be logged."""
    return "" if secret is None else secret.get_secret_value()
