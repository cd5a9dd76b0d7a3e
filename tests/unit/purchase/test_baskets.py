import random

from chispa import assert_df_equality
from pyspark.sql import SparkSession

from cdp_lib.transforms.purchase.baskets import baskets
from tests.unit.purchase.counter import BASKET
from tests.unit.recommendation.grocer import AS_OF, assert_rows, at, bought, product, products, purchases

SHOP = (product("tea"), product("rye"), product("soap", "bath"), product("gift", None))


def test_a_basket_holds_what_was_kept_of_an_order_at_its_first_clock_time(spark: SparkSession) -> None:
    lines = [
        bought("ann", "tea", "2025-01-10 04:30", order_id="1"), bought("ann", "soap", "2025-01-10 05:30", order_id="1"),
        bought("ann", "tea", "2025-01-10 05:30", order_id="1"), bought(None, "gift", "2025-01-11", order_id="2"),
        bought("bob", "rye", "2025-01-12", order_id="3"), bought("bob", "tea", "2025-01-12", order_id="3"),
        bought("bob", "tea", "2025-01-13", order_id="3", paid_amount="-1.00"),
        bought("bob", "rye", "2025-01-14", order_id="4", quantity=-1),
        bought("cy", "new", "2025-02-01 04:59", order_id=None), bought(None, "tea", "2025-01-12", order_id=None),
        bought("cy", "tea", "2025-02-01 05:00", order_id="5"), bought("cy", None, "2025-01-12", order_id="6"),
        bought("cy", "tea", None, order_id="7"), bought(None, "tea", "2025-01-12", order_id="8", quantity=None),
    ]  # fmt: skip
    expected = [
        ("1", "ann", at("2025-01-09 23:30"), ["soap", "tea"], ["bath", "food"]),
        ("2", None, at("2025-01-11 07:00"), ["gift"], []), ("3", "bob", at("2025-01-12 07:00"), ["rye"], ["food"]),
        ("day 2025-01-31 cy", "cy", at("2025-01-31 23:59"), ["new"], []),
        ("8", None, at("2025-01-12 07:00"), ["tea"], ["food"]),
    ]  # fmt: skip
    shop = products(spark, *SHOP)
    actual = baskets(purchases(spark, *lines), shop, as_of=AS_OF, time_zone="America/New_York")
    assert_rows(actual, BASKET, *expected)


def test_what_was_weighed_and_taken_back_to_the_gram_is_not_kept(spark: SparkSession) -> None:
    lines = [bought("ann", "tea", "2025-01-10", order_id="1", quantity=weight) for weight in ("0.1", "0.2", "-0.3")]
    shop = products(spark, *SHOP)
    assert_rows(baskets(purchases(spark, *lines), shop, as_of=AS_OF, time_zone="UTC"), BASKET)


def test_lines_twice_in_another_order_and_no_lines(spark: SparkSession) -> None:
    draw = random.Random(2)
    names = ["tea", "rye", "soap", "gift"]
    given = [bought("ann", draw.choice(names), f"2025-01-{day}") for day in (10, 11, 12) for _ in range(4)]
    shop = products(spark, *SHOP)
    plain = baskets(purchases(spark, *given), shop, as_of=AS_OF, time_zone="UTC")
    shuffled = purchases(spark, *draw.sample(given * 2, 2 * len(given))).repartition(3)
    again = baskets(shuffled, shop, as_of=AS_OF, time_zone="UTC")
    assert_df_equality(again, plain, ignore_row_order=True)
    assert_rows(baskets(purchases(spark), shop, as_of=AS_OF, time_zone="UTC"), BASKET)
