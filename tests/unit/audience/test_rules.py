"""Every kind of question and operator, for known and unknown values, alone and in groups; and what is told of them."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest
from chispa import assert_df_equality
from pyspark.sql import DataFrame, functions as F, SparkSession

from cdp_lib.errors import ContractError
from cdp_lib.settings.audience import Condition
from cdp_lib.transforms.audience.rules import holds, reasons, with_figures
from tests.unit.audience.cafe import AS_OF, cafe, condition, customers
from tests.unit.customer.shop import at, facts

ANN = {
    "golden_id": "ann", "visits_90d": 7, "spend_90d": "60.10", "stores": ["a", "b"], "is_vegan": True,
    "joined_date": date(2024, 5, 1), "city": "Paris", "birth_date": date(1990, 2, 5), "churn_probability": 0.7,
    "segment_rfm": "champions", "segment_rfm_name": "Best guests", "last_order_at": at("2025-01-31 03:00"),
}  # fmt: skip
BOB = {
    "golden_id": "bob", "visits_90d": 6, "spend_90d": "5.00", "stores": ["c"], "is_vegan": False, "city": "Rome",
    "joined_date": date(2025, 1, 31), "birth_date": date(1980, 7, 1), "churn_probability": 0.1,
    "segment_rfm": "lost", "segment_rfm_name": "lost", "last_order_at": at("2025-01-31 06:00"),
}  # fmt: skip
NIL = {"golden_id": "nil"}
PACK = cafe()

CASES: list[tuple[dict[str, Any], str]] = [
    ({"trait": "visits_90d", "gte": 7}, "ann"),
    ({"trait": "visits_90d", "gt": 6}, "ann"),
    ({"trait": "visits_90d", "lte": 6}, "bob"),
    ({"trait": "visits_90d", "lt": 7}, "bob"),
    ({"trait": "visits_90d", "gte": 6, "lt": 7}, "bob"),
    ({"trait": "spend_90d", "is": 60.1}, "ann"),
    ({"trait": "city", "is": "Paris"}, "ann"),
    ({"trait": "city", "is_not": "Paris"}, "bob nil"),
    ({"trait": "city", "in": ["Paris", "Oslo"]}, "ann"),
    ({"trait": "city", "not_in": ["Paris", "Oslo"]}, "bob nil"),
    ({"trait": "city", "is_known": True}, "ann bob"),
    ({"trait": "city", "is_known": False}, "nil"),
    ({"trait": "stores", "contains": "b"}, "ann"),
    ({"trait": "is_vegan", "is": False}, "bob"),
    ({"trait": "is_vegan", "is_not": False}, "ann nil"),
    ({"trait": "joined_date", "gte": "2025-01-31"}, "bob"),
    ({"trait": "joined_date", "in": ["2024-05-01", "2024-05-02"]}, "ann"),
    # 03:00 UTC is still the evening of the 30th in New York.
    ({"trait": "last_order_at", "lte": "2025-01-30"}, "ann"),
    ({"trait": "last_order_at", "is": "2025-01-31"}, "bob"),
    ({"trait": "last_order_at", "gte": "2025-01-30 22:00"}, "ann bob"),
    ({"trait": "last_order_at", "gt": "2025-01-30 22:00:00"}, "bob"),
    ({"score": "churn_probability", "gte": 0.7}, "ann"),
    ({"score": "churn_band", "is_known": False}, "ann bob nil"),
    ({"segment": "rfm", "is": "champions"}, "ann"),
    ({"segment": "rfm", "in": ["Best guests", "elsewhere"]}, "ann"),
    ({"segment": "rfm", "is_not": "Best guests"}, "bob nil"),
    ({"segment": "rfm", "not_in": ["champions"]}, "bob nil"),
    ({"segment": "rfm", "is_known": True}, "ann bob"),
    ({"birthday_within": "5d"}, "ann"),
    ({"birthday_within": "4d"}, ""),
    ({"did": "order", "gte": 2}, "ann"),
    ({"did": "order", "is": 0}, "nil"),
    ({"did": "order", "window": "30d", "gte": 1}, "ann"),
    ({"did": "order", "until": "2025-01-19", "is": 1}, "ann bob"),
    ({"did": "order", "window": "30d", "until": "2025-01-19", "gte": 1}, ""),
    ({"did": "order", "until": "2025-02-01", "gte": 3}, ""),
    ({"did": "order", "where": "channel = 'app'", "gte": 1}, "bob"),
    ({"did": "order", "select": "sum(paid_amount)", "lt": 10}, "bob"),
    ({"did": "order", "select": "sum(paid_amount)", "is_not": 4}, "ann nil"),
    ({"did": "order", "select": "last(channel)", "is": "store"}, "ann"),
    ({"did": "event", "where": "event_type = 'like'", "gte": 1}, "nil"),
    ({"audience": "loyal"}, "ann"),
    ({"audience": "empty"}, ""),
    ({"all": [{"trait": "visits_90d", "gte": 6}, {"trait": "city", "is": "Rome"}]}, "bob"),
    ({"any": [{"trait": "visits_90d", "gte": 7}, {"trait": "city", "is_known": False}]}, "ann nil"),
    ({"not": {"trait": "visits_90d", "gte": 7}}, "bob nil"),
    ({"not": {"any": [{"audience": "loyal"}, {"all": [{"birthday_within": "200d"}, {"trait": "city", "is": "Rome"}]}]}},
     "nil"),
]  # fmt: skip


def cafe_facts(spark: SparkSession) -> dict[str, DataFrame]:
    def order(golden_id: str, day: str, amount: str, channel: str) -> dict[str, Any]:
        return {"golden_id": golden_id, "ordered_at": at(day), "paid_amount": amount, "channel": channel}

    orders = facts(
        spark,
        "order",
        order("ann", "2024-06-01 12:00", "10.00", "web"),
        order("ann", "2025-01-20 12:00", "12.00", "store"),
        order("ann", "2025-02-01 12:00", "99.00", "app"),  # after the as-of date
        order("bob", "2024-06-01 12:00", "4.00", "app"),
    )
    liked = {"golden_id": "nil", "event_at": at("2025-01-01 12:00"), "event_type": "like"}
    return {"order": orders, "event": facts(spark, "event", liked)}


def asked(spark: SparkSession, *conditions: Condition) -> DataFrame:
    members = spark.createDataFrame([("loyal", "ann"), ("other", "bob")], "audience_id string, golden_id string")
    people = customers(spark, PACK, ANN, BOB, NIL)
    return with_figures(people, conditions, cafe_facts(spark), members, pack=PACK, as_of=AS_OF)


@pytest.fixture(scope="module")
def met(spark: SparkSession) -> list[set[str]]:
    """Of each case the customers who meet it, all asked at once."""
    conditions = [condition(body) for body, _ in CASES]
    answers = [holds(one).alias(f"case_{place}") for place, one in enumerate(conditions)]
    found = asked(spark, *conditions).select("golden_id", *answers).collect()
    assert all(value is not None for row in found for value in row)
    return [{row["golden_id"] for row in found if row[f"case_{place}"]} for place in range(len(CASES))]


@pytest.mark.parametrize("place", range(len(CASES)), ids=[str(body) for body, _ in CASES])
def test_condition_is_met_by(met: list[set[str]], place: int) -> None:
    assert met[place] == set(CASES[place][1].split())


@pytest.mark.parametrize(
    ("as_of", "birth", "days"),
    [
        (date(2025, 2, 28), date(2000, 2, 29), 0),
        (date(2025, 2, 27), date(2000, 2, 29), 1),
        (date(2024, 2, 28), date(2000, 2, 29), 1),
        (date(2024, 2, 29), date(2000, 2, 29), 0),
        (date(2024, 3, 1), date(2000, 2, 29), 364),
        (date(2024, 12, 28), date(1999, 1, 2), 5),
        (date(2024, 12, 31), date(1999, 12, 31), 0),
        (date(2024, 12, 31), date(1999, 12, 30), 364),
        (date(2025, 1, 31), None, None),
    ],
)
def test_days_to_the_next_birthday(spark: SparkSession, as_of: date, birth: date | None, days: int | None) -> None:
    people = customers(spark, PACK, {"golden_id": "x", "birth_date": birth})
    frame = with_figures(people, [condition({"birthday_within": "3d"})], {}, None, pack=PACK, as_of=as_of)
    assert frame.collect()[0]["days_to_birthday"] == days


def test_reasons_tell_each_question_with_value_threshold_and_whether_it_speaks_for_the_rule(
    spark: SparkSession,
) -> None:
    rule = condition(
        {
            "all": [
                {"trait": "visits_90d", "gte": 7, "lt": 10},
                {"not": {"any": [{"trait": "city", "in": ["Rome", "Oslo"]}, {"audience": "loyal"}]}},
                {"birthday_within": "7d"},
                {"segment": "rfm", "is": "champions"},
                {"did": "order", "select": "sum(paid_amount)", "where": "channel = 'app'", "window": "300d", "gte": 1},
                {"trait": "is_vegan", "is": True},
                {"trait": "last_order_at", "is_known": True},
            ]
        }
    )
    frame = asked(spark, rule).select("golden_id", F.explode(reasons(rule)).alias("why"))
    found = frame.where("golden_id <> 'bob'").select("golden_id", "why.*")
    did = "did order: sum(paid_amount) where channel = 'app' in 300d"
    questions = ["trait visits_90d", "not trait city", "not audience loyal", "birthday_within", "segment rfm", did]
    thresholds = ["gte 7, lt 10", "in Rome, Oslo", "member", "within 7d", "is champions", "gte 1", "is true", "known"]
    of_ann = [
        ("7", True), ("Paris", True), ("member", False), ("5d", True), ("champions (Best guests)", True), (None, False),
        ("true", True), ("2025-01-30 22:00:00", True),
    ]  # fmt: skip
    of_nil = [(None, False), (None, True), ("not a member", True), *[(None, False)] * 5]
    texts = [*questions, "trait is_vegan", "trait last_order_at"]
    expected = [
        (golden_id, leaf, value, threshold, held)
        for golden_id, answers in (("ann", of_ann), ("nil", of_nil))
        for leaf, threshold, (value, held) in zip(texts, thresholds, answers, strict=True)
    ]
    schema = "golden_id string, leaf string, value string, threshold string, held boolean"
    assert_df_equality(found, spark.createDataFrame(expected, schema), ignore_row_order=True, ignore_nullable=True)


def test_one_question_in_two_rules_is_one_column(spark: SparkSession) -> None:
    twice = condition({"any": [{"did": "order", "gte": 2}, {"did": "order", "lt": 1}, {"trait": "city", "is": "Rome"}]})
    frame = asked(spark, twice, condition({"trait": "city", "is": "Oslo"}))
    added = [name for name in frame.columns if name not in customers(spark, PACK, NIL).columns]
    assert added == [twice.any[0].figure.name if twice.any else "", "compared_value_city"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"did": "review", "gte": 1}, "conditions: no facts of 'review' were given"),
        ({"audience": "loyal"}, "conditions: neither members nor a column 'in_audience_loyal' were given"),
    ],
)
def test_missing_facts_and_members_are_told(spark: SparkSession, body: Mapping[str, Any], said: str) -> None:
    with pytest.raises(ContractError, match=said):
        with_figures(customers(spark, PACK, NIL), [condition(body)], {}, None, pack=PACK, as_of=AS_OF)
