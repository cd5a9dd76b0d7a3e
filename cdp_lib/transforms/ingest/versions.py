"""Which versions of a source's rows count for a feed: `where` and groups are asked of the newest alone.

A source row is named by the source's key, and bronze keeps every version of it. The newest is that with the latest
`source_updated_at`, as the feed maps it, then the last by file name, arrival and place.
"""

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, functions as F, Window as W, WindowSpec

from cdp_lib.contracts.silver import CONSENT
from cdp_lib.settings.source import Feed, Source
from cdp_lib.settings.sql import is_plain, of_one_row

ROW_LINEAGE = ("_source_file", "_ingested_at", "_row_number")

_IS_TAKEN = "_is_taken"


def forgets(feed: Feed) -> bool:
    """Whether a row that the feed took leaves with a newer version that `where` does not take.

    Not so for consents: a decision stands until another is made, and an empty field of a later file is none.
    """
    return feed.where is not None and feed.to != CONSENT.noun


def rows_that_count(versions: DataFrame, source: Source, feed: Feed) -> DataFrame:
    """The rows that the feed takes; `versions` hold every version of each source row that they hold.

    A feed that groups takes a row's newest version. Another takes every version that meets `where` (which one is the
    newer, the entity's key decides), but none of a row whose newest does not, where the feed `forgets`.
    """
    if feed.group_by:
        place = F.row_number().over(_newest_first(source, feed))
        return taken(versions.withColumn("_place", place).where("_place = 1").drop("_place"), feed)
    if not forgets(feed):
        return taken(versions, feed)
    newest = F.first(_IS_TAKEN).over(_newest_first(source, feed))
    told = versions.withColumn(_IS_TAKEN, _takes(feed)).withColumn("_is_newest_taken", newest)
    return told.where(F.col(_IS_TAKEN) & F.col("_is_newest_taken")).select(*versions.columns)


def rows_in_doubt(versions: DataFrame, source: Source, feed: Feed) -> DataFrame:
    """Versions that the feed took of rows of which it did not take another version: what they said may be void."""
    all_taken = F.bool_and(_IS_TAKEN).over(W.partitionBy(*source.key))
    told = versions.withColumn(_IS_TAKEN, _takes(feed)).withColumn("_all_taken", all_taken)
    return told.where(F.col(_IS_TAKEN) & ~F.col("_all_taken")).select(*versions.columns)


def touched_groups(changed: DataFrame, current: DataFrame, source: Source, feed: Feed) -> DataFrame:
    """The groups in which a changed row stands or, in an earlier version of `current`, has stood."""
    in_key = set(feed.group_by) <= set(source.key)
    versions = changed if in_key else with_same(current, changed, source.key)
    return versions.select(*feed.group_by).distinct()


def rows_of_groups(current: DataFrame, groups: DataFrame, source: Source, feed: Feed) -> DataFrame:
    """The rows of `current`, the whole bronze table, that count in one of the groups.

    A row counts in its newest version's group: one that comes in another group leaves its former one.
    """
    members = with_same(current, groups, feed.group_by)
    if set(feed.group_by) <= set(source.key):
        return rows_that_count(members, source, feed)
    versions = with_same(current, members, source.key)
    return with_same(rows_that_count(versions, source, feed), groups, feed.group_by)


def with_same(rows: DataFrame, others: DataFrame, columns: Sequence[str]) -> DataFrame:
    """The rows that agree with one of the others on the columns. Null-safe: a group whose key is null is a group."""
    named = others.select(*[F.col(name).alias(f"_same_{name}") for name in columns]).distinct()
    same = [F.col(name).eqNullSafe(F.col(f"_same_{name}")) for name in columns]
    return rows.join(named, same, "left_semi")


def taken(rows: DataFrame, feed: Feed) -> DataFrame:
    """The rows that meet the feed's `where`."""
    return rows.where(F.expr(feed.where)) if feed.where else rows


def _takes(feed: Feed) -> Column:
    return F.coalesce(F.expr(feed.where), F.lit(False)) if feed.where else F.lit(True)


def _newest_first(source: Source, feed: Feed) -> WindowSpec:
    order = [_updated_at(feed).desc_nulls_last(), *(F.col(name).desc() for name in ROW_LINEAGE)]
    return W.partitionBy(*source.key).orderBy(*order)


def _updated_at(feed: Feed) -> Column:
    """When a row was changed at its source, as the feed says; null where it cannot be said of the row alone.

    Rows that the feed does not take were never held to its mapping: what throws is null (see `checks.py`).
    """
    text = of_one_row(feed.map["source_updated_at"]) if "source_updated_at" in feed.map else None
    if text is None:
        return F.lit(None).cast("timestamp")
    moment = F.expr(text).try_cast("timestamp")
    if is_plain(text):
        return moment
    digits = F.when(F.col("_row_number") > 0, F.hex(F.encode(moment.cast("string"), "utf-8")))
    return F.decode(F.try_to_binary(digits, F.lit("hex")), "utf-8").try_cast("timestamp")
