"""The note kept for each value that was given and nulled."""

from pyspark.sql import Column, functions as F, types as T

PLACEHOLDER = "placeholder"
"""It stands for 'nothing': n/a, 000000, test@..."""

INVALID = "invalid"
"""It cannot be what its field means."""

IMPLAUSIBLE = "implausible"
"""It can be read, but not be true, as a birth in the future."""

SHARED = "shared"
"""Too many records hold it: nobody's own."""

REJECTED_TYPE = T.ArrayType(
    T.StructType(
        [
            T.StructField("field", T.StringType()),
            T.StructField("value", T.StringType()),
            T.StructField("reason", T.StringType()),
        ]
    )
)
"""Type of the column `rejected`: at most one entry per field, sorted by field; empty when nothing was nulled."""


def rejection(field: str, value: Column, reason: Column) -> Column:
    """The entry for `rejected`; null where `reason` is null."""
    entry = F.struct(F.lit(field).alias("field"), value.alias("value"), reason.alias("reason"))
    return F.when(reason.isNotNull(), entry)


def rejections(entries: list[Column]) -> Column:
    """The column `rejected` of these entries, which stand in the order of their fields; null entries are left out."""
    present = F.array_compact(F.array(*entries)) if entries else F.array()
    return present.cast(REJECTED_TYPE)


def shared_value(field: str) -> Column:
    """The value that `rejected` keeps for a field nulled as shared; null if it keeps none."""
    kept = F.filter("rejected", lambda entry: (entry["field"] == field) & (entry["reason"] == SHARED))
    return F.try_element_at(kept, F.lit(1))["value"]
