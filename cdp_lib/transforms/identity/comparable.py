"""What of a record is compared: one slim row of normalised text."""

from functools import reduce

from pyspark.sql import Column, DataFrame, functions as F, types as T

from cdp_lib.contracts.silver import CUSTOMER_RECORD
from cdp_lib.settings.matching import Comparison, ComparisonKind, Matching
from cdp_lib.transforms.identity.exact import ID_DIGITS, record_hash

MOST_BITS = 63
"""Bits of a bigint that is not negative."""

_TEXT_COLUMNS = frozenset(
    column.name for column in CUSTOMER_RECORD.columns if isinstance(column.spark_type, T.StringType | T.DateType)
)


def comparable_records(records: DataFrame, matching: Matching, *, partitions: int | None = None) -> DataFrame:
    """One row per record: record_key, source_system and every compared field (coarser ones too) as lower-case text.

    `records` are rows of silver.customer_record, or have its columns that the settings name. `record_key` is the first
    16 bytes of the record's hash. Null: the record says nothing usable of the field. With `partitions` the records lie
    in so many, by record_key: kept so, they are joined to their pairs without being shuffled again.
    """
    name = F.unhex(F.substring(record_hash(), 1, ID_DIGITS)).alias("record_key")
    named = records.select("*", name)
    spread = named.repartition(partitions, "record_key") if partitions else named
    fields = [_normal(_value(entry.field, entry.value), entry.kind).alias(entry.field) for entry in _entries(matching)]
    return spread.select("record_key", "source_system", *fields)


def known_fields(comparable: DataFrame, matching: Matching) -> DataFrame:
    """One row per record: record_key, known_fields, which has a bit for each field that the record says something of.

    `comparable` are the records as `comparable_records` returns them. Records without a common bit have no level at
    all: nothing can be compared. From MOST_BITS fields on, the rest share the last bit.
    """
    return comparable.select("record_key", known_bits(matching).alias("known_fields"))


def known_bits(matching: Matching) -> Column:
    """A bit for each field that the row, a comparable record, says something of."""
    bits = [
        F.when(F.col(field).isNotNull(), F.lit(1 << min(place, MOST_BITS - 1)).cast("bigint"))
        for place, field in enumerate(comparable_fields(matching))
    ]
    return reduce(Column.bitwiseOR, [F.coalesce(bit, F.lit(0).cast("bigint")) for bit in bits])


def comparable_fields(matching: Matching) -> tuple[str, ...]:
    """The fields of `comparable_records`: those compared, then the coarser ones."""
    return tuple(entry.field for entry in _entries(matching))


def _entries(matching: Matching) -> tuple[Comparison, ...]:
    coarser = dict.fromkeys(area for entry in matching.comparisons for area in entry.coarser)
    added = (
        Comparison(field=area, kind="postcode" if area == "postcode" else "text")
        for area in coarser
        if area not in matching.fields
    )
    return (*matching.comparisons, *added)


def _value(field: str, expression: str | None) -> Column:
    if expression is not None:
        return F.expr(expression)
    return F.col(field) if field in _TEXT_COLUMNS else F.try_element_at("identifiers", F.lit(field))


def _normal(value: Column, kind: ComparisonKind) -> Column:
    """Lower-case text in the one spelling that fields of this kind are compared in; null for nothing."""
    lower = F.lower(value.cast("string"))
    unneeded = {"name": r"[^\p{L}\p{M}]+", "phone": "[^0-9]+", "id_number": r"[^\p{L}\p{N}]+", "postcode": r"[ .-]+"}
    if kind in unneeded:
        bare = F.regexp_replace(lower, unneeded[kind], "")
    elif kind in ("address", "text"):
        bare = F.trim(F.regexp_replace(lower, r"[^\p{L}\p{M}\p{N}]+", " "))
    else:
        bare = F.trim(lower)
    return F.nullif(bare, F.lit(""))
