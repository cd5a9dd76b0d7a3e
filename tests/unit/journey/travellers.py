"""Journeys for the tests: a pack made of them, and entries told in few words. Days are those of January 2025."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import yaml
from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession

from cdp_lib.contracts.activation import AUDIENCE_MEMBER, JOURNEY_STATE
from cdp_lib.contracts.gold import customer
from cdp_lib.contracts.identity import IDENTITY_EVENT
from cdp_lib.settings.pack import assemble_pack, Document, Pack
from cdp_lib.transforms.journey.states import Known, next_states
from tests.builders import rows
from tests.unit.customer.shop import at, facts, SOURCE

Reached = tuple[str, int, str | None]
"""(step, day, outcome)"""
Send = tuple[str, int, int]
"""(step, visit, day) of a message of activation `mail`."""


def day(number: int) -> date:
    return date(2025, 1, 1).replace(day=number)


def pack_of(*journeys: str, time_zone: str = "UTC") -> Pack:
    """A pack with journeys written as YAML without their kind; `entry` is audience `new` where left out."""
    bodies = [{"kind": "pack", "id": "shop", "currency": "USD", "time_zone": time_zone}, SOURCE]
    bodies += [{"kind": "journey", "entry": "new", **yaml.safe_load(text)} for text in journeys]
    return assemble_pack([Document("shop.yml", place, body) for place, body in enumerate(bodies)], where="shop")


def entry(
    golden_id: str, *path: Reached, known: int, ended: tuple[int, str] | None = None, **more: Any
) -> dict[str, Any]:
    """A row of ops.journey_state; `ended` is (day, reason), `sends` are Send; the journey is `care`, the entry 1."""
    journey, number = more.pop("journey_id", "care"), more.pop("entry_number", 1)
    sends: Sequence[Send] = more.pop("sends", ())
    last = path[-1]
    return {
        "journey_id": journey,
        "golden_id": golden_id,
        "entry_number": number,
        "entered_date": day(path[0][1]),
        "step": last[0] if ended is None else None,
        "step_since_date": day(last[1] if ended is None else ended[0]),
        "exit_reason": None if ended is None else ended[1],
        "path": [(step, day(reached), outcome) for step, reached, outcome in path],
        "sends": [("mail", f"journey:{journey}:{number}:{step}:{visit}", day(due)) for step, visit, due in sends],
        "as_of_date": day(known),
        **more,
    }


def states(spark: SparkSession, pack: Pack, *entries: Mapping[str, Any]) -> DataFrame:
    """Rows of ops.journey_state, of the pack's journeys as they are unless a row says otherwise."""
    hashes = {journey.id: journey.content_hash() for journey in pack.journeys}
    given = [{"config_hash": hashes.get(one["journey_id"], "of old"), **one} for one in entries]
    return rows(spark, JOURNEY_STATE, *given).select(*JOURNEY_STATE.content_columns)


def order(golden_id: str, when: str, amount: str = "1.00", channel: str | None = None) -> dict[str, Any]:
    """An order in January 2025: `when` is `05` or `05 23:30`."""
    moment = when if " " in when else f"{when} 12:00"
    return {"golden_id": golden_id, "ordered_at": at(f"2025-01-{moment}"), "paid_amount": amount, "channel": channel}


def known(
    spark: SparkSession,
    *,
    members: Sequence[str | tuple[str, str, str]] = (),
    orders: Sequence[Mapping[str, Any]] = (),
    merges: Sequence[tuple[str, str | None]] = (),
    order_counts: Mapping[str, int] | None = None,
) -> Known:
    """What a run knows. A member is an id, or (audience, id, status); a merge without a target is a retirement."""
    told = [one if isinstance(one, tuple) else ("new", one, "stay") for one in members]
    names = ("audience_id", "golden_id", "status")
    events = [
        {
            "identity_event_id": f"e{place}",
            "event_type": "merge" if into else "retire",
            "golden_id": golden_id,
            "into_golden_id": into,
        }
        for place, (golden_id, into) in enumerate(merges)
    ]
    people = [
        {"golden_id": golden_id, "order_count": count, "total_amount": "0.00"}
        for golden_id, count in (order_counts or {}).items()
    ]
    return Known(
        customers=rows(spark, customer(pack_of()), *people),
        facts={"order": facts(spark, "order", *orders)},
        members=rows(spark, AUDIENCE_MEMBER, *[dict(zip(names, one, strict=True)) for one in told]),
        events=rows(spark, IDENTITY_EVENT, *events),
    )


def after(former: DataFrame, what: Known, pack: Pack, as_of: int | date) -> DataFrame:
    return next_states(former, what, pack, as_of if isinstance(as_of, date) else day(as_of), keep=lambda frame: frame)


def assert_states(actual: DataFrame, expected: DataFrame) -> None:
    assert_df_equality(actual, expected, ignore_row_order=True, ignore_nullable=True)
