"""The few rows that a question is about, read by key and without Spark: links, records, stored pairs."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cdp_lib.contracts import identity, matching as tables, silver
from cdp_lib.contracts.table import Table
from cdp_lib.errors import IdentityError, near_miss, StorageError
from cdp_lib.io.local_rows import local_rows
from cdp_lib.io.selection import select_rows
from cdp_lib.transforms.identity.history import resolve
from jobs.compose import Suite
from jobs.decisions import named_by_digits, parse_records, Record

_LINK = ("golden_id", "cluster_id", "component_id", "matched_by", "founding_record", "linked_at")
_PERSONAL = ("identifiers", *identity.GOLDEN_FIELDS)

Pair = tuple[str, str]
"""The hashes of two records, the smaller first."""


@dataclass(frozen=True)
class Member:
    """A record and the person that it is."""

    record: Record
    golden_id: str
    cluster_id: str
    component_id: str
    matched_by: str | None
    founding_record: str
    linked_at: datetime


@dataclass(frozen=True)
class StoredPair:
    """A row of silver.match_pair."""

    match_weight: float
    is_vetoed: bool
    blocking_rule: str
    model_version: str


@dataclass(frozen=True)
class Lived:
    """What became of a golden id: the one that stands for it today, None: no record of the person is left."""

    asked: str
    today: str | None


def pair_of(one: Record, other: Record) -> Pair:
    """The two by hash, as the tables of matching have them."""
    return min(one.hash, other.hash), max(one.hash, other.hash)


def find_member(suite: Suite, text: str) -> Member:
    """The person of the record that `SOURCE:ID` names, or `SOURCE:` and the digits that stand for a masked id.

    Raises IdentityError for an unknown record, one that no run has linked yet, and one that is gone since the run.
    """
    (record,) = parse_records(text)
    found = _links(suite, _keys([record])) or _by_digits(suite, record)
    _require(suite, silver.CUSTOMER_RECORD)
    named = found[0].record if found else record
    is_there = bool(select_rows(suite.store.path(silver.CUSTOMER_RECORD), silver.RECORD_KEY, _keys([named])))
    if found and is_there:
        return found[0]
    if found:
        raise IdentityError(
            f"{text}: the record is gone since it was linked. The next run says what becomes of its person: "
            f"cdp run daily --pack {suite.place.pack}"
        )
    if is_there:
        raise IdentityError(
            f"{text}: no run has linked this record yet. First: cdp run daily --pack {suite.place.pack}"
        )
    sources = [source.id for source in suite.pack.sources]
    if record.source_system not in sources:
        hint = near_miss(record.source_system, sources)
        raise IdentityError(f"pack {suite.pack.name}: unknown source '{record.source_system}'.{hint}")
    raise IdentityError(
        f"{text}: no such record in silver.customer_record. Check the id; a record that has only just come is there "
        f"after: cdp run daily --pack {suite.place.pack}"
    )


def members_of(suite: Suite, golden_id: str) -> tuple[Member, ...]:
    """The records of a person, by hash; none for an id that no record has today."""
    return _links(suite, {"golden_id": {golden_id}})


def members_of_clusters(suite: Suite, clusters: Collection[str]) -> tuple[Member, ...]:
    """The records of groups, by hash."""
    return _links(suite, {"cluster_id": clusters})


def trace_golden_id(suite: Suite, golden_id: str) -> Lived:
    """Which id stands for it today; raises IdentityError for an id that was never given."""
    if members_of(suite, golden_id):
        return Lived(golden_id, golden_id)
    events = suite.store.read(identity.IDENTITY_EVENT)
    given = local_rows(suite.session(), "golden_id string", [(golden_id,)])
    row = resolve(events, given).first()
    today = None if row is None else row["current_golden_id"]
    if today == golden_id:
        raise IdentityError(
            f"{golden_id}: no person has or had this golden_id. The id of a record's person: "
            f"cdp explain --record SOURCE:ID --pack {suite.place.pack}"
        )
    return Lived(golden_id, today)


def records_of(suite: Suite, members: Sequence[Member]) -> dict[str, dict[str, Any]]:
    """Hash: the record's personal fields, `identifiers` as a dict; absent where the record is gone since the run."""
    table = silver.CUSTOMER_RECORD
    _require(suite, table)
    rows = select_rows(
        suite.store.path(table), (*silver.RECORD_KEY, *_PERSONAL), _keys([member.record for member in members])
    )
    wanted = {member.record.hash for member in members}
    found = {Record(row["source_system"], row["source_record_id"]).hash: row for row in rows}
    return {
        name: row | {"identifiers": dict(row["identifiers"] or ())} for name, row in found.items() if name in wanted
    }


def golden_record(suite: Suite, golden_id: str) -> Mapping[str, Any]:
    """The surviving record: its fields, and `field_sources` as a dict; empty where there is none."""
    table = identity.GOLDEN_RECORD
    _require(suite, table)
    rows = select_rows(suite.store.path(table), (*identity.GOLDEN_FIELDS, "field_sources"), {"golden_id": {golden_id}})
    return {**rows[0], "field_sources": dict(rows[0]["field_sources"] or ())} if rows else {}


def stored_pairs(suite: Suite, hashes: Collection[str]) -> dict[Pair, StoredPair]:
    """What the last run stored about pairs of these records; nothing for a pack without probable matches."""
    settings = suite.pack.identity.matching
    if settings is None or suite.store.version(tables.match_pair(settings)) is None:
        return {}
    path = suite.store.path(tables.match_pair(settings))
    said = ("match_weight", "is_vetoed", "blocking_rule", "model_version")
    rows = select_rows(path, ("record_l", "record_r", *said), {"record_l": hashes, "record_r": hashes})
    return {(row["record_l"], row["record_r"]): StoredPair(**{name: row[name] for name in said}) for row in rows}


def _links(suite: Suite, where: Mapping[str, Collection[str]]) -> tuple[Member, ...]:
    _require(suite, identity.IDENTITY_LINK)
    rows = select_rows(suite.store.path(identity.IDENTITY_LINK), (*silver.RECORD_KEY, *_LINK), where)
    return _members(rows)


def _members(rows: Sequence[Mapping[str, Any]]) -> tuple[Member, ...]:
    found = [
        Member(Record(row["source_system"], row["source_record_id"]), **{name: row[name] for name in _LINK})
        for row in rows
    ]
    return tuple(sorted(found, key=lambda member: member.record.hash))


def _by_digits(suite: Suite, record: Record) -> tuple[Member, ...]:
    """The record whose hash begins so: what `Record.hidden` shows can be typed in again."""
    meant = named_by_digits(suite, record, identity.IDENTITY_LINK)
    return _links(suite, _keys([meant])) if meant else ()


def _keys(records: Sequence[Record]) -> dict[str, set[str]]:
    return {name: {getattr(record, name) for record in records} for name in silver.RECORD_KEY}


def _require(suite: Suite, table: Table) -> None:
    if suite.store.version(table) is None:
        raise StorageError(f"{suite.store.path(table)} does not exist. First: cdp run daily --pack {suite.place.pack}")
