"""A member whose address changed: the list loses the old one and has the new one, and what stays is not touched."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

import pytest

from cdp_lib.connectors import google_audience, mailchimp, meta_audience, normalise, tiktok_audience
from cdp_lib.connectors.batching import batch_key
from cdp_lib.connectors.courier import Stopped
from cdp_lib.connectors.kit import checks, mailchimp as letters, meta_audience as wall, tiktok_audience as segment
from cdp_lib.connectors.kit.bench import intent_of
from cdp_lib.connectors.kit.server import serving
from cdp_lib.connectors.movers import deliver_in_step
from cdp_lib.connectors.protocol import (
    Batch,
    ConnectorKind,
    Item,
    Operation,
    Outcome,
    Receipt,
    Refused,
    Rejected,
    Unsure,
)
from tests.connectors.scripted import accept, item, KIND, numbers, Scene
from tests.connectors.transcript import Tape

OLD, NEW, PHONE = "old@example.com", "new@example.com", "+66800000001"
SETTINGS: dict[str, dict[str, Any]] = {
    "tiktok_audience": {"audience_id": "7", "advertiser_ids": ["1"]},
    "google_audience": {"account_id": "1", "audience_id": "2", "ad_user_data": "granted"}
    | {"ad_personalization": "granted"},
    "meta_audience": {"audience_id": "9", "match_by": ["EMAIL", "FN"]},
}
GRANTED = {"code": 0, "request_id": "r", "requestId": "r", "num_received": 1, "num_invalid_entries": 0}


def hashed(value: str) -> str:
    return normalise.sha256(value) or ""


def known(email: str | None, phone: str | None = None) -> Item:
    return Item(intent_of(1), email or "", person={"golden_id": "g1", "email": email, "phone": phone})


def moved(kind: ConnectorKind, now: Item, *before: Item) -> Item:
    """A member whom the list knows as they were before."""
    assert kind.identifiers is not None
    return replace(now, told_before=tuple(kind.identifiers(one) for one in before))


@contextmanager
def list_of(kind: ConnectorKind, settings: Mapping[str, Any]) -> Iterator[Callable[[Operation, Item], Outcome]]:
    """What becomes of one member of whom the list is told in step."""
    with closing(kind.build(kind.settings.model_validate(settings))) as channel:

        def ask(batch: Batch) -> Receipt:
            return channel.deliver(batch, idempotency_key=batch_key(batch))

        def tell(operation: Operation, one: Item) -> Outcome:
            return deliver_in_step(kind, Batch(operation, "loyal", (one,)), ask, between=lambda: None).outcomes[0]

        yield tell


def asked(kind: ConnectorKind, one: Item, requests: int = 2) -> tuple[list[Any], Outcome]:
    """Bodies of what the channel is asked for, all of which it grants, and what became of the member."""
    with serving(Tape([{"status": 200, "body": GRANTED}] * requests)) as server:
        settings = {**SETTINGS[kind.name], "access_token": "t", "base_url": server.url}
        with list_of(kind, settings) as tell:
            outcome = tell("update", one)
        return [json.loads(request.body) for request in server.requests], outcome


def test_tiktok_deletes_the_old_hash_alone_and_adds_the_member() -> None:
    kind = tiktok_audience.KIND
    (first, second), outcome = asked(kind, moved(kind, known(NEW, PHONE), known(OLD, PHONE)))
    entry = {"audience_ids": ["7"]}
    assert (first["action"], first["batch_data"]) == ("delete", [[{"id": hashed(OLD), **entry}, {}]])
    assert (second["action"], second["batch_data"]) == (
        "add",
        [[{"id": hashed(NEW), **entry}, {"id": hashed(PHONE), **entry}]],
    )
    assert outcome.status == "accepted"


def test_google_removes_the_old_hash_alone_and_ingests_the_member() -> None:
    kind = google_audience.KIND
    bodies, outcome = asked(kind, moved(kind, known(NEW, PHONE), known(OLD, PHONE), known(NEW, PHONE)))
    members = [[one["userData"]["userIdentifiers"] for one in body["audienceMembers"]] for body in bodies]
    assert members == [
        [[{"emailAddress": hashed(OLD)}]],
        [[{"emailAddress": hashed(NEW)}, {"phoneNumber": hashed(PHONE)}]],
    ]
    assert outcome.status == "accepted"


def test_meta_deletes_the_old_hash_without_the_id_of_who_stays() -> None:
    kind = meta_audience.KIND
    (first, second), outcome = asked(kind, moved(kind, known(NEW), known(OLD)))
    assert first["payload"] == {"schema": ["EXTERN_ID", "EMAIL", "FN"], "data": [["", hashed(OLD), ""]]}
    assert second["payload"]["data"] == [["g1", hashed(NEW), ""]]
    assert outcome.status == "accepted"


def test_meta_is_not_told_of_what_it_was_never_matched_by() -> None:
    kind = meta_audience.KIND
    (only,), outcome = asked(kind, moved(kind, known(NEW), known(NEW, PHONE)))
    assert only["payload"]["data"] == [["g1", hashed(NEW), ""]]
    assert outcome.status == "accepted"


@pytest.mark.parametrize("kind", [tiktok_audience.KIND, google_audience.KIND])
def test_who_has_no_address_any_more_is_off_the_list(kind: ConnectorKind) -> None:
    bodies, outcome = asked(kind, moved(kind, known(None), known(OLD)))
    assert len(bodies) == 1
    assert hashed(OLD) in json.dumps(bodies)
    assert (outcome.status, outcome.reason[:7]) == ("rejected", "neither")


def test_who_is_known_by_the_same_is_told_in_one_request() -> None:
    kind = tiktok_audience.KIND
    bodies, _ = asked(kind, moved(kind, known(NEW, PHONE), known(NEW, PHONE)), requests=1)
    assert [body["action"] for body in bodies] == ["add"]


def test_a_meta_audience_has_the_new_hash_in_place_of_the_old() -> None:
    kind, fake = meta_audience.KIND, wall.MetaAudienceFake()
    with serving(fake) as server, list_of(kind, wall.BENCH.settings(server.url)) as tell:
        tell("add", known(OLD))
        assert tell("update", moved(kind, known(NEW), known(OLD))).status == "accepted"
    assert fake.members == {"g1": {hashed(NEW)}}


def test_mailchimp_unsubscribes_the_old_address_and_subscribes_the_new() -> None:
    kind, fake = mailchimp.KIND, letters.MailchimpFake()
    with serving(fake) as server, list_of(kind, letters.BENCH.settings(server.url)) as tell:
        assert tell("update", moved(kind, known(NEW), known(OLD))).status == "accepted"
    old, new = map(normalise.mailchimp_member, (OLD, NEW))
    assert fake.taken == [("remove", old), ("add", new)]


LIST = replace(
    KIND,
    mode="audience",
    operations=("add", "update", "remove"),
    identifiers=lambda one: {"address": one.address},
)
MOVED = [item(0), item(1, told_before=({"address": "old1"},)), item(2, told_before=({"address": "old2"},))]


def outcomes(*said: tuple[int, str, str]) -> Callable[[Batch], Receipt]:
    return lambda batch: Receipt(tuple(Outcome(intent_of(number), status, why) for number, status, why in said))  # type: ignore[arg-type]  # the channel's own words


def told(scene: Scene, listed: list[Item]) -> dict[int, tuple[str, str]]:
    found = scene.courier.deliver(listed, operation="update", campaign="loyal")
    return {int(one.intent_id, 16): (one.status, one.reason) for many in found for one in many}


def test_old_entries_go_first_and_the_pace_holds_for_both_requests() -> None:
    scene = Scene(kind=replace(LIST, limits=replace(LIST.limits, per_second=1.0)))
    assert told(scene, MOVED) == dict.fromkeys(range(3), ("accepted", ""))
    assert scene.requests() == [[1, 2], [0, 1, 2]]
    assert sum(scene.sleeps) == pytest.approx(1.0)
    assert len({key for key, _ in scene.connector.asked}) == 2
    assert [count for _, count in scene.journal.begun] == [3]


def test_whose_old_entry_the_channel_keeps_is_not_told_anew() -> None:
    scene = Scene([outcomes((1, "rejected", "no"), (2, "accepted", ""))], kind=LIST)
    assert told(scene, MOVED) == {0: ("accepted", ""), 1: ("rejected", "the old entry: no"), 2: ("accepted", "")}
    assert scene.requests() == [[1, 2], [0, 2]]
    alone = Scene([outcomes((1, "rejected", "no"))], kind=LIST)
    assert told(alone, MOVED[1:2]) == {1: ("rejected", "the old entry: no")}
    assert alone.requests() == [[1]]


def test_whose_old_entry_is_in_doubt_is_told_anew_and_in_doubt() -> None:
    doubts = outcomes((1, "unknown", "?"), (2, "unknown", "?"))
    scene = Scene([doubts, outcomes((0, "accepted", ""), (1, "accepted", ""), (2, "rejected", "bad"))], kind=LIST)
    assert told(scene, MOVED) == {0: ("accepted", ""), 1: ("unknown", "the old entry: ?"), 2: ("rejected", "bad")}


def test_a_refused_removal_is_halved_until_it_stands_alone() -> None:
    def refuse(batch: Batch) -> Receipt:
        if batch.operation == "remove" and 2 in numbers(batch):
            raise Rejected("HTTP 400")
        return accept(batch)

    scene = Scene([refuse] * 9, kind=LIST)
    found = told(scene, MOVED)
    assert found == {0: ("accepted", ""), 1: ("accepted", ""), 2: ("rejected", "HTTP 400")}


@pytest.mark.parametrize("place", [0, 1], ids=["removal", "addition"])
def test_a_move_whose_answer_was_lost_is_made_again_as_a_whole(place: int) -> None:
    scene = Scene([*[None] * place, Unsure("cut")], kind=LIST, is_idempotent=True)
    assert told(scene, MOVED) == dict.fromkeys(range(3), ("accepted", ""))
    assert scene.requests() == [*([1, 2], [0, 1, 2])[: place + 1], [1, 2], [0, 1, 2]]


def test_a_move_that_is_never_answered_is_unknown() -> None:
    scene = Scene([Unsure("cut")] * 3, kind=LIST, is_idempotent=True)
    assert told(scene, MOVED) == dict.fromkeys(range(3), ("unknown", "cut"))


def test_a_stop_between_both_requests_leaves_the_move_begun() -> None:
    scene = Scene(
        kind=replace(LIST, limits=replace(LIST.limits, per_second=0.5)), is_idempotent=True, stops_after_sleeps=1
    )
    with pytest.raises(Stopped, match="the operator said so"):
        told(scene, MOVED)
    assert scene.requests() == [[1, 2]]
    assert (len(scene.journal.begun), scene.journal.ended) == (1, [])


def test_credentials_refused_between_both_requests_leave_it_to_the_next_run() -> None:
    scene = Scene([None, Refused("HTTP 401")], kind=LIST)
    with pytest.raises(Refused):
        told(scene, MOVED)
    assert scene.journal.ended == [()]


def test_who_leaves_and_whom_nobody_can_take_off_make_one_request() -> None:
    leaving = Scene(kind=LIST)
    list(leaving.courier.deliver(MOVED, operation="remove", campaign="loyal"))
    assert leaving.requests() == [[0, 1, 2]]
    growing = Scene(kind=replace(LIST, operations=("add", "update")))
    told(growing, MOVED)
    assert growing.requests() == [[0, 1, 2]]


class ForgetsTheOld(tiktok_audience.TikTokAudience):
    """Takes nobody off."""

    def deliver(self, batch: Batch, *, idempotency_key: str) -> Receipt:
        return accept(batch) if batch.operation == "remove" else super().deliver(batch, idempotency_key=idempotency_key)


def test_the_kit_finds_who_leaves_old_entries_on_the_list() -> None:
    bench = replace(segment.BENCH, kind=replace(segment.BENCH.kind, build=ForgetsTheOld))
    found = {one.check: one for one in checks.check(bench)}["members who are known by something else now"]
    assert not found.ok
    assert "well: 6 times something was taken, not each move once" in found.detail
