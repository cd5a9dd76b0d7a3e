"""Tries that were planned and not handed over: what is judged anew."""

from typing import Any

from pyspark.sql import SparkSession

from cdp_lib.contracts.activation import DELIVERY
from cdp_lib.io.local_rows import local_rows
from cdp_lib.transforms.activation.ledger import open_tries
from jobs.activation.leftovers import with_attempt
from tests.builders import rows
from tests.unit.activation.conftest import delivery


def state(intent_id: str, status: str, attempt: int = 1) -> dict[str, Any]:
    return delivery("g1", status, intent_id=intent_id, attempt=attempt)


STATES = (
    state("new", "planned"),
    *(state("done", status) for status in ("planned", "sent", "accepted")),
    *(state("refused", status) for status in ("planned", "sent", "rejected")),
    *(state("again", status) for status in ("planned", "sent", "rejected")),
    state("again", "planned", attempt=2),
    *(state("anew", status) for status in ("planned", "expired")),
    state("anew", "planned", attempt=2),
    state("anew", "expired", attempt=2),
    state("asked", "planned"),
    state("held", "held_out"),
)


def test_a_try_is_open_until_it_has_an_end_or_a_request_for_it_was_begun(spark: SparkSession) -> None:
    deliveries = rows(spark, DELIVERY, *STATES)
    found = open_tries(deliveries, local_rows(spark, "intent_id string", [("asked",)]))
    assert found.columns == deliveries.columns
    told = {(row["intent_id"], row["attempt"], row["status"]) for row in found.collect()}
    assert told == {("new", 1, "planned"), ("again", 2, "planned")}
    assert {row["intent_id"] for row in open_tries(deliveries).collect()} == {"new", "again", "asked"}
    assert open_tries(deliveries.limit(0)).collect() == []


def test_a_plan_counts_on_from_the_try_whose_place_it_takes(spark: SparkSession) -> None:
    left = open_tries(rows(spark, DELIVERY, *STATES))
    planned = local_rows(spark, "intent_id string, decision string", [("again", "to_send"), ("first", "to_send")])
    found = {row["intent_id"]: row["attempt"] for row in with_attempt(planned, left).collect()}
    assert found == {"again": 3, "first": 1}
