"""A connector that answers as a script says, and a courier around it whose time passes only while it sleeps."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, UTC
from typing import Any

from cdp_lib.connectors.courier import Courier
from cdp_lib.connectors.kit.bench import intent_of
from cdp_lib.connectors.kit.sending import MemoryJournal
from cdp_lib.connectors.pace import Retry
from cdp_lib.connectors.protocol import (
    Batch,
    ConnectorKind,
    ConnectorSettings,
    Item,
    Limits,
    Outcome,
    Receipt,
)

NOON = datetime(2025, 1, 31, 12, 0, tzinfo=UTC)
Answer = Exception | Callable[[Batch], Receipt] | None


def item(number: int, **fields: Any) -> Item:
    return Item(intent_id=intent_of(number), address=f"person{number}@example.com", **fields)


def items(count: int) -> list[Item]:
    return [item(number) for number in range(count)]


def numbers(batch: Batch) -> list[int]:
    """Which items they are, by the number that made their intent."""
    return [int(one.intent_id, 16) for one in batch.items]


def accept(batch: Batch) -> Receipt:
    return Receipt(tuple(Outcome(one.intent_id, "accepted") for one in batch.items))


KIND = ConnectorKind(
    name="scripted",
    channel="webhook",
    mode="record",
    settings=ConnectorSettings,
    build=lambda settings: Scripted(),
    limits=Limits(batch_size=4, per_second=1000.0),
)


@dataclass
class Scripted:
    """Answers request by request; when the script is used up, all is accepted."""

    script: list[Answer] = field(default_factory=list)
    asked: list[tuple[str, list[int]]] = field(default_factory=list)
    """Key and item numbers of each request."""

    def deliver(self, batch: Batch, *, idempotency_key: str) -> Receipt:
        self.asked.append((idempotency_key, numbers(batch)))
        answer = self.script.pop(0) if self.script else None
        if isinstance(answer, Exception):
            raise answer
        return (answer or accept)(batch)

    def close(self) -> None:
        """Nothing is held."""


@dataclass
class Scene:
    """A courier, what it talks to, and how long it slept."""

    script: Sequence[Answer] = ()
    is_idempotent: bool = False
    kind: ConnectorKind = KIND
    stops_after_sleeps: int | None = None
    at: datetime = NOON
    sleeps: list[float] = field(default_factory=list)
    journal: MemoryJournal = field(default_factory=MemoryJournal)

    def __post_init__(self) -> None:
        self.connector = Scripted(list(self.script))
        self.stop_reason: str | None = None
        self.courier = self.new_courier()

    def new_courier(self, **settings: Any) -> Courier:
        return Courier(
            replace(self.kind, is_idempotent=self.is_idempotent),
            self.connector,
            self.journal,
            stop=lambda: self.stop_reason,
            clock=lambda: self.at,
            sleep=self.sleep,
            **{"retry": Retry(attempts=3), **settings},
        )

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.at += timedelta(seconds=seconds)
        if self.stops_after_sleeps is not None and len(self.sleeps) >= self.stops_after_sleeps:
            self.stop_reason = "the operator said so"

    def send(self, listed: Sequence[Item]) -> list[Outcome]:
        told = self.courier.deliver(listed, operation="send", campaign="spring")
        return [outcome for outcomes in told for outcome in outcomes]

    def requests(self) -> list[list[int]]:
        return [who for _, who in self.connector.asked]
