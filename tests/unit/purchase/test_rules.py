import random

import duckdb
from chispa import assert_df_equality
from pyspark.sql import SparkSession

from cdp_lib.settings.purchase_pattern import PurchasePattern
from cdp_lib.transforms.purchase.rules import association_rules, baskets_left_out
from tests.unit.purchase.counter import baskets, PATTERN, pattern
from tests.unit.recommendation.grocer import assert_rows

SOME_TIME = "2025-01-10 10:00"


def rule(level: str, subject: str, other: str, counts: tuple[int, int, int, int]) -> tuple[object, ...]:
    both, of_subject, of_object, of_all = counts
    return pattern(
        f"rule_{level}", subject, other, "rule", support_count=both, subject_count=of_subject, object_count=of_object,
        basis_count=of_all, support_share=both / of_all, confidence=both / of_subject,
        lift=both * of_all / of_subject / of_object, unit="baskets",
    )  # fmt: skip


def test_rules_of_products_and_categories_go_both_ways_from_the_least_support_on(spark: SparkSession) -> None:
    tea, rye, soap = "food/tea", "food/rye", "bath/soap"
    given = [[tea, rye, soap], [tea, soap], [tea], [rye], ["loose"]]
    frame = baskets(spark, *[(None, SOME_TIME, items) for items in given])
    settings = PurchasePattern(min_support_count=2)
    actual = association_rules(frame, "product", settings).unionByName(association_rules(frame, "category", settings))
    assert_rows(
        actual, PATTERN,
        rule("product", "tea", "soap", (2, 3, 2, 5)), rule("product", "soap", "tea", (2, 2, 3, 5)),
        rule("category", "food", "bath", (2, 4, 2, 5)), rule("category", "bath", "food", (2, 2, 4, 5)),
    )  # fmt: skip


def test_baskets_over_the_cap_are_left_out_and_counted(spark: SparkSession) -> None:
    given = [["tea", "rye"], ["tea", "rye"], ["tea", "rye", "ham"]]
    frame = baskets(spark, *[("ann", SOME_TIME, items) for items in given])
    settings = PurchasePattern(min_support_count=1, max_basket_products=2)
    both = association_rules(frame, "product", settings).unionByName(baskets_left_out(frame, settings))
    left_out = pattern(
        "basket_left_out", "all", "all", "baskets", support_count=1, basis_count=3, support_share=1 / 3, unit="baskets"
    )
    ways = [rule("product", *way, (2, 2, 2, 2)) for way in (("tea", "rye"), ("rye", "tea"))]
    assert_rows(both, PATTERN, *ways, left_out)


def test_each_subject_keeps_its_rules_of_most_lift_ties_by_support_then_object(spark: SparkSession) -> None:
    given = [["tea", "b"], ["tea", "a"], ["tea", "c"], ["tea", "d"], ["c"]]
    frame = baskets(spark, *[("ann", SOME_TIME, items) for items in given])
    settings = PurchasePattern(min_support_count=1, rules_per_subject=2)
    from_tea = [("tea", "a", (1, 4, 1, 5)), ("tea", "b", (1, 4, 1, 5))]
    to_tea = [("a", "tea", (1, 1, 4, 5)), ("b", "tea", (1, 1, 4, 5)), ("c", "tea", (1, 2, 4, 5))]
    to_tea.append(("d", "tea", (1, 1, 4, 5)))
    for partitions in (1, 3):
        actual = association_rules(frame.repartition(partitions), "product", settings)
        assert_rows(actual, PATTERN, *[rule("product", *one) for one in from_tea + to_tea])


def test_support_confidence_and_lift_are_those_of_duckdb(spark: SparkSession) -> None:
    draw = random.Random(3)
    held = [sorted({f"i{draw.randrange(8)}" for _ in range(draw.randrange(1, 5))}) for _ in range(60)]
    frame = baskets(spark, *[("ann", SOME_TIME, items) for items in held])
    settings = PurchasePattern(min_support_count=3)
    connection = duckdb.connect()
    connection.execute("CREATE TABLE line (basket INT, item VARCHAR)")
    lines = [(number, item) for number, items in enumerate(held) for item in items]
    connection.executemany("INSERT INTO line VALUES (?, ?)", lines)
    truth = connection.sql(
        "WITH one AS (SELECT item, count(*) AS n FROM line GROUP BY 1), "
        "b AS (SELECT count(DISTINCT basket) AS n FROM line), "
        "two AS (SELECT l.item AS s, r.item AS o, count(*) AS n FROM line l JOIN line r USING (basket) "
        "WHERE l.item <> r.item GROUP BY 1, 2 HAVING count(*) >= 3) "
        "SELECT 'rule_product', s, o, 'rule', two.n, os.n, oo.n, b.n, two.n / b.n, two.n / os.n, "
        "(two.n / b.n) / ((os.n / b.n) * (oo.n / b.n)), NULL, 'baskets' "
        "FROM two, b, one os, one oo WHERE os.item = s AND oo.item = o"
    ).fetchall()
    assert len(truth) > 10
    assert_rows(association_rules(frame, "product", settings), PATTERN, *truth)


def test_no_baskets_make_no_rules(spark: SparkSession) -> None:
    nothing = baskets(spark)
    settings = PurchasePattern(min_support_count=1)
    both = association_rules(nothing, "product", settings).unionByName(baskets_left_out(nothing, settings))
    assert_df_equality(both, spark.createDataFrame([], PATTERN), ignore_nullable=True)
