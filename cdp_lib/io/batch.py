"""Rows about to be written: what of a given frame is news to its table."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property

from pyspark.sql import DataFrame, functions as F, Window as W

from cdp_lib.contracts.table import MergeByKey, Table
from cdp_lib.errors import ContractError
from cdp_lib.io.caching import cached
from cdp_lib.io.conform import row_hash

IS_GONE = "_is_gone"
_IS_KNOWN = "_is_known_key"


@dataclass(frozen=True)
class Batch:
    """What a write changes: rows that come or replace others, and keys of rows that leave the table with them."""

    table: Table
    changes: DataFrame
    """The table's columns, and whether the row's key is gone; of a gone row only the key is filled."""
    row_count: int
    """Rows that come or replace others."""
    known_key_count: int
    """Rows that replace others."""
    gone_count: int
    """Rows that leave."""
    is_whole: bool

    @property
    def change_count(self) -> int:
        """Rows that come, are replaced or leave."""
        return self.row_count + self.gone_count

    @property
    def is_empty(self) -> bool:
        """Nothing to write: no commit is made."""
        return self.change_count == 0 and not self.is_whole

    @cached_property
    def rows(self) -> DataFrame:
        """Rows that come or replace others, in the table's columns, already without what the table has."""
        upserts = self.changes.where(~F.col(IS_GONE)) if self.gone_count else self.changes
        return upserts.select(*self.table.column_names)

    @cached_property
    def leaving_keys(self) -> DataFrame:
        """Keys of stored rows that give way: to a newer row, or to nothing."""
        return self.changes.select(*self.table.key)


def given_rows(rows: DataFrame, gone: DataFrame | None, table: Table) -> DataFrame:
    """Fitted rows and gone keys as one frame, told apart by `_is_gone`.

    Raises ContractError where `gone` has other columns than the table's key.
    """
    coming = rows.withColumn(IS_GONE, F.lit(False))
    if gone is None:
        return coming
    missing, unexpected = sorted(set(table.key) - set(gone.columns)), sorted(set(gone.columns) - set(table.key))
    if missing or unexpected:
        raise ContractError(
            f"{table.name}: gone rows are named by the key {table.key}; missing {missing}, unexpected {unexpected}."
        )
    keys = gone.select(*[F.col(name).cast(table.column(name).spark_type).alias(name) for name in table.key])
    return coming.unionByName(keys.distinct().withColumn(IS_GONE, F.lit(True)), allowMissingColumns=True)


def news(given: DataFrame, stored: DataFrame, table: Table, mode: MergeByKey) -> DataFrame:
    """Given rows that the table lacks, or has in another version no newer than theirs; gone keys that only it has.

    A row whose key is gone as well takes the stored one's place whatever their versions.

    Stored rows are first cut down to the given keys: where `given` is small, as Spark sees once it is cached, the
    table is neither shuffled nor hashed.
    """
    order = [name for name in mode.newest_by if name not in table.key]
    versions = [F.struct(*order).alias("_stored_order")] if order else []
    known = stored.join(given.select(*table.key), list(table.key), "left_semi").select(
        *table.key, *versions, row_hash(table).alias("_stored_hash")
    )
    of_key = W.partitionBy(*table.key)
    told = {"_has_row": F.bool_or(~F.col(IS_GONE)), "_has_gone": F.bool_or(IS_GONE)}
    compared = given.withColumns({name: flag.over(of_key) for name, flag in told.items()})
    compared = compared.join(known, list(table.key), "left")
    is_known, is_gone = F.col("_stored_hash").isNotNull(), F.col(IS_GONE)
    is_newer = row_hash(table) != F.col("_stored_hash")
    if order:
        is_newer &= F.col("_has_gone") | (F.struct(*order) >= F.col("_stored_order"))
    is_change = (is_gone & is_known & ~F.col("_has_row")) | (~is_gone & (~is_known | is_newer))
    return compared.where(is_change).select(*table.column_names, IS_GONE, is_known.alias(_IS_KNOWN))


def all_news(rows: DataFrame) -> DataFrame:
    """Rows of which nothing is compared with the table: it does not exist, is replaced, or only grows."""
    return rows.withColumns({IS_GONE: F.lit(False), _IS_KNOWN: F.lit(False)})


@contextmanager
def counted(table: Table, changes: DataFrame, *, is_whole: bool, kept: bool) -> Iterator[Batch]:
    """The changes as a batch, cached while the block runs unless what they come from is."""
    is_gone, is_known = F.col(IS_GONE), F.col(_IS_KNOWN)
    counts = [F.count_if(~is_gone), F.count_if(is_known & ~is_gone), F.count_if(is_gone)]
    with nullcontext(changes) if kept else cached(changes):
        figures = changes.agg(*counts).first()
        rows, known, gone = (0, 0, 0) if figures is None else (int(figure) for figure in figures)
        yield Batch(table, changes.drop(_IS_KNOWN), rows, known, gone, is_whole)
