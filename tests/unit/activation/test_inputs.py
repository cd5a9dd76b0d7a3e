"""What planning reads is told by today's ids."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, UTC
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from cdp_lib.contracts.activation import JOURNEY_STATE
from cdp_lib.contracts.gold import customer
from cdp_lib.contracts.identity import IDENTITY_EVENT
from cdp_lib.contracts.scores import RECOMMENDATION
from cdp_lib.contracts.silver import PRODUCT
from cdp_lib.contracts.table import Table
from jobs.activation.inputs import plan_inputs, products_of
from tests.builders import rows
from tests.unit.activation.conftest import activation, pack_of as shop_of
from tests.unit.journey.travellers import day, entry, pack_of

WALK = "{id: walk, steps: {write: {send: mail, then: rest}, rest: {wait: 5d}}}"


def test_a_message_that_was_due_before_a_merge_goes_to_who_is_there_today(spark: SparkSession) -> None:
    told = entry("old", ("write", 1, "sent"), known=2, ended=(2, "merged"), journey_id="walk", sends=[("write", 1, 1)])
    merge = {"event_type": "merge", "golden_id": "old", "into_golden_id": "now"}
    given: Mapping[str, list[dict[str, Any]]] = {JOURNEY_STATE.name: [told], IDENTITY_EVENT.name: [merge]}

    def read(table: Table) -> DataFrame:
        return rows(spark, table, *given.get(table.name, []))

    pack = pack_of(WALK)
    inputs = plan_inputs(pack, read, rows(spark, customer(pack)), read)
    assert [tuple(row) for row in inputs.journey_sends.collect()] == [
        ("mail", "now", "journey:walk:1:write:1", day(1)),
    ]


def test_a_product_is_called_as_the_entry_that_changed_last_calls_it_whole(spark: SparkSession) -> None:
    """Name and category are of one entry; what the catalogue does not know has no place in a text."""
    changed = datetime(2025, 1, 1, tzinfo=UTC)
    old = {"product_id": "p1", "name": "Ale", "category": "tea", "source_system": "a", "source_updated_at": changed}
    new = {**old, "name": "Mocha", "category": "coffee", "source_updated_at": changed.replace(day=2)}
    given: Mapping[str, list[dict[str, Any]]] = {
        PRODUCT.name: [old, new],
        RECOMMENDATION.name: [{"golden_id": "g1", "rank": n, "product_id": f"p{n}"} for n in (1, 2)],
    }
    pack = replace(shop_of(), activations=(activation(products=2),))
    found = products_of(pack, lambda table: rows(spark, table, *given.get(table.name, [])))
    assert found is not None
    assert [(row["rank"], row["name"], row["category"]) for row in found.collect()] == [(1, "Mocha", "coffee")]
