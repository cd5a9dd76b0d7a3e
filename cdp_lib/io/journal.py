"""What was asked of a destination and what it said, on disk before and after each request; no personal data.

A folder belongs to one destination and one process at a time. Each process writes a file of its own, so a line that a
crash tore is the last of its file for ever.
"""

import errno
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Literal, Protocol, Self

from cdp_lib.errors import StorageError
from cdp_lib.io.ledger import utc_now

_SUFFIX = ".jsonl"


class _Named(Protocol):
    @property
    def intent_id(self) -> str: ...


class _Item(_Named, Protocol):
    @property
    def attempt(self) -> int | None: ...


class _Batch(Protocol):
    @property
    def operation(self) -> str: ...

    @property
    def campaign(self) -> str: ...

    @property
    def items(self) -> Sequence[_Item]: ...


class _Outcome(_Named, Protocol):
    @property
    def status(self) -> str: ...

    @property
    def reason(self) -> str: ...

    @property
    def provider_id(self) -> str | None: ...


@dataclass(frozen=True)
class OpenBatch:
    """A request that was begun and whose end nobody noted."""

    idempotency_key: str
    operation: Literal["send", "add", "update", "remove"]
    campaign: str
    intent_ids: tuple[str, ...]
    """In the order of the request."""
    begun_at: datetime | None = field(default=None, compare=False)
    """When it was begun first; null: an earlier version noted it."""


@dataclass(frozen=True)
class NotedOutcome:
    """What became of one intent, as it was noted."""

    intent_id: str
    status: str
    reason: str
    provider_id: str | None
    attempt: int | None = None
    """Which try of the intent it ends; null: the journal does not know."""


@dataclass(frozen=True)
class JournalState:
    """What a folder holds: outcomes not yet in the ledger, in order, and requests without an end."""

    outcomes: tuple[NotedOutcome, ...] = ()
    open_batches: tuple[OpenBatch, ...] = ()

    @property
    def open_intents(self) -> list[str]:
        """The intents of requests without an end, in order: nobody knows yet what became of them."""
        return [intent_id for batch in self.open_batches for intent_id in batch.intent_ids]


class IntentJournal:
    """Notes requests of one destination, one at a time. A begun request is on the disk when `begin` returns."""

    def __init__(self, folder: Path, clock: Callable[[], datetime] = utc_now) -> None:
        self._folder = folder
        self._clock = clock
        self._file: BinaryIO | None = None
        self._open_key: str | None = None
        self._attempts: dict[str, int | None] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *fault: object) -> None:
        self.close()

    def begin(self, idempotency_key: str, batch: _Batch) -> None:
        """The request is about to be made; a second time under the same key changes nothing.

        Raises StorageError where the disk does not take it: then it must not be made.
        """
        if self._open_key == idempotency_key:
            return
        self._write(self._begun(idempotency_key, batch), is_synced=True)
        self._open_key = idempotency_key
        self._attempts = {item.intent_id: item.attempt for item in batch.items}

    def end(self, outcomes: Sequence[_Outcome]) -> None:
        """What is known after it; nothing: it took nothing, and its intents are as they were before.

        The lines outlive a crash of the process; one of the machine may lose those since the last `begin`.
        """
        self._write({"end": self._open_key, "outcomes": [self._noted(one) for one in outcomes]}, is_synced=False)
        self._open_key = None

    def part(self, requests: Sequence[tuple[str, _Batch]]) -> None:
        """It took some of its items, nobody knows which: at once, these (key, batch) are begun in its place.

        One line says so, and is on the disk when this returns.
        """
        begun = [self._begun(key, batch) for key, batch in requests]
        self._write({"end": self._open_key, "outcomes": [], "parts": begun}, is_synced=True)
        self._open_key = None

    def _begun(self, key: str, batch: _Batch) -> dict[str, Any]:
        return {
            "begin": key,
            "operation": batch.operation,
            "campaign": batch.campaign,
            "intents": [item.intent_id for item in batch.items],
            "at": self._clock().isoformat(),
        }

    def _noted(self, outcome: _Outcome) -> dict[str, str | int | None]:
        attempt = self._attempts.get(outcome.intent_id)
        return asdict(NotedOutcome(outcome.intent_id, outcome.status, outcome.reason, outcome.provider_id, attempt))

    def settled(self) -> None:
        """Every outcome so far is in the ledger: forget them. Raises StorageError while a request is under way."""
        self.close()
        state = read_open(self._folder)
        if state.open_batches:
            raise StorageError(
                f"{self._folder}: {len(state.open_batches)} requests have no end yet. Resume them before the journal "
                "is removed."
            )
        for file in _files(self._folder):
            file.unlink()
        with suppress(FileNotFoundError):
            self._folder.rmdir()

    def close(self) -> None:
        """Let go of the file, all of it on the disk."""
        if self._file is not None:
            os.fsync(self._file.fileno())
            self._file.close()
            self._file = None

    def _write(self, entry: dict[str, Any], *, is_synced: bool) -> None:
        line = json.dumps(entry, separators=(",", ":")).encode() + b"\n"
        try:
            if self._file is None:
                self._file = _new_file(self._folder)
            if self._file.write(line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if is_synced:
                os.fsync(self._file.fileno())
        except OSError as problem:
            self._abandon_file()
            raise StorageError(
                f"{self._folder}: the journal cannot be written ({problem.strerror}), so nothing more is sent. "
                "Free space or mend the folder's rights, then run again with --resume."
            ) from problem

    def _abandon_file(self) -> None:
        """Its last line may be half a line: nothing may follow it."""
        if self._file is not None:
            self._file.close()
            self._file = None


def read_open(folder: Path) -> JournalState:
    """What the folder's journals hold; a last line that was torn by a crash counts as not written.

    Raises StorageError for any other line that cannot be read.
    """
    outcomes: list[NotedOutcome] = []
    unended: dict[str, OpenBatch] = {}
    for entry in (entry for file in _files(folder) for entry in _entries(file)):
        if "begin" in entry:
            batch = _open_batch(entry)
            # Taken up by a later process: the channel knows the key since the first.
            unended.setdefault(batch.idempotency_key, batch)
            continue
        told = [NotedOutcome(**one) for one in entry["outcomes"]]
        outcomes += told
        unended.pop(entry["end"], None)
        # A request of an earlier process may be settled without being made again.
        ids = {one.intent_id for one in told}
        unended = {key: batch for key, batch in unended.items() if not ids.issuperset(batch.intent_ids)}
        parts = [_open_batch(one) for one in entry.get("parts", ())]
        unended |= {batch.idempotency_key: batch for batch in parts}
    return JournalState(tuple(outcomes), tuple(unended.values()))


def _open_batch(entry: Mapping[str, Any]) -> OpenBatch:
    begun_at = datetime.fromisoformat(entry["at"]) if "at" in entry else None
    return OpenBatch(entry["begin"], entry["operation"], entry["campaign"], tuple(entry["intents"]), begun_at)


def _entries(file: Path) -> Iterator[dict[str, Any]]:
    lines = file.read_bytes().split(b"\n")
    for number, line in enumerate(lines[:-1], start=1):
        try:
            yield json.loads(line)
        except ValueError:
            raise StorageError(
                f"{file}: line {number} is no journal entry. Move the file away and compare the channel's own account "
                "with ops.delivery: what it noted is lost."
            ) from None


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*{_SUFFIX}"))


def _new_file(folder: Path) -> BinaryIO:
    """Unbuffered, so that a line is with the operating system once it is written; its name is on the disk too."""
    folder.mkdir(parents=True, exist_ok=True)
    newest = _files(folder)[-1:]
    number = int(newest[0].stem) + 1 if newest else 1
    file = open(folder / f"{number:06d}{_SUFFIX}", "xb", buffering=0)  # noqa: SIM115 - it stays open between requests
    directory = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    return file
