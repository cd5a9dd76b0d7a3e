"""The products that are bought or could be, from what several catalogues know of them."""

from datetime import datetime, UTC
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from cdp_lib.contracts.silver import ORDER_LINE, PRODUCT
from cdp_lib.settings.recommendation import Recommendation
from cdp_lib.transforms.purchase.products import products_once
from cdp_lib.transforms.recommendation.candidates import available, replenishments
from tests.builders import rows
from tests.unit.recommendation.grocer import assert_rows, PRODUCT as KNOWN, TASTE


def entry(source: str, day: int, product_id: str = "tv", **told: Any) -> dict[str, Any]:
    at = datetime(2025, 1, day, tzinfo=UTC)
    return {"source_system": source, "product_id": product_id, "source_updated_at": at, **told}


def known(spark: SparkSession, *entries: dict[str, Any], bought: tuple[str | None, ...] = ()) -> DataFrame:
    lines = rows(spark, ORDER_LINE, *[{"product_id": product_id} for product_id in bought])
    return products_once(rows(spark, PRODUCT, *entries), lines)


def test_a_newer_entry_of_a_source_that_knows_less_takes_nothing_away(spark: SparkSession) -> None:
    erp = entry(
        "erp", 1, department="home", category="screens", price_amount="500.00", is_available=False, is_durable=True
    )
    shop = known(spark, entry("pim", 2, name="TV", price_amount="450.00"), erp)
    assert shop.schema.simpleString() == spark.createDataFrame([], KNOWN).schema.simpleString()
    told = shop.selectExpr("* except (price_amount)", "cast(price_amount as string) as price")
    schema = (
        "product_id string, name string, category string, department string, is_available boolean, "
        "is_durable boolean, price string"
    )
    assert_rows(told, schema, ("tv", "TV", "screens", "home", False, True, "450.00"))


def test_what_one_source_has_not_is_not_shown_and_what_lasts_rests(spark: SparkSession) -> None:
    gone = entry("erp", 1, "radio", is_available=False, is_durable=True)
    shop = known(
        spark, gone, entry("pim", 2, "radio", is_available=True), entry("pim", 2, "soap"),
        entry("erp", 1, "lamp", is_available=True, is_durable=True), entry("pim", 2, "lamp"),
    )  # fmt: skip
    assert_rows(available(shop).select("product_id"), "product_id string", ("lamp",), ("soap",))
    bought = [("ann", name, 1, 5, 1.0, False) for name in ("radio", "lamp", "soap")]
    due = replenishments(spark.createDataFrame(bought, TASTE), shop, Recommendation())
    assert_rows(due.select("product_id"), "product_id string", ("soap",))


def test_each_source_counts_by_its_own_newest_word_on_availability(spark: SparkSession) -> None:
    shop = known(
        spark, entry("a", 2, "back", is_available=True), entry("b", 1, "back"),
        entry("a", 1, "short", is_available=True), entry("b", 2, "short", is_available=False), entry("a", 1, "unsaid"),
    )  # fmt: skip
    schema = "product_id string, is_available boolean"
    expected = ("back", True), ("short", False), ("unsaid", None)
    assert_rows(shop.select("product_id", "is_available"), schema, *expected)


def test_of_words_of_one_instant_the_first_sources_counts(spark: SparkSession) -> None:
    given = [entry("b", 1, name="B", category="b"), entry("a", 1, name="A"), entry("c", 1, category="c")]
    for entries in (given, given[::-1]):
        shop = known(spark, *entries).select("product_id", "name", "category")
        assert_rows(shop, "product_id string, name string, category string", ("tv", "A", "b"))


def test_what_was_only_bought_is_known_by_its_id(spark: SparkSession) -> None:
    shop = known(spark, entry("a", 1, name="TV"), bought=("tv", "tea", "tea", None))
    assert_rows(shop.select("product_id", "name"), "product_id string, name string", ("tv", "TV"), ("tea", None))


def test_without_catalogue_and_purchases_there_are_no_products(spark: SparkSession) -> None:
    assert_rows(known(spark), KNOWN)
