"""Campaigns told in few words: a pack of activations, and deliveries of people with short names."""

from datetime import datetime, timedelta, UTC
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from cdp_lib.contracts import activation, identity
from cdp_lib.settings.pack import assemble_pack, Document, Pack
from tests.builders import rows
from tests.unit.customer.shop import SOURCE

PEOPLE = "activation_id string, golden_id string, arm string, assigned_at timestamp, is_crossed boolean"


def day(number: int, hour: int = 0) -> datetime:
    """An instant of January 2025 or, beyond 31, later."""
    return datetime(2025, 1, 1, hour, tzinfo=UTC) + timedelta(days=number - 1)


def kpi(name: str = "orders", **more: Any) -> dict[str, Any]:
    return {"id": name, "from": "order", "window": "7d", **more}


def campaign(name: str, *kpis: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"kind": "activation", "id": name, "destination": "letters", "kpis": list(kpis), **more}


def pack_of(*activations: dict[str, Any], time_zone: str = "UTC") -> Pack:
    info = {"kind": "pack", "id": "shop", "currency": "EUR", "time_zone": time_zone}
    bodies = [info, SOURCE, *activations]
    return assemble_pack([Document("shop.yml", place, body) for place, body in enumerate(bodies)], where="shop")


def states(golden_id: str, arm: str, *names: str, **more: Any) -> list[dict[str, Any]]:
    """Rows of ops.delivery of one intent of activation `hello`, one per state, all of its first try."""
    number = more.pop("number", 1)
    at = more.pop("planned_at", day(1))
    shared = {"activation_id": "hello", "channel": "email", "operation": "send", "attempt": 1, "recorded_at": at}
    who = {"golden_id": golden_id, "arm": arm, "intent_id": f"{golden_id}-{arm}-{number}", "planned_at": at}
    return [{**shared, **who, "status": name, **more} for name in names]


def deliveries(spark: SparkSession, *given: list[dict[str, Any]]) -> DataFrame:
    return rows(spark, activation.DELIVERY, *[row for of_intent in given for row in of_intent])


def merges(spark: SparkSession, *pairs: tuple[str, str]) -> DataFrame:
    """Identity events: each first id is from now on the second."""
    told = [{"event_type": "merge", "golden_id": one, "into_golden_id": other} for one, other in pairs]
    return rows(spark, identity.IDENTITY_EVENT, *told)


def people(spark: SparkSession, *given: tuple[str, str, str, datetime, bool]) -> DataFrame:
    """Exposures: activation, customer, arm, assigned_at, is_crossed."""
    return spark.createDataFrame(list(given), PEOPLE)
