"""What the packs make of rows as tills and shops really write them."""

from collections.abc import Mapping
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from cdp_lib.contracts.silver import CUSTOMER_RECORD, ENTITIES
from cdp_lib.io.yaml_files import load_pack
from cdp_lib.transforms.ingest.conform import conform_feed, newest_rows
from cdp_lib.transforms.ingest.contract import apply_contract
from cdp_lib.transforms.ingest.versions import rows_that_count
from tests.unit.ingest.loans import raw

PACKS = Path(__file__).parents[2] / "conf" / "packs"
LAST_YEAR, THIS_YEAR = "30/12/2024 10:00", "02/01/2025 10:00"
Row = Mapping[str, Any]


def said(spark: SparkSession, pack_name: str, source_id: str, entity: str, *rows: Row) -> DataFrame:
    """What a source says of an entity, by good rows of one file."""
    pack = load_pack(pack_name, PACKS)
    source = next(one for one in pack.sources if one.id == source_id)
    typed = apply_contract(raw(spark, source, *rows), source, time_zone=pack.info.time_zone)
    assert typed.where("size(_rules) > 0").isEmpty()
    bronze = typed.selectExpr("*", "timestamp'2025-01-03 00:00:00' AS _ingested_at")
    feeds = [feed for feed in source.feeds if feed.to == entity]
    told = [conform_feed(rows_that_count(bronze, source, feed), source, feed, pack.info) for feed in feeds]
    return newest_rows(reduce(DataFrame.unionByName, told), ENTITIES[entity])


def coffee(line: int, **given: Any) -> Row:
    row = {"receipt_no": "R1", "line_no": str(line), "sold_at": THIS_YEAR, "channel": "counter", "sku": "latte"}
    return {**row, "quantity": "1", "amount": "80.00", **given}


def ticket(line: int, **given: Any) -> Row:
    return {**coffee(line), "channel": "kiosk", "item_kind": "ticket", **given}


def till(line: int, **given: Any) -> Row:
    row = {"receipt_no": "R1", "line_no": str(line), "sold_at": "01/02/2025 10:00", "sku": "soap", "quantity": "1"}
    return {**row, "gross_amount": "5.00", **given}


@pytest.mark.parametrize(
    ("place", "rows", "paid", "items"),
    [
        (("coffee_shop", "pos_sales"), [coffee(1), coffee(2)], "160.00", "2"),
        (("cinema", "ticket_sales"), [ticket(1), ticket(2)], "160.00", "2"),
        (("retail", "pos_sales"), [till(1), till(2)], "10.00", "2"),
        (("coffee_shop", "pos_sales"), [coffee(1), coffee(2), coffee(3, quantity="-1", amount="-80.00")], "80.00", "1"),
        (("cinema", "ticket_sales"), [ticket(1), ticket(2, amount="-80.00")], "0.00", "0"),
        (("retail", "pos_sales"), [till(1), till(2, quantity="-1", gross_amount="-5.00")], "0.00", "1"),
    ],
)
def test_an_article_may_stand_on_a_receipt_twice(
    spark: SparkSession, place: tuple[str, str], rows: list[Row], paid: str, items: str
) -> None:
    (order,) = said(spark, *place, "order", *rows).collect()
    assert (str(order["paid_amount"]), str(order["item_count"])) == (paid, items)
    assert said(spark, *place, "order_line", *rows).count() == len(rows)


@pytest.mark.parametrize(
    ("place", "row", "column", "value"),
    [
        (("coffee_shop", "pos_sales"), coffee(1, member_no="M1"), "phone", "0812345670"),
        (("cinema", "ticket_sales"), ticket(1, member_id="M1"), "phone", "0812345670"),
        (("retail", "pos_sales"), till(1, member_no="M1"), "email", "ann@example.com"),
    ],
)
def test_a_card_shown_alone_in_the_new_year_leaves_what_was_told_in_the_old(
    spark: SparkSession, place: tuple[str, str], row: Row, column: str, value: str
) -> None:
    days = ("12/30/2024 10:00", "01/02/2025 10:00") if column == "email" else (LAST_YEAR, THIS_YEAR)
    rows = [{**row, "sold_at": days[0], column: value}, {**row, "receipt_no": "R2", "sold_at": days[1]}]
    (record,) = said(spark, *place, CUSTOMER_RECORD.noun, *rows).collect()
    assert record[column] == value


@pytest.mark.parametrize("source", [("coffee_shop", "pos_sales"), ("cinema", "ticket_sales")])
def test_a_phone_typed_at_a_till_is_somebodys_however_it_is_spelt(spark: SparkSession, source: tuple[str, str]) -> None:
    usual = ["0812345670", "081-234-5670", "081 234 5670", "+66812345670", "66 81 234 5670", "812345670", "๐๘๑๒๓๔๕๖๗๐"]
    nobodys = ["0812345678", "0888888888", "+66888888888", "02-123-4567", "n/a", "0"]
    make = ticket if source[0] == "cinema" else coffee
    rows = [make(place, phone=phone) for place, phone in enumerate([*usual, *nobodys])]
    lines = said(spark, *source, "order_line", *rows).collect()
    assert {line["person_id"] for line in lines} == {*usual, None}
    people = said(spark, *source, CUSTOMER_RECORD.noun, *rows).collect()
    assert {person["source_record_id"] for person in people} == set(usual)


def test_guests_with_a_made_up_mailbox_are_not_one_person(spark: SparkSession) -> None:
    shared = {"status": "paid", "quantity": "1", "gross_amount": "5.00", "sku": "soap"}
    at = {"ordered_at": "2025-01-02T10:00:00Z", "updated_at": "2025-01-02T10:00:00Z"}
    mails = {"W1": "test@example.com", "W2": "test@example.com", "W3": "ann@example.com ", "W4": "ann@example.com "}
    rows = [{"order_id": order, "email": mail, **shared, **at} for order, mail in mails.items()]
    orders = said(spark, "retail", "eshop_order", "order", *map(_by_column, rows)).collect()
    found = {order["order_id"]: order["person_id"] for order in orders}
    assert found == {"W1": "W1", "W2": "W2", "W3": "ann@example.com ", "W4": "ann@example.com "}
    people = said(spark, "retail", "eshop_order", CUSTOMER_RECORD.noun, *map(_by_column, rows)).collect()
    assert {person["source_record_id"] for person in people} == set(found.values())


def test_a_card_that_is_a_word_for_nothing_is_nobodys(spark: SparkSession) -> None:
    rows = [till(1, member_no="NULL"), till(2, receipt_no="R2", member_no="-")]
    lines = said(spark, "retail", "pos_sales", "order_line", *rows).collect()
    assert [line["person_id"] for line in lines] == [None, None]
    assert said(spark, "retail", "pos_sales", CUSTOMER_RECORD.noun, *rows).isEmpty()


def _by_column(row: Row) -> Row:
    """Raw rows have the contract's names."""
    return {"order_no" if name == "order_id" else name: value for name, value in row.items()}
