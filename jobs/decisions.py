"""What people decide about two records: checked against the pack, the records and each other, then written down.

A decision holds until another one is made about the same two records. Needs no Spark.
"""

import hashlib
import json
from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Literal

from cdp_lib.contracts import identity, silver
from cdp_lib.contracts.table import Table
from cdp_lib.errors import IdentityError, near_miss, StorageError
from cdp_lib.io.ledger import OpsLedger, owner
from cdp_lib.io.selection import select_rows
from cdp_lib.transforms.identity.exact import hash_of_record, ID_DIGITS
from jobs.compose import Suite

Verdict = Literal["link", "unlink", "withdraw"]
Pair = tuple[str, str]
"""The hashes of two records, the smaller first: what a decision is about."""

_SHOWN_DIGITS = 8
_HASH_DIGITS = frozenset("0123456789abcdef")
_TICK = timedelta(microseconds=1)
_SAYS = {"link": "is the same person as", "unlink": "is another person than"}


@dataclass(frozen=True)
class Record:
    """A customer record, named as its source names it."""

    source_system: str
    source_record_id: str

    @cached_property
    def hash(self) -> str:
        """Its name in the tables of matching."""
        return hash_of_record(self.source_system, self.source_record_id)[:ID_DIGITS]

    @property
    def hidden(self) -> str:
        """For people who did not name it themselves: the id is personal data."""
        return f"{self.source_system}:{self.hash[:_SHOWN_DIGITS]}"

    @property
    def may_be_hidden(self) -> bool:
        """Whether its id may be the digits that stand for one."""
        digits = self.source_record_id
        return _SHOWN_DIGITS <= len(digits) <= ID_DIGITS and _HASH_DIGITS.issuperset(digits)

    def __str__(self) -> str:
        return f"{self.source_system}:{self.source_record_id}"


@dataclass(frozen=True)
class Decision:
    """What a person says of two records."""

    first: Record
    second: Record
    verdict: Verdict
    reason: str | None = None
    decided_at: datetime | None = None
    """None: it is only asked for yet."""

    @property
    def pair(self) -> Pair:
        """What it is about, whichever record was named first."""
        return min(self.first.hash, self.second.hash), max(self.first.hash, self.second.hash)

    @property
    def records(self) -> tuple[Record, Record]:
        """Both records, the one with the smaller hash first."""
        return (self.first, self.second) if self.first.hash <= self.second.hash else (self.second, self.first)

    def beside(self, record_hash: str) -> Record:
        """The other record."""
        return self.second if self.first.hash == record_hash else self.first


@dataclass(frozen=True)
class Book:
    """The decisions in force, when the newest of all was made, and when a command last said something of a pair."""

    held: Mapping[Pair, Decision] = field(default_factory=dict)
    commanded: Mapping[Pair, datetime] = field(default_factory=dict)
    newest: datetime | None = None


@dataclass(frozen=True)
class Judgement:
    """What becomes of decisions asked for: to be written, already in force, and refused with a reason each."""

    fresh: tuple[Decision, ...]
    already_so: tuple[Decision, ...]
    refused: tuple[tuple[Decision, str], ...]


def parse_records(*texts: str) -> tuple[Record, ...]:
    """The records that `SOURCE:RECORD_ID` texts name; raises IdentityError with every text that names none."""
    parts = [text.partition(":") for text in texts]
    wrong = [
        f"{text!r} names no record. Write SOURCE:RECORD_ID, e.g. crm:1042."
        for text, (source, _, record_id) in zip(texts, parts, strict=True)
        if not source or not record_id or not _is_text(text)
    ]
    if wrong:
        raise IdentityError("\n".join(wrong))
    return tuple(Record(source, record_id) for source, _, record_id in parts)


def _is_text(argument: str) -> bool:
    """Bytes that are no UTF-8 come from the command line as characters that cannot be encoded."""
    return not any("\ud800" <= letter <= "\udfff" for letter in argument)


def read_book(ledger: OpsLedger) -> Book:
    """What silver.identity_override says today; nothing where it does not exist."""
    rows = ledger.rows(identity.IDENTITY_OVERRIDE)
    in_order = sorted(rows, key=lambda row: (row["decided_at"], row["override_id"]))
    held: dict[Pair, Decision] = {}
    commanded: dict[Pair, datetime] = {}
    for row in in_order:
        first, second = (Record(row[f"source_system_{side}"], row[f"source_record_id_{side}"]) for side in "lr")
        decision = Decision(first, second, row["decision"], row["reason"], row["decided_at"])
        _put(held, decision)
        if row["origin"] == "command":
            commanded[decision.pair] = row["decided_at"]
    return Book(held, commanded, in_order[-1]["decided_at"] if in_order else None)


def _put(held: dict[Pair, Decision], decision: Decision) -> None:
    if decision.verdict == "withdraw":
        held.pop(decision.pair, None)
    else:
        held[decision.pair] = decision


def judge(suite: Suite, asked: Sequence[Decision], book: Book, shown: Collection[Record] = ()) -> Judgement:
    """Which of the decisions, one after the other, may be written; `shown` are records that may be named openly.

    Raises StorageError where there is no customer record yet.
    """
    known = _known_records(suite, {record for decision in asked for record in decision.records})
    held = dict(book.held)
    fresh, already_so, refused = [], [], []
    for decision in asked:
        former = held.get(decision.pair)
        is_withdrawal = decision.verdict == "withdraw"
        if former is not None and former.verdict == decision.verdict:
            already_so.append(decision)
            continue
        # What was decided about a record that is gone can be taken back, and nothing else.
        faults = [] if is_withdrawal and former is not None else _faults(suite, decision, known, shown)
        faults = faults or _contradictions(decision, held, shown)
        if faults:
            refused.append((decision, "\n".join(faults)))
        elif is_withdrawal and former is None:
            already_so.append(decision)
        else:
            fresh.append(decision)
            _put(held, decision)
    return Judgement(tuple(fresh), tuple(already_so), tuple(refused))


def _known_records(suite: Suite, records: Collection[Record]) -> set[Record]:
    table = silver.CUSTOMER_RECORD
    if suite.store.version(table) is None:
        raise StorageError(f"{suite.store.path(table)} does not exist. First: cdp run daily --pack {suite.place.pack}")
    where = {name: {getattr(record, name) for record in records} for name in silver.RECORD_KEY}
    return {Record(**row) for row in select_rows(suite.store.path(table), silver.RECORD_KEY, where)}


def unmasked(suite: Suite, record: Record) -> Record:
    """The record; where it is unknown, the one that `SOURCE:` and these digits stand for (`Record.hidden`).

    Raises IdentityError where they stand for several, StorageError where there is no customer record yet.
    """
    if not record.may_be_hidden or _known_records(suite, {record}):
        return record
    return named_by_digits(suite, record, silver.CUSTOMER_RECORD) or record


def named_by_digits(suite: Suite, record: Record, table: Table) -> Record | None:
    """The record of the table that `SOURCE:` and these digits stand for; raises IdentityError where several are."""
    if not record.may_be_hidden:
        return None
    rows = select_rows(suite.store.path(table), silver.RECORD_KEY, {"source_system": {record.source_system}})
    found = [one for one in (Record(**row) for row in rows) if one.hash.startswith(record.source_record_id)]
    if len(found) > 1:
        raise IdentityError(f"{record}: more than one record's digits begin so. Give more of them, or the record's id.")
    return found[0] if found else None


def _faults(suite: Suite, decision: Decision, known: Collection[Record], shown: Collection[Record]) -> list[str]:
    """What is wrong with the records themselves. An id that is unknown has no near-miss: it would be another's."""
    if decision.first == decision.second:
        return [f"{_said(decision.first, shown)} is named twice; a decision is about two records."]
    sources = [source.id for source in suite.pack.sources]
    faults = []
    for record in (decision.first, decision.second):
        if record.source_system not in sources:
            hint = near_miss(record.source_system, sources)
            faults.append(f"pack {suite.pack.name}: unknown source '{record.source_system}'.{hint}")
        elif record not in known:
            faults.append(
                f"{_said(record, shown)}: silver.customer_record has no such record. Check the id; a record that has "
                f"only just come is there after: cdp run daily --pack {suite.place.pack}"
            )
    return faults


def _contradictions(decision: Decision, held: Mapping[Pair, Decision], shown: Collection[Record]) -> list[str]:
    chain = contradiction(decision, held)
    if not chain:
        return []
    both = " and ".join(_said(record, shown) for record in (decision.first, decision.second))
    wish, truth = ("one person", "two") if decision.verdict == "link" else ("two people", "one")
    steps, here = [], decision.first
    for step in chain:
        other = step.beside(here.hash)
        steps.append(f"  {_said(here, shown)} {_SAYS[step.verdict]} {_said(other, shown)} ({_day(step)})")
        here = other
    return [
        f"{both} cannot be {wish}: decisions in force make them {truth}.",
        *steps,
        "Withdraw one of these first: cdp identity withdraw A B (silver.identity_override has the ids). Or leave it.",
    ]


def contradiction(decision: Decision, held: Mapping[Pair, Decision]) -> tuple[Decision, ...]:
    """The shortest chain of decisions in force from its first record to its second that says the opposite, or nothing.

    Links make a chain one person; one unlink within it makes its ends two people. What is in force about the two
    records themselves is no contradiction: the new decision takes its place.
    """
    if decision.verdict == "withdraw":
        return ()
    others = [other for pair, other in sorted(held.items()) if pair != decision.pair]
    from_first = _linked(decision.first.hash, others)
    if decision.verdict == "unlink":
        return from_first.get(decision.second.hash, ())
    if decision.second.hash in from_first:
        return ()
    from_second = _linked(decision.second.hash, others)
    chains = [
        (*from_first[here], other, *reversed(from_second[there]))
        for other in others
        if other.verdict == "unlink"
        for here, there in (other.pair, other.pair[::-1])
        if here in from_first and there in from_second
    ]
    return min(chains, key=len, default=())


def _linked(start: str, decisions: Iterable[Decision]) -> dict[str, tuple[Decision, ...]]:
    """Every record that links lead to from `start`, with the shortest chain of links to it."""
    links: dict[str, list[Decision]] = {}
    for decision in decisions:
        if decision.verdict == "link":
            for record_hash in decision.pair:
                links.setdefault(record_hash, []).append(decision)
    reached: dict[str, tuple[Decision, ...]] = {start: ()}
    waiting = deque([start])
    while waiting:
        here = waiting.popleft()
        for link in links.get(here, ()):
            there = link.beside(here).hash
            if there not in reached:
                reached[there] = (*reached[here], link)
                waiting.append(there)
    return reached


def write_decisions(suite: Suite, fresh: Sequence[Decision], book: Book, origin: str) -> None:
    """Add the decisions in one commit; they are newer than all others, even if the clock was set back."""
    now = suite.ledger.clock()
    at = now if book.newest is None else max(now, book.newest + _TICK)
    by = owner().rsplit(":", 1)[0]
    suite.ledger.append(
        identity.IDENTITY_OVERRIDE, [_row(replace(decision, decided_at=at), by, origin) for decision in fresh]
    )


def _row(decision: Decision, decided_by: str, origin: str) -> dict[str, object]:
    first, second = decision.records
    told = json.dumps([*decision.pair, decision.verdict, str(decision.decided_at)])
    return {
        "override_id": hashlib.sha256(told.encode()).hexdigest(),
        "source_system_l": first.source_system,
        "source_record_id_l": first.source_record_id,
        "source_system_r": second.source_system,
        "source_record_id_r": second.source_record_id,
        "decision": decision.verdict,
        "decided_at": decision.decided_at,
        "decided_by": decided_by,
        "reason": decision.reason,
        "origin": origin,
    }


def _said(record: Record, shown: Collection[Record]) -> str:
    return str(record) if record in shown else record.hidden


def _day(decision: Decision) -> str:
    return "not written yet" if decision.decided_at is None else f"decided {decision.decided_at:%Y-%m-%d}"
