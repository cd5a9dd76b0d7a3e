"""Bring an existing Delta table in line with its contract after the contract changed; rows are never rewritten here."""

import deltalake
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from cdp_lib.contracts.table import Table
from cdp_lib.errors import ContractError

CONTRACT_HASH = "cdp.contract_hash"
_CONSTRAINT = "delta.constraints."


def align_with_contract(spark: SparkSession, path: str, table: Table) -> None:
    """Add columns that the contract learnt, drop CHECKs that it forgot, add those that it learnt, note its hash last.

    A table that carries the contract's hash is left alone. Killed in between, the next call does the rest. Columns that
    the contract forgot stay and are read no more. Raises ContractError for a column whose type changed, and for a new
    CHECK that stored rows break.
    """
    stored = deltalake.DeltaTable(path)
    configuration = dict(stored.metadata().configuration)
    if configuration.get(CONTRACT_HASH) == table.contract_hash():
        return
    target = f"delta.`{path}`"
    known = {field.name for field in stored.schema().fields}
    _refuse_other_types(spark, path, table, known)
    learnt = [column for column in table.columns if column.name not in known]
    if learnt:
        listed = ", ".join(f"`{column.name}` {column.spark_type.simpleString()}" for column in learnt)
        spark.sql(f"ALTER TABLE {target} ADD COLUMNS ({listed})")
    checks = {key.removeprefix(_CONSTRAINT): text for key, text in configuration.items() if key.startswith(_CONSTRAINT)}
    wanted = table.constraints()
    for name in sorted(name for name, text in checks.items() if wanted.get(name) != text):
        spark.sql(f"ALTER TABLE {target} DROP CONSTRAINT `{name}`")
    for name in sorted(name for name, text in wanted.items() if checks.get(name) != text):
        _add_check(spark, target, table, name)
    spark.sql(f"ALTER TABLE {target} SET TBLPROPERTIES ('{CONTRACT_HASH}' = '{table.contract_hash()}')")


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
