from typing import Any

import pytest
from pyspark.sql import SparkSession

from cdp_lib.io.commit import session_options_of
from cdp_lib.settings.source import Source
from cdp_lib.transforms.ingest.contract import apply_contract
from tests.unit.ingest.loans import raw, source

ORDER = {"order_id": "id", "ordered_at": "at", "paid_amount": "amount", "source_updated_at": "at"}
COLUMNS: dict[str, Any] = {
    "id": {"type": "string"},
    "at": {"type": "timestamp"},
    "amount": {"type": "decimal(18,2)"},
    "n": {"type": "int"},
    "t": {"type": "string"},
    "list": {"type": "array<int>"},
}
GOOD = {"id": "1", "at": "2025-01-02 07:30:00", "amount": "1.00", "n": "1", "t": "5", "list": "[1,2]"}


def rules(spark: SparkSession, contract: Source, *given: dict[str, Any]) -> list[list[str]]:
    tagged = apply_contract(raw(spark, contract, *given), contract, time_zone="UTC")
    return [row["_rules"] for row in tagged.orderBy("_row_number").collect()]


def expecting(*conditions: str) -> Source:
    return source({**COLUMNS, "n": {"type": "int", "expect": list(conditions)}})


def test_a_broken_condition_is_named_and_a_null_one_kept(spark: SparkSession) -> None:
    broken, kept, unknown = rules(spark, expecting("n > 0"), GOOD | {"n": "0"}, GOOD, GOOD | {"n": None})
    assert (broken, kept, unknown) == (["n: n > 0"], [], [])


def test_a_required_column_and_the_key_must_have_a_value(spark: SparkSession) -> None:
    contract = source({**COLUMNS, "n": {"type": "int", "required": True}})
    lacking, wrong = rules(spark, contract, GOOD | {"n": "", "id": None}, GOOD | {"n": "one"})
    assert lacking == ["id: missing", "n: missing"]
    assert wrong == ["n: not a int"]


def test_every_broken_rule_is_named_in_order(spark: SparkSession) -> None:
    (found,) = rules(spark, expecting("n > 5", "n < 0"), GOOD | {"amount": "x"})
    assert found == ["amount: not a decimal(18,2)", "n: n < 0", "n: n > 5"]


def test_a_condition_over_many_lines_is_named_in_one(spark: SparkSession) -> None:
    assert rules(spark, expecting("n >\n   5"), GOOD) == [["n: n > 5"]]


@pytest.mark.parametrize("codegen", ["CODEGEN_ONLY", "NO_CODEGEN"])
@pytest.mark.parametrize(
    ("condition", "bad"),
    [
        ("10 / n > 1", {"n": "0"}),
        ("10 % n = 0", {"n": "0"}),
        ("cast(t AS int) > 1", {"t": "a"}),
        ("t > 1", {"t": "a"}),
        ("n + 2147483646 > 0", {"n": "2"}),
        ("list[1] > 0", {"list": "[1]"}),
        ("element_at(list, 2) > 0", {"list": "[1]"}),
        ("to_date(t, 'd') IS NOT NULL", {"t": "a"}),
        ("make_date(2025, n, 1) IS NOT NULL", {"n": "13"}),
        ("exists(list, x -> 1 / (x - 3) < 0)", {"list": "[3]"}),
        ("assert_true(n > 0) IS NULL", {"n": "0"}),
        ("coalesce(10 div n, 0) >= 0", {"n": "0"}),
    ],
)
def test_a_condition_that_throws_breaks_the_row_and_not_the_job(
    spark: SparkSession, condition: str, bad: dict[str, str], codegen: str
) -> None:
    way = {
        "spark.sql.codegen.factoryMode": codegen,
        "spark.sql.codegen.wholeStage": str(codegen == "CODEGEN_ONLY").lower(),
    }
    with session_options_of(spark, way):
        # Twice the same, for Spark computes a common part only once and may do so too early.
        thrown, kept = rules(spark, expecting(condition, f"NOT NOT ({condition})"), GOOD | bad, GOOD)
    assert thrown == sorted(f"n: {one} cannot be computed" for one in (condition, f"NOT NOT ({condition})"))
    assert kept == []


def test_a_condition_that_always_throws_breaks_every_row(spark: SparkSession) -> None:
    assert rules(spark, expecting("1 / 0 > 1"), GOOD) == [["n: 1 / 0 > 1 cannot be computed"]]


def test_a_feed_must_give_the_required_columns_of_its_entity(spark: SparkSession) -> None:
    contract = source(COLUMNS, feeds=({"to": "order", "map": {**ORDER, "paid_amount": "amount * n"}},))
    kept, lacking = rules(spark, contract, GOOD, GOOD | {"at": None, "n": None})
    assert kept == []
    assert lacking == [
        "feed order.ordered_at: null",
        "feed order.paid_amount: null",
        "feed order.source_updated_at: null",
    ]


def test_a_value_that_does_not_fit_the_entitys_type_breaks_the_row(spark: SparkSession) -> None:
    """The source calls the amount a text: what is no number would be null in the entity, which requires it."""
    contract = source(COLUMNS, feeds=({"to": "order", "map": {**ORDER, "paid_amount": "t"}},))
    kept, broken = rules(spark, contract, GOOD, GOOD | {"t": "1,50"})
    assert (kept, broken) == ([], ["feed order.paid_amount: null"])


def test_a_feed_judges_only_the_rows_it_takes(spark: SparkSession) -> None:
    contract = source(COLUMNS, feeds=({"to": "order", "where": "n = 1", "map": ORDER},))
    taken, left, unknown = rules(
        spark, contract, GOOD | {"at": None}, GOOD | {"at": None, "n": "2"}, GOOD | {"at": None, "n": None}
    )
    assert taken == ["feed order.ordered_at: null", "feed order.source_updated_at: null"]
    assert (left, unknown) == ([], [])


def test_a_feeds_condition_that_throws_breaks_the_row(spark: SparkSession) -> None:
    contract = source(COLUMNS, feeds=({"to": "order", "where": "10 / n > 1", "map": ORDER},))
    assert rules(spark, contract, GOOD | {"n": "0"}) == [["feed order: where cannot be computed"]]


def test_an_expression_that_throws_breaks_the_row_even_where_null_is_allowed(spark: SparkSession) -> None:
    mapped = {**ORDER, "item_count": "coalesce(10 div n, 0)", "attributes": "map('n', cast(cast(t AS int) AS string))"}
    contract = source(COLUMNS, feeds=({"to": "order", "map": mapped},))
    kept, thrown = rules(spark, contract, GOOD | {"t": None}, GOOD | {"n": "0", "t": "a"})
    assert kept == []
    assert thrown == ["feed order.attributes: cannot be computed", "feed order.item_count: cannot be computed"]


def test_two_feeds_into_one_entity_name_a_rule_once(spark: SparkSession) -> None:
    contract = source(COLUMNS, feeds=({"to": "order", "map": ORDER}, {"to": "order", "map": ORDER}))
    assert rules(spark, contract, GOOD | {"amount": None}) == [["feed order.paid_amount: null"]]


def test_a_feed_that_groups_judges_no_single_row(spark: SparkSession) -> None:
    grouped = {"order_id": "id", "ordered_at": "min(at)", "paid_amount": "sum(amount)", "source_updated_at": "max(at)"}
    contract = source(COLUMNS, feeds=({"to": "order", "group_by": ["id"], "map": grouped},))
    assert rules(spark, contract, GOOD | {"at": None, "amount": None}) == [[]]


def test_what_a_feed_groups_by_is_judged_by_row(spark: SparkSession) -> None:
    grouped = {"order_id": "t", "ordered_at": "min(at)", "paid_amount": "sum(amount)", "source_updated_at": "max(at)"}
    contract = source(COLUMNS, feeds=({"to": "order", "group_by": ["t"], "map": grouped},))
    assert rules(spark, contract, GOOD | {"t": None}, GOOD) == [["feed order.order_id: null"], []]


def test_a_value_that_breaks_the_entitys_check_breaks_the_row(spark: SparkSession) -> None:
    """A till writes refunds with a negative count; an app rates of ten, and its kinds of entries are its own."""
    contract = source(COLUMNS, feeds=({"to": "order", "map": {**ORDER, "item_count": "n * 2"}},))
    kept, unknown, broken = rules(spark, contract, GOOD, GOOD | {"n": None}, GOOD | {"n": "-1"})
    assert (kept, unknown, broken) == ([], [], ["feed order.item_count: not item_count >= 0"])

    rated = {"review_id": "id", "reviewed_at": "at", "rating": "t", "source_updated_at": "at"}
    contract = source(COLUMNS, feeds=({"to": "review", "map": rated},))
    ((broken,), kept, none) = rules(spark, contract, GOOD | {"t": "10"}, GOOD, GOOD | {"t": "good"})
    assert (broken, kept, none) == ("feed review.rating: not rating BETWEEN 0 AND 5", [], [])

    earned = {"entry_id": "id", "person_id": "id", "entry_at": "at", "entry_type": "t", "points_count": "n"}
    contract = source(COLUMNS, feeds=({"to": "loyalty_entry", "map": {**earned, "source_updated_at": "at"}},))
    kept, (broken,) = rules(spark, contract, GOOD | {"t": "earn"}, GOOD | {"t": "bonus"})
    assert kept == []
    assert broken.startswith("feed loyalty_entry.entry_type: not entry_type IN ('earn', ")


def test_a_literal_is_no_rule(spark: SparkSession) -> None:
    contract = source(COLUMNS, feeds=({"to": "order", "map": {**ORDER, "channel": "'desk'"}},))
    assert rules(spark, contract, GOOD) == [[]]
