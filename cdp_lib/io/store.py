"""The lakehouse's Delta tables: where they lie, how they are read, and the one place that writes them through Spark."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, ExitStack
from typing import Any

import deltalake
import pyarrow.compute as pc
from deltalake.exceptions import TableNotFoundError
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, functions as F, SparkSession

from cdp_lib.contracts.table import AppendOnce, MergeByKey, ReplaceSlice, Table
from cdp_lib.errors import ContractError, StorageError
from cdp_lib.io.arrow_tables import open_dataset
from cdp_lib.io.batch import all_news, Batch, counted, given_rows, news
from cdp_lib.io.caching import cached
from cdp_lib.io.commit import commit, refusal, Stamp, stored_columns, transaction
from cdp_lib.io.declared import align_with_contract, create_table, keeps_change_feed
from cdp_lib.io.fingerprint import fingerprint
from cdp_lib.io.local_rows import local_rows

__all__ = ["Batch", "DeltaStore", "Stamp"]

log = logging.getLogger(__name__)


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
            return local_rows(self._session(), table.schema())
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
    def batch(
        self, table: Table, rows: DataFrame, *, whole: bool = False, kept: bool = False, gone: DataFrame | None = None
    ) -> Iterator[Batch]:
        """What a write would change, cached while the block runs.

        `rows` fit the table (`fit_to_table`) and hold one row per key for MergeByKey. `whole` = they are all of the
        table, whatever its write mode. `kept` = the caller has cached what they come from: no second copy is made.
        `gone` = keys of rows that leave a MergeByKey table: `rows` that have them come in their place, newer or not.
        Raises ContractError where `gone` is not the table's key, or nothing can leave by the way the table is written.
        """
        mode = table.write
        if gone is not None and (whole or not isinstance(mode, MergeByKey)):
            way = "this write replaces the whole table" if whole else f"its write mode is {type(mode).__name__}"
            raise ContractError(
                f"{table.name}: gone rows were given, but {way}. Only a MergeByKey write can take single rows out."
            )
        is_whole = whole or not isinstance(mode, MergeByKey | AppendOnce | ReplaceSlice)
        version = self.version(table)
        given = given_rows(rows, gone, table)
        with ExitStack() as stack:
            if version is None or whole or not isinstance(mode, MergeByKey):
                changes = all_news(rows)
            else:
                if not kept:
                    stack.enter_context(cached(given))
                # Filling the cache first lets Spark plan by the true size, and spares the table where nothing is given.
                is_given = kept or given.count() > 0
                changes = news(given, self.read(table, version), table, mode) if is_given else all_news(given)
            yield stack.enter_context(counted(table, changes, is_whole=is_whole, kept=kept))

    def after(self, batch: Batch) -> DataFrame:
        """The table as it will be once the batch is written."""
        table = batch.table
        if batch.is_whole or self.version(table) is None:
            return batch.rows
        stored = self.read(table)
        if isinstance(table.write, ReplaceSlice):
            stays = stored.join(batch.rows.select(table.write.column).distinct(), table.write.column, "left_anti")
            return stays.select(*table.column_names).unionByName(batch.rows)
        if batch.known_key_count or batch.gone_count:
            stays = stored.join(batch.leaving_keys, list(table.key), "left_anti")
            return stays.select(*table.column_names).unionByName(batch.rows)
        return stored.unionByName(batch.rows)

    def is_written(self, batch: Batch, stamp: Stamp) -> bool:
        """Whether this run has published the table already, and died before its ledger had it."""
        if batch.is_whole or self.version(batch.table) is None:
            return False
        known = deltalake.DeltaTable(self.path(batch.table)).transaction_version(transaction(batch.table, stamp))
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
            commit(self._session(), self.path(table), batch, stamp)
        except (PySparkException, Py4JError) as problem:
            raise refusal(table, self.root, problem) from None
        self._at(f"committed:{stamp.job}:{table.name}")
        version = self.version(table)
        log.info("job=%s table=%s rows=%s version=%s", stamp.job, table.name, batch.change_count, version)
        return version

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

    def _is_same(self, batch: Batch) -> bool:
        table = batch.table
        if self.version(table) is None or stored_columns(self.path(table)) != table.column_names:
            return False
        return fingerprint(batch.rows, table) == fingerprint(self.read(table), table)
