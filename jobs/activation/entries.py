"""What lists are told of their members, in ops.list_entry: noted before it is sent, dropped when they are off."""

import hashlib
import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import pyarrow as pa
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema

from cdp_lib.connectors import kind_named
from cdp_lib.connectors.protocol import Identifiers
from cdp_lib.contracts.activation import DELIVERY, LIST_ENTRY
from cdp_lib.io.staging import BATCH_ROWS, staged, StagedRows
from cdp_lib.settings.pack import Pack
from cdp_lib.transforms.activation.entries import entries_left
from cdp_lib.transforms.activation.ledger import last_states
from cdp_lib.workflow.context import JobContext
from jobs.activation.sender import Desk

log = logging.getLogger(__name__)

_TELLS, _LEAVES = ("add", "update"), "remove"


def note_entries(desk: Desk, rows: StagedRows) -> None:
    """Of everybody whom a list is about to be told of: what finds them again; of all else that is noted of them, and of
    who leaves: which intent takes it off.

    What is noted already stays as it is.
    """
    lists = _lists(desk.pack)
    told_of = sorted({one["activation_id"] for one in rows.counts("activation_id")} & set(lists))
    if not told_of:
        return
    about = rows.rows({"activation_id": told_of, "operation": list(_TELLS)})
    desk.ledger.add_new(LIST_ENTRY, _reader(_entries(desk, lists, about), LIST_ENTRY.column_names))
    ending = _endings(desk, lists, rows.rows({"activation_id": told_of}))
    desk.ledger.change(LIST_ENTRY, _reader(ending, ("entry_id", "removal_id")), "removal_id")


def drop_entries(ctx: JobContext) -> None:
    """Without entries of members who are off their lists, and of those whom the channel did not take."""
    lists = sorted(_lists(ctx.pack))
    if not lists:
        return
    states = last_states(ctx.newest(DELIVERY).where(F.col("activation_id").isin(lists)))
    left = entries_left(ctx.newest(LIST_ENTRY), states)
    with staged(left, f"{ctx.folder}/_staging/{ctx.run.run_id}.left") as rows:
        ctx.ledger.drop(LIST_ENTRY, _reader(rows.rows({}), LIST_ENTRY.key))


def forget_entries(ctx: JobContext) -> None:
    """What was dropped is off the disk too, once nobody who looks may still be reading it."""
    gone = ctx.ledger.forget(LIST_ENTRY, hours=24 * ctx.settings.sending.forget_after_days)
    if gone:
        log.info("table=%s files_deleted=%s", LIST_ENTRY.name, gone)


def _lists(pack: Pack) -> dict[str, Identifiers]:
    """Activations that keep a list in step whose channel finds members by what it was told, with what tells that."""
    kinds = {one.id: kind_named(one.connector) for one in pack.destinations}
    named = {one.id: kinds[one.destination] for one in pack.activations}
    return {
        name: kind.identifiers
        for name, kind in named.items()
        if kind.mode == "audience" and kind.identifiers is not None
    }


def _entries(
    desk: Desk, lists: Mapping[str, Identifiers], rows: Iterable[Mapping[str, Any]]
) -> Iterator[dict[str, Any]]:
    now = desk.ledger.clock()
    for row in rows:
        identifiers = _identifiers(desk, lists, row)
        if identifiers:
            noted = {"entry_id": _entry_id(row, identifiers), "identifiers": identifiers, "told_at": now}
            kept = ("activation_id", "destination", "golden_id", "intent_id")
            yield {**noted, "run_id": desk.run_id, "removal_id": None, **{name: row[name] for name in kept}}


def _endings(
    desk: Desk, lists: Mapping[str, Identifiers], rows: Iterable[Mapping[str, Any]]
) -> Iterator[dict[str, str | None]]:
    """Each entry of the rows' members, with the intent that takes it off; none does where they are told by it now."""
    for row in (one for one in rows if one["entry_ids"]):
        told_now = None if row["operation"] == _LEAVES else _entry_id(row, _identifiers(desk, lists, row))
        for entry_id in row["entry_ids"]:
            yield {"entry_id": entry_id, "removal_id": None if entry_id == told_now else row["intent_id"]}


def _identifiers(desk: Desk, lists: Mapping[str, Identifiers], row: Mapping[str, Any]) -> dict[str, str]:
    return dict(lists[row["activation_id"]](desk.writer.item(row)))


def _entry_id(row: Mapping[str, Any], identifiers: Mapping[str, str]) -> str:
    named = [row["activation_id"], row["destination"], row["golden_id"], sorted(identifiers.items())]
    return hashlib.sha256(json.dumps(named).encode()).hexdigest()


def _reader(rows: Iterable[Mapping[str, Any]], columns: Iterable[str]) -> pa.RecordBatchReader:
    """The rows as a stream of Arrow batches with those columns of the table."""
    whole = to_arrow_schema(LIST_ENTRY.schema(), timezone="UTC")
    schema = pa.schema([whole.field(name) for name in columns])
    left = iter(rows)
    parts = iter(lambda: [dict(row) for row in islice(left, BATCH_ROWS)], [])
    batches = (pa.RecordBatch.from_pylist(part, schema) for part in parts)
    return pa.RecordBatchReader.from_batches(schema, batches)
