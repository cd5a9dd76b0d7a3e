"""Make a Delta table as its contract declares it, and bring it in line when the contract changed."""

import deltalake
from delta.tables import DeltaTable
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession, types as T

from cdp_lib.contracts.table import AppendOnce, MergeByKey, Table
from cdp_lib.errors import ContractError

CONTRACT_HASH = "cdp.contract_hash"
STATISTICS_COLUMNS = "delta.dataSkippingStatsColumns"
_VERSIONS_KEPT = dict.fromkeys(
    ("delta.logRetentionDuration", "delta.deletedFileRetentionDuration"), "interval 3650 days"
)
"""A run reads what the one before it found, however long ago that was; scores are compared once their horizon has
passed; `cdp why` asks of any day. Delta would refuse to read a version that was replaced a week ago, and forget those
of a month ago with every tenth commit; its log takes a few kilobytes a version."""
_CONSTRAINT = "delta.constraints."
_STATISTICS_LIMIT = 32
_INDEXABLE = (T.StringType, T.NumericType, T.DateType, T.TimestampType)


def create_table(spark: SparkSession, path: str, table: Table) -> None:
    """The empty table in one commit: schema, clustering, CHECKs and properties."""
    builder = DeltaTable.createIfNotExists(spark).location(path).addColumns(table.schema()).comment(table.purpose)
    if table.cluster_by:
        builder = builder.clusterBy(*table.cluster_by)
    for name, value in table_properties(table).items():
        builder = builder.property(name, value)
    builder.execute()


def table_properties(table: Table) -> dict[str, str]:
    """Delta properties that follow from the contract: CHECKs, change feed, vectors, no statistics of personal data.

    And how long versions can be read.
    """
    indexed = [
        column.name
        for column in table.columns
        if (column.pii is None or column.name in table.cluster_by) and isinstance(column.spark_type, _INDEXABLE)
    ]
    fixed = {
        STATISTICS_COLUMNS: ",".join(f"`{name}`" for name in indexed[:_STATISTICS_LIMIT]),
        "delta.enableChangeDataFeed": str(keeps_change_feed(table)).lower(),
        "delta.enableDeletionVectors": str(table.layer != "gold" and isinstance(table.write, MergeByKey)).lower(),
        CONTRACT_HASH: table.contract_hash(),
        **_VERSIONS_KEPT,
    }
    return fixed | {f"delta.constraints.{name}": condition for name, condition in table.constraints().items()}


def keeps_change_feed(table: Table) -> bool:
    """Whether readers can ask which rows changed: not where every write replaces the whole."""
    return isinstance(table.write, MergeByKey | AppendOnce)


def align_with_contract(spark: SparkSession, path: str, table: Table) -> None:
    """Add columns that the contract learnt, drop CHECKs and NOT NULLs that it forgot, add CHECKs that it learnt.

    The contract's hash is noted last: a table that carries it is left alone, and what a kill left undone the next call
    does. Columns that the contract forgot stay and are read no more. Raises ContractError for a column whose type
    changed, and for a new CHECK that stored rows break.
    """
    stored = deltalake.DeltaTable(path)
    configuration = dict(stored.metadata().configuration)
    wanted_last = {CONTRACT_HASH: table.contract_hash(), **_VERSIONS_KEPT}
    if wanted_last.items() <= configuration.items():
        return
    target = f"delta.`{path}`"
    known = {field.name for field in stored.schema().fields}
    _refuse_other_types(spark, path, table, known)
    learnt = [column for column in table.columns if column.name not in known]
    if learnt:
        listed = ", ".join(f"`{column.name}` {column.spark_type.simpleString()}" for column in learnt)
        spark.sql(f"ALTER TABLE {target} ADD COLUMNS ({listed})")
    required = {column.name for column in table.columns if column.required}
    for name in sorted(field.name for field in stored.schema().fields if not field.nullable):
        if name not in required:
            spark.sql(f"ALTER TABLE {target} ALTER COLUMN `{name}` DROP NOT NULL")
    checks = {key.removeprefix(_CONSTRAINT): text for key, text in configuration.items() if key.startswith(_CONSTRAINT)}
    wanted = table.constraints()
    for name in sorted(name for name, text in checks.items() if wanted.get(name) != text):
        spark.sql(f"ALTER TABLE {target} DROP CONSTRAINT `{name}`")
    for name in sorted(name for name, text in wanted.items() if checks.get(name) != text):
        _add_check(spark, target, table, name)
    properties = ", ".join(f"'{name}' = '{value}'" for name, value in wanted_last.items())
    spark.sql(f"ALTER TABLE {target} SET TBLPROPERTIES ({properties})")


def _refuse_other_types(spark: SparkSession, path: str, table: Table, known: set[str]) -> None:
    kinds = {field.name: field.dataType for field in spark.read.format("delta").load(path).schema.fields}
    changed = [
        f"{column.name} was {kinds[column.name].simpleString()}, is now {column.spark_type.simpleString()}"
        for column in table.columns
        if column.name in known and kinds[column.name].simpleString() != column.spark_type.simpleString()
    ]
    if changed:
        raise ContractError(
            f"{table.name}: {'; '.join(changed)}. A stored column keeps its type: give the column another name, "
            f"or move {path} away and ingest its files again."
        )


def _add_check(spark: SparkSession, target: str, table: Table, name: str) -> None:
    try:
        spark.sql(f"ALTER TABLE {target} ADD CONSTRAINT `{name}` CHECK ({table.constraints()[name]})")
    except PySparkException:
        # Delta's own message may quote a row.
        raise ContractError(
            f"{table.name}: stored rows already break the new CHECK {name}. Loosen it, or correct those rows first."
        ) from None
