"""A journey puts customers on a list, and they are off it when the journey is over, or gone from the pack."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from cdp_lib.connectors import normalise
from cdp_lib.connectors.kit import tiktok_audience
from cdp_lib.connectors.kit.server import serving
from cdp_lib.contracts import activation
from tests.integration.conftest import OpenShop
from tests.integration.mailing import DAY, Mailing, sending_in_fours

pytestmark = pytest.mark.slow

RULES = """
kind: audience
id: everybody
where: {trait: order_count, gte: 1}
---
kind: activation
id: follow
destination: network
needs_consent: false
holdout_share: 0
---
kind: journey
id: walk
entry: everybody
steps:
  put: {send: follow, then: rest}
  rest: {wait: 90d}
---
kind: journey
id: stroll
entry: everybody
steps:
  put: {send: follow, then: rest}
  rest: {wait: 90d}
---
"""


@pytest.fixture
def shop(open_shop: OpenShop) -> Iterator[Mailing]:
    """One list, which journeys alone put customers on."""
    with serving(tiktok_audience.BENCH.fake()) as network:
        channels = {"network": (tiktok_audience.BENCH, network)}
        yield Mailing(sending_in_fours(open_shop(RULES, channels)), network, network)


def entry(who: str, journey: str = "walk", *, is_over: bool = False) -> dict[str, Any]:
    """Somebody who was put on the list by a journey, which may be over."""
    return {
        "journey_id": journey,
        "golden_id": who,
        "entry_number": 1,
        "entered_date": DAY,
        "step": None if is_over else "rest",
        "step_since_date": DAY,
        "exit_reason": "end" if is_over else None,
        "path": [("put", DAY, "sent"), ("rest", DAY, "end" if is_over else None)],
        "sends": [("follow", f"journey:{journey}:1:put:1", DAY)],
        "as_of_date": DAY if not is_over else date(2025, 2, 1),
    }


def deeds(shop: Mailing) -> list[tuple[str, str]]:
    """What the channel did, in order, with whom."""
    named = {normalise.sha256(f"{who}@example.com"): who for who in ("c0", "c1", "c2")}
    return [(deed, named[whom]) for deed, whom in shop.network.fake.taken]


def test_a_customer_is_on_the_list_for_as_long_as_on_a_journey_that_put_them_on_it(shop: Mailing) -> None:
    shop.publish({who: {"email": f"{who}@example.com"} for who in ("c0", "c1", "c2")})
    shop.write(activation.JOURNEY_STATE, [entry("c0"), entry("c1"), entry("c1", "stroll"), entry("c2", is_over=True)])
    shop.run(sends=True)
    assert sorted(deeds(shop)) == [("add", "c0"), ("add", "c1")]

    shop.number += 1
    shop.write(activation.JOURNEY_STATE, [entry("c0", is_over=True), entry("c1", is_over=True)])
    shop.run(sends=True)
    assert deeds(shop)[2:] == [("delete", "c0")]

    pack = shop.suite.pack
    left = [one for one in pack.journeys if one.id != "stroll"]
    shop.suite = replace(shop.suite, pack=replace(pack, journeys=tuple(left)))
    shop.run(sends=True)
    assert deeds(shop)[3:] == [("delete", "c1")]
    assert shop.suite.ledger.rows(activation.LIST_ENTRY) == []
