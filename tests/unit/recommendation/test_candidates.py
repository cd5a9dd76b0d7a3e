from pyspark.sql import SparkSession

from cdp_lib.settings.recommendation import Recommendation, Slots
from cdp_lib.transforms.recommendation.candidates import discoveries, replenishments
from tests.unit.recommendation.grocer import assert_rows, neighbours, product, products, score, TASTE

CANDIDATE = "golden_id string, product_id string, kind string, score double, reason string"
SETTINGS = Recommendation()


def taste(golden_id: str, product_id: str, orders: int = 1, days: int = 0, strength: float = 1.0) -> tuple[object, ...]:
    """With 0 orders: bought and given back."""
    return (golden_id, product_id, orders, days if orders else None, strength if orders else 0.0, orders == 0)


def test_what_is_used_up_comes_again_and_what_lasts_rests_first(spark: SparkSession) -> None:
    given = [
        taste("ann", "milk", 5, 12, 3.0), taste("ann", "lamp", 1, 364), taste("ann", "sofa", 1, 365, 1 / 3),
        taste("ann", "jam", 0), taste("ann", "soldout"), taste("ann", "stranger"), taste("bob", "milk", 1, 1),
    ]  # fmt: skip
    shop = products(
        spark, product("milk", None, None), product("lamp", is_durable=True), product("sofa", is_durable=True),
        product("jam"), product("soldout", is_available=False),
    )  # fmt: skip
    assert_rows(
        replenishments(spark.createDataFrame(given, TASTE), shop, SETTINGS), CANDIDATE,
        ("ann", "milk", "replenish", 0.75, "bought 5 times, last 12 days ago"),
        ("ann", "sofa", "replenish", 0.25, "bought 1 time, last 365 days ago"),
        ("bob", "milk", "replenish", 0.5, "bought 1 time, last 1 day ago"),
    )  # fmt: skip


def test_new_products_are_told_apart_by_category_and_price_and_scored_by_likeness(spark: SparkSession) -> None:
    given = [taste("ann", "milk", 3, strength=3.0), taste("ann", "tea"), taste("bob", "tea"), taste("cy", "rug", 0)]
    given += [taste("ann", "back", 0)]
    shop = products(
        spark, product("milk"), product("tea"), product("cream", price="1.50"), product("gold", price="2.01"),
        product("soap", "bath"), product("mint", None, None), product("gone", is_available=False), product("back"),
        product("rug", "home"),
    )  # fmt: skip
    near = neighbours(
        spark, ("milk", "cream", 0.8), ("tea", "cream", 0.4), ("milk", "gold", 0.4), ("milk", "soap", 0.2),
        ("tea", "soap", 0.8), ("tea", "mint", 0.6), ("milk", "gone", 0.9), ("milk", "back", 0.9), ("milk", "tea", 0.9),
        ("rug", "milk", 0.9), ("tea", "lost", 0.9),
    )  # fmt: skip
    tastes = spark.createDataFrame(given, TASTE)
    milk = ("ann", "rug", "cross_sell", score(2 * 0.9 * 0.6), "new category home, often bought with milk")
    expected = [
        milk,
        (
            "ann",
            "cream",
            "upsell",
            score(2 * (0.8 * 0.6 + 0.4 * 0.4)),
            "often bought with milk, at 1.50 times its price",
        ),
        ("ann", "gold", "discover", score(2 * 0.4 * 0.6), "often bought with milk"),
        ("ann", "soap", "cross_sell", score(2 * (0.2 * 0.6 + 0.8 * 0.4)), "new category bath, often bought with tea"),
        ("ann", "mint", "discover", score(2 * 0.6 * 0.4), "often bought with tea"),
        ("bob", "milk", "discover", score(1.8), "often bought with tea"),
        ("bob", "cream", "discover", score(0.8), "often bought with tea"),
        ("bob", "soap", "cross_sell", score(1.6), "new category bath, often bought with tea"),
        ("bob", "mint", "discover", score(1.2), "often bought with tea"),
    ]
    assert_rows(discoveries(tastes, near, shop, SETTINGS), CANDIDATE, *expected)
    plain = Recommendation(slots=Slots(cross_sell=0, upsell=0))
    reasons = {"milk": "often bought with milk", "tea": "often bought with tea"}
    causes = ["milk", "milk", "milk", "tea", "tea", "tea", "tea", "tea", "tea"]
    assert_rows(
        discoveries(tastes, near, shop, plain), CANDIDATE,
        *[(who, what, "discover", points, reasons[cause])
          for (who, what, _, points, _), cause in zip(expected, causes, strict=True)],
    )  # fmt: skip


def test_the_reason_of_equal_causes_is_the_stronger_habit_then_the_smaller_id(spark: SparkSession) -> None:
    tastes = spark.createDataFrame([taste("ann", name) for name in ("tea", "jam")], TASTE).repartition(2)
    shop = products(spark, product("tea"), product("jam"), product("rye"))
    near = neighbours(spark, ("tea", "rye", 0.5), ("jam", "rye", 0.5))
    assert_rows(
        discoveries(tastes, near, shop, SETTINGS), CANDIDATE,
        ("ann", "rye", "discover", score(1.0), "often bought with jam"),
    )  # fmt: skip


def test_the_models_weights_add_up_over_all_that_was_bought_and_the_cause_adds_most(spark: SparkSession) -> None:
    given = [taste("ann", "tea", strength=3.0), taste("ann", "jam"), taste("ann", "nut", 0), taste("bob", "jam")]
    shop = products(spark, *[product(name, None) for name in ("tea", "jam", "rye", "ham")], product("nut", "snack"))
    near = neighbours(
        spark, ("tea", "rye", 0.2), ("jam", "rye", 0.1), ("nut", "rye", 0.1), ("jam", "ham", 0.1),
        weights={("tea", "rye"): -0.1, ("jam", "rye"): 0.3, ("nut", "rye"): 0.9, ("jam", "ham"): -0.5},
    )  # fmt: skip
    strong, weak = 0.75 / 1.25, 0.5 / 1.25
    assert_rows(
        discoveries(spark.createDataFrame(given, TASTE), near, shop, SETTINGS), CANDIDATE,
        ("ann", "rye", "discover", score(2 * (0.2 * strong + 0.1 * weak) + 0.2), "often bought with jam"),
        ("bob", "rye", "discover", score(0.5), "often bought with jam"),
    )  # fmt: skip


def test_who_bought_of_no_known_category_is_not_sold_across(spark: SparkSession) -> None:
    given = [taste("ann", "gift"), taste("bob", "gift"), taste("bob", "tea")]
    shop = products(spark, product("gift", None), product("tea"), product("soap", "bath"))
    found = discoveries(spark.createDataFrame(given, TASTE), neighbours(spark, ("gift", "soap", 0.5)), shop, SETTINGS)
    assert_rows(
        found, CANDIDATE,
        ("ann", "soap", "discover", score(1.0), "often bought with gift"),
        ("bob", "soap", "cross_sell", score(0.5), "new category bath, often bought with gift"),
    )  # fmt: skip


def test_tastes_beyond_the_cap_pull_nothing_but_stay_known(spark: SparkSession) -> None:
    given = [taste("ann", "tea", strength=3.0), taste("ann", "jam", strength=2.0), taste("ann", "rye", strength=1.0)]
    shop = products(spark, *[product(name) for name in ("tea", "jam", "rye", "ham", "nut")])
    near = neighbours(spark, ("tea", "ham", 0.5), ("rye", "nut", 0.9), ("tea", "rye", 0.9))
    found = discoveries(spark.createDataFrame(given, TASTE), near, shop, Recommendation(products_per_customer=2))
    share = score(2 * 0.5 * 0.75 / (3 / 4 + 2 / 3))
    assert_rows(found, CANDIDATE, ("ann", "ham", "discover", share, "often bought with tea"))


def test_nothing_bought_and_nothing_alike_give_no_candidates(spark: SparkSession) -> None:
    nothing, some = spark.createDataFrame([], TASTE), spark.createDataFrame([taste("ann", "tea")], TASTE)
    shop = products(spark, product("tea"))
    assert_rows(discoveries(some, neighbours(spark), shop, SETTINGS), CANDIDATE)
    assert_rows(replenishments(nothing, shop, SETTINGS), CANDIDATE)
