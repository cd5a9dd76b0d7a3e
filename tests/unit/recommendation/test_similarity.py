import math
import random
from collections import defaultdict

import duckdb
from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession

from cdp_lib.settings.recommendation import Recommendation
from cdp_lib.transforms.recommendation.similarity import (
    comparable_products,
    most_bought,
    neighbours,
    product_code,
    product_figures,
    shared_among,
    shared_buyers,
)
from tests.unit.recommendation.grocer import assert_rows, NEIGHBOUR, TASTE

COMPARABLE = "golden_id string, products array<struct<product_id: string, weight: double>>, left_out_count bigint"
FEW = Recommendation(min_buyers=1)


def taste(golden_id: str, product_id: str, orders: int = 1, strength: float = 1.0) -> tuple[object, ...]:
    return (golden_id, product_id, orders, 0, strength, orders == 0)


def alike(tastes: DataFrame, settings: Recommendation, *weights: tuple[str, str, float]) -> DataFrame:
    """Neighbours of these tastes beside weights of (product, neighbour)."""
    comparable = comparable_products(tastes, settings)
    named = tastes.sparkSession.createDataFrame(list(weights), "one string, other string, weight double")
    coded = named.select(product_code("one").alias("code"), product_code("other").alias("neighbour_code"), "weight")
    return neighbours(shared_buyers(comparable), product_figures(comparable), coded, settings)


def test_a_person_says_little_more_by_many_orders_and_nothing_by_what_was_given_back(spark: SparkSession) -> None:
    given = [taste("ann", "milk", 3), taste("ann", "tea"), taste("bob", "milk"), taste("bob", "rug", 0)]
    actual = comparable_products(spark.createDataFrame(given, TASTE), Recommendation(min_buyers=2))
    weighed = [(person, [("milk", math.log(1 + orders))], 0) for person, orders in (("ann", 3), ("bob", 1))]
    assert_df_equality(actual, spark.createDataFrame(weighed, COMPARABLE), ignore_row_order=True, ignore_nullable=True)


def test_a_heavy_buyer_is_cut_to_the_strongest_tastes_and_the_cut_is_counted(spark: SparkSession) -> None:
    given = [taste("ann", "d", strength=0.5), taste("ann", "c", strength=0.5), taste("ann", "a", strength=0.1)]
    given += [taste("ann", "b", strength=0.9), taste("bob", "a")]
    settings = Recommendation(min_buyers=1, products_per_customer=2)
    actual = comparable_products(spark.createDataFrame(given, TASTE), settings)
    one = math.log(2)
    expected = [("ann", [("b", one), ("c", one)], 2), ("bob", [("a", one)], 0)]
    assert_df_equality(actual, spark.createDataFrame(expected, COMPARABLE), ignore_row_order=True, ignore_nullable=True)


def test_similarity_is_the_cosine_of_a_plain_computation_and_of_duckdb(spark: SparkSession) -> None:
    draw = random.Random(4)
    orders = {(f"p{draw.randrange(9)}", f"i{draw.randrange(7)}"): draw.randrange(1, 5) for _ in range(45)}
    given = [taste(person, item, count) for (person, item), count in orders.items()]
    draw.shuffle(given)
    frame = spark.createDataFrame(given, TASTE)
    found = alike(frame, FEW).toPandas()
    ours = {(row.product_id, row.neighbour_id): row.similarity for row in found.itertuples()}
    buyers: dict[str, dict[str, float]] = defaultdict(dict)
    for (person, item), count in orders.items():
        buyers[item][person] = math.log(1 + count)
    norm = {item: math.sqrt(sum(w * w for w in of.values())) for item, of in buyers.items()}
    by_hand = {
        (left, right): sum(of[p] * buyers[right][p] for p in set(of) & set(buyers[right])) / norm[left] / norm[right]
        for left, of in buyers.items()
        for right in buyers
        if left != right and set(of) & set(buyers[right])
    }
    bought = frame.toPandas()
    by_duckdb = duckdb.sql(
        "WITH b AS (SELECT golden_id, product_id, ln(1 + purchase_count) AS w FROM bought), "
        "n AS (SELECT product_id, sqrt(sum(w * w)) AS n FROM b GROUP BY 1) "
        "SELECT l.product_id, r.product_id, sum(l.w * r.w) / any_value(nl.n * nr.n) FROM b l "
        "JOIN b r ON l.golden_id = r.golden_id AND l.product_id <> r.product_id "
        "JOIN n nl ON nl.product_id = l.product_id JOIN n nr ON nr.product_id = r.product_id GROUP BY 1, 2"
    ).fetchall()
    assert len(bought) == len(orders)
    for truth in (by_hand, {(left, right): cosine for left, right, cosine in by_duckdb}):
        assert ours.keys() == truth.keys()
        assert max(abs(ours[pair] - truth[pair]) for pair in ours) < 1e-7
    places = found.sort_values(["product_id", "similarity", "neighbour_id"], ascending=[True, False, True])
    assert list(places.place) == list(places.groupby("product_id").cumcount() + 1)


def test_of_equals_the_smaller_id_is_nearer_and_the_list_is_cut(spark: SparkSession) -> None:
    given = [taste(person, item) for person in ("ann", "bob") for item in ("c", "b", "a")]
    given.append(taste("cy", "alone"))
    settings = Recommendation(min_buyers=1, neighbours=1)
    expected = [("a", "b", 1.0, 0.0, 2, 1), ("b", "a", 1.0, 0.0, 2, 1), ("c", "a", 1.0, 0.0, 2, 1)]
    for partitions in (1, 3):
        frame = spark.createDataFrame(given, TASTE).repartition(partitions)
        assert_rows(alike(frame, settings), NEIGHBOUR, *expected)


def test_a_weight_counts_tenfold_in_the_order_and_only_between_products_that_share_a_buyer(spark: SparkSession) -> None:
    given = [taste(person, item) for person in ("ann", "bob") for item in ("a", "b", "c")] + [taste("cy", "d")]
    weights = (("a", "c", 0.05), ("b", "a", -0.2), ("a", "d", 0.9))
    assert_rows(
        alike(spark.createDataFrame(given, TASTE), FEW, *weights), NEIGHBOUR,
        ("a", "c", 1.0, 0.05, 2, 1), ("a", "b", 1.0, 0.0, 2, 2), ("b", "c", 1.0, 0.0, 2, 1),
        ("b", "a", 1.0, -0.2, 2, 2), ("c", "a", 1.0, 0.0, 2, 1), ("c", "b", 1.0, 0.0, 2, 2),
    )  # fmt: skip


def test_the_model_gets_the_counts_of_the_most_bought(spark: SparkSession) -> None:
    given = [taste(person, item) for person in ("ann", "bob") for item in ("a", "b")] + [taste("ann", "d")]
    given += [taste("ann", "c")]
    comparable = comparable_products(spark.createDataFrame(given, TASTE), FEW)
    known = most_bought(product_figures(comparable), Recommendation(modelled_products=3))
    codes = spark.createDataFrame([(name,) for name in "abc"], "name string").select("name", product_code("name"))
    named = {code: name for name, code in codes.collect()}
    assert {(named[code], count) for code, count in known.collect()} == {("a", 2), ("b", 2), ("c", 1)}
    shared = shared_among(shared_buyers(comparable), known)
    assert shared.columns == ["left_code", "right_code", "shared_buyer_count"]
    assert {(named[left], named[right], count) for left, right, count in shared.collect()} == {
        ("a", "b", 2), ("a", "c", 1), ("b", "c", 1)
    }  # fmt: skip


def test_no_tastes_and_too_few_buyers_make_no_neighbours(spark: SparkSession) -> None:
    for given in ([], [taste("ann", "a"), taste("ann", "b")]):
        assert_rows(alike(spark.createDataFrame(given, TASTE), Recommendation(min_buyers=2)), NEIGHBOUR)
