"""A list at LINE, which removes nobody: anew when somebody leaves, gone when nobody is left, back with the next."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from cdp_lib.connectors.kit import line_audience
from cdp_lib.connectors.kit.server import serving
from tests.integration.conftest import OpenShop
from tests.integration.mailing import Mailing, NOON, phones

RULES = """
kind: audience
id: everybody
where: {trait: order_count, gte: 1}
---
kind: activation
id: follow
audience: everybody
destination: line
needs_consent: false
holdout_share: 0
address: concat('U', md5(golden_id))
---
"""
PASSED_BY: dict[str, dict[str, Any]] = {"c999": {"order_count": 0}}
"""Somebody who never bought, and so is in no audience."""


@dataclass
class LineShop:
    """The shop with its one list, an hour between two runs."""

    mailing: Mailing
    fake: line_audience.LineAudienceFake
    hours: int = 0

    def follow(self, people: dict[str, dict[str, Any]]) -> dict[str, int]:
        """Groups at the channel with the number of their members, once they have heard of exactly these people."""
        self.mailing.publish({**people, **PASSED_BY})
        self.mailing.run(sends=True, at=NOON + timedelta(hours=self.hours))
        self.hours += 1
        return {group.name: len(group.members) for group in self.fake.groups.values()}


@pytest.fixture
def line_shop(open_shop: OpenShop) -> Iterator[LineShop]:
    fake = line_audience.LineAudienceFake()
    with serving(fake) as server:
        suite = open_shop(RULES, {"line": (line_audience.BENCH, server)})
        yield LineShop(Mailing(suite, server, server), fake)


@pytest.mark.slow
def test_a_list_is_taken_anew_emptied_and_begun_again(line_shop: LineShop) -> None:
    assert line_shop.follow(phones(3)) == {"follow": 3}
    assert line_shop.follow(phones(2)) == {"follow": 3, "follow @ 2025-02-01 13:00:00": 2}
    assert line_shop.follow({}) == {}
    assert line_shop.mailing.statuses("follow") == {"planned": 7, "sent": 7, "accepted": 7}
    assert line_shop.follow(phones(1, start=5)) == {"follow": 1}
