"""What became of each intent, noted in ops.delivery in commits of bounded size."""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cdp_lib.connectors.protocol import Outcome
from cdp_lib.contracts.activation import DELIVERY, SENT
from cdp_lib.io.ledger import OpsLedger
from cdp_lib.io.selection import select_rows

CONSTANT = (
    "intent_id",
    "activation_id",
    "destination",
    "channel",
    "golden_id",
    "operation",
    "occasion",
    "arm",
    "attempt",
    "consent",
    "offer_code",
    "payload_hash",
    "address_record",
    "planned_at",
    "expires_at",
)
"""Columns that all states of one try of an intent share."""

_COMMITS = threading.Lock()
"""Destinations are written to side by side; their commits are not."""


@dataclass
class Book:
    """The ledger of one destination during one run."""

    ledger: OpsLedger
    run_id: str
    flush_count: int
    flushed: Callable[[], None]
    """Called when everything noted so far is in the ledger."""
    tally: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(activation, status): intents."""
    _open: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    _rows: list[dict[str, Any]] = field(default_factory=list)

    def opened(self, intent: Mapping[str, Any]) -> None:
        """An intent is on its way; `intent` has the CONSTANT columns."""
        self._open[intent["intent_id"]] = {name: intent[name] for name in CONSTANT}

    def note(self, outcomes: Iterable[Outcome]) -> None:
        """What became of opened intents; what was handed to the channel is told as `sent` too."""
        for one in outcomes:
            intent = self._open.pop(one.intent_id)
            now = self.ledger.clock()
            shared = {**intent, "run_id": self.run_id, "recorded_at": now}
            if one.status in SENT:
                self._rows.append({**shared, "status": "sent"})
                self.tally[intent["activation_id"], "sent"] += 1
            told = {"status": one.status, "reason": one.reason or None, "provider_id": one.provider_id}
            self._rows.append({**shared, **told})
            self.tally[intent["activation_id"], one.status] += 1
        if len(self._rows) >= self.flush_count:
            self.flush()

    def fail(self, intent: Mapping[str, Any], reason: str) -> None:
        """The intent cannot be sent as it is: nothing left."""
        now = self.ledger.clock()
        shared = {name: intent[name] for name in CONSTANT}
        told = {"run_id": self.run_id, "recorded_at": now, "status": "failed", "reason": reason}
        self._rows.append({**shared, **told})
        self.tally[intent["activation_id"], "failed"] += 1

    def flush(self) -> None:
        """Everything noted so far is in the ledger."""
        with _COMMITS:
            self.ledger.append(DELIVERY, self._rows)
        self._rows = []
        self.flushed()


def planned_intents(ledger: OpsLedger, intent_ids: Sequence[str]) -> tuple[dict[str, dict[str, Any]], set[str]]:
    """Of some intents: the newest planned row of each, and those whose newest try has an end already."""
    rows = select_rows(ledger.path(DELIVERY), (*CONSTANT, "status"), {"intent_id": set(intent_ids)})
    planned: dict[str, dict[str, Any]] = {}
    for row in rows:
        if row["status"] == "planned" and row["attempt"] >= planned.get(row["intent_id"], row)["attempt"]:
            planned[row["intent_id"]] = row
    ended = {
        row["intent_id"]
        for row in rows
        if row["status"] not in ("planned", "sent") and row["attempt"] == planned.get(row["intent_id"], row)["attempt"]
    }
    return planned, ended
