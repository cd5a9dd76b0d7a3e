"""A lane takes up the request that a crash cut off: each intent of it is noted once, whatever its template says now."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, UTC
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from cdp_lib.connectors.batching import key_of
from cdp_lib.connectors.kit.bench import intent_of
from cdp_lib.connectors.kit.checks import benches
from cdp_lib.connectors.kit.server import LoopbackServer, serving
from cdp_lib.connectors.protocol import Batch, Item, Outcome
from cdp_lib.contracts.activation import DELIVERY
from cdp_lib.errors import DeliveryError
from cdp_lib.io.journal import IntentJournal, JournalState, read_open
from cdp_lib.io.ledger import OpsLedger
from cdp_lib.io.sending_folder import SendingFolder
from cdp_lib.io.staging import StagedRows
from cdp_lib.settings.settings import SendingSettings
from jobs.activation.rendering import writer_of
from jobs.activation.sender import Desk, recover, send
from tests.unit.activation.conftest import pack_of

NOON = datetime(2025, 2, 1, 12, tzinfo=UTC)
BENCHES = benches()
ACCEPTED = ["accepted", "planned", "sent"]
INTENTS = tuple(map(intent_of, range(3)))
REASONS = {"sms": "", "line": "; some of its items can no longer be made, so it is not made again"}
"""SMS carries one customer a request and knows no key; LINE carries many, and a request may be made again."""

CHANNELS = pytest.mark.parametrize("name", list(REASONS))


@dataclass
class Clock:
    """Time that passes while one sleeps, and not otherwise."""

    at: datetime = NOON

    def now(self) -> datetime:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@contextmanager
def desk_at(
    folder: Path, name: str, per_second: float | None = None, lanes: int = 8, message: str | None = "hi"
) -> Iterator[tuple[Desk, LoopbackServer]]:
    bench = BENCHES[name]
    with serving(bench.fake()) as server:
        settings = dict(bench.settings(server.url))
        pace = {} if per_second is None else {"per_second": per_second}
        said = {} if message is None else {"message": message}
        pack = pack_of(
            {"kind": "audience", "id": "club", "where": {"trait": "order_count", "gte": 1}},
            {"kind": "message", "id": "hi", "texts": {"en": {"text": "Hello {{ customer.first_name }}"}}},
            {"kind": "destination", "id": "out", "connector": name, "settings": settings, **pace},
            {"kind": "activation", "id": "hello", "audience": "club", "destination": "out", **said},
        )
        clock = Clock()
        ledger = OpsLedger(str(folder / "lake"), clock.now)
        desk = Desk(
            pack=pack,
            ledger=ledger,
            run_id="r2",
            folder=SendingFolder(folder / "sending"),
            settings=SendingSettings(lanes=lanes),
            resolve=lambda secret: None,
            writer=writer_of(pack, "key"),
            reached=lambda point: None,
            sleep=clock.sleep,
        )
        yield desk, server


def planned(intent_id: str) -> dict[str, Any]:
    named = {"activation_id": "hello", "destination": "out", "channel": "sms", "golden_id": f"of-{intent_id[-1]}"}
    fixed = {"operation": "send", "occasion": "entry:2025-02-01", "arm": "everybody", "attempt": 1, "run_id": "r1"}
    return {"intent_id": intent_id, "status": "planned", **named, **fixed, "planned_at": NOON, "recorded_at": NOON}


def journal_of(desk: Desk) -> Path:
    return desk.folder.journals / "out" / "0"


def cut_off(desk: Desk, name: str) -> tuple[str, ...]:
    """What a run leaves whose process died during its first request: who that was for."""
    desk.ledger.append(DELIVERY, [planned(one) for one in INTENTS])
    begun = INTENTS[: min(2, BENCHES[name].kind.limits.batch_size)]
    with IntentJournal(journal_of(desk)) as journal:
        journal.begin(key_of("send", begun), Batch("send", "hello", tuple(map(Item, begun))))
    return begun


def staged(name: str, lacking: tuple[str, ...], activation: str = "hello") -> StagedRows:
    """What is still open, as Spark lays it out; some customers have lost their name since the request was begun."""
    bench = BENCHES[name]
    rows = []
    for number, intent_id in enumerate(INTENTS):
        # One name for all: a request to LINE carries one text.
        first_name = None if intent_id in lacking else "Ann"
        told = {"address": bench.item(number).address, "language": "en", "view": {"first_name": first_name}}
        rows.append({**staged_row(intent_id), **told, "activation_id": activation})
    return on_disk(rows)


def staged_row(intent_id: str) -> dict[str, Any]:
    """An open intent of which nothing is known but what the ledger has."""
    row = {column: planned(intent_id).get(column) for column in DELIVERY.column_names}
    unknown = dict.fromkeys(("address", "language", "view", "valid_until", "told_before"))
    return {**row, **unknown, "person": [], "products": [], "lane": 0}


def on_disk(rows: list[dict[str, Any]]) -> StagedRows:
    """The rows as Spark lays them out."""
    schema = pa.Table.from_pylist(rows).schema
    told = pa.map_(pa.string(), pa.string())
    for name, kind in (("person", told), ("told_before", pa.list_(told))):
        schema = schema.set(schema.get_field_index(name), pa.field(name, kind))
    return StagedRows(ds.dataset(pa.Table.from_pylist(rows, schema)), None)


def told(desk: Desk) -> dict[str, list[str]]:
    """Intent: every state that the ledger has of it, the planned one first."""
    rows = desk.ledger.rows(DELIVERY)
    return {one: sorted(row["status"] for row in rows if row["intent_id"] == one) for one in INTENTS}


@CHANNELS
def test_who_can_no_longer_be_written_to_is_in_doubt_and_noted_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    with desk_at(tmp_path, name) as (desk, server):
        begun = cut_off(desk, name)
        tally = send(desk, staged(name, lacking=begun[:1]))
    assert told(desk) == {one: ["planned", "sent", "unknown"] if one in begun else ACCEPTED for one in INTENTS}
    assert tally["hello", "failed"] == 0
    assert tally["hello", "sent"] == len(INTENTS)
    assert len(server.fake.taken) == len(INTENTS) - len(begun)
    (reason,) = {row["reason"] for row in desk.ledger.rows(DELIVERY) if row["status"] == "unknown"}
    assert reason == "the process ended during the request" + REASONS[name]
    assert "resumed=no: message hi, en.text: customer.first_name is not known" in caplog.text
    assert read_open(journal_of(desk)) == JournalState()


def test_a_request_without_keys_needs_no_text_to_be_in_doubt(tmp_path: Path) -> None:
    with desk_at(tmp_path, "sms") as (desk, server):
        begun = cut_off(desk, "sms")
        send(desk, staged("sms", lacking=()))
    assert told(desk)[begun[0]] == ["planned", "sent", "unknown"]
    assert len(server.fake.taken) == 2


def test_what_a_journal_says_of_the_first_try_does_not_end_the_second(tmp_path: Path) -> None:
    """Killed after the ledger had the refusal and before the journal was let go of; then a person asks to try again."""
    with desk_at(tmp_path, "sms") as (desk, _):
        desk.ledger.append(DELIVERY, [planned(one) for one in INTENTS])
        with IntentJournal(journal_of(desk)) as journal:
            for attempt, one in enumerate(INTENTS[:2], start=1):
                journal.begin(key_of("send", (one,)), Batch("send", "hello", (Item(one, attempt=attempt),)))
                journal.end((Outcome(one, "rejected", "full"),))
        again = [{**planned(one), "attempt": 2} for one in INTENTS[:2]]
        desk.ledger.append(DELIVERY, [{**planned(INTENTS[0]), "status": "rejected"}, *again])
        assert recover(desk) == 1
    assert told(desk)[INTENTS[0]] == ["planned", "planned", "rejected"]
    assert told(desk)[INTENTS[1]] == ["planned", "planned", "rejected", "sent"]


@CHANNELS
def test_who_was_not_asked_yet_and_cannot_be_written_to_has_failed(tmp_path: Path, name: str) -> None:
    with desk_at(tmp_path, name) as (desk, _):
        cut_off(desk, name)
        send(desk, staged(name, lacking=INTENTS[2:]))
    assert told(desk)[INTENTS[2]] == ["failed", "planned"]


def test_a_stop_before_a_request_is_made_again_is_told_and_keeps_it_for_later(tmp_path: Path) -> None:
    with desk_at(tmp_path, "line") as (desk, server):
        begun = cut_off(desk, "line")
        desk.folder.stop("a wrong price")
        with pytest.raises(DeliveryError, match=r"destination out: Sending by line was stopped: a wrong price"):
            send(desk, staged("line", lacking=()))
        assert [one.intent_ids for one in read_open(journal_of(desk)).open_batches] == [begun]
        desk.folder.allow()
        send(desk, staged("line", lacking=()))
    assert told(desk) == dict.fromkeys(INTENTS, ACCEPTED)
    assert len(server.fake.taken) == len(INTENTS)


def test_who_has_no_text_to_be_sent_has_failed_and_is_not_in_doubt(tmp_path: Path) -> None:
    with desk_at(tmp_path, "sms", message=None) as (desk, server):
        desk.ledger.append(DELIVERY, [planned(one) for one in INTENTS])
        send(desk, staged("sms", lacking=()))
    assert told(desk) == {one: ["failed", "planned"] for one in INTENTS}
    reasons = {row["reason"] for row in desk.ledger.rows(DELIVERY) if row["status"] == "failed"}
    assert reasons == {"there is no text to send: give the activation a message with it"}
    assert server.requests == []


@CHANNELS
def test_a_channel_that_is_busy_for_long_is_given_up_and_nobody_of_its_plan_is_lost(tmp_path: Path, name: str) -> None:
    with desk_at(tmp_path, name, lanes=1) as (desk, server):
        desk.ledger.append(DELIVERY, [planned(one) for one in INTENTS])
        server.will(*["429"] * 4)
        with pytest.raises(DeliveryError, match=r"destination out: gave up after 4 tries: HTTP 429\nWhat was not sent"):
            send(desk, staged(name, lacking=()))
        assert told(desk) == {one: ["planned"] for one in INTENTS}
        assert read_open(journal_of(desk)) == JournalState()
        send(desk, staged(name, lacking=()))
    assert told(desk) == dict.fromkeys(INTENTS, ACCEPTED)
    assert len(server.fake.taken) == len(INTENTS)


@CHANNELS
def test_what_was_planned_for_an_activation_that_the_pack_has_no_more_is_not_sent(tmp_path: Path, name: str) -> None:
    with desk_at(tmp_path, name) as (desk, server):
        begun = cut_off(desk, name)
        send(desk, staged(name, lacking=(), activation="gone"))
    assert told(desk) == {
        one: ["planned", "sent", "unknown"] if one in begun else ["failed", "planned"] for one in INTENTS
    }
    reasons = {row["reason"] for row in desk.ledger.rows(DELIVERY) if row["status"] == "failed"}
    assert reasons == {"activation gone is not in the pack any more"}
    assert server.fake.taken == []


def test_an_address_that_went_from_one_member_to_another_stays_on_the_list(tmp_path: Path) -> None:
    """The old holder is told of before the new one is added by it, whatever their intents are called."""
    kind = BENCHES["tiktok_audience"].kind
    assert kind.identifiers is not None
    shared = {"email": "shared@example.com"}
    told = tuple(kind.identifiers(Item("", person=shared)).items())
    members = [("add", shared, None), ("update", {"email": "other@example.com"}, [told])]
    rows = [
        {**staged_row(intent_id), "operation": operation, "person": list(person.items()), "told_before": before}
        for intent_id, (operation, person, before) in zip(INTENTS, members, strict=False)
    ]
    with desk_at(tmp_path, "tiktok_audience") as (desk, server):
        desk.ledger.append(DELIVERY, [{**planned(row["intent_id"]), "operation": row["operation"]} for row in rows])
        send(desk, on_disk(rows))
    assert [deed for deed, _ in server.fake.taken] == ["add", "add"]


def test_a_destination_is_asked_at_the_pace_that_its_account_allows(tmp_path: Path) -> None:
    with desk_at(tmp_path, "sms", per_second=0.5, lanes=1) as (desk, server):
        desk.ledger.append(DELIVERY, [planned(one) for one in INTENTS])
        send(desk, staged("sms", lacking=()))
        assert len(server.fake.taken) == len(INTENTS)
        passed = desk.ledger.clock() - NOON
    assert passed.total_seconds() == pytest.approx(4.0, abs=0.1)
