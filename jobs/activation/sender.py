"""Hand what is planned to the channels: every destination by a thread of its own, each request journalled."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from cdp_lib.connectors import kind_named
from cdp_lib.connectors.courier import Courier
from cdp_lib.connectors.pace import Retry
from cdp_lib.connectors.protocol import ConnectorKind, Item, Outcome
from cdp_lib.errors import CdpError, DeliveryError
from cdp_lib.io.journal import IntentJournal, JournalState, read_open
from cdp_lib.io.ledger import OpsLedger
from cdp_lib.io.sending_folder import SendingFolder
from cdp_lib.io.staging import StagedRows
from cdp_lib.settings.activation import Destination
from cdp_lib.settings.pack import Pack
from cdp_lib.settings.settings import SecretResolver, SendingSettings
from jobs.activation.book import Book, planned_intents
from jobs.activation.rendering import Writer
from jobs.activation.ways import build_connector

log = logging.getLogger(__name__)

_GROUP = ("destination", "activation_id", "operation")

Tally = Counter[tuple[str, str]]
"""(activation, status): intents."""


@dataclass(frozen=True)
class Desk:
    """Everything that sending needs."""

    pack: Pack
    ledger: OpsLedger
    run_id: str
    folder: SendingFolder
    settings: SendingSettings
    resolve: SecretResolver
    writer: Writer
    reached: Callable[[str], None]
    """Names points for fault tests."""
    sleep: Callable[[float], None] = time.sleep


def recover(desk: Desk) -> int:
    """Outcomes that a killed process had noted in its journals and not in the ledger; how many there were.

    Requests without an end stay in their journal: `send` resumes them.
    """
    count = 0
    for destination in desk.pack.destinations:
        for folder in _lane_folders(desk, destination):
            state = read_open(folder)
            count += _carry_over(desk, state)
            if state.outcomes and not state.open_batches:
                IntentJournal(folder).settled()
    return count


def lane_count(kind: ConnectorKind, settings: SendingSettings) -> int:
    """How many requests to a destination are under way at once: one where a request takes many customers."""
    return settings.lanes if kind.limits.batch_size == 1 else 1


def _lane_folders(desk: Desk, destination: Destination) -> list[Path]:
    return sorted(folder for folder in (desk.folder.journals / destination.id).glob("*") if folder.is_dir())


def _carry_over(desk: Desk, state: JournalState) -> int:
    newest = {one.intent_id: one for one in state.outcomes}
    planned, ended = planned_intents(desk.ledger, sorted(newest))
    book = Book(desk.ledger, desk.run_id, desk.settings.flush_count, lambda: None)
    # An outcome of an earlier try is in the ledger: `retry` found it there.
    missing = [
        one
        for intent_id, one in newest.items()
        if intent_id in planned and intent_id not in ended and one.attempt in (None, planned[intent_id]["attempt"])
    ]
    for one in missing:
        book.opened(planned[one.intent_id])
    book.note(Outcome(one.intent_id, one.status, one.reason, one.provider_id) for one in missing)  # type: ignore[arg-type]  # the journal's own words
    book.flush()
    return len(missing)


def send(desk: Desk, staged: StagedRows) -> Tally:
    """Every staged intent that can be sent is; what became of them.

    Raises ConfigError before anything is sent where a secret is not set; DeliveryError where sending was stopped or
    destinations refused everything, after all others are done: what was not sent stays planned.
    """
    posts = [post for one in desk.pack.destinations for post in _posts(desk, one, staged)]
    couriers = [post.courier() for post in posts]
    tally: Tally = Counter()
    problems: dict[str, None] = {}
    with ThreadPoolExecutor(max(len(posts), 1), thread_name_prefix="destination") as pool:
        futures: list[Future[Tally]] = [
            pool.submit(post.work, courier, staged) for post, courier in zip(posts, couriers, strict=True)
        ]
        for post, future in zip(posts, futures, strict=True):
            try:
                future.result()
            except CdpError as problem:
                problems[f"destination {post.destination.id}: {problem}"] = None
            tally.update(post.tally)
    if problems:
        raise DeliveryError(
            "\n".join(
                [*problems, "What was not sent stays planned: the next run with --send sends what then still may be."]
            )
        )
    return tally


def _posts(desk: Desk, destination: Destination, staged: StagedRows) -> list["_Post"]:
    """The destination's lanes: those with something to send, and those that a crash cut off."""
    groups = [one for one in staged.counts(*_GROUP, "lane") if one["destination"] == destination.id]
    begun = {folder.name: read_open(folder).open_intents for folder in _lane_folders(desk, destination)}
    taken_up = frozenset(chain.from_iterable(begun.values()))
    busy = {str(group["lane"]) for group in groups} | {name for name, intents in begun.items() if intents}
    return [
        _Post(desk, destination, name, [group for group in groups if str(group["lane"]) == name], taken_up)
        for name in sorted(busy)
    ]


class _Post:
    """One lane of one destination at work: one request at a time, noted in a journal of its own."""

    def __init__(
        self,
        desk: Desk,
        destination: Destination,
        lane: str,
        groups: Sequence[Mapping[str, Any]],
        taken_up: frozenset[str],
    ) -> None:
        self.destination = destination
        self._desk = desk
        self._kind = kind_named(destination.connector)
        priority = {one.id: one.priority for one in desk.pack.activations}

        def place(group: Mapping[str, Any]) -> tuple[bool, bool, int, str]:
            # Leavers go first: a list that is full for a moment would be wrong for both. Then members whose address
            # changed: the old one may be somebody else's now, who is about to be added by it.
            activation, operation = group["activation_id"], group["operation"]
            return operation != "remove", operation != "update", priority.get(activation, 0), activation

        self._groups = sorted(groups, key=place)
        self._folder = desk.folder.journals / destination.id / lane
        self._journal = IntentJournal(self._folder, desk.ledger.clock)
        self._book = Book(desk.ledger, desk.run_id, desk.settings.flush_count, self._flushed)
        self._taken_up = taken_up
        """Intents of requests that a crash cut off, in whichever lane: they are resumed and not sent besides."""
        self._is_resumed = False
        """Whether those of this lane have an end; its journal stands until then."""

    @property
    def tally(self) -> Tally:
        return self._book.tally

    def courier(self) -> Courier:
        desk = self._desk
        pace = self.destination.per_second or self._kind.limits.per_second
        return Courier(
            self._kind,
            build_connector(self.destination, desk.resolve),
            self._journal,
            stop=desk.folder.stopped,
            clock=desk.ledger.clock,
            sleep=desk.sleep,
            retry=Retry(desk.settings.attempts, longest_wait_seconds=desk.settings.longest_wait_seconds),
            per_second=pace / lane_count(self._kind, desk.settings),
        )

    def work(self, courier: Courier, staged: StagedRows) -> Tally:
        """Requests that a crash cut off first; then group by group."""
        try:
            self._resume(courier, staged)
            self._is_resumed = True
            for group in self._groups:
                items = self._items(staged.rows({name: group[name] for name in (*_GROUP, "lane")}), self._taken_up)
                settled = courier.deliver(items, operation=group["operation"], campaign=group["activation_id"])
                self._note_all(settled)
        finally:
            self._book.flush()
            self._journal.close()
            courier.connector.close()
        return self.tally

    def _note_all(self, settled: Iterator[tuple[Outcome, ...]]) -> None:
        for outcomes in settled:
            self._book.note(outcomes)
            self._desk.reached("settled")

    def _resume(self, courier: Courier, staged: StagedRows) -> None:
        state = read_open(self._folder)
        begun, wanted = state.open_batches, state.open_intents
        if not begun:
            return
        planned, ended = planned_intents(self._desk.ledger, wanted)
        for intent_id in wanted:
            if intent_id in planned and intent_id not in ended:
                self._book.opened(planned[intent_id])
        items = {item.intent_id: item for item in self._rewritten(staged.rows({"intent_id": wanted}))}
        known = [one for one in begun if all(intent_id in planned for intent_id in one.intent_ids)]
        self._note_all(courier.resume(known, items))

    def _rewritten(self, rows: Iterator[dict[str, Any]]) -> Iterator[Item]:
        """Items of cut-off requests that can still be written; the others may have left, so they have not failed."""
        for row in rows:
            try:
                yield self._desk.writer.item(row)
            except DeliveryError as problem:
                log.warning(
                    "destination=%s activation=%s resumed=no: %s", row["destination"], row["activation_id"], problem
                )

    def _items(self, rows: Iterator[dict[str, Any]], left_out: frozenset[str]) -> Iterator[Item]:
        for row in rows:
            if row["intent_id"] in left_out:
                continue
            try:
                item = self._desk.writer.item(row)
            except DeliveryError as problem:
                self._book.fail(row, str(problem))
                continue
            self._book.opened(row)
            yield item

    def _flushed(self) -> None:
        if self._is_resumed:
            self._journal.settled()
        self._desk.reached("flushed")
