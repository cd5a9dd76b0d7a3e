import random

import pytest
from chispa import assert_df_equality
from pydantic import ValidationError
from pyspark.sql import DataFrame, SparkSession

from cdp_lib.settings.recommendation import Recommendation, Slots, Upsell
from cdp_lib.transforms.recommendation.choice import recommendations
from cdp_lib.transforms.recommendation.similarity import (
    comparable_products,
    neighbours,
    product_figures,
    shared_buyers,
)
from cdp_lib.transforms.recommendation.taste import tastes
from tests.unit.recommendation.grocer import (
    AS_OF,
    assert_rows,
    bought,
    collected,
    product,
    products,
    purchases,
    RECOMMENDATION,
    score,
)

FEW = Recommendation(min_buyers=1, per_customer=4, slots=Slots(replenish=2, discover=1, cross_sell=1))


def recommended(customers: DataFrame, lines: DataFrame, shop: DataFrame, settings: Recommendation) -> DataFrame:
    """What the job makes, without a model; tastes and neighbours are computed once, as there."""
    spark = lines.sparkSession
    of_people = collected(tastes(lines, settings, as_of=AS_OF, time_zone="UTC"))
    comparable = collected(comparable_products(of_people, settings))
    no_weights = spark.createDataFrame([], "code bigint, neighbour_code bigint, weight double")
    near = collected(neighbours(shared_buyers(comparable), product_figures(comparable), no_weights, settings))
    return recommendations(customers, of_people, near, shop, settings)


def people(spark: SparkSession, *names: str | None) -> DataFrame:
    return spark.createDataFrame([(name,) for name in names], "golden_id string")


def test_kinds_take_turns_and_popular_products_fill_the_list_of_the_new_and_the_rest(spark: SparkSession) -> None:
    lines = [bought(person, item, "2025-01-31") for person in ("bob", "cy") for item in ("milk", "tea", "soap")]
    lines += [bought("ann", "milk", "2025-01-31"), bought(None, "ham", "2025-01-31")]
    shop = products(spark, *[product(item) for item in ("milk", "tea", "ham")], product("soap", "bath"))
    actual = recommended(people(spark, "ann", "new", "new", None), purchases(spark, *lines), shop, FEW)
    likeness = score(2 * 2 / 6**0.5)
    assert_rows(
        actual, RECOMMENDATION,
        ("ann", 1, "milk", "replenish", 1, 0.5, "bought 1 time, last 0 days ago"),
        ("ann", 2, "tea", "discover", 1, likeness, "often bought with milk"),
        ("ann", 3, "soap", "cross_sell", 1, likeness, "new category bath, often bought with milk"),
        ("ann", 4, "ham", "discover", 2, 0.0, "not yet bought"),
        ("new", 1, "milk", "discover", 1, 1.0, "popular: bought by 3 people"),
        ("new", 2, "soap", "discover", 2, 2 / 3, "popular: bought by 2 people"),
        ("new", 3, "tea", "discover", 3, 2 / 3, "popular: bought by 2 people"),
        ("new", 4, "ham", "discover", 4, 0.0, "not yet bought"),
    )  # fmt: skip


def test_without_slots_for_what_is_new_popular_products_come_only_where_nothing_else_does(spark: SparkSession) -> None:
    lines = [bought("ann", item, "2025-01-31") for item in ("milk", "gone")] + [bought("bob", "gone", "2025-01-31")]
    shop = products(spark, product("milk"), product("ham"), product("gone", is_available=False))
    settings = Recommendation(slots=Slots(replenish=2, discover=0))
    found = recommended(people(spark, "ann", "bob", "new"), purchases(spark, *lines), shop, settings)
    assert_rows(
        found, RECOMMENDATION,
        ("ann", 1, "milk", "replenish", 1, 0.5, "bought 1 time, last 0 days ago"),
        ("bob", 1, "milk", "discover", 1, 1.0, "popular: bought by 1 person"),
        ("bob", 2, "ham", "discover", 2, 0.0, "not yet bought"),
        ("new", 1, "milk", "discover", 1, 1.0, "popular: bought by 1 person"),
        ("new", 2, "ham", "discover", 2, 0.0, "not yet bought"),
    )  # fmt: skip


def test_slots_are_kept_first_then_places_left_over_go_in_turns(spark: SparkSession) -> None:
    lines = [
        bought("ann", item, f"2025-01-{day}") for item, day in (("a", "31"), ("b", "20"), ("c", "10"), ("d", "01"))
    ]
    lines += [bought("bob", item, "2025-01-31") for item in ("a", "x", "y")]
    shop = products(spark, *[product(item) for item in "abcdxy"])
    settings = Recommendation(min_buyers=1, per_customer=5, slots=Slots(replenish=1, discover=1))
    actual = recommended(people(spark, "ann"), purchases(spark, *lines), shop, settings)
    listed = actual.select("golden_id", "rank", "product_id", "kind", "kind_rank")
    assert_rows(
        listed, "golden_id string, rank int, product_id string, kind string, kind_rank int",
        ("ann", 1, "a", "replenish", 1), ("ann", 2, "x", "discover", 1), ("ann", 3, "b", "replenish", 2),
        ("ann", 4, "y", "discover", 2), ("ann", 5, "c", "replenish", 3),
    )  # fmt: skip


def test_nothing_sold_out_given_back_or_durable_and_just_bought_is_shown(spark: SparkSession) -> None:
    lines = [bought(person, item, "2025-01-30") for person in ("ann", "bob") for item in ("lamp", "tea", "gone", "jam")]
    lines += [bought("ann", "jam", "2025-01-31", quantity=-1), bought("bob", "nut", "2025-01-30")]
    shop = products(
        spark, product("lamp", is_durable=True), product("tea"), product("gone", is_available=False), product("jam"),
        product("nut", is_available=False),
    )  # fmt: skip
    actual = recommended(people(spark, "ann"), purchases(spark, *lines), shop, FEW)
    day_old = 1 / (1 + 2 ** (1 / 60))
    assert_rows(actual, RECOMMENDATION, ("ann", 1, "tea", "replenish", 1, day_old, "bought 1 time, last 1 day ago"))


def test_what_comes_later_twice_or_in_another_order_changes_nothing(spark: SparkSession) -> None:
    draw = random.Random(7)
    days = [f"2025-01-{day:02d}" for day in range(1, 32)]
    given = [bought(f"p{draw.randrange(8)}", f"i{draw.randrange(9)}", draw.choice(days)) for _ in range(60)]
    later = [bought(f"p{draw.randrange(8)}", f"i{draw.randrange(12)}", "2025-02-02") for _ in range(30)]
    shop = [product(f"i{n}", draw.choice(["food", "bath"]), f"{n + 1}.00") for n in range(12)]
    names = [f"p{n}" for n in range(9)]
    plain = recommended(people(spark, *names), purchases(spark, *given), products(spark, *shop), Recommendation())
    mixed = draw.sample([*given, *given, *later], 2 * len(given) + len(later))
    again = recommended(
        people(spark, *names[::-1], *names), purchases(spark, *mixed).repartition(3),
        products(spark, *shop[::-1]).repartition(2), Recommendation(),
    )  # fmt: skip
    assert_df_equality(again, plain, ignore_row_order=True)
    listed = plain.toPandas()
    assert set(listed.golden_id) == set(names)
    assert not listed.duplicated(["golden_id", "product_id"]).any()
    assert listed.score.between(0, 1).all()
    for _, mine in listed.groupby("golden_id"):
        assert sorted(mine["rank"]) == list(range(1, len(mine) + 1))


def test_an_empty_shop_and_no_customers_give_no_rows(spark: SparkSession) -> None:
    lines = purchases(spark, bought("ann", "tea", "2025-01-30"))
    assert_rows(recommended(people(spark, "ann"), lines, products(spark), FEW), RECOMMENDATION)
    assert_rows(recommended(people(spark), lines, products(spark, product("tea")), FEW), RECOMMENDATION)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Slots(replenish=0, discover=0, cross_sell=0, upsell=0), "no kind has a place: give one of replenish"),
        (lambda: Upsell(least_ratio=3.0), "least_ratio 3.0 is above most_ratio 2.0"),
        (lambda: Recommendation(half_life_days=0), "greater than 0"),
        (lambda: Recommendation(kind="recommendation", halflife=3), "Extra inputs are not permitted"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(build, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        build()
