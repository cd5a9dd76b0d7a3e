"""A channel that takes nothing, or never answers, is given up for the run: what is behind it is not burnt through."""

import pytest

from cdp_lib.connectors.batching import key_of
from cdp_lib.connectors.kit.bench import intent_of
from cdp_lib.connectors.protocol import Outcome, Refused, Retryable, Unsure
from cdp_lib.io.journal import OpenBatch
from tests.connectors.scripted import accept, items, Scene

IDS = tuple(map(intent_of, range(3)))
CUT_OFF = OpenBatch(key_of("send", IDS), "send", "spring", IDS)
THROTTLED = Retryable("HTTP 429", nothing_taken=True)


def statuses(outcomes: list[Outcome]) -> dict[int, str]:
    return {int(one.intent_id, 16): one.status for one in outcomes}


@pytest.mark.parametrize("is_idempotent", [False, True], ids=["no keys", "keys"])
@pytest.mark.parametrize(
    ("script", "said"),
    [
        ([Retryable("HTTP 429", 86_400.0, nothing_taken=True)], "gave up after 1 try: HTTP 429"),
        ([THROTTLED] * 3, "gave up after 3 tries: HTTP 429"),
    ],
    ids=["wait for a day", "throttled for good"],
)
def test_a_channel_that_takes_nothing_is_given_up_and_the_rest_stays_unsent(
    script: list[Exception], said: str, is_idempotent: bool
) -> None:
    scene = Scene([accept, *script], is_idempotent)
    told = scene.courier.deliver(items(12), operation="send", campaign="spring")
    assert statuses(list(next(told))) == dict.fromkeys(range(4), "accepted")
    with pytest.raises(Refused, match=f"^{said}$"):
        next(told)
    assert scene.requests() == [[0, 1, 2, 3]] + [[4, 5, 6, 7]] * len(script)
    assert scene.journal.ended[1:] == [()] * len(script)


@pytest.mark.parametrize(
    ("is_idempotent", "fault", "asked"),
    [(True, Retryable("HTTP 503"), 2), (True, Unsure("cut"), 2), (False, Unsure("cut"), 3)],
    ids=["keys, 503", "keys, silent", "no keys, silent"],
)
def test_a_channel_that_never_answers_is_given_up_before_everything_is_in_doubt(
    is_idempotent: bool, fault: Exception, asked: int
) -> None:
    scene = Scene([fault] * 99, is_idempotent)
    told = scene.courier.deliver(items(40), operation="send", campaign="spring")
    for _ in range(asked):
        assert {one.status for one in next(told)} == {"unknown"}
    with pytest.raises(Refused, match=f"^{asked} requests in a row had no answer, so no more are made in this run$"):
        next(told)
    with pytest.raises(Refused, match="no more are made"):
        scene.send(items(1))
    assert len(scene.requests()) == asked * (3 if is_idempotent else 1)


def test_one_request_that_is_never_answered_keeps_nobody_else_from_being_told() -> None:
    silent = [Unsure("cut")] * 3
    scene = Scene([*silent, accept, *silent], is_idempotent=True)
    expected = {**dict.fromkeys(range(4), "unknown"), **dict.fromkeys(range(4, 8), "accepted"), 8: "unknown"}
    assert statuses(scene.send(items(9))) == expected


def test_a_cut_off_request_is_not_made_again_at_a_channel_that_is_given_up() -> None:
    scene = Scene([Unsure("cut")] * 99, is_idempotent=True)
    with pytest.raises(Refused):
        scene.send(items(40))
    ended = list(scene.journal.ended)
    with pytest.raises(Refused, match="no more are made"):
        list(scene.courier.resume([CUT_OFF], {one.intent_id: one for one in items(3)}))
    assert scene.journal.ended == ended
