"""What a destination and a message are told of a customer."""

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, functions as F, types as T

from cdp_lib.settings.activation import Message
from cdp_lib.settings.pack import Pack
from cdp_lib.transforms.activation.ways import Way
from cdp_lib.transforms.purchase.products import catalogue_entries

_PERSON = ("golden_id", "email", "phone", "first_name", "last_name", "birth_date", "gender", "city", "postcode")
_LANGUAGE = r"^([a-z]{2})(?:[-_].*)?$"
_TEXTS = T.MapType(T.StringType(), T.StringType())
_PRODUCT = ("product_id", "name", "category", "reason", "kind")


def recipients(
    customers: DataFrame, way: Way, messages: Sequence[Message], products: DataFrame | None, pack: Pack
) -> DataFrame:
    """One row per row of `customers` (the scored view): golden_id, address, person, language, view and products.

    `person` is what the destination may be told, `view` what the messages read as `customer.*`; both are text: days and
    instants in ISO form, instants on the pack's wall clock, figures without exponents. Null: unknown. `language` is a
    two-letter code; null where no message asks for one, or it is none. `products` has the first recommended ones of
    `named_products`, as many as the activation says; empty without any.
    """
    read = sorted({field for message in messages for root, field in message.fields if root == "customer" and field})
    kinds = {field.name: field.dataType for field in customers.schema.fields}
    view = [part for name in read for part in (F.lit(name), _text(F.col(name), kinds[name], pack.info.time_zone))]
    person = [part for name, value in _person_of(way).items() for part in (F.lit(name), value)]
    told = customers.select(
        "golden_id",
        address_of(way).alias("address"),
        F.create_map(*person).cast(_TEXTS).alias("person"),
        _language(messages).alias("language"),
        (F.create_map(*view) if view else F.create_map()).cast(_TEXTS).alias("view"),
    )
    if products is None or way.activation.products == 0:
        return told.select("*", F.array().cast(_products_type()).alias("products"))
    listed = told.join(_first_products(products, way.activation.products), "golden_id", "left")
    return listed.select(*told.columns, F.coalesce("products", F.array().cast(_products_type())).alias("products"))


def named_products(recommendations: DataFrame, catalogue: DataFrame) -> DataFrame:
    """gold.recommendation with name and category of each product: one row per golden_id and rank.

    `catalogue` are rows of silver.product; of a product that several sources sell the newest name and the newest
    category that is known. Unknown products have neither.
    """
    entries = catalogue_entries(catalogue).select("product_id", "name", "category")
    joined = recommendations.join(entries, "product_id", "left")
    return joined.select("golden_id", "rank", "product_id", "name", "category", "reason", "kind")


def address_of(way: Way) -> Column:
    """What the channel knows the customer by, over the single view; null: nothing."""
    if way.address is None:
        return F.lit(None).cast("string")
    return F.nullif(F.trim(F.expr(way.address).cast("string")), F.lit(""))


def payload_hashes(ways: Sequence[Way], activation: Column) -> Column:
    """SHA-256 of address and person, by the way that `activation` names; alike ways are computed by one expression."""
    alike: dict[str, list[Way]] = {}
    for way in ways:
        alike.setdefault(repr((way.address, sorted(way.activation.fields.items()))), []).append(way)
    cases = F.when(F.lit(False), F.lit(None).cast("string"))
    for group in alike.values():
        cases = cases.when(activation.isin([way.activation.id for way in group]), _payload_hash(group[0]))
    return cases


def _payload_hash(way: Way) -> Column:
    named = [part for name, value in sorted(_person_of(way).items()) for part in (F.lit(name), value)]
    return F.sha2(F.to_json(F.array(address_of(way), *named)), 256)


def _person_of(way: Way) -> dict[str, Column]:
    fixed = {name: F.col(name).cast("string") for name in _PERSON}
    return fixed | {name: F.expr(text).cast("string") for name, text in way.activation.fields.items()}


def _language(messages: Sequence[Message]) -> Column:
    named = sorted({message.language for message in messages if message.language is not None})
    codes = [F.regexp_extract(F.lower(F.trim(F.col(name).cast("string"))), _LANGUAGE, 1) for name in named]
    return F.coalesce(*[F.nullif(code, F.lit("")) for code in codes], F.lit(None).cast("string"))


def _first_products(products: DataFrame, count: int) -> DataFrame:
    ranked = (
        products.where(F.col("rank") <= count)
        .groupBy("golden_id")
        .agg(F.array_sort(F.collect_list(F.struct("rank", *_PRODUCT))).alias("ranked"))
    )
    named = F.transform("ranked", lambda one: F.struct(*[one[name].alias(name) for name in _PRODUCT]))
    return ranked.select("golden_id", named.cast(_products_type()).alias("products"))


def _products_type() -> T.ArrayType:
    return T.ArrayType(T.StructType([T.StructField(name, T.StringType()) for name in _PRODUCT]))


def _text(value: Column, kind: T.DataType, time_zone: str) -> Column:
    """The value as people write it."""
    if isinstance(kind, T.TimestampType):
        return F.date_format(F.from_utc_timestamp(value, time_zone), "yyyy-MM-dd HH:mm")
    if isinstance(kind, T.DoubleType | T.FloatType):
        plain = F.regexp_replace(F.format_string("%.6f", value.cast("double")), r"\.?0+$", "")
        return F.when(value.isNotNull(), plain)
    if isinstance(kind, T.ArrayType):
        return F.array_join(F.transform(value, lambda one: _text(one, kind.elementType, time_zone)), ", ")
    if isinstance(kind, T.MapType | T.StructType):
        return F.to_json(value)
    return value.cast("string")
