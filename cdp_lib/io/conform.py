"""Hold a frame to its table before it is written: the columns, their types and order, and a hash of the content."""

from pyspark.sql import Column as SparkColumn, DataFrame, functions as F, types as T

from cdp_lib.contracts.table import Table
from cdp_lib.errors import ContractError

RECORD_HASH = "_record_hash"
RUN_ID = "_run_id"


def fit_to_table(frame: DataFrame, table: Table, *, run_id: str) -> DataFrame:
    """The frame in the table's columns, types and order, `_run_id` and `_record_hash` filled in where declared.

    Raises ContractError that names every missing and every unexpected column, and types that cannot be cast.
    """
    given = set(frame.columns)
    filled = {name for name in (RUN_ID, RECORD_HASH) if name in table.column_names}
    missing = sorted(set(table.column_names) - given - filled)
    unexpected = sorted(given - set(table.column_names))
    if missing or unexpected:
        raise ContractError(
            f"{table.name}: missing {missing}, unexpected {unexpected}. Declare them in contracts/{table.layer}.py "
            "or select the declared ones."
        )
    content = frame.select(
        *[
            F.col(column.name).cast(column.spark_type).alias(column.name)
            for column in table.columns
            if column.name not in filled or (column.name == RECORD_HASH and RECORD_HASH in given)
        ]
    )
    made: dict[str, SparkColumn] = {}
    if RUN_ID in filled:
        made[RUN_ID] = F.lit(run_id)
    if RECORD_HASH in filled and RECORD_HASH not in given:
        made[RECORD_HASH] = _content_hash(table)
    return content.withColumns(made).select(*table.column_names)


def row_hash(table: Table) -> SparkColumn:
    """Lower hex SHA-256 of a fitted row's content: stored as `_record_hash`, or computed where the table has none."""
    return F.col(RECORD_HASH) if RECORD_HASH in table.column_names else _content_hash(table)


def _content_hash(table: Table) -> SparkColumn:
    """Of the content columns as one JSON text: positions kept, nulls written, maps in key order."""
    columns = [table.column(name) for name in table.content_columns]
    parts = [_exact(column.name, column.spark_type).alias(column.name) for column in columns]
    return F.sha2(F.to_json(F.struct(*parts), {"ignoreNullFields": "false"}), 256)


def _exact(name: str, kind: T.DataType) -> SparkColumn:
    """JSON has no order of map keys to rely on, and shows instants to the millisecond only."""
    if isinstance(kind, T.MapType):
        return F.array_sort(F.map_entries(name))
    return F.unix_micros(name) if isinstance(kind, T.TimestampType) else F.col(name)
