"""Send items by one connector to a fake of its channel, and hold what it says against what the channel took."""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, UTC

from pydantic import BaseModel, SecretStr

from cdp_lib.connectors.courier import Courier
from cdp_lib.connectors.kit.bench import Bench, Channel
from cdp_lib.connectors.kit.script import Behaviour
from cdp_lib.connectors.pace import Retry
from cdp_lib.connectors.protocol import Batch, Item, Operation, Outcome, Refused

BATCH_SIZE = 4
"""Items of one request in most checks: several requests with few items."""

SLOW = 3
"""Times that a slow channel takes longer than the connector waits."""


@dataclass
class MemoryJournal:
    """A journal that lives as long as the check."""

    begun: list[tuple[str, int]] = field(default_factory=list)
    """Key and number of items of each request."""
    ended: list[tuple[Outcome, ...]] = field(default_factory=list)

    def begin(self, idempotency_key: str, batch: Batch) -> None:
        """Note it."""
        self.begun.append((idempotency_key, len(batch.items)))

    def end(self, outcomes: tuple[Outcome, ...]) -> None:
        """Note it."""
        self.ended.append(outcomes)

    def part(self, requests: Sequence[tuple[str, Batch]]) -> None:
        """Note that nothing is known of the request that they came of."""
        self.ended.append(())


@dataclass
class _Clock:
    """Time that passes while one sleeps, and not otherwise."""

    at: datetime = datetime(2025, 1, 31, 12, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass(frozen=True)
class Run:
    """What came of one sending."""

    bench: Bench
    items: tuple[Item, ...]
    outcomes: tuple[Outcome, ...]
    taken: tuple[str, ...]
    journal: MemoryJournal
    refusal: str | None
    said: str
    """Everything that the connector and the libraries below it logged or show of themselves."""
    secrets: tuple[str, ...]

    def of(self, status: str) -> list[Outcome]:
        return [one for one in self.outcomes if one.status == status]

    def faults(self) -> Iterator[str]:
        """What no misbehaviour of a channel excuses."""
        names = Counter(one.intent_id for one in self.outcomes)
        if any(count > 1 for count in names.values()):
            yield "an item has two outcomes"
        if names.keys() - {item.intent_id for item in self.items}:
            yield "an outcome is of no item"
        lost = len(self.items) - len(names)
        if lost and self.refusal is None:
            yield f"{lost} items have no outcome"
        taken = Counter(self.taken)
        status = {one.intent_id: one.status for one in self.outcomes}
        whom = {self.bench.whom(item): status.get(item.intent_id, "not sent") for item in self.items}
        for what, count in sorted(Counter(whom.get(one, "nobody") for one in taken).items()):
            if what in ("rejected", "expired", "not sent", "nobody"):
                yield f"the channel took {count} that count as {what}"
        missing = sum(1 for one, state in whom.items() if state == "accepted" and one not in taken)
        if missing:
            yield f"{missing} accepted items were never taken"
        doubles = sum(1 for count in taken.values() if count > 1)
        if doubles:
            yield f"{doubles} items were taken twice"
        if any(one.status != "accepted" and not one.reason for one in self.outcomes):
            yield "an outcome that is not accepted has no reason"


def send(bench: Bench, items: Iterable[Item], script: Iterable[Behaviour] = (), *, batch_size: int = BATCH_SIZE) -> Run:
    with bench.channel(script, slow_seconds=SLOW * bench.timeout_seconds) as channel:
        return send_to(channel, bench, items, batch_size=batch_size)


def send_to(
    channel: Channel,
    bench: Bench,
    items: Iterable[Item],
    *,
    batch_size: int = BATCH_SIZE,
    operation: Operation | None = None,
) -> Run:
    """By the kind's first operation where none is named."""
    listed = tuple(items)
    timeout = (
        {"timeout_seconds": bench.timeout_seconds} if "timeout_seconds" in bench.kind.settings.model_fields else {}
    )
    settings = bench.kind.settings.model_validate({**bench.settings(channel.url), **timeout})
    journal, clock = MemoryJournal(), _Clock()
    outcomes: list[Outcome] = []
    refusal = None
    with _heard() as heard, closing(bench.kind.build(settings)) as connector:
        courier = Courier(
            bench.kind,
            connector,
            journal,
            stop=lambda: None,
            clock=clock.now,
            sleep=clock.sleep,
            retry=Retry(attempts=3),
            batch_size=batch_size,
        )
        try:
            for told in courier.deliver(listed, operation=operation or bench.kind.operations[0], campaign="kit"):
                outcomes += told
        except Refused as problem:
            refusal = str(problem)
        said = "\n".join([*heard, repr(connector), repr(settings), repr(listed)])
    taken = tuple(whom for _, whom in channel.taken())
    return Run(bench, listed, tuple(outcomes), taken, journal, refusal, said, tuple(_secrets(settings)))


class _Ear(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.lines.append(record.getMessage())


@contextmanager
def _heard() -> Iterator[list[str]]:
    """Everything that is logged at INFO and above while the block runs, by whomever; it goes nowhere else."""
    root, ear = logging.getLogger(), _Ear()
    handlers, level = root.handlers[:], root.level
    root.handlers[:] = [ear]
    root.setLevel(logging.INFO)
    try:
        yield ear.lines
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


def _secrets(settings: object) -> Iterator[str]:
    """Every secret's text, however deep it stands."""
    if isinstance(settings, SecretStr):
        yield settings.get_secret_value()
    elif isinstance(settings, BaseModel):
        for name in type(settings).model_fields:
            yield from _secrets(getattr(settings, name))
    elif isinstance(settings, dict | list | tuple):
        for one in settings.values() if isinstance(settings, dict) else settings:
            yield from _secrets(one)
