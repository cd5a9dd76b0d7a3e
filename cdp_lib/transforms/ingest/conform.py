"""Give a source's rows the meaning of a conformed entity, by the pack's mapping."""

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, functions as F, types as T, Window as W

from cdp_lib.contracts.references import mappable_columns
from cdp_lib.contracts.silver import CUSTOMER_RECORD, ENTITIES
from cdp_lib.contracts.table import MergeByKey, Table
from cdp_lib.settings.pack import PackInfo
from cdp_lib.settings.source import Feed, Source

ROW_LINEAGE = ("_source_file", "_ingested_at", "_row_number")


def conform_feed(rows: DataFrame, source: Source, feed: Feed, info: PackInfo) -> DataFrame:
    """Rows of the feed's entity: its mappable columns in the entity's types, and the row's lineage.

    One row per source row, or per group where the feed groups; a group's lineage is that of its last row by file and
    row number. Columns that the feed leaves out are null, `currency` is the pack's. A value that does not fit the
    entity's type is null. Names, e-mails and the like of customer_record stay texts, still to be cleaned.
    """
    wanted = rows.where(F.expr(feed.where)) if feed.where else rows
    values = [_entity_value(name, feed, source, info) for name in mappable_columns(feed.to)]
    if not feed.group_by:
        return wanted.select(*values, *ROW_LINEAGE)
    last = F.max(F.struct(*ROW_LINEAGE)).alias("_last")
    grouped = wanted.groupBy(*feed.group_by).agg(*values, last)
    # The group's columns come first; one of them may be called like a column of the entity.
    of_group = [f"_group_{place}" for place in range(len(feed.group_by))]
    named = grouped.toDF(*of_group, *mappable_columns(feed.to), "_last")
    return named.select(*mappable_columns(feed.to), "_last.*")


def rows_to_conform(changed: DataFrame, current: DataFrame, source: Source, feed: Feed, *, is_full: bool) -> DataFrame:
    """The source rows that a feed must look at: the changed ones; for a grouped feed, all rows of their groups.

    `current` is all of the source's bronze table. Each source key counts once, by its newest version (the last by file
    name, then by arrival), and in that version's group: a row that comes in another group leaves its former one.
    """
    if not feed.group_by:
        return changed
    if is_full:
        return _newest_versions(current, source)
    if set(feed.group_by) <= set(source.key):
        touched = changed.select(*feed.group_by).distinct()
        return _newest_versions(_with_same(current, touched, feed.group_by), source)
    # A key may stand in several groups: in those that it left, and its newest version in one that is not touched.
    touched = _with_same(current, changed, source.key).select(*feed.group_by).distinct()
    members = _with_same(current, touched, feed.group_by)
    versions = _with_same(current, members, source.key)
    return _with_same(_newest_versions(versions, source), touched, feed.group_by)


def newest_rows(rows: DataFrame, table: Table) -> DataFrame:
    """One row per key of the table: the newest in the order that the table's write mode declares."""
    if not isinstance(table.write, MergeByKey):
        return rows
    order = [F.col(name).desc_nulls_last() for name in table.write.newest_by]
    newest = W.partitionBy(*table.key).orderBy(*order)
    return rows.withColumn("_place", F.row_number().over(newest)).where("_place = 1").drop("_place")


def _newest_versions(rows: DataFrame, source: Source) -> DataFrame:
    newest = W.partitionBy(*source.key).orderBy(*[F.col(name).desc() for name in ROW_LINEAGE])
    return rows.withColumn("_place", F.row_number().over(newest)).where("_place = 1").drop("_place")


def _with_same(rows: DataFrame, others: DataFrame, columns: Sequence[str]) -> DataFrame:
    """The rows that agree with one of the others on the columns. Null-safe: a group whose key is null is a group."""
    named = others.select(*[F.col(name).alias(f"_same_{name}") for name in columns]).distinct()
    same = [F.col(name).eqNullSafe(F.col(f"_same_{name}")) for name in columns]
    return rows.join(named, same, "left_semi")


def _entity_value(name: str, feed: Feed, source: Source, info: PackInfo) -> Column:
    if name in feed.map:
        value = F.expr(feed.map[name])
    elif name == "source_system":
        value = F.lit(source.id)
    elif name == "currency":
        value = F.lit(info.currency)
    else:
        value = F.lit(None)
    return value.try_cast(entity_type(name, feed.to)).alias(name)


def entity_type(name: str, entity: str) -> T.DataType:
    """The entity's type; people's fields stay texts until they are cleaned."""
    table = ENTITIES[entity]
    if name not in table.column_names:
        return T.StringType()
    kind = table.column(name).spark_type
    is_cleaned_later = table is CUSTOMER_RECORD and isinstance(kind, T.DateType)
    return T.StringType() if is_cleaned_later else kind


def not_older(rows: DataFrame, stored: DataFrame, table: Table) -> DataFrame:
    """The rows whose key is not stored, or stored in no newer version; both frames have one row per key."""
    if not isinstance(table.write, MergeByKey):
        return rows
    order = table.write.newest_by
    newer = stored.select(*table.key, F.struct(*order).alias("_stored_order"))
    is_current = F.col("_stored_order").isNull() | (F.struct(*order) >= F.col("_stored_order"))
    return rows.join(newer, list(table.key), "left").where(is_current).select(*rows.columns)
