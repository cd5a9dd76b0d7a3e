"""The lakehouse's Delta tables: where they lie, how they are read, and the one place that writes them through Spark."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import deltalake
import pyarrow.compute as pc
from delta.tables import DeltaTable
from deltalake.exceptions import TableNotFoundError
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import Column as SparkColumn, DataFrame, functions as F, SparkSession

from cdp_lib.contracts.table import AppendOnce, MergeByKey, ReplaceSlice, Table
from cdp_lib.errors import ContractError, StorageError
from cdp_lib.io.arrow_tables import open_dataset
from cdp_lib.io.conform import row_hash
from cdp_lib.io.declared import align_with_contract, create_table, keeps_change_feed

log = logging.getLogger(__name__)

_MATCHED = "_is_known_key"


@dataclass(frozen=True)
class Stamp:
    """Who writes: goes into Delta's transaction id and commit metadata."""

    job: str
    run_id: str
    run_number: int


@dataclass(frozen=True)
class Batch:
    """Rows about to be written: `rows` in the table's columns, already without what the table has."""

    table: Table
    rows: DataFrame
    row_count: int
    known_key_count: int
    is_whole: bool

    @property
    def is_empty(self) -> bool:
        """Nothing to write: no commit is made."""
        return self.row_count == 0 and not self.is_whole


class DeltaStore:
    """Tables of one pack at `<root>/<layer>/<noun>`. The session is built when a table is first read or written."""

    def __init__(
        self,
        root: str,
        session: Callable[[], SparkSession],
        *,
        catalog: str | None = None,
        at: Callable[[str], None] = lambda point: None,
    ) -> None:
        self.root = root.rstrip("/")
        self._session = session
        self._catalog = catalog
        self._at = at

    def path(self, table: Table) -> str:
        """Where the table lies."""
        return f"{self.root}/{table.layer}/{table.noun}"

    def version(self, table: Table) -> int | None:
        """The table's newest Delta version, read without Spark; None: it does not exist."""
        try:
            return deltalake.DeltaTable(self.path(table)).version()
        except TableNotFoundError:
            return None

    def read(self, table: Table, version: int | None = None) -> DataFrame:
        """The table's rows, at a version if given; no rows where the table does not exist yet."""
        if version is None and self.version(table) is None:
            return self._session().createDataFrame([], table.schema())
        reader = self._session().read.format("delta")
        if version is not None:
            reader = reader.option("versionAsOf", version)
        stored = reader.load(self.path(table))
        missing = [column for column in table.columns if column.name not in stored.columns]
        return stored.select(
            *[F.col(name) for name in table.column_names if name in stored.columns],
            *[F.lit(None).cast(column.spark_type).alias(column.name) for column in missing],
        ).select(*table.column_names)

    def head(self, table: Table, columns: Sequence[str], *, order_by: str, count: int) -> list[dict[str, Any]]:
        """The `count` rows of a gold table with the greatest `order_by`, read without Spark; none where it lacks."""
        if self.version(table) is None:
            return []
        stored = open_dataset(self.path(table))
        known = [name for name in columns if name in stored.schema.names]
        ranked = stored.to_table(columns=[order_by, table.key[0]]).sort_by(
            [(order_by, "descending"), (table.key[0], "ascending")]
        )
        keys = ranked.slice(0, count).column(table.key[0])
        rows = stored.to_table(
            columns=list(dict.fromkeys([*known, order_by, table.key[0]])), filter=pc.field(table.key[0]).isin(keys)
        )
        ordered = rows.sort_by([(order_by, "descending"), (table.key[0], "ascending")]).to_pylist()
        return [{name: row.get(name) for name in columns} for row in ordered]

    def changes(self, table: Table, since: int | None, upto: int | None) -> DataFrame:
        """Rows that changed in versions (since, upto], with `_change_type`; without `since` all rows, as inserts.

        A row changed twice appears twice. ReplaceAll tables keep no change feed: StorageError.
        """
        if since is None or upto is None:
            return self.read(table, upto).withColumn("_change_type", F.lit("insert"))
        if not keeps_change_feed(table):
            raise StorageError(
                f"{table.name} is replaced whole and keeps no change feed; compare two versions instead."
            )
        if since >= upto:
            return self.read(table, upto).limit(0).withColumn("_change_type", F.lit("insert"))
        feed = self._session().read.format("delta").option("readChangeFeed", "true")
        rows = feed.option("startingVersion", since + 1).option("endingVersion", upto).load(self.path(table))
        return rows.select(*table.column_names, "_change_type")

    @contextmanager
    def batch(self, table: Table, rows: DataFrame, *, whole: bool = False, kept: bool = False) -> Iterator[Batch]:
        """The rows that a write would change, cached while the block runs.

        `rows` fit the table (`fit_to_table`) and hold one row per key for MergeByKey. `whole` = they are all of the
        table, whatever its write mode. `kept` = the caller has cached what they come from: no second copy is made.
        """
        is_whole = whole or not isinstance(table.write, MergeByKey | AppendOnce | ReplaceSlice)
        version = self.version(table)
        if is_whole or not isinstance(table.write, MergeByKey) or version is None:
            marked = rows.withColumn(_MATCHED, F.lit(False))
        else:
            marked = _changed(rows, self.read(table, version), table, table.write)
        if not kept:
            marked.persist()
        try:
            figures = marked.agg(F.count(F.lit(1)), F.count_if(F.col(_MATCHED))).first()
            row_count, known_count = (0, 0) if figures is None else (int(figures[0]), int(figures[1]))
            yield Batch(table, marked.drop(_MATCHED), row_count, known_count, is_whole)
        finally:
            if not kept:
                marked.unpersist()

    def after(self, batch: Batch) -> DataFrame:
        """The table as it will be once the batch is written."""
        table = batch.table
        if batch.is_whole or self.version(table) is None:
            return batch.rows
        stored = self.read(table)
        if isinstance(table.write, ReplaceSlice):
            kept = stored.join(batch.rows.select(table.write.column).distinct(), table.write.column, "left_anti")
            return kept.select(*table.column_names).unionByName(batch.rows)
        if isinstance(table.write, MergeByKey) and batch.known_key_count:
            stored = stored.join(batch.rows.select(*table.key), list(table.key), "left_anti").select(
                *table.column_names
            )
        return stored.unionByName(batch.rows)

    def is_written(self, batch: Batch, stamp: Stamp) -> bool:
        """Whether this run has published the table already, and died before its ledger had it."""
        if batch.is_whole or self.version(batch.table) is None:
            return False
        known = deltalake.DeltaTable(self.path(batch.table)).transaction_version(_transaction(batch.table, stamp))
        return known is not None and known >= stamp.run_number

    def write(self, batch: Batch, stamp: Stamp) -> int | None:
        """Publish the batch in one commit; the table's new version, or None where nothing would change.

        Raises ContractError where a CHECK or NOT NULL of the contract refuses a row; the message holds no row values.
        """
        table = batch.table
        if batch.is_empty or (batch.is_whole and self._is_same(batch)):
            return None
        self._prepare(table)
        self._at(f"inside:{stamp.job}:{table.name}")
        try:
            self._commit(batch, stamp)
        except (PySparkException, Py4JError) as problem:
            raise self._refusal(table, problem) from None
        self._at(f"committed:{stamp.job}:{table.name}")
        version = self.version(table)
        log.info("job=%s table=%s rows=%s version=%s", stamp.job, table.name, batch.row_count, version)
        return version

    def _commit(self, batch: Batch, stamp: Stamp) -> None:
        table, path = batch.table, self.path(batch.table)
        writer = batch.rows.write.format("delta").option("userMetadata", stamp.run_id)
        transaction = {"txnAppId": _transaction(table, stamp), "txnVersion": str(stamp.run_number)}
        if batch.is_whole:
            # Columns are replaced together with the rows: readers never see one without the other.
            same_shape = self._stored_columns(table) == table.column_names
            writer.mode("overwrite").option("overwriteSchema", str(not same_shape).lower()).save(path)
        elif isinstance(table.write, ReplaceSlice):
            column = table.write.column
            values = sorted(str(row[0]) for row in batch.rows.select(column).distinct().toLocalIterator())
            writer.mode("overwrite").option("replaceWhere", f"`{column}` IN ({', '.join(map(_quoted, values))})").save(
                path
            )
        elif batch.known_key_count == 0:
            writer.options(**transaction).mode("append").save(path)
        else:
            self._merge(batch, {**transaction, "userMetadata": stamp.run_id})

    def _merge(self, batch: Batch, marks: Mapping[str, str]) -> None:
        table = batch.table
        same_key = " AND ".join(f"t.`{name}` = s.`{name}`" for name in table.key)
        values: dict[str, str | SparkColumn] = {f"`{name}`": f"s.`{name}`" for name in table.column_names}
        target = DeltaTable.forPath(self._session(), self.path(table)).alias("t")
        with _session_marks(self._session(), marks):
            merge = target.merge(batch.rows.alias("s"), same_key)
            merge.whenMatchedUpdate(set=values).whenNotMatchedInsert(values=values).execute()

    def _prepare(self, table: Table) -> None:
        """The table exists as its contract says, and the catalog knows it where there is one."""
        if self.version(table) is None:
            create_table(self._session(), self.path(table), table)
            if self._catalog:
                self._register(table, self._catalog)
        else:
            align_with_contract(self._session(), self.path(table), table)

    def _register(self, table: Table, catalog: str) -> None:
        pack = self.root.rsplit("/", 1)[-1]
        schema = f"`{catalog}`.`{pack}_{table.layer}`"
        self._session().sql(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        named = f"{schema}.`{table.noun}`"
        self._session().sql(f"CREATE TABLE IF NOT EXISTS {named} USING delta LOCATION '{self.path(table)}'")

    def _stored_columns(self, table: Table) -> tuple[str, ...]:
        fields = deltalake.DeltaTable(self.path(table)).schema().fields
        return tuple(field.name for field in fields)

    def _is_same(self, batch: Batch) -> bool:
        if self.version(batch.table) is None:
            return False
        if self._stored_columns(batch.table) != batch.table.column_names:
            return False
        return _fingerprint(batch.rows, batch.table) == _fingerprint(self.read(batch.table), batch.table)

    def _refusal(self, table: Table, problem: Exception) -> Exception:
        """Delta's own message would show the row's values."""
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
                f"{table.name}: the disk of {self.root} is full; nothing was published. Free space, then --resume."
            )
        return problem


def _transaction(table: Table, stamp: Stamp) -> str:
    """Delta's name for the one write that a job makes of a table in a run."""
    return f"cdp.{stamp.job}.{table.name}"


def _changed(rows: DataFrame, stored: DataFrame, table: Table, mode: MergeByKey) -> DataFrame:
    """Rows whose key is new, or that are no older than the stored row and differ from it."""
    order = [name for name in mode.newest_by if name not in table.key]
    known = stored.select(
        *table.key,
        F.struct(*order).alias("_stored_order"),
        row_hash(table).alias("_stored_hash"),
    )
    compared = rows.join(known, list(table.key), "left")
    is_known = F.col("_stored_hash").isNotNull()
    is_newer = (F.struct(*order) >= F.col("_stored_order")) & (row_hash(table) != F.col("_stored_hash"))
    return compared.where(~is_known | is_newer).select(*table.column_names, is_known.alias(_MATCHED))


def _fingerprint(rows: DataFrame, table: Table) -> tuple[int, int]:
    """Count and order-free checksum of the content; equal for equal tables, and only then but for a 2^-64 chance."""
    hashed = rows.select(F.xxhash64(row_hash(table)).cast("decimal(20,0)").alias("hashed"))
    figures = hashed.agg(F.count(F.lit(1)), F.sum("hashed")).first()
    return (0, 0) if figures is None else (int(figures[0]), int(figures[1] or 0))


@contextmanager
def _session_marks(spark: SparkSession, marks: Mapping[str, str]) -> Iterator[None]:
    """MERGE takes its transaction id from the session alone; it must not leak into the next write."""
    names = {
        "txnAppId": "spark.databricks.delta.write.txnAppId",
        "txnVersion": "spark.databricks.delta.write.txnVersion",
        "userMetadata": "spark.databricks.delta.commitInfo.userMetadata",
    }
    try:
        for mark, value in marks.items():
            spark.conf.set(names[mark], value)
        yield
    finally:
        for mark in marks:
            spark.conf.unset(names[mark])


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
