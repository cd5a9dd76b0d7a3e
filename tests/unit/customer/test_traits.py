import random
import re
from collections import Counter
from datetime import date, datetime, timedelta, UTC
from decimal import Decimal, ROUND_HALF_UP
from zoneinfo import ZoneInfo

import pytest
from chispa import assert_df_equality
from pyspark.sql import SparkSession

from cdp_lib.contracts.gold import FIXED_TRAITS
from cdp_lib.contracts.identity import IDENTITY_LINK
from cdp_lib.contracts.silver import ORDER
from cdp_lib.errors import ContractError
from cdp_lib.transforms.customer.traits import compute_traits, facts_of_people
from tests.builders import rows
from tests.unit.customer.shop import at, expected_traits, facts, pack_of, people, trait

AS_OF = date(2025, 1, 31)
FIXED = [fixed.name for fixed in FIXED_TRAITS]


def order(golden_id: str | None, day: str, amount: str = "1.00", **more: object) -> dict[str, object]:
    return {"golden_id": golden_id, "ordered_at": at(day), "paid_amount": amount, **more}


def test_every_aggregate_over_one_customers_orders_and_of_nothing(spark: SparkSession) -> None:
    pack = pack_of(
        trait("stores_known", "count(store_id)"),
        trait("store_count", "count_distinct(store_id)"),
        trait("average_amount", "avg(paid_amount)"),
        trait("least_amount", "min(paid_amount)"),
        trait("most_amount", "max(paid_amount)"),
        trait("first_store", "first(store_id)"),
        trait("last_store", "last(store_id)"),
        trait("favourite_store", "most_frequent(store_id)"),
        trait("store_path", "list(store_id)"),
        trait("stores", "distinct(store_id)"),
        trait("online_count", "count(*)", where="channel = 'online'"),
        trait("items", "sum(item_count)"),
    )
    orders = facts(
        spark,
        "order",
        order("ann", "2025-01-02 10:00", "10.00", store_id="b", channel="store", item_count=2),
        order("ann", "2025-01-01 10:00", "0.01", store_id="a", channel="store"),
        order("ann", "2025-01-03 10:00", "-3.00", store_id="b", channel=None, item_count=3),
        order("ann", "2025-01-04 10:00", "5.00", store_id=None, channel="online"),
    )
    names = [*FIXED, *(t.name for t in pack.traits)]
    ann = (
        "ann", at("2025-01-01 10:00"), at("2025-01-04 10:00"), 4, Decimal("12.01"), 3, 2, Decimal("3.00"),
        Decimal("-3.00"), Decimal("10.00"), "a", "b", "b", ["a", "b", "b"], ["a", "b"], 1, 5,
    )  # fmt: skip
    bob = ("bob", None, None, 0, Decimal("0.00"), 0, 0, None, None, None, None, None, None, None, None, 0, None)
    actual = compute_traits(people(spark, "ann", "bob"), {"order": orders}, pack, as_of=AS_OF)
    assert_df_equality(
        actual, expected_traits(spark, pack, names, ann, bob), ignore_row_order=True, ignore_nullable=True
    )


def test_decimals_are_averaged_exactly_and_rounded_half_up_once(spark: SparkSession) -> None:
    pack = pack_of(trait("average_amount", "avg(paid_amount)"))
    orders = facts(
        spark, "order", *[order("ann", "2025-01-01 10:00", amount) for amount in ("0.01", "0.02")],
        *[order("bob", "2025-01-01 10:00", amount) for amount in ("-0.01", "-0.02")],
        *[order("cy", "2025-01-01 10:00", "9999999999999999.99")],
    )  # fmt: skip
    actual = compute_traits(people(spark, "ann", "bob", "cy"), {"order": orders}, pack, as_of=AS_OF)
    expected = expected_traits(
        spark, pack, ["total_amount", "average_amount"],
        ("ann", Decimal("0.03"), Decimal("0.02")), ("bob", Decimal("-0.03"), Decimal("-0.02")),
        ("cy", Decimal("9999999999999999.99"), Decimal("9999999999999999.99")),
    )  # fmt: skip
    shown = actual.select("golden_id", "total_amount", "average_amount")
    assert_df_equality(shown, expected, ignore_row_order=True, ignore_nullable=True)


def test_ties_go_to_the_smaller_value_and_to_the_facts_key(spark: SparkSession) -> None:
    pack = pack_of(
        trait("favourite_store", "most_frequent(store_id)"),
        trait("first_store", "first(store_id)"),
        trait("last_store", "last(store_id)"),
        trait("store_path", "list(store_id)"),
    )
    same_time = [
        order("ann", "2025-01-01 10:00", source_system=source, order_id=number, store_id=store)
        for source, number, store in (("web", "1", "b"), ("till", "2", "a"), ("till", "10", "b"), ("web", "0", "a"))
    ]
    names = ["favourite_store", "first_store", "last_store", "store_path"]
    expected = expected_traits(spark, pack, names, ("ann", "a", "b", "b", ["b", "a", "a", "b"]))
    for shuffled in (same_time, same_time[::-1]):
        orders = facts(spark, "order", *shuffled).repartition(3)
        actual = compute_traits(people(spark, "ann"), {"order": orders}, pack, as_of=AS_OF)
        assert_df_equality(actual.select("golden_id", *names), expected, ignore_nullable=True)


def test_windows_are_whole_local_days_across_a_clock_change(spark: SparkSession) -> None:
    pack = pack_of(trait("count_1d", "count(*)", window="1d"), trait("count_2d", "count(*)", window="2d"),
                   time_zone="America/New_York")  # fmt: skip
    instants = {
        "first of 8 March": "2025-03-08 05:00",
        "last of 7 March": "2025-03-08 04:59:59.999999",
        "first of 9 March": "2025-03-09 05:00",
        "last of 8 March": "2025-03-09 04:59:59.999999",
        "last of 9 March": "2025-03-10 03:59:59.999999",
        "first of 10 March": "2025-03-10 04:00",
    }
    orders = facts(spark, "order", *[order(name, instant) for name, instant in instants.items()])
    actual = compute_traits(people(spark, *instants), {"order": orders}, pack, as_of=date(2025, 3, 9))
    names = ["order_count", "count_1d", "count_2d"]
    expected = expected_traits(
        spark, pack, names,
        ("first of 8 March", 1, 0, 1), ("last of 7 March", 1, 0, 0), ("first of 9 March", 1, 1, 1),
        ("last of 8 March", 1, 0, 1), ("last of 9 March", 1, 1, 1), ("first of 10 March", 0, 0, 0),
    )  # fmt: skip
    assert_df_equality(actual.select("golden_id", *names), expected, ignore_row_order=True, ignore_nullable=True)


def test_entities_stand_side_by_side_and_facts_of_nobody_or_strangers_are_left_out(spark: SparkSession) -> None:
    pack = pack_of(
        trait("review_count", "count(*)", "review"),
        trait("average_rating", "avg(rating)", "review"),
        trait("last_topic", "last(topic)", "review", window="30d"),
        trait("event_count_7d", "count(*)", "event", window="7d"),
    )
    orders = facts(spark, "order", order("ann", "2025-01-01 10:00", "2.00"), order(None, "2025-01-01 10:00"))
    reviews = facts(
        spark, "review",
        {"golden_id": "ann", "reviewed_at": at("2024-01-01 10:00"), "rating": 4.0, "topic": "queue"},
        {"golden_id": "bob", "reviewed_at": at("2025-01-30 10:00"), "rating": None, "topic": "price"},
        {"golden_id": "stranger", "reviewed_at": at("2025-01-30 10:00"), "rating": 1.0},
    )  # fmt: skip
    customers = people(spark, "ann", "bob").selectExpr("golden_id", "upper(golden_id) AS first_name")
    given = {"order": orders, "review": reviews, "event": facts(spark, "event")}
    names = ["order_count", "review_count", "average_rating", "last_topic", "event_count_7d"]
    actual = compute_traits(customers, given, pack, as_of=AS_OF)
    expected = expected_traits(spark, pack, names, ("ann", 1, 1, 4.0, None, 0), ("bob", 0, 1, None, "price", 0))
    assert actual.columns == ["golden_id", "first_name", *FIXED, *names[1:]]
    assert_df_equality(actual.select("golden_id", *names), expected, ignore_row_order=True, ignore_nullable=True)


def test_sums_of_doubles_do_not_depend_on_how_the_rows_are_spread(spark: SparkSession) -> None:
    pack = pack_of(trait("value_sum", "sum(value)", "event"), trait("value_mean", "avg(value)", "event"))
    values = [0.1, 0.2, 0.3, 1e16, -1e16, 0.7, None]
    given = [{"golden_id": "ann", "event_at": at("2025-01-01 10:00"), "value": value} for value in values]
    total = sum(sorted(value for value in values if value is not None))
    expected = expected_traits(spark, pack, ["value_sum", "value_mean"], ("ann", total, total / 6))
    for seed in range(3):
        events = facts(spark, "event", *random.Random(seed).sample(given, len(given))).repartition(seed + 1)
        found = compute_traits(
            people(spark, "ann"), {"order": facts(spark, "order"), "event": events}, pack, as_of=AS_OF
        )
        assert_df_equality(found.select("golden_id", "value_sum", "value_mean"), expected, ignore_nullable=True)


def test_each_entity_is_read_once_shuffled_once_and_only_the_columns_asked_for(spark, tmp_path, capsys) -> None:
    pack = pack_of(
        trait("last_store", "last(store_id)"), trait("count_90d", "count(*)", window="90d"),
        trait("review_count_90d", "count(*)", "review", window="90d"),
        trait("poor_count_30d", "count(*)", "review", window="30d", where="rating < 3"),
    )  # fmt: skip
    for entity, fact in (("order", order("ann", "2025-01-01 10:00")), ("review", {"golden_id": "ann"})):
        facts(spark, entity, fact).write.format("parquet").save(str(tmp_path / entity))
    given = {entity: spark.read.parquet(str(tmp_path / entity)) for entity in ("order", "review")}
    traits = compute_traits(people(spark, "ann"), given, pack, as_of=AS_OF)
    traits.explain("formatted")
    details = capsys.readouterr().out
    traits.explain()
    plan = capsys.readouterr().out
    read = [set(re.findall(r"(\w+):", schema)) for schema in re.findall(r"ReadSchema: struct<(.*?)>", details)]
    assert sorted(read, key=len) == [
        {"reviewed_at", "rating", "golden_id"},
        {"source_system", "order_id", "ordered_at", "paid_amount", "store_id", "golden_id"},
    ]
    assert plan.count("REPARTITION_BY_COL") == 2
    assert plan.count("Exchange hashpartitioning") == 2 + plan.count("ENSURE_REQUIREMENTS")
    assert plan.count("ENSURE_REQUIREMENTS") <= 1  # the customers themselves; never a trait's result
    assert "GreaterThanOrEqual(reviewed_at,2024-11-03" in details


@pytest.mark.parametrize("seed", range(2))
def test_traits_equal_a_plain_computation_however_the_rows_are_spread(spark: SparkSession, seed: int) -> None:
    zone = "America/New_York"
    pack = pack_of(
        trait("count_7d", "count(*)", window="7d"), trait("amount_30d", "sum(paid_amount)", window="30d"),
        trait("average_30d", "avg(paid_amount)", window="30d"), trait("last_store", "last(store_id)"),
        trait("favourite_store_30d", "most_frequent(store_id)", window="30d"),
        trait("store_count", "count_distinct(store_id)"), trait("stores", "distinct(store_id)", where="item_count > 1"),
        trait("store_path_7d", "list(store_id)", window="7d"), time_zone=zone,
    )  # fmt: skip
    draw = random.Random(seed)
    start = datetime(2025, 2, 1, tzinfo=UTC)
    given = [
        order(
            draw.choice(["ann", "bob", "cy"]), (start + timedelta(hours=draw.randrange(24 * 50))).strftime("%F %H:%M"),
            str(Decimal(draw.randrange(-500, 5000)) / 100), order_id=str(number), source_system="till",
            store_id=draw.choice(["a", "b", "c", None]), item_count=draw.choice([1, 2, None]),
        )
        for number in range(150)
    ]  # fmt: skip
    as_of = date(2025, 3, 15)
    expected = [_by_hand(name, given, as_of, zone) for name in ("ann", "bob", "cy", "dee")]
    names = [
        "count_7d",
        "amount_30d",
        "average_30d",
        "last_store",
        "favourite_store_30d",
        "store_count",
        "stores",
        "store_path_7d",
    ]
    orders = facts(spark, "order", *draw.sample(given, len(given))).repartition(seed * 3 + 1)
    actual = compute_traits(people(spark, "ann", "bob", "cy", "dee"), {"order": orders}, pack, as_of=as_of)
    assert_df_equality(
        actual.select("golden_id", *names), expected_traits(spark, pack, names, *expected),
        ignore_row_order=True, ignore_nullable=True,
    )  # fmt: skip


def _by_hand(name, given, as_of, zone):
    mine = sorted(
        (f for f in given if f["golden_id"] == name), key=lambda f: (f["ordered_at"], f["source_system"], f["order_id"])
    )
    local = [(f, f["ordered_at"].astimezone(ZoneInfo(zone)).date()) for f in mine]
    known = [(f, day) for f, day in local if day <= as_of]
    week = [f for f, day in known if day > as_of - timedelta(days=7)]
    month = [f for f, day in known if day > as_of - timedelta(days=30)]
    amounts = [Decimal(f["paid_amount"]) for f in month]
    counts = Counter(f["store_id"] for f in month if f["store_id"])
    stores = [f["store_id"] for f, _ in known if f["store_id"]]
    return (
        name,
        len(week),
        sum(amounts) if amounts else None,
        (sum(amounts) / len(amounts)).quantize(Decimal("0.01"), ROUND_HALF_UP) if amounts else None,
        stores[-1] if stores else None,
        min(counts, key=lambda store: (-counts[store], store)) if counts else None,
        len(set(stores)),
        sorted({f["store_id"] for f, _ in known if f["store_id"] and (f["item_count"] or 0) > 1}) or None,
        [f["store_id"] for f in week if f["store_id"]] or None,
    )


def test_facts_reach_their_person_through_the_links(spark: SparkSession) -> None:
    held = [("till", "1", "r1"), ("web", "2", "r1"), ("till", "3", None), ("till", "4", "r9")]
    orders = rows(
        spark, ORDER,
        *[{"source_system": source, "order_id": number, "person_id": person} for source, number, person in held],
    )  # fmt: skip
    links = rows(
        spark, IDENTITY_LINK,
        {"source_system": "till", "source_record_id": "r1", "golden_id": "ann"},
        {"source_system": "web", "source_record_id": "r1", "golden_id": "bob"},
    )  # fmt: skip
    actual = facts_of_people(orders, links)
    assert set(actual.columns) == {*ORDER.column_names, "golden_id"}
    expected = spark.createDataFrame([("1", "ann"), ("2", "bob")], "order_id string, golden_id string")
    assert_df_equality(actual.select("order_id", "golden_id"), expected, ignore_row_order=True, ignore_nullable=True)


def test_missing_entities_and_columns_are_all_named_at_once(spark: SparkSession) -> None:
    pack = pack_of(trait("last_store", "last(store_id)"), trait("review_count", "count(*)", "review"))
    orders = facts(spark, "order").drop("store_id", "golden_id")
    message = (
        "lack column 'golden_id'.*lack column 'store_id'.*Did you mean|no facts of 'review' were given for review_count"
    )
    with pytest.raises(ContractError, match=message):
        compute_traits(people(spark, "ann"), {"order": orders}, pack, as_of=AS_OF)
