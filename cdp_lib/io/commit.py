"""One Delta commit for one batch: append, replacement, slice or MERGE, marked with the run that makes it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import deltalake
from delta.tables import DeltaTable
from pyspark.sql import Column as SparkColumn, functions as F, SparkSession

from cdp_lib.contracts.table import ReplaceSlice, Table
from cdp_lib.errors import ContractError, StorageError
from cdp_lib.io.batch import Batch, IS_GONE

_HASH_THE_BATCH = {"spark.sql.join.preferSortMergeJoin": "false"}
"""MERGE with inserts makes an outer join with the touched files: hash the small batch rather than sort their rows."""


@dataclass(frozen=True)
class Stamp:
    """Who writes: goes into Delta's transaction id and commit metadata."""

    job: str
    run_id: str
    run_number: int


def transaction(table: Table, stamp: Stamp) -> str:
    """Delta's name for the one write that a job makes of a table in a run."""
    return f"cdp.{stamp.job}.{table.name}"


def stored_columns(path: str) -> tuple[str, ...]:
    """Columns of the stored table in their order."""
    return tuple(field.name for field in deltalake.DeltaTable(path).schema().fields)


def commit(spark: SparkSession, path: str, batch: Batch, stamp: Stamp) -> None:
    """Make the batch's one commit; Delta skips an append or MERGE that the run has made already."""
    table = batch.table
    marks = {"txnAppId": transaction(table, stamp), "txnVersion": str(stamp.run_number), "userMetadata": stamp.run_id}
    writer = batch.rows.write.format("delta").option("userMetadata", stamp.run_id)
    if batch.is_whole:
        # Columns are replaced together with the rows: readers never see one without the other.
        same_shape = stored_columns(path) == table.column_names
        writer.mode("overwrite").option("overwriteSchema", str(not same_shape).lower()).save(path)
    elif isinstance(table.write, ReplaceSlice):
        column = table.write.column
        values = sorted(str(row[0]) for row in batch.rows.select(column).distinct().toLocalIterator())
        slices = f"`{column}` IN ({', '.join(map(_quoted, values))})"
        writer.mode("overwrite").option("replaceWhere", slices).save(path)
    elif batch.known_key_count == 0 and batch.gone_count == 0:
        writer.options(**marks).mode("append").save(path)
    else:
        _merge(spark, path, batch, marks)


def _merge(spark: SparkSession, path: str, batch: Batch, marks: Mapping[str, str]) -> None:
    """Only clauses that some row needs: without an insert Delta makes inner joins, and the table is not shuffled."""
    table = batch.table
    same_key = " AND ".join(f"t.`{name}` = s.`{name}`" for name in table.key)
    values: dict[str, str | SparkColumn] = {f"`{name}`": f"s.`{name}`" for name in table.column_names}
    is_gone = F.col(f"s.{IS_GONE}")
    with session_options_of(spark, _HASH_THE_BATCH | _session_names(marks)):
        merge = DeltaTable.forPath(spark, path).alias("t").merge(batch.changes.alias("s"), same_key)
        if batch.gone_count:
            merge = merge.whenMatchedDelete(is_gone)
        if batch.known_key_count:
            merge = merge.whenMatchedUpdate(~is_gone, set=values)
        if batch.row_count > batch.known_key_count:
            merge = merge.whenNotMatchedInsert(~is_gone, values=values)
        merge.execute()


def refusal(table: Table, root: str, problem: Exception) -> Exception:
    """The fault of a commit in our words: Delta's own message would show the row's values."""
    text = str(problem)
    for name in sorted(table.constraints(), key=len, reverse=True):
        if name in text and "CONSTRAINT" in text.upper():
            return ContractError(
                f"{table.name}: a row breaks CHECK {name}; nothing was written. Fix the mapping or the check."
            )
    if "NOT_NULL" in text or "NOT NULL" in text:
        return ContractError(f"{table.name}: a required column is null; nothing was written. Fix the mapping.")
    if "MULTIPLE_SOURCE_ROW" in text:
        return ContractError(
            f"{table.name}: two rows share a key {table.key}; nothing was written. Keep the newest first."
        )
    if "No space left" in text:
        return StorageError(
            f"{table.name}: the disk of {root} is full; nothing was published. Free space, then --resume."
        )
    return problem


def _session_names(marks: Mapping[str, str]) -> dict[str, str]:
    """MERGE takes its marks from the session alone, where they must not stay for the next write."""
    names = {
        "txnAppId": "spark.databricks.delta.write.txnAppId",
        "txnVersion": "spark.databricks.delta.write.txnVersion",
        "userMetadata": "spark.databricks.delta.commitInfo.userMetadata",
    }
    return {names[mark]: value for mark, value in marks.items()}


@contextmanager
def session_options_of(spark: SparkSession, options: Mapping[str, str]) -> Iterator[None]:
    """The options hold while the block runs; then they are as before."""
    before = {name: spark.conf.get(name, None) for name in options}
    try:
        for name, value in options.items():
            spark.conf.set(name, value)
        yield
    finally:
        for name, earlier in before.items():
            if earlier is None:
                spark.conf.unset(name)
            else:
                spark.conf.set(name, earlier)


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
