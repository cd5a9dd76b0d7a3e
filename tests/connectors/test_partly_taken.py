"""A channel that takes some rows of a batch and does not say which: nobody whom it may have taken counts as unsent."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cdp_lib.connectors.batching import key_of
from cdp_lib.connectors.courier import Stopped
from cdp_lib.connectors.kit.bench import intent_of
from cdp_lib.connectors.protocol import Batch, Limits, Outcome, Receipt, Refused, Rejected, Retryable, Unsure
from cdp_lib.io.journal import IntentJournal, OpenBatch, read_open
from tests.connectors.scripted import accept, items, KIND, numbers, Scene

PARTLY = Rejected("2 of 4 are invalid", partly_taken=True)
STOP = "Sending by scripted was stopped: the operator said so"


def told(scene: Scene, error: type[Exception], count: int = 4) -> dict[int, tuple[str, str]]:
    """What is known of each item when sending ends with that error."""
    found: list[tuple[Outcome, ...]] = []
    with pytest.raises(error):
        found.extend(scene.courier.deliver(items(count), operation="send", campaign="spring"))
    return {int(one.intent_id, 16): (one.status, one.reason) for outcomes in found for one in outcomes}


def test_who_may_have_been_taken_is_unknown_when_credentials_are_refused_then() -> None:
    scene = Scene([PARTLY, accept, Refused("HTTP 401")], is_idempotent=True)
    doubt = ("unknown", "an earlier try may have been taken; then: HTTP 401")
    assert told(scene, Refused, 8) == {0: ("accepted", ""), 1: ("accepted", ""), 2: doubt, 3: doubt}
    assert scene.requests() == [[0, 1, 2, 3], [0, 1], [2, 3]]


def test_every_part_that_waits_is_unknown_when_sending_is_given_up() -> None:
    throttled = Retryable("HTTP 429", 86_400.0, nothing_taken=True)
    scene = Scene([PARTLY, PARTLY, Refused("HTTP 401")], is_idempotent=True)
    assert {status for status, _ in told(scene, Refused).values()} == {"unknown"}
    assert len(scene.journal.ended[-1]) == 2
    given_up = Scene([Unsure("cut"), Rejected("HTTP 400"), throttled, throttled], is_idempotent=True)
    assert {status for status, _ in told(given_up, Refused, 9).values()} == {"unknown"}


def test_every_part_that_waits_is_unknown_when_sending_is_stopped() -> None:
    scene = Scene(is_idempotent=True)

    def stopped(batch: Batch) -> Receipt:
        scene.stop_reason = "the operator said so"
        raise PARTLY

    scene.connector.script = [stopped]
    doubt = ("unknown", f"an earlier try may have been taken; then: {STOP}")
    assert told(scene, Stopped) == dict.fromkeys(range(4), doubt)
    assert scene.journal.begun[1:] == [(key_of("send", map(intent_of, pair)), 2) for pair in ((0, 1), (2, 3))]


def test_parts_of_a_batch_that_was_not_taken_stay_unsent() -> None:
    assert told(Scene([Rejected("HTTP 400"), Refused("HTTP 401")], is_idempotent=True), Refused) == {}


def test_a_batch_some_of_which_was_taken_is_never_refused_as_a_whole() -> None:
    def only_the_last(batch: Batch) -> Receipt:
        if numbers(batch) == [99]:
            return accept(batch)
        raise Rejected("bad", partly_taken=99 in numbers(batch))

    kind = replace(KIND, limits=Limits(batch_size=100, per_second=1e6))
    scene = Scene([only_the_last] * 999, is_idempotent=True, kind=kind)
    found = [one for many in scene.courier.deliver(items(100), operation="send", campaign="c") for one in many]
    assert {one.status for one in found if one.intent_id == intent_of(99)} == {"accepted"}


@pytest.mark.parametrize("crash", [None, accept], ids=["before the first part", "after it"])
def test_a_crash_leaves_the_parts_to_be_taken_up(tmp_path: Path, crash: Callable[[Batch], Receipt] | None) -> None:
    class Killed(BaseException):
        """The process is gone."""

    def die(batch: Batch) -> Receipt:
        raise Killed

    scene = Scene([PARTLY, *([crash] if crash else []), die], is_idempotent=True)
    scene.courier.journal = IntentJournal(tmp_path)
    with pytest.raises(Killed):
        scene.send(items(4))
    scene.courier.journal.close()
    pairs = [tuple(map(intent_of, pair)) for pair in ((2, 3), (0, 1))]
    left = [OpenBatch(key_of("send", pair), "send", "spring", pair) for pair in (pairs[:1] if crash else pairs)]
    assert list(read_open(tmp_path).open_batches) == left
