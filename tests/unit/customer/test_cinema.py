"""The cinema's figures by hand: what a channel costs per customer won, and spend beside that of who bought."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from cdp_lib.contracts.identity import GOLDEN_RECORD
from cdp_lib.io.yaml_files import load_pack
from cdp_lib.transforms.customer.single_view import single_view
from cdp_lib.transforms.customer.traits import fact_traits
from tests.builders import rows
from tests.unit.customer.shop import at, facts

PACKS = Path(__file__).parents[3] / "conf" / "packs"
PACK = load_pack("cinema", PACKS)


def figures(spark: SparkSession, *names: str, **given: list[dict[str, Any]]) -> dict[str, tuple[Any, ...]]:
    """The named columns of each person's single view as of 1 April 2025, by golden_id; `nobody` has no facts."""
    people = sorted({fact["golden_id"] for entity in given.values() for fact in entity} | {"nobody"})
    records = rows(spark, GOLDEN_RECORD, *[{"golden_id": who} for who in people])
    known = {entity: facts(spark, entity, *given.get(entity, [])) for entity in fact_traits(PACK)}
    view = single_view(records, known, PACK, as_of=date(2025, 4, 1)).select("golden_id", *names)
    return {row[0]: tuple(row[1:]) for row in view.collect()}


def joined(who: str, day: str, channel: str, cost: str | None) -> dict[str, Any]:
    said = {} if cost is None else {"channel_cost": cost}
    shared = {"event_type": "registered", "channel": channel, "attributes": said}
    return {"golden_id": who, "event_id": f"{who} {day}", "event_at": at(f"{day} 00:00"), **shared}


def test_what_a_channel_cost_is_shared_by_whom_it_won_first(spark: SparkSession) -> None:
    events = [
        joined("a", "2024-01-05", "counter", "3000.00"),
        # Signed up again, elsewhere: the app did not win this person, and its cost is not the counter's.
        joined("a", "2025-02-01", "app", "9000.00"),
        joined("b", "2025-01-10", "counter", "4200.00"),
        joined("c", "2025-01-11", "app", None),
        joined("c", "2025-02-11", "counter", "99999.00"),
        joined("d", "2025-01-12", "app", "6800.00"),
        {"golden_id": "guest", "event_type": "app_open", "event_at": at("2025-03-01 10:00"), "channel": "app"},
    ]
    found = figures(spark, "acquisition_channel", "acquisition_cost_amount", "last_event_at", event=events)
    opened = found.pop("guest")
    assert found == {
        "a": ("counter", Decimal("2100.00"), None),
        "b": ("counter", Decimal("2100.00"), None),
        "c": ("app", Decimal("3400.00"), None),
        "d": ("app", Decimal("3400.00"), None),
        "nobody": (None, None, None),
    }
    assert opened[:2] == (None, None)
    assert opened[2] is not None


def test_who_only_got_money_back_is_not_active(spark: SparkSession) -> None:
    orders = [
        {"golden_id": "buys", "ordered_at": at("2025-03-01 10:00"), "paid_amount": "300.00"},
        {"golden_id": "buys less", "ordered_at": at("2025-03-02 10:00"), "paid_amount": "120.00"},
        {"golden_id": "buys less", "ordered_at": at("2025-03-03 10:00"), "paid_amount": "-20.00"},
        {"golden_id": "refunded", "ordered_at": at("2025-03-04 10:00"), "paid_amount": "-100.00"},
    ]
    found = figures(spark, "spending_index", order=orders)
    assert found == {"buys": (150.0,), "buys less": (50.0,), "refunded": (0.0,), "nobody": (0.0,)}


def test_a_refund_is_in_neither_part_of_the_average_ticket(spark: SparkSession) -> None:
    ticket = {"attributes": {"item_kind": "ticket"}, "ordered_at": at("2025-03-01 10:00")}
    lines = [
        {"golden_id": "a", "order_id": "1", "paid_amount": "300.00", **ticket},
        {"golden_id": "a", "order_id": "2", "paid_amount": "100.00", **ticket},
        {"golden_id": "a", "order_id": "3", "paid_amount": "-300.00", **ticket},
    ]
    found = figures(spark, "average_ticket_amount", order_line=lines)
    assert found == {"a": (Decimal("200.00"),), "nobody": (None,)}
