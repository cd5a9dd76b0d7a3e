"""LINE audiences: the wire is as the golden file says, every answer is read, and one rebuild is one group."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import datetime, UTC
from uuid import UUID

import pytest

from cdp_lib.connectors.kit.line_audience import BENCH, Group, LineAudienceFake
from cdp_lib.connectors.kit.server import serving
from cdp_lib.connectors.line_audience import KIND, LineAudience
from cdp_lib.connectors.protocol import Batch, Retryable
from tests.connectors.transcript import exchanges, played


def rebuild(first: int, stamp: str | None = "2026-11-25") -> Batch:
    """Two made-up members of a rebuild; without a stamp of none."""
    items = tuple(replace(BENCH.item(number), person={"rebuild": stamp}) for number in (first, first + 1))
    return Batch("add", "loyal_birthday", items)


@pytest.mark.parametrize("exchange", exchanges("line_audience"))
def test_exchange_is_as_the_golden_transcript(exchange: str) -> None:
    slept: list[float] = []

    actual, expected = played(
        "line_audience", exchange, KIND, lambda settings: LineAudience(settings, sleep=slept.append)
    )

    looks = [request for request in actual.wire if '"path":"/v2/bot/audienceGroup/' in request and '"GET"' in request]
    looks = [request for request in looks if "/list?" not in request]
    assert actual == expected
    deletions = [request for request in actual.wire if '"DELETE"' in request]
    assert slept == [5.0] * max(len(looks) - 1, 0) + [1.0] * max(len(deletions) - 1, 0)


def test_batches_of_several_threads_fill_one_group() -> None:
    fake = LineAudienceFake()
    with serving(fake) as server, ThreadPoolExecutor(4) as pool:
        audience = KIND.build(KIND.settings(**BENCH.settings(server.url)))
        list(
            pool.map(
                lambda number: audience.deliver(rebuild(number * 2), idempotency_key=str(UUID(int=number))), range(8)
            )
        )
        audience.close()

    assert {group.name: len(group.members) for group in fake.groups.values()} == {"loyal_birthday @ 2026-11-25": 16}


@pytest.mark.parametrize(("calls", "nothing_taken"), [(0, True), (2, True), (3, False)])
def test_who_was_added_is_in_doubt_when_the_job_cannot_be_looked_at(calls: int, nothing_taken: bool) -> None:
    with serving(LineAudienceFake()) as server:
        server.will(*["well"] * calls, "429")
        audience = KIND.build(KIND.settings(**BENCH.settings(server.url)))
        with pytest.raises(Retryable, match="HTTP 429") as caught:
            audience.deliver(rebuild(0), idempotency_key="key")
        audience.close()

    assert caught.value.nothing_taken == nothing_taken


@pytest.mark.parametrize("faulty", [2, 3], ids=["while the group is made", "while it is filled"])
def test_fault_after_the_commit_leaves_one_group_with_each_member_once(faulty: int) -> None:
    fake = LineAudienceFake()
    with serving(fake) as server:
        server.will(*["well"] * (faulty - 1), "5xx_after")
        broken = KIND.build(KIND.settings(**BENCH.settings(server.url)))
        with pytest.raises(Retryable, match="HTTP 502"):
            broken.deliver(rebuild(0), idempotency_key="key")
        broken.close()
        another = KIND.build(KIND.settings(**BENCH.settings(server.url)))
        receipt = another.deliver(rebuild(0), idempotency_key="key")
        another.close()

    assert [outcome.status for outcome in receipt.outcomes] == ["accepted", "accepted"]
    assert [group.name for group in fake.groups.values()] == ["loyal_birthday @ 2026-11-25"]
    assert fake.taken == [("add", item.address) for item in rebuild(0).items]


def test_next_rebuild_leaves_out_who_has_left() -> None:
    fake = LineAudienceFake()
    with serving(fake) as server:
        audience = KIND.build(KIND.settings(**BENCH.settings(server.url)))
        audience.deliver(rebuild(0), idempotency_key="first")
        audience.deliver(rebuild(1, "2026-11-26"), idempotency_key="second")
        audience.close()

    numbers = {group.name: {int(user[1:], 16) for user in group.members} for group in fake.groups.values()}
    assert numbers == {"loyal_birthday @ 2026-11-25": {0, 1}, "loyal_birthday @ 2026-11-26": {1, 2}}


def test_who_is_added_after_a_rebuild_goes_where_the_audience_went() -> None:
    fake = LineAudienceFake()
    fake.groups[77] = Group(77, "loyal_birthday")
    with serving(fake) as server:
        settings = KIND.settings(**BENCH.settings(server.url), audience_group_id=77)

        def deliver(batch: Batch) -> None:
            with closing(KIND.build(settings)) as audience:
                receipt = audience.deliver(batch, idempotency_key=batch.items[0].intent_id)
            assert {outcome.status for outcome in receipt.outcomes} == {"accepted"}

        deliver(Batch("add", "loyal_birthday", (BENCH.item(0), BENCH.item(1))))
        deliver(rebuild(1))
        deliver(Batch("add", "loyal_birthday", (BENCH.item(5),)))

    numbers = {group.name: {int(user[1:], 16) for user in group.members} for group in fake.groups.values()}
    assert numbers == {"loyal_birthday": {0, 1}, "loyal_birthday @ 2026-11-25": {1, 2, 5}}


def emptied(stamp: str, *numbers: int) -> Batch:
    """Members of whom nobody is left in the audience."""
    items = (replace(BENCH.item(number), person={"rebuild": stamp}) for number in numbers)
    return Batch("remove", "loyal_birthday", tuple(items))


def test_an_emptied_audience_has_no_group_until_somebody_comes_back() -> None:
    fake = LineAudienceFake()
    with serving(fake) as server, closing(KIND.build(KIND.settings(**BENCH.settings(server.url)))) as audience:
        audience.deliver(rebuild(0), idempotency_key="first")
        receipt = audience.deliver(emptied("2026-11-26 09:00:00", 0, 1), idempotency_key="second")
        assert [outcome.status for outcome in receipt.outcomes] == ["accepted", "accepted"]
        assert fake.groups == {}
        audience.deliver(Batch("add", "loyal_birthday", (BENCH.item(5),)), idempotency_key="third")

    assert [(group.name, group.members) for group in fake.groups.values()] == [
        ("loyal_birthday", {BENCH.item(5).address})
    ]


@pytest.mark.parametrize("stamp", [None, "2026-11-27 09:00:00"])
def test_an_emptying_that_comes_late_leaves_the_list_of_those_who_came_since(stamp: str | None) -> None:
    fake = LineAudienceFake()
    fake.now = int(datetime(2026, 11, 27, 9, tzinfo=UTC).timestamp())
    with serving(fake) as server, closing(KIND.build(KIND.settings(**BENCH.settings(server.url)))) as audience:
        audience.deliver(rebuild(3, stamp), idempotency_key="first")
        audience.deliver(emptied("2026-11-26 09:00:00", 0), idempotency_key="second")

    assert [len(group.members) for group in fake.groups.values()] == [2]


def test_an_emptying_that_was_taken_and_not_confirmed_can_be_asked_for_again() -> None:
    fake = LineAudienceFake()
    with serving(fake) as server, closing(KIND.build(KIND.settings(**BENCH.settings(server.url)))) as audience:
        audience.deliver(rebuild(0), idempotency_key="first")
        server.will("well", "5xx_after")
        with pytest.raises(Retryable, match="HTTP 502"):
            audience.deliver(emptied("2026-11-26 09:00:00", 0), idempotency_key="second")
        receipt = audience.deliver(emptied("2026-11-26 09:00:00", 0), idempotency_key="second")

    assert [outcome.status for outcome in receipt.outcomes] == ["accepted"]
    assert fake.groups == {}


def test_a_rebuild_that_was_planned_before_is_emptied_whenever_its_group_was_made() -> None:
    fake = LineAudienceFake()
    fake.now = int(datetime(2026, 12, 24, tzinfo=UTC).timestamp())
    with serving(fake) as server, closing(KIND.build(KIND.settings(**BENCH.settings(server.url)))) as audience:
        audience.deliver(rebuild(0, "2026-11-25 09:00:00"), idempotency_key="first")
        audience.deliver(emptied("2026-11-26 09:00:00", 0, 1), idempotency_key="second")

    assert fake.groups == {}
