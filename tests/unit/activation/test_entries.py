"""What lists were told: all of it names who leaves, and it is kept no longer than they are on the list."""

from typing import Any

import pytest
from pyspark.sql import SparkSession

from cdp_lib.contracts.activation import DELIVERY, LIST_ENTRY
from cdp_lib.transforms.activation.entries import entries_left, told_before
from cdp_lib.transforms.activation.ledger import last_states
from tests.builders import rows
from tests.unit.activation.conftest import delivery

MAIL, PHONE = {"email": "1"}, {"email": "1", "phone": "2"}


def entry(name: str, golden_id: str = "g1", **more: Any) -> dict[str, Any]:
    return {"entry_id": name, "activation_id": "ads", "destination": "wall", "golden_id": golden_id, **more}


def test_who_leaves_is_named_by_everything_that_the_list_was_told_each_once(spark: SparkSession) -> None:
    given = [
        entry("b", identifiers=PHONE),
        entry("a", identifiers=MAIL),
        entry("c", identifiers=MAIL),
        entry("d", "g2", identifiers=MAIL),
        entry("e", destination="wire", identifiers=PHONE),
    ]
    for order in (given, given[::-1]):
        found = told_before(rows(spark, LIST_ENTRY, *order).repartition(3)).collect()
        told = {(row["golden_id"], row["destination"]): (row["entry_ids"], row["told_before"]) for row in found}
        assert told == {
            ("g1", "wall"): (["a", "b", "c"], [MAIL, PHONE]),
            ("g2", "wall"): (["d"], [MAIL]),
            ("g1", "wire"): (["e"], [PHONE]),
        }
    assert told_before(rows(spark, LIST_ENTRY)).collect() == []


@pytest.mark.parametrize(
    ("told", "removed", "stays"),
    [
        (None, None, True),
        ("planned", None, True),
        ("sent", None, True),
        ("unknown", None, True),
        ("accepted", None, True),
        ("rejected", None, False),
        ("failed", None, False),
        ("expired", None, False),
        ("accepted", "planned", True),
        ("accepted", "unknown", True),
        ("accepted", "rejected", True),
        ("accepted", "accepted", False),
    ],
)
def test_an_entry_stays_while_its_member_is_or_may_be_on_the_list(
    spark: SparkSession, told: str | None, removed: str | None, stays: bool
) -> None:
    given = [("i1", "update", told), ("i2", "remove", removed), ("i3", "add", "accepted"), ("i4", "remove", "accepted")]
    intents = [
        delivery("g1", status, activation_id="ads", operation=operation, intent_id=name)
        for name, operation, status in given
        if status is not None
    ]
    entries = [
        entry("a", intent_id="i1", removal_id="i2"),
        entry("b", intent_id="i1", removal_id="i2", destination="wire"),
        entry("c", intent_id="i3", removal_id=None),
    ]
    known = last_states(rows(spark, DELIVERY, *intents))
    left = entries_left(rows(spark, LIST_ENTRY, *entries), known)
    assert {row["entry_id"] for row in left.collect()} == (set() if stays else {"a", "b"})
