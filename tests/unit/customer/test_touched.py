from collections.abc import Mapping
from datetime import date

import pytest
from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession

from cdp_lib.contracts.identity import GOLDEN_RECORD, IDENTITY_LINK
from cdp_lib.contracts.silver import ORDER
from cdp_lib.settings.pack import Pack
from cdp_lib.transforms.customer.touched import FactChanges, Snapshot, touched_customers
from tests.builders import rows
from tests.unit.customer.shop import at, facts, pack_of, people, trait

PACK = pack_of(
    trait("count_7d", "count(*)", window="7d"),
    trait("amount_30d", "sum(paid_amount)", window="30d"),
    time_zone="Asia/Bangkok",
)


def snapshot(
    spark: SparkSession, as_of: date, links: Mapping[str, str | None], hashes: Mapping[str, str] | None = None
) -> Snapshot:
    given = [{"source_system": "till", "source_record_id": record, "golden_id": id_} for record, id_ in links.items()]
    records = hashes if hashes is not None else {id_: "h" for id_ in links.values() if id_}
    return Snapshot(
        as_of,
        rows(spark, IDENTITY_LINK, *given),
        rows(spark, GOLDEN_RECORD, *[{"golden_id": id_, "_record_hash": hash_} for id_, hash_ in records.items()]),
    )


def unchanged(spark: SparkSession) -> dict[str, FactChanges]:
    return {"order": FactChanges(facts(spark, "order"), rows(spark, ORDER))}


def assert_touched(actual: DataFrame, spark: SparkSession, *golden_ids: str) -> None:
    assert_df_equality(actual, people(spark, *golden_ids), ignore_row_order=True, ignore_nullable=True)


def touched(spark, last, now, changes=None, pack: Pack = PACK) -> DataFrame:
    return touched_customers(last, now, changes or unchanged(spark), pack)


def test_nobody_is_touched_when_nothing_happened(spark: SparkSession) -> None:
    day = snapshot(spark, date(2025, 1, 31), {"r1": "ann"})
    assert_touched(touched(spark, day, day), spark)


def test_a_changed_fact_touches_its_holders_under_the_old_and_the_new_identity(spark: SparkSession) -> None:
    last = snapshot(spark, date(2025, 1, 31), {"r1": "ann", "r2": "bob", "r3": "cy"})
    now = snapshot(spark, date(2025, 1, 31), {"r1": "ann", "r2": "bob", "r3": "cy", "r4": "dee"})
    versions = [
        {"source_system": "till", "order_id": "o1", "person_id": person} for person in ("r1", "r4", None, "unknown")
    ] + [{"source_system": "web", "order_id": "o2", "person_id": "r3"}]
    changes = {"order": FactChanges(facts(spark, "order"), rows(spark, ORDER, *versions))}
    assert_touched(touched(spark, last, now, changes), spark, "ann", "dee")


def test_a_record_that_changes_hands_touches_both_sides(spark: SparkSession) -> None:
    ids = {"ann": "h", "bob": "h", "cy": "h", "dee": "h"}
    last = snapshot(spark, date(2025, 1, 31), {"r1": "ann", "r2": "bob", "gone": "cy"}, ids)
    now = snapshot(spark, date(2025, 1, 31), {"r1": "ann", "r2": "ann", "new": "dee"}, ids)
    assert_touched(touched(spark, last, now), spark, "ann", "bob", "cy", "dee")


def test_golden_records_that_come_go_or_change_touch_their_person(spark: SparkSession) -> None:
    last = snapshot(spark, date(2025, 1, 31), {}, {"same": "1", "changed": "1", "gone": "1"})
    now = snapshot(spark, date(2025, 1, 31), {}, {"same": "1", "changed": "2", "new": "1"})
    assert_touched(touched(spark, last, now), spark, "changed", "gone", "new")


EDGES = {
    "left 7d, first instant": "2025-01-24 17:00",
    "left 7d, last instant": "2025-01-25 16:59:59.999999",
    "still in 7d": "2025-01-25 17:00",
    "was out of 7d": "2025-01-24 16:59:59.999999",
    "left 30d": "2025-01-02 12:00",
    "still in 30d": "2025-01-02 17:00",
    "was out of 30d": "2025-01-01 16:59:59.999999",
    "known before": "2025-01-31 16:59:59.999999",
    "new day, first instant": "2025-01-31 17:00",
    "new day, last instant": "2025-02-01 16:59:59.999999",
    "still in the future": "2025-02-01 17:00",
}
CROSSED = (
    "left 7d, first instant",
    "left 7d, last instant",
    "left 30d",
    "new day, first instant",
    "new day, last instant",
)


@pytest.mark.parametrize("days", [(31, 32), (32, 31)], ids=["forwards", "backwards"])
def test_facts_that_cross_a_windows_edge_touch_their_person(spark: SparkSession, days: tuple[int, int]) -> None:
    last, now = (snapshot(spark, date.fromordinal(date(2024, 12, 31).toordinal() + day), {}) for day in days)
    orders = facts(spark, "order", *[{"golden_id": name, "ordered_at": at(text)} for name, text in EDGES.items()])
    nobodys = facts(spark, "order", {"golden_id": None, "ordered_at": at("2025-01-31 17:00")})
    changes = {"order": FactChanges(orders.unionByName(nobodys), rows(spark, ORDER))}
    assert_touched(touched(spark, last, now, changes), spark, *CROSSED)


def test_days_skipped_between_runs_are_crossed_together(spark: SparkSession) -> None:
    last, now = (snapshot(spark, date(2025, 1, day), {}) for day in (10, 20))
    orders = facts(
        spark,
        "order",
        *[{"golden_id": str(day), "ordered_at": at(f"2025-01-{day:02} 05:00")} for day in range(1, 25)],
    )
    changes = {"order": FactChanges(orders, rows(spark, ORDER))}
    assert_touched(touched(spark, last, now, changes), spark, *[str(day) for day in [*range(4, 14), *range(14, 21)]])
