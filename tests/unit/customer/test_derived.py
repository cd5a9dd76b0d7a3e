import io
from contextlib import redirect_stdout
from datetime import date
from decimal import Decimal

import pytest
from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession

from cdp_lib.errors import ConfigError
from cdp_lib.settings.trait import Trait
from cdp_lib.transforms.customer.derived import dependency_steps, derive_traits
from tests.unit.customer.shop import pack_of, trait


def plan_of(frame: DataFrame) -> str:
    """What Spark will do."""
    told = io.StringIO()
    with redirect_stdout(told):
        frame.explain()
    return told.getvalue()


def derived(name: str, select: str, **more: str) -> dict[str, str]:
    return trait(name, select, "customer", **more)


def test_ratio_is_null_without_a_denominator_and_rounds_decimals_half_up(spark: SparkSession) -> None:
    pack = pack_of(
        derived("average_amount", "ratio(total_amount, order_count)", type="decimal(18,2)"),
        derived("share", "ratio(order_count, record_count)"),
    )
    schema = "golden_id string, total_amount decimal(18,2), order_count bigint, record_count bigint"
    given = [
        ("half a cent", Decimal("0.03"), 2, 3),
        ("minus half a cent", Decimal("-0.03"), 2, 1),
        ("a third", Decimal("10.00"), 3, 4),
        ("nothing", Decimal("0.00"), 0, 0),
        ("unknown", None, None, None),
    ]
    added = [(Decimal("0.02"), 2 / 3), (Decimal("-0.02"), 2.0), (Decimal("3.33"), 0.75), (None, None), (None, None)]
    expected = spark.createDataFrame(
        [(*row, *more) for row, more in zip(given, added, strict=True)],
        f"{schema}, average_amount decimal(18,2), share double",
    )
    actual = derive_traits(spark.createDataFrame(given, schema), pack)
    assert_df_equality(actual, expected, ignore_row_order=True, ignore_nullable=True)


def test_traits_are_computed_after_those_they_read_whatever_their_order_in_the_pack(spark: SparkSession) -> None:
    pack = pack_of(
        derived("c", "b + 1", type="bigint"),
        derived("b", "a * 2", type="bigint"),
        derived("days", "datediff(as_of_date, birth_date)", type="int"),
        derived("a", "order_count", type="bigint"),
    )
    schema = "golden_id string, order_count bigint, as_of_date date, birth_date date"
    given = spark.createDataFrame(
        [("ann", 3, date(2025, 1, 31), None), ("bob", 1, date(2025, 1, 31), date(2025, 1, 1))], schema
    )
    expected = spark.createDataFrame(
        [("ann", 3, 6, 7, None), ("bob", 1, 2, 3, 30)], "golden_id string, a bigint, b bigint, c bigint, days int"
    )
    actual = derive_traits(given, pack).select("golden_id", "a", "b", "c", "days")
    assert_df_equality(actual, expected, ignore_row_order=True, ignore_nullable=True)


def test_the_longest_chain_decides_how_many_projections_there_are() -> None:
    traits = [
        Trait.model_validate(derived(name, select, type="int"))
        for name, select in (("a", "1"), ("b", "a"), ("c", "ratio(b, a)"), ("d", "order_count"), ("e", "a"))
    ]
    assert [[step.name for step in steps] for steps in dependency_steps(traits)] == [["a", "d"], ["b", "e"], ["c"]]


def test_a_circle_is_named() -> None:
    traits = [
        Trait.model_validate(derived(name, select, type="int")) for name, select in (("a", "b"), ("b", "a"), ("c", "1"))
    ]
    with pytest.raises(ConfigError, match="in a circle: a, b"):
        dependency_steps(traits)


def test_figures_of_all_customers_and_of_groups_are_joined_without_a_window(spark: SparkSession) -> None:
    pack = pack_of(
        derived("index", "round(100 * total_amount / avg(total_amount) OVER (), 1)", type="double"),
        derived("peers", "count(*) OVER (PARTITION BY city, upper(postcode))", type="bigint"),
        derived("rank", "rank() OVER (PARTITION BY city ORDER BY total_amount)", type="int"),
        derived("above", "index > max(CASE WHEN city = 'b' THEN index END) OVER ()", type="boolean"),
    )
    schema = "golden_id string, city string, postcode string, total_amount decimal(18,2)"
    given = [
        ("1", "a", "x", 10),
        ("2", "a", "X", 30),
        ("3", "b", None, 20),
        ("4", None, None, None),
        ("5", None, None, 0),
    ]
    customers = spark.createDataFrame([(*row, None if n is None else Decimal(n)) for *row, n in given], schema)
    actual = derive_traits(customers, pack)
    # The one window left is that of the rank.
    assert plan_of(actual).count("Window") == 1
    found = {row["golden_id"]: (row["index"], row["peers"], row["above"]) for row in actual.collect()}
    assert found == {
        "1": (66.7, 2, False),
        "2": (200.0, 2, True),
        "3": (133.3, 1, False),
        "4": (None, 2, None),
        "5": (0.0, 2, False),
    }
    assert [row["rank"] for row in actual.orderBy("golden_id").collect()] == [1, 2, 1, 1, 2]
    assert derive_traits(customers.limit(0), pack).count() == 0
