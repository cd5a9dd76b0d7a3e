import random

from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession

from cdp_lib.settings.recommendation import Recommendation
from cdp_lib.transforms.recommendation.taste import tastes
from tests.unit.recommendation.grocer import AS_OF, assert_rows, bought, purchases, TASTE

SETTINGS = Recommendation(half_life_days=30)


def assert_tastes(given: DataFrame, *expected: tuple[object, ...], zone: str = "UTC") -> None:
    actual = tastes(given, SETTINGS, as_of=AS_OF, time_zone=zone)
    assert_rows(actual, TASTE, *expected)


def test_orders_count_once_and_fade_by_half_in_a_half_life(spark: SparkSession) -> None:
    given = purchases(
        spark,
        bought("ann", "milk", "2025-01-31"), bought("ann", "milk", "2025-01-01"),
        bought("ann", "milk", "2025-01-01", quantity=3), bought("ann", "tea", "2024-12-02"),
        bought("bob", "milk", "2025-01-30"),
    )  # fmt: skip
    assert_tastes(
        given,
        ("ann", "milk", 2, 0, 1.5, False), ("ann", "tea", 1, 60, 0.25, False),
        ("bob", "milk", 1, 1, 0.977159968, False),
    )  # fmt: skip


def test_what_was_given_back_in_all_is_no_taste_and_what_was_kept_in_part_is(spark: SparkSession) -> None:
    given = purchases(
        spark,
        bought("ann", "lamp", "2025-01-01", quantity=2), bought("ann", "lamp", "2025-01-05", quantity=-2),
        bought("ann", "rug", "2025-01-01"), bought("ann", "rug", "2025-01-01", quantity=1, paid_amount="-1.00"),
        bought("ann", "mug", "2025-01-01", quantity=3), bought("ann", "mug", "2025-01-31", quantity=-1),
    )  # fmt: skip
    assert_tastes(
        given,
        ("ann", "lamp", 0, None, 0.0, True), ("ann", "rug", 0, None, 0.0, True), ("ann", "mug", 1, 30, 0.5, False),
    )  # fmt: skip


def test_nulls_leave_out_only_lines_without_person_product_or_time(spark: SparkSession) -> None:
    given = purchases(
        spark,
        bought(None, "milk", "2025-01-31"), bought("ann", None, "2025-01-31"), bought("ann", "milk", None),
        bought("ann", "tea", "2025-01-31", quantity=None), bought("ann", "jam", "2025-01-31", paid_amount=None),
        bought("ann", "rye", "2025-01-31", order_id=None), bought("ann", "rye", "2025-01-31 13:00", order_id=None),
        bought("ann", "rye", "2025-01-01", order_id=None), bought("ann", "ham", "2025-01-31", quantity=0),
    )  # fmt: skip
    assert_tastes(
        given,
        ("ann", "tea", 1, 0, 1.0, False), ("ann", "jam", 1, 0, 1.0, False), ("ann", "rye", 2, 0, 1.5, False),
        ("ann", "ham", 1, 0, 1.0, False),
    )  # fmt: skip


def test_nothing_after_the_as_of_day_in_the_zone_counts(spark: SparkSession) -> None:
    known = [bought("ann", "milk", "2025-02-01 04:59"), bought("ann", "milk", "2025-01-01 04:00")]
    later = [
        bought("ann", "milk", "2025-02-01 05:00"), bought("ann", "milk", "2025-02-03", quantity=-9),
        bought("bob", "milk", "2025-02-02"),
    ]  # fmt: skip
    expected = ("ann", "milk", 2, 0, 1.0 + 0.5 ** (31 / 30), False)
    for given in (known, known + later):
        assert_tastes(purchases(spark, *given), expected, zone="America/New_York")


def test_rows_twice_in_another_order_or_spread_otherwise_are_the_same_tastes(spark: SparkSession) -> None:
    draw = random.Random(1)
    days = [f"2025-01-{day:02d}" for day in range(1, 32)]
    given = [bought(draw.choice("abc"), draw.choice("xyz"), draw.choice(days)) for _ in range(80)]
    plain = tastes(purchases(spark, *given), SETTINGS, as_of=AS_OF, time_zone="UTC")
    shuffled = purchases(spark, *draw.sample(given * 2, len(given) * 2)).repartition(3)
    again = tastes(shuffled, SETTINGS, as_of=AS_OF, time_zone="UTC")
    assert_df_equality(again, plain, ignore_row_order=True)


def test_no_purchases_are_no_tastes(spark: SparkSession) -> None:
    assert_tastes(purchases(spark))


def test_purchases_are_shuffled_once_by_person(spark: SparkSession, capsys) -> None:
    found = tastes(purchases(spark, bought("ann", "milk", "2025-01-31")), SETTINGS, as_of=AS_OF, time_zone="UTC")
    found.explain()
    assert capsys.readouterr().out.count("Exchange hashpartitioning(golden_id") == 1
