"""What becomes of items when a channel refuses, stalls or falls silent."""

import logging
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest

from cdp_lib.connectors.batching import batches, key_of
from cdp_lib.connectors.courier import Stopped
from cdp_lib.connectors.kit.bench import intent_of
from cdp_lib.connectors.protocol import (
    Batch,
    Limits,
    Operation,
    Outcome,
    Receipt,
    Refused,
    Rejected,
    Retryable,
    Unsure,
)
from tests.connectors.scripted import accept, item, items, KIND, NOON, numbers, Scene


def statuses(outcomes: list[Outcome]) -> dict[int, str]:
    assert len({one.intent_id for one in outcomes}) == len(outcomes)
    return {int(one.intent_id, 16): one.status for one in outcomes}


def reasons(outcomes: list[Outcome]) -> set[str]:
    return {one.reason for one in outcomes}


def refuse_if(*bad: int) -> Callable[[Batch], Receipt]:
    def answer(batch: Batch) -> Receipt:
        if set(numbers(batch)) & set(bad):
            raise Rejected("HTTP 400")
        return accept(batch)

    return answer


def test_items_go_in_batches_and_each_has_one_outcome() -> None:
    scene = Scene()
    assert statuses(scene.send(items(9))) == dict.fromkeys(range(9), "accepted")
    assert scene.requests() == [[0, 1, 2, 3], [4, 5, 6, 7], [8]]


def test_no_items_make_no_request() -> None:
    scene = Scene()
    assert scene.send([]) == []
    assert scene.requests() == []


def test_items_are_read_as_they_are_sent() -> None:
    scene = Scene()
    read: list[int] = []
    source = (read.append(number) or item(number) for number in range(1000))
    told = scene.courier.deliver(source, operation="send", campaign="spring")
    next(told)
    assert len(read) == 4


def test_own_settings_lower_the_channels_limits_and_never_raise_them() -> None:
    scene = Scene()
    lower = scene.new_courier(batch_size=2).deliver(items(4), operation="send", campaign="c")
    assert [len(told) for told in lower] == [2, 2]
    higher = scene.new_courier(batch_size=100).deliver(items(8), operation="send", campaign="c")
    assert [len(told) for told in higher] == [4, 4]


GAVE_UP = "gave up after 3 tries"
THROTTLED = Retryable("HTTP 429", nothing_taken=True)
FULL = Retryable("SMTP 452 to RCPT", nothing_taken=True, of_item=True)


@dataclass(frozen=True)
class Fault:
    """A scripted answer for one batch, and what must come of it."""

    script: tuple[Exception, ...]
    status: str
    reason: str
    requests: int


ONCE = {
    "busy, then well": Fault((Retryable("HTTP 429"),), "accepted", "", 2),
    "full for good": Fault((FULL,) * 3, "rejected", "gave up after 3 tries: SMTP 452 to RCPT", 3),
    "silent": Fault((Unsure("cut"),), "unknown", "cut", 1),
    "busy, then silent": Fault((Retryable("HTTP 429"), Unsure("cut")), "unknown", "cut", 2),
    "broken": Fault((KeyError("person0@example.com"),), "unknown", "KeyError", 1),
}
AGAIN = {
    "busy, then well": Fault((Retryable("HTTP 503"),), "accepted", "", 2),
    "busy for good": Fault((Retryable("HTTP 503"),) * 3, "unknown", "gave up after 3 tries: HTTP 503", 3),
    "busy, then throttled": Fault((Retryable("HTTP 503"), *[THROTTLED] * 2), "unknown", f"{GAVE_UP}: HTTP 429", 3),
    "full for good": Fault((FULL,) * 3, "rejected", "gave up after 3 tries: SMTP 452 to RCPT", 3),
    "silent, then well": Fault((Unsure("cut"),), "accepted", "", 2),
    "silent for good": Fault((Unsure("cut"),) * 3, "unknown", "cut", 3),
    "broken": Fault((KeyError("person0@example.com"),), "unknown", "KeyError", 1),
}


@pytest.mark.parametrize(
    ("is_idempotent", "fault"),
    [(False, fault) for fault in ONCE.values()] + [(True, fault) for fault in AGAIN.values()],
    ids=[f"no keys: {name}" for name in ONCE] + [f"keys: {name}" for name in AGAIN],
)
def test_a_fault_is_tried_again_only_where_it_cannot_double(is_idempotent: bool, fault: Fault) -> None:
    scene = Scene(fault.script, is_idempotent)
    outcomes = scene.send(items(3))
    assert statuses(outcomes) == dict.fromkeys(range(3), fault.status)
    assert reasons(outcomes) == {fault.reason}
    assert scene.requests() == [[0, 1, 2]] * fault.requests
    assert len({key for key, _ in scene.connector.asked}) == 1


def test_waits_grow_and_are_the_same_for_the_same_key() -> None:
    first, second = (Scene([Retryable("HTTP 429")] * 2) for _ in range(2))
    first.send(items(1))
    second.send(items(1))
    assert first.sleeps == second.sleeps
    waited = sum(first.sleeps)
    assert 0.5 + 1.0 <= waited <= 1.0 + 2.0


def test_the_channel_is_not_asked_before_it_said() -> None:
    scene = Scene([Retryable("HTTP 429", retry_after_seconds=30.0)])
    scene.send(items(1))
    assert sum(scene.sleeps) == pytest.approx(30.0)


@pytest.mark.parametrize("bad", [0, 1, 2, 3])
def test_one_bad_row_is_found_and_alone_rejected(bad: int) -> None:
    scene = Scene([refuse_if(bad)] * 20)
    expected = dict.fromkeys(range(4), "accepted") | {bad: "rejected"}
    assert statuses(scene.send(items(4))) == expected
    assert len({key for key, _ in scene.connector.asked}) == len(scene.connector.asked)


def test_two_bad_rows_are_both_found() -> None:
    outcomes = Scene([refuse_if(0, 3)] * 20).send(items(4))
    assert statuses(outcomes) == {0: "rejected", 1: "accepted", 2: "accepted", 3: "rejected"}
    assert reasons(outcomes) == {"", "HTTP 400"}


def test_a_batch_that_is_refused_to_the_last_row_is_not_asked_for_each() -> None:
    scene = Scene([Rejected("HTTP 400")] * 5000, kind=replace(KIND, limits=Limits(batch_size=1000, per_second=1e6)))
    outcomes = scene.send(items(1000))
    assert statuses(outcomes) == dict.fromkeys(range(1000), "rejected")
    assert len(scene.requests()) < 100


def test_refused_credentials_stop_the_rest_and_leave_it_unsent() -> None:
    scene = Scene([accept, Refused("HTTP 401")])
    told = scene.courier.deliver(items(12), operation="send", campaign="spring")
    assert statuses(list(next(told))) == dict.fromkeys(range(4), "accepted")
    with pytest.raises(Refused, match="HTTP 401"):
        next(told)
    assert scene.requests() == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert scene.journal.ended[-1] == ()


def test_a_batch_in_doubt_is_unknown_when_credentials_are_refused_then() -> None:
    scene = Scene([Unsure("cut"), Refused("HTTP 401")], is_idempotent=True)
    told = scene.courier.deliver(items(2), operation="send", campaign="spring")
    assert statuses(list(next(told))) == {0: "unknown", 1: "unknown"}
    with pytest.raises(Refused):
        next(told)


def test_a_stop_is_asked_before_every_request() -> None:
    scene = Scene()
    told = scene.courier.deliver(items(12), operation="send", campaign="spring")
    next(told)
    scene.stop_reason = "the operator said so"
    with pytest.raises(Stopped, match="scripted was stopped: the operator said so"):
        next(told)
    assert scene.requests() == [[0, 1, 2, 3]]


def test_a_stop_ends_a_long_wait() -> None:
    scene = Scene([Retryable("HTTP 429", retry_after_seconds=600.0)], stops_after_sleeps=2)
    with pytest.raises(Stopped):
        scene.send(items(1))
    assert sum(scene.sleeps) == 1.0
    assert scene.journal.ended == [()]


def test_a_batch_in_doubt_is_unknown_when_sending_is_stopped() -> None:
    scene = Scene([Unsure("cut")], is_idempotent=True, stops_after_sleeps=1)
    told = scene.courier.deliver(items(1), operation="send", campaign="spring")
    assert [(one.status, one.reason) for one in next(told)] == [
        ("unknown", "an earlier try may have been taken; then: Sending by scripted was stopped: the operator said so")
    ]
    with pytest.raises(Stopped):
        next(told)


def test_an_item_whose_time_is_over_is_not_sent() -> None:
    late, open_still = item(0, expires_at=NOON), item(1, expires_at=NOON + timedelta(seconds=1))
    scene = Scene()
    assert statuses(scene.send([late, open_still, item(2)])) == {0: "expired", 1: "accepted", 2: "accepted"}
    assert scene.requests() == [[1, 2]]


def test_an_item_whose_time_ends_during_a_wait_is_not_sent() -> None:
    scene = Scene([Retryable("HTTP 429", retry_after_seconds=60.0)])
    listed = [item(0, expires_at=NOON + timedelta(seconds=30)), item(1)]
    assert statuses(scene.send(listed)) == {0: "expired", 1: "accepted"}
    assert scene.requests() == [[0, 1], [1]]


def test_a_batch_in_doubt_is_not_sent_again_once_a_time_is_over() -> None:
    scene = Scene([Retryable("HTTP 503", retry_after_seconds=60.0)], is_idempotent=True)
    listed = [item(0, expires_at=NOON + timedelta(seconds=30)), item(1)]
    assert statuses(scene.send(listed)) == {0: "unknown", 1: "unknown"}
    assert scene.requests() == [[0, 1]]


def test_what_a_receipt_leaves_out_tells_twice_or_invents_is_unknown(caplog: pytest.LogCaptureFixture) -> None:
    def sloppy(batch: Batch) -> Receipt:
        first, second, third, _ = (Outcome(one.intent_id, "accepted") for one in batch.items)
        return Receipt((first, second, second, third, Outcome(intent_of(99), "accepted")))

    with caplog.at_level(logging.ERROR):
        outcomes = Scene([sloppy]).send(items(4))
    assert statuses(outcomes) == {0: "accepted", 1: "unknown", 2: "accepted", 3: "unknown"}
    assert reasons(outcomes) == {"", "the connector told 2 outcomes of it", "the connector told 0 outcomes of it"}
    assert caplog.messages == ["campaign=spring outcomes_of_unknown_intents=1"]


def test_a_stranger_to_the_protocol_is_logged_without_its_text(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        Scene([KeyError("person0@example.com")]).send(items(1))
    assert "connector=scripted raised=KeyError" in caplog.text
    assert "example.com" not in caplog.text


def test_every_request_is_noted_before_and_after() -> None:
    scene = Scene([Retryable("HTTP 429"), accept, Rejected("HTTP 400")])
    scene.send(items(6))
    sizes = [size for _, size in scene.journal.begun]
    ends = [len(outcomes) for outcomes in scene.journal.ended]
    assert sizes == [4, 4, 2, 1, 1]
    assert ends == [0, 4, 0, 1, 1]


def test_requests_keep_to_the_rate() -> None:
    scene = Scene(kind=replace(KIND, limits=Limits(batch_size=1, per_second=2.0)))
    scene.send(items(5))
    assert (scene.at - NOON).total_seconds() == pytest.approx(2.0, abs=0.01)


@pytest.mark.parametrize(("per_second", "seconds"), [(1.0, 4.0), (8.0, 0.5)])
def test_an_account_may_allow_more_or_less_than_is_usual(per_second: float, seconds: float) -> None:
    scene = Scene(kind=replace(KIND, limits=Limits(batch_size=1, per_second=2.0)))
    list(scene.new_courier(per_second=per_second).deliver(items(5), operation="send", campaign="c"))
    assert (scene.at - NOON).total_seconds() == pytest.approx(seconds, abs=0.01)


def test_items_with_one_text_share_requests() -> None:
    hello, bye = {"text": "Hello"}, {"text": "Bye"}
    listed = [item(number, parts=hello if number % 2 else bye) for number in range(6)]
    scene = Scene(kind=replace(KIND, shares_parts=True))
    scene.send(listed)
    assert scene.requests() == [[0, 2, 4], [1, 3, 5]]


def test_a_flood_of_texts_is_held_within_bounds() -> None:
    source = iter([item(number, parts={"text": str(number)}) for number in range(1000)])
    first = next(batches(source, 4, None, shares_parts=True))
    assert len(first) == 1
    assert len(list(source)) == 1000 - 4 * 20


def test_batches_keep_to_bytes() -> None:
    listed = [item(number, parts={"text": "x" * 400}) for number in range(5)]
    whole = [one for group in batches(listed, 100, 1200, shares_parts=False) for one in group]
    assert whole == listed
    assert [len(group) for group in batches(listed, 100, 1200, shares_parts=False)] == [2, 2, 1]


def test_an_item_larger_than_the_bytes_allowed_stands_alone() -> None:
    listed = [item(0), item(1, parts={"text": "x" * 5000}), item(2)]
    assert [len(group) for group in batches(listed, 100, 1200, shares_parts=False)] == [1, 1, 1]


def test_a_key_is_the_same_in_every_process_and_order() -> None:
    names = [intent_of(number) for number in range(3)]
    code = f"from cdp_lib.connectors.batching import key_of; print(key_of('send', {names[::-1]!r}))"
    elsewhere = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert elsewhere.stdout.strip() == key_of("send", names)
    assert len({key_of("send", names), key_of("remove", names), key_of("send", names[:2])}) == 3


@dataclass(frozen=True)
class Begun:
    """What a journal remembers of a request."""

    idempotency_key: str
    operation: Operation
    campaign: str
    intent_ids: tuple[str, ...]
    begun_at: datetime | None = None


def begun(count: int, begun_at: datetime | None = None) -> Begun:
    ids = tuple(one.intent_id for one in items(count))
    return Begun(key_of("send", ids), "send", "spring", ids, begun_at)


def test_a_cut_off_request_is_made_again_under_its_key() -> None:
    scene = Scene(is_idempotent=True)
    told = scene.courier.resume([begun(3)], {one.intent_id: one for one in items(3)})
    assert [statuses(list(one)) for one in told] == [dict.fromkeys(range(3), "accepted")]
    assert scene.connector.asked == [(begun(3).idempotency_key, [0, 1, 2])]


@pytest.mark.parametrize(("is_idempotent", "known"), [(False, 3), (True, 2), (True, 0)])
def test_a_cut_off_request_that_cannot_be_made_again_is_unknown(is_idempotent: bool, known: int) -> None:
    scene = Scene(is_idempotent=is_idempotent)
    told = scene.courier.resume([begun(3)], {one.intent_id: one for one in items(known)})
    assert [statuses(list(one)) for one in told] == [dict.fromkeys(range(3), "unknown")]
    assert scene.connector.asked == []


@pytest.mark.parametrize(
    ("begun_at", "status", "reason"),
    [
        (NOON - timedelta(hours=1, minutes=59), "accepted", ""),
        (NOON - timedelta(hours=2), "unknown", "the channel may have forgotten its key by now"),
        (None, "unknown", "the channel may have forgotten its key by now"),
    ],
)
def test_a_key_that_the_channel_may_have_forgotten_is_not_tried(
    begun_at: datetime | None, status: str, reason: str
) -> None:
    scene = Scene(is_idempotent=True, kind=replace(KIND, key_hours=2.0))
    (told,) = scene.courier.resume([begun(3, begun_at)], {one.intent_id: one for one in items(3)})
    assert statuses(list(told)) == dict.fromkeys(range(3), status)
    assert all(reason in one.reason for one in told)
    assert len(scene.connector.asked) == (status == "accepted")


def test_a_request_that_carries_one_text_is_not_made_again_where_its_items_have_several_by_now() -> None:
    scene = Scene(is_idempotent=True, kind=replace(KIND, shares_parts=True))
    told = {one.intent_id: replace(one, parts={"text": "Hello"}) for one in items(3)}
    changed = told | {items(1)[0].intent_id: replace(items(1)[0], parts={"text": "Good day"})}
    (found,) = scene.courier.resume([begun(3)], changed)
    assert statuses(list(found)) == dict.fromkeys(range(3), "unknown")
    assert {one.reason for one in found} == {
        "the process ended during the request; its items have texts of their own by now, and it carries one, so it is "
        "not made again"
    }
    assert scene.connector.asked == []
    assert [statuses(list(one)) for one in scene.courier.resume([begun(3)], told)] == [
        dict.fromkeys(range(3), "accepted")
    ]


def test_a_stop_leaves_a_cut_off_request_as_it_was() -> None:
    scene = Scene(is_idempotent=True)
    scene.stop_reason = "the operator said so"
    with pytest.raises(Stopped):
        list(scene.courier.resume([begun(3)], {one.intent_id: one for one in items(3)}))
    assert (scene.journal.begun, scene.journal.ended) == ([], [])
