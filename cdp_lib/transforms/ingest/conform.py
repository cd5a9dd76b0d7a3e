"""Give a source's rows the meaning of a conformed entity, by the pack's mapping."""

from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, functions as F, types as T, Window as W

from cdp_lib.contracts.references import mappable_columns
from cdp_lib.contracts.silver import CUSTOMER_RECORD, ENTITIES
from cdp_lib.contracts.table import MergeByKey, Table
from cdp_lib.settings.pack import PackInfo
from cdp_lib.settings.source import Feed, Source
from cdp_lib.transforms.ingest.versions import ROW_LINEAGE, rows_that_count, taken, with_same


@dataclass(frozen=True)
class News:
    """Rows of an entity that a run has to tell, one per key, and what it knows for sure."""

    rows: DataFrame
    settled: DataFrame | None = None
    """Keys about which `rows` say all there is, whatever the table has: a key without a row is no more."""


def conform_feed(rows: DataFrame, source: Source, feed: Feed, info: PackInfo) -> DataFrame:
    """Rows of the feed's entity: its mappable columns in the entity's types, and the row's lineage.

    `rows` are those that count for the feed (`versions.py`). One row per source row, or per group where the feed
    groups; a group's lineage is that of its last row by file and row number. Columns that the feed leaves out are null,
    `currency` is the pack's. A value that does not fit the entity's type is null. Names, e-mails and the like of
    customer_record stay texts, still to be cleaned.
    """
    values = [_entity_value(name, feed, source, info) for name in mappable_columns(feed.to)]
    if not feed.group_by:
        return rows.select(*values, *ROW_LINEAGE)
    last = F.max(F.struct(*ROW_LINEAGE)).alias("_last")
    grouped = rows.groupBy(*feed.group_by).agg(*values, last)
    # The group's columns come first; one of them may be called like a column of the entity.
    of_group = [f"_group_{place}" for place in range(len(feed.group_by))]
    named = grouped.toDF(*of_group, *mappable_columns(feed.to), "_last")
    return named.select(*mappable_columns(feed.to), "_last.*")


def truth_about(keys: DataFrame, current: DataFrame, source: Source, feed: Feed, info: PackInfo) -> DataFrame:
    """What the feed says of these keys of its entity, by all rows of `current`, its source's bronze table."""
    named = ENTITIES[feed.to].key
    versions = current
    if not feed.group_by:
        key_of_row = {f"_of_{name}": F.col(name) for name in source.key}
        said = taken(current, feed).select(
            *[value.alias(name) for name, value in key_of_row.items()],
            *[_entity_value(name, feed, source, info) for name in named],
        )
        about = with_same(said, keys, named).select(*key_of_row).toDF(*source.key)
        versions = with_same(current, about, source.key)
    return with_same(conform_feed(rows_that_count(versions, source, feed), source, feed, info), keys, named)


def newest_rows(rows: DataFrame, table: Table) -> DataFrame:
    """One row per key of the table: the newest in the order that the table's write mode declares."""
    if not isinstance(table.write, MergeByKey):
        return rows
    order = [F.col(name).desc_nulls_last() for name in table.write.newest_by]
    newest = W.partitionBy(*table.key).orderBy(*order)
    return rows.withColumn("_place", F.row_number().over(newest)).where("_place = 1").drop("_place")


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


def not_older(news: News, stored: DataFrame, table: Table) -> DataFrame:
    """The rows whose key is settled, or stored in no newer version, or not at all; `stored` has one row per key."""
    if not isinstance(table.write, MergeByKey):
        return news.rows
    order, named = table.write.newest_by, list(table.key)
    newer = stored.select(*named, F.struct(*order).alias("_stored_order"))
    if news.settled is not None:
        newer = newer.join(news.settled, named, "left_anti")
    is_current = F.col("_stored_order").isNull() | (F.struct(*order) >= F.col("_stored_order"))
    return news.rows.join(newer, named, "left").where(is_current).select(*news.rows.columns)
