"""What destinations and messages are told of a customer: text, addresses, languages, products."""

from datetime import date, datetime, UTC
from typing import Any

import pytest
from chispa import assert_df_equality
from pyspark.sql import SparkSession

from cdp_lib.contracts.gold import customer
from cdp_lib.contracts.scores import RECOMMENDATION
from cdp_lib.contracts.silver import PRODUCT
from cdp_lib.settings.activation import Message
from cdp_lib.transforms.activation.recipients import named_products, recipients
from cdp_lib.transforms.activation.ways import Way
from tests.builders import rows
from tests.unit.activation.conftest import activation, message_way, pack_of

TRAITS = (
    {"kind": "trait", "name": "rate", "from": "customer", "select": "1e7", "type": "double"},
    {"kind": "trait", "name": "tags", "from": "customer", "select": "array('x')", "type": "array<double>"},
)
PACK = pack_of(*TRAITS, zone="Asia/Bangkok")
ANNA = {
    "golden_id": "g1",
    "email": "anna@example.com",
    "first_name": "Anna",
    "birth_date": date(1990, 3, 7),
    "city": "th-TH",
    "total_amount": "1234.50",
    "first_order_at": datetime(2025, 1, 31, 20, 5, tzinfo=UTC),
    "rate": 12345678.25,
    "tags": [1.0, 100.0],
    "source_systems": ["app", "till"],
}


def message(text: str = "Hi", **more: Any) -> Message:
    return Message.model_validate({"kind": "message", "id": "hi", "texts": {"en": {"text": text}}, **more})


def told(spark: SparkSession, way: Way, *messages: Message, **changed: Any) -> dict[str, Any]:
    people = rows(spark, customer(PACK), {**ANNA, **changed})
    (row,) = recipients(people, way, messages, None, PACK).collect()
    return row.asDict(recursive=True)


def test_a_person_is_told_as_text_with_the_activations_fields(spark: SparkSession) -> None:
    way = message_way(fields={"birthday": "date_format(birth_date, 'MM-dd')", "first_name": "upper(first_name)"})
    found = told(spark, way)
    assert found["address"] == "anna@example.com"
    assert found["person"] == {
        "golden_id": "g1",
        "email": "anna@example.com",
        "phone": None,
        "first_name": "ANNA",
        "last_name": None,
        "birth_date": "1990-03-07",
        "gender": None,
        "city": "th-TH",
        "postcode": None,
        "birthday": "03-07",
    }
    assert (found["view"], found["language"], found["products"]) == ({}, None, [])


def test_a_message_sees_the_fields_it_reads_as_people_write_them(spark: SparkSession) -> None:
    named = (
        "birth_date",
        "total_amount",
        "first_order_at",
        "rate",
        "tags",
        "source_systems",
        "last_name",
        "order_count",
    )
    text = " ".join(f"{{{{ customer.{name} }}}}" for name in named)
    assert told(spark, message_way(), message(text), order_count=10)["view"] == {
        "birth_date": "1990-03-07",
        "total_amount": "1234.50",
        "first_order_at": "2025-02-01 03:05",
        "rate": "12345678.25",
        "tags": "1, 100",
        "source_systems": "app, till",
        "last_name": None,
        "order_count": "10",
    }


@pytest.mark.parametrize(
    ("said", "language"),
    [("th-TH", "th"), ("TH", "th"), (" en_GB ", "en"), ("Thai", None), ("", None), (None, None)],
)
def test_a_language_is_two_letters_or_unknown(spark: SparkSession, said: str | None, language: str | None) -> None:
    assert told(spark, message_way(), message(language="city"), city=said)["language"] == language


def test_an_address_of_blanks_is_none(spark: SparkSession) -> None:
    assert told(spark, message_way(), email=" ")["address"] is None
    assert told(spark, Way(activation(), "crm", "record", False, None))["address"] is None


def test_products_come_in_order_with_the_names_of_the_catalogue(spark: SparkSession) -> None:
    shown = [(2, "p2", "why 2"), (1, "p1", "why 1"), (3, "p3", "why 3")]
    wanted = [{"golden_id": "g1", "rank": rank, "product_id": name, "reason": why} for rank, name, why in shown]
    catalogue = [
        {
            "source_system": "a",
            "product_id": "p1",
            "name": "Old",
            "source_updated_at": datetime(2024, 1, 1, tzinfo=UTC),
        },
        {"source_system": "b", "product_id": "p1", "name": "Latte", "category": "coffee"},
        {"source_system": "c", "product_id": "p1", "source_updated_at": datetime(2026, 1, 1, tzinfo=UTC)},
    ]
    named = named_products(rows(spark, RECOMMENDATION, *wanted), rows(spark, PRODUCT, *catalogue))
    way = message_way(products=2)
    people = rows(spark, customer(PACK), ANNA, {"golden_id": "g2"})
    found = {row["golden_id"]: row["products"] for row in recipients(people, way, (), named, PACK).collect()}
    kind = RECOMMENDATION.column("kind").check.split("'")[1]  # type: ignore[union-attr] - it has one
    assert [tuple(one) for one in found["g1"]] == [
        ("p1", "Latte", "coffee", "why 1", kind),
        ("p2", None, None, "why 2", kind),
    ]
    assert found["g2"] == []


def test_nobody_gives_no_rows_of_the_same_shape(spark: SparkSession) -> None:
    nobody = recipients(rows(spark, customer(PACK)), message_way(), (message(),), None, PACK)
    somebody = recipients(rows(spark, customer(PACK), ANNA), message_way(), (message(),), None, PACK)
    assert_df_equality(nobody, somebody.where("golden_id is null"))
