from datetime import date

from pyspark.sql import SparkSession

from cdp_lib.settings.purchase_pattern import PurchasePattern
from cdp_lib.transforms.purchase.baskets import baskets as in_baskets
from cdp_lib.transforms.purchase.migration import category_migrations
from cdp_lib.transforms.purchase.patterns import purchase_patterns
from tests.unit.purchase.counter import baskets, PATTERN, pattern
from tests.unit.recommendation.grocer import AS_OF, assert_rows, bought, product, products, purchases

SETTINGS = PurchasePattern(min_support_count=1, migration_days=10)
DAY = date(2025, 1, 30)


def move(of: str, subject: str, other: str, counts: tuple[int, int, int, int]) -> tuple[object, ...]:
    both, started, ended, of_all = counts
    return pattern(
        f"migration_{of}", subject, other, "move", support_count=both, subject_count=started, object_count=ended,
        basis_count=of_all, support_share=both / of_all, confidence=both / started,
        lift=both * of_all / started / ended,
        unit="people",
    )  # fmt: skip


def test_people_move_from_their_first_and_main_category_to_the_next_main_one(spark: SparkSession) -> None:
    given = [
        ("ann", "2025-01-11 10:00", ["x/1"]), ("ann", "2025-01-12 10:00", ["y/1"]),
        ("ann", "2025-01-20 23:00", ["y/1"]),
        ("ann", "2025-01-21 00:00", ["z/1"]), ("ann", "2025-01-30 10:00", ["x/1"]),
        ("ann", "2025-01-30 11:00", ["x/1"]),
        ("bob", "2025-01-15 10:00", ["y/1", "x/1"]), ("bob", "2025-01-22 10:00", ["z/1"]),
        ("cy", "2025-01-10 10:00", ["x/1"]), ("cy", "2025-01-22 10:00", ["z/1"]),
        ("dee", "2025-01-15 10:00", ["x/1"]), (None, "2025-01-15 10:00", ["x/1"]), (None, "2025-01-25 10:00", ["z/1"]),
        ("eve", "2025-01-15 10:00", ["loose"]), ("eve", "2025-01-22 10:00", ["z/1"]),
    ]  # fmt: skip
    expected = [
        move("first", "x", "x", (1, 2, 1, 2)), move("first", "x", "z", (1, 2, 1, 2)),
        move("main", "y", "x", (1, 1, 1, 2)), move("main", "x", "z", (1, 1, 1, 2)),
    ]  # fmt: skip
    for frame in (baskets(spark, *given), baskets(spark, *given[::-1]).repartition(3)):
        assert_rows(category_migrations(frame, SETTINGS, as_of=DAY), PATTERN, *expected)


def test_rare_moves_are_not_told_but_stay_in_the_totals(spark: SparkSession) -> None:
    given = [(name, f"2025-01-{day} 10:00", ["x/1"]) for name in ("ann", "bob") for day in (15, 25)]
    given += [("cy", "2025-01-15 10:00", ["x/1"]), ("cy", "2025-01-25 10:00", ["z/1"])]
    settings = PurchasePattern(min_support_count=2, migration_days=10)
    expected = [move(of, "x", "x", (2, 3, 2, 3)) for of in ("first", "main")]
    assert_rows(category_migrations(baskets(spark, *given), settings, as_of=DAY), PATTERN, *expected)


def test_the_table_of_all_patterns_has_one_row_per_key_and_knows_no_later_line(spark: SparkSession) -> None:
    shop = products(spark, product("tea"), product("soap", "bath"), product("rye"))
    names, items = ("ann", "bob", None), ("tea", "soap", "rye")
    known = [
        bought(name, item, f"2025-01-{day}")
        for name, skipped in zip(names, items, strict=True) for day in (15, 16, 25) for item in items if item != skipped
    ]  # fmt: skip
    later = [bought("ann", item, "2025-02-01") for item in items]
    found = []
    for lines in (known, later + known):
        frame = in_baskets(purchases(spark, *lines), shop, as_of=AS_OF, time_zone="UTC")
        found.append(purchase_patterns(frame, SETTINGS, as_of=AS_OF).toPandas().astype(object))
    key = ["pattern_type", "subject", "object", "measure"]
    plain, again = (one.sort_values(key, ignore_index=True) for one in found)
    assert not plain.duplicated(key).any()
    assert plain[key].notna().all(axis=None)
    assert set(plain.pattern_type) == {
        "rule_product", "rule_category", "basket_left_out", "basket_hour", "basket_weekday", "purchase_gap",
        "purchase_gap_by_category", "migration_first", "migration_main",
    }  # fmt: skip
    assert plain.equals(again)
