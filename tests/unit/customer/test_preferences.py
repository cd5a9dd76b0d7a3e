import random

from chispa import assert_df_equality
from pyspark.sql import SparkSession

from cdp_lib.transforms.customer.preferences import preferences
from tests.unit.recommendation.grocer import AS_OF, assert_rows, at, bought, product, products, purchases

PREFERENCE = (
    "golden_id string, preference_kind string, rank int, value string, purchase_count bigint, share double, "
    "last_at timestamp"
)
SHOP = (product("tea"), product("rye"), product("soap", "bath"), product("gift", None))


def test_favourites_of_every_kind_by_orders_then_the_latest_then_the_value(spark: SparkSession) -> None:
    one, two, three = "2025-01-06 04:59", "2025-01-07 11:00", "2025-01-08 17:00"
    lines = [
        bought("ann", "tea", one, order_id="1", channel="web"),
        bought("ann", "rye", two, order_id="2", channel="shop", store_id="s1"),
        bought("ann", "tea", two, order_id="2", channel="shop", store_id="s1"),
        bought("ann", "tea", two, order_id="2", channel="shop", store_id="s1"),
        bought("ann", "soap", three, order_id="3"), bought("ann", "gift", three, order_id="3"),
    ]  # fmt: skip
    first, second, third = (at(time) for time in (one, two, three))
    third_of, half = 1 / 3, 1 / 2
    shop = products(spark, *SHOP)
    actual = preferences(purchases(spark, *lines), shop, as_of=AS_OF, time_zone="America/New_York", top=2)
    assert_rows(
        actual, PREFERENCE,
        ("ann", "product", 1, "tea", 2, 2 / 3, second), ("ann", "product", 2, "gift", 1, third_of, third),
        ("ann", "category", 1, "food", 2, 2 / 3, second), ("ann", "category", 2, "bath", 1, third_of, third),
        ("ann", "channel", 1, "shop", 1, half, second), ("ann", "channel", 2, "web", 1, half, first),
        ("ann", "store", 1, "s1", 1, 1.0, second),
        ("ann", "weekday", 1, "wednesday", 1, third_of, third), ("ann", "weekday", 2, "tuesday", 1, third_of, second),
        ("ann", "hour_band", 1, "afternoon", 1, third_of, third),
        ("ann", "hour_band", 2, "morning", 1, third_of, second),
    )  # fmt: skip


def test_refunds_nulls_strangers_and_later_lines_count_for_nothing(spark: SparkSession) -> None:
    lines = [
        bought("ann", "new", "2025-01-31", quantity=None, order_id=None),
        bought("bob", "tea", "2025-01-30", order_id="2"), bought("bob", "tea", "2025-01-31", order_id="2", quantity=-1),
        bought(None, "tea", "2025-01-30"), bought("cy", None, "2025-01-30"), bought("cy", "tea", None),
        bought("ann", "tea", "2025-02-01", order_id="4"),
    ]  # fmt: skip
    noon = at("2025-01-31")
    shop = products(spark, *SHOP)
    actual = preferences(purchases(spark, *lines), shop, as_of=AS_OF, time_zone="UTC")
    assert_rows(
        actual, PREFERENCE,
        ("ann", "product", 1, "new", 1, 1.0, noon), ("ann", "weekday", 1, "friday", 1, 1.0, noon),
        ("ann", "hour_band", 1, "afternoon", 1, 1.0, noon),
    )  # fmt: skip
    assert_rows(preferences(purchases(spark), shop, as_of=AS_OF, time_zone="UTC"), PREFERENCE)


def test_lines_twice_in_another_order_or_spread_otherwise_change_nothing(spark: SparkSession) -> None:
    draw = random.Random(5)
    names = ["tea", "rye", "soap", "gift"]
    given = [bought(draw.choice("abc"), draw.choice(names), f"2025-01-{draw.randrange(10, 32)}") for _ in range(50)]
    for line in given:
        line["channel"] = "web" if int(line["order_id"][-1]) % 2 else "shop"
    shop = products(spark, *SHOP)
    plain = preferences(purchases(spark, *given), shop, as_of=AS_OF, time_zone="UTC")
    shuffled = purchases(spark, *draw.sample(given * 2, 2 * len(given))).repartition(3)
    again = preferences(shuffled, shop, as_of=AS_OF, time_zone="UTC")
    assert_df_equality(again, plain, ignore_row_order=True)
