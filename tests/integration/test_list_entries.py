"""People who are gone leave the lists: by what each list was told of them, which is kept until then and no longer."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import deltalake
import pyarrow.parquet as pq
import pytest

from cdp_lib.connectors import normalise
from cdp_lib.connectors.kit import mailchimp, tiktok_audience
from cdp_lib.connectors.kit.server import serving
from cdp_lib.contracts import activation, identity
from jobs.deliveries import last_states
from tests.integration.conftest import OpenShop
from tests.integration.cut_off import cut_off_at, PowerCutError
from tests.integration.mailing import Mailing, sending_in_fours

pytestmark = pytest.mark.slow

RULES = """
kind: audience
id: everybody
where: {trait: order_count, gte: 1}
---
kind: activation
id: follow
audience: everybody
destination: network
needs_consent: false
holdout_share: 0
---
kind: activation
id: club
audience: everybody
destination: letters
needs_consent: false
holdout_share: 0
---
"""


@pytest.fixture
def shop(open_shop: OpenShop) -> Iterator[Mailing]:
    """Two lists: one that takes hashes, one that takes addresses."""
    with serving(mailchimp.BENCH.fake()) as letters, serving(tiktok_audience.BENCH.fake()) as network:
        channels = {"letters": (mailchimp.BENCH, letters), "network": (tiktok_audience.BENCH, network)}
        yield Mailing(sending_in_fours(open_shop(RULES, channels)), letters, network)


def mails(*numbers: int, **more: str) -> dict[str, dict[str, Any]]:
    """Made-up people with a mailbox each, or the one that is given."""
    return {f"c{number}": {"email": more.get(f"c{number}", f"c{number}@example.com")} for number in numbers}


def out(shop: Mailing) -> tuple[set[str], set[str]]:
    """Whom either channel was told to take off, by what they know people by."""
    letters = {whom for deed, whom in shop.texts.fake.taken if deed == "remove"}
    return letters, {whom for deed, whom in shop.network.fake.taken if deed == "delete"}


def on_the_lists(shop: Mailing) -> tuple[set[str], set[str]]:
    """Who is on either list when all that was taken is counted together."""
    found: tuple[set[str], set[str]] = (set(), set())
    for members, server in zip(found, (shop.texts, shop.network), strict=True):
        for deed, whom in server.fake.taken:
            (members.add if deed == "add" else members.discard)(whom)
    return found


def known_as(*addresses: str) -> tuple[set[str], set[str]]:
    """The same people as both channels know them."""
    letters = {normalise.mailchimp_member(address) for address in addresses}
    return letters, {normalise.sha256(address) or "" for address in addresses}


def entries(shop: Mailing) -> list[tuple[str, str, tuple[str, ...]]]:
    """List, customer and what finds them."""
    rows = shop.suite.ledger.rows(activation.LIST_ENTRY)
    return sorted((row["activation_id"], row["golden_id"], tuple(row["identifiers"].values())) for row in rows)


def on_disk(shop: Mailing) -> set[str]:
    """Whom any file of the table names, of whatever version."""
    files = Path(shop.suite.ledger.path(activation.LIST_ENTRY)).glob("*.parquet")
    return {who for file in files for who in pq.read_table(file, columns=["golden_id"])["golden_id"].to_pylist()}


def of_people(**mailboxes: Sequence[str]) -> list[tuple[str, str, tuple[str, ...]]]:
    """The entries of people who are on both lists under these mailboxes."""
    told = [(who, address) for who, addresses in mailboxes.items() for address in addresses]
    hashed = [("follow", who, (normalise.sha256(address) or "",)) for who, address in told]
    return sorted([("club", who, (address,)) for who, address in told] + hashed)


def statuses(shop: Mailing, operation: str) -> set[str]:
    return {row["status"] for row in last_states(shop.suite) if row["operation"] == operation}


def test_who_is_erased_leaves_every_list_once_and_nothing_of_them_is_kept(shop: Mailing) -> None:
    shop.publish(mails(0, 1, 2))
    shop.run(sends=True)
    everybody = of_people(c0=["c0@example.com"], c1=["c1@example.com"], c2=["c2@example.com"])
    assert entries(shop) == everybody
    version = deltalake.DeltaTable(shop.suite.ledger.path(activation.LIST_ENTRY)).version()
    shop.run(sends=True)
    assert deltalake.DeltaTable(shop.suite.ledger.path(activation.LIST_ENTRY)).version() == version

    shop.publish(mails(1, 2))
    shop.run(sends=False)
    assert (out(shop), entries(shop)) == (known_as(), everybody)
    shop.run(sends=True)
    assert out(shop) == known_as("c0@example.com")
    assert statuses(shop, "remove") == {"accepted"}
    assert entries(shop) == of_people(c1=["c1@example.com"], c2=["c2@example.com"])
    assert "c0" in on_disk(shop)
    asked = len(shop.texts.requests), len(shop.network.requests)
    at_once = shop.suite.settings.sending.model_copy(update={"forget_after_days": 0})
    shop.suite = replace(shop.suite, settings=shop.suite.settings.model_copy(update={"sending": at_once}))
    shop.run(sends=True)
    assert (len(shop.texts.requests), len(shop.network.requests)) == asked
    assert on_disk(shop) == {"c1", "c2"}


def test_what_is_a_members_no_more_leaves_the_lists_and_of_who_is_gone_all(shop: Mailing) -> None:
    shop.publish(mails(0, 1, 2, 3))
    shop.run(sends=True)
    shop.publish(mails(0, 1, 2, 3, c1="moved@example.com"))
    shop.run(sends=True)
    assert out(shop) == known_as("c1@example.com")
    others = {"c2": ["c2@example.com"], "c3": ["c3@example.com"]}
    assert entries(shop) == of_people(c0=["c0@example.com"], c1=["moved@example.com"], **others)
    assert on_the_lists(shop) == known_as("c0@example.com", "moved@example.com", "c2@example.com", "c3@example.com")
    # c2 turns out to be c1, and leaves with all that either was told of; c3 turns out to be c0, who stays.
    merges = [{"golden_id": "c2", "into_golden_id": "c1"}, {"golden_id": "c3", "into_golden_id": "c0"}]
    shop.write(identity.IDENTITY_EVENT, [{"event_type": "merge", **one} for one in merges])
    shop.publish(mails(0))
    shop.run(sends=True)
    assert on_the_lists(shop) == known_as("c0@example.com")
    assert entries(shop) == of_people(c0=["c0@example.com"])
    asked = len(shop.texts.requests), len(shop.network.requests)
    shop.run(sends=True)
    assert (len(shop.texts.requests), len(shop.network.requests)) == asked


def test_a_move_that_is_cut_off_anywhere_ends_with_the_new_address_alone(shop: Mailing) -> None:
    shop.publish(mails(0))
    shop.run(sends=True)
    for number, point in enumerate(("remembered:activate", "settled:activate", "sent:activate")):
        before, now = f"c0@{number}.example.com" if number else "c0@example.com", f"c0@{number + 1}.example.com"
        shop.publish(mails(0, c0=now))
        cut_off(shop, point, sends=number)
        shop.run(sends=True, resume=True)
        assert on_the_lists(shop) == known_as(now), point
        assert entries(shop) == of_people(c0=[now]), point
        deeds = [whom for deed, whom in shop.network.fake.taken if deed == "delete"]
        assert deeds.count(normalise.sha256(before) or "") == 1, point


def test_a_run_that_is_cut_off_anywhere_goes_on_to_the_same(shop: Mailing) -> None:
    shop.publish(mails(0, 1))
    cut_off(shop, "remembered:activate", sends=0)
    assert entries(shop) == of_people(c0=["c0@example.com"], c1=["c1@example.com"])
    shop.run(sends=True, resume=True)
    assert entries(shop) == of_people(c0=["c0@example.com"], c1=["c1@example.com"])

    shop.publish(mails(1))
    cut_off(shop, "settled:activate", sends=1)
    shop.run(sends=True, resume=True)
    assert out(shop) == known_as("c0@example.com")
    assert entries(shop) == of_people(c1=["c1@example.com"])

    shop.publish({"nobody": {}})
    cut_off(shop, "sent:activate", sends=1)
    assert entries(shop) == of_people(c1=["c1@example.com"])
    shop.run(sends=True, resume=True)
    assert entries(shop) == []
    assert statuses(shop, "remove") == {"accepted"}
    for server in (shop.texts, shop.network):
        deeds = [deed for deed, _ in server.fake.taken]
        assert (deeds.count("add"), len(deeds)) == (2, 4)


def cut_off(shop: Mailing, point: str, *, sends: int) -> None:
    """A run that ends there, when channels had at least so many requests of it, or none."""
    before = len(shop.texts.requests) + len(shop.network.requests)
    whole, shop.suite = shop.suite, cut_off_at(shop.suite, point)
    with pytest.raises(PowerCutError):
        shop.run(sends=True)
    shop.suite = whole
    told = len(shop.texts.requests) + len(shop.network.requests) - before
    assert told >= sends if sends else told == 0
