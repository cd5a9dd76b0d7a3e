"""Files for people outside the lakehouse: literal headers, the same rows in the same order every time."""

from pyspark.sql import Column, DataFrame, functions as F, types as T

from cdp_lib.errors import ConfigError, near_miss
from cdp_lib.settings.export import Export

ALSO_KNOWN_AS = "also_known_as"
_TIE_BREAK = "_golden_id"


def export_rows(customers: DataFrame, export: Export, *, time_zone: str) -> DataFrame:
    """The export's columns under their headers, sorted by `order_by`, then by golden_id: a total order.

    `customers` is gold.customer. Instants leave as the wall clock of `time_zone`, for their readers know no other.
    Sorting puts unknown values first.
    """
    chosen = _chosen(customers, export).select(
        *[F.expr(text).alias(header) for header, text in export.columns.items()],
        F.col("golden_id").alias(_TIE_BREAK),
    )
    ordered = chosen.orderBy(*[F.col(_quoted(header)) for header in export.order_by], _TIE_BREAK)
    kinds = {field.name: field.dataType for field in chosen.schema.fields}
    return ordered.select(*[_local(header, kinds[header], time_zone) for header in export.columns])


def also_known_as(links: DataFrame, customers: DataFrame, export: Export) -> DataFrame:
    """One row per other id of an exported customer: the surviving id, the other id, and the source that gave it.

    `links` is silver.identity_link, `customers` gold.customer. The first column is named as in the export, the second
    `also_known_as`. Sorted by all three. Raises ConfigError when the export declares no companion.
    """
    companion = export.also_known_as
    if companion is None:
        raise ConfigError(f"export {export.id}: it declares no also_known_as.")
    if companion.column not in export.columns:
        raise ConfigError(
            f"export {export.id}: also_known_as names unknown column '{companion.column}'."
            f"{near_miss(companion.column, export.columns)}"
        )
    surviving = _chosen(customers, export).select(
        "golden_id", F.expr(export.columns[companion.column]).alias(companion.column)
    )
    wanted = links.filter(F.col("source_system").isin(*companion.source_systems)) if companion.source_systems else links
    others = wanted.select("golden_id", F.col("source_record_id").alias(ALSO_KNOWN_AS), "source_system")
    pairs = others.join(surviving, on="golden_id", how="inner").select(companion.column, ALSO_KNOWN_AS, "source_system")
    is_other = ~F.col(companion.column).eqNullSafe(F.col(ALSO_KNOWN_AS))
    return pairs.filter(is_other).orderBy(companion.column, ALSO_KNOWN_AS, "source_system")


def _chosen(customers: DataFrame, export: Export) -> DataFrame:
    return customers.filter(F.expr(export.where)) if export.where else customers


def _local(header: str, kind: T.DataType, time_zone: str) -> Column:
    value = F.col(_quoted(header))
    if not isinstance(kind, T.TimestampType):
        return value
    return F.from_utc_timestamp(value, time_zone).cast(T.TimestampNTZType()).alias(header)


def _quoted(header: str) -> str:
    return f"`{header.replace('`', '``')}`"
