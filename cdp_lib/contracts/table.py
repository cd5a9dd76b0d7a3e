"""A table as one value: columns, key, meaning, constraints, personal-data marks, and how it is written."""

import hashlib
import json
from dataclasses import dataclass, field
from typing import Literal

from pyspark.sql import types as T

from cdp_lib.contracts.types import spark_type
from cdp_lib.errors import ContractError, near_miss
from cdp_lib.settings.source import PiiKind

Layer = Literal["bronze", "silver", "gold", "ops"]
LINEAGE_PREFIX = "_"


@dataclass(frozen=True)
class Column:
    """One column. `check` is a Spark SQL condition that holds for every non-null value."""

    name: str
    type: str
    description: str
    required: bool = False
    pii: PiiKind | None = None
    check: str | None = None
    choices: tuple[str, ...] = ()
    """The closed list of its values; empty: any."""

    @property
    def spark_type(self) -> T.DataType:
        """The column's Spark type."""
        return spark_type(self.type)


@dataclass(frozen=True)
class MergeByKey:
    """One row per key: new keys are added, a key's row is replaced by a newer one that differs.

    `newest_by` orders versions of a row: greater wins, an equal one replaces only where the later columns are greater.
    Without it every row that differs is the newer one.
    """

    newest_by: tuple[str, ...] = ()


@dataclass(frozen=True)
class AppendOnce:
    """Rows are added, once per run, and never changed."""


@dataclass(frozen=True)
class ReplaceSlice:
    """The rows of the written values of `column` are replaced."""

    column: str


@dataclass(frozen=True)
class ReplaceAll:
    """Every write is the whole table."""


WriteMode = MergeByKey | AppendOnce | ReplaceSlice | ReplaceAll


@dataclass(frozen=True)
class Table:
    """A Delta table at `<lakehouse>/<pack>/<layer>/<noun>`; `name` is `<layer>.<noun>`."""

    name: str
    purpose: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    write: WriteMode
    cluster_by: tuple[str, ...] = ()
    checks: tuple[tuple[str, str], ...] = field(default=())
    """(name, Spark SQL condition) over several columns; a row where the condition is null passes."""

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        twice = sorted({name for name in names if names.count(name) > 1})
        named = (*self.key, *self.cluster_by, *(self.write.newest_by if isinstance(self.write, MergeByKey) else ()))
        unknown = sorted(set(named) - set(names))
        if twice or unknown:
            raise ContractError(
                f"{self.name}: columns declared twice {twice}, key or order names unknown columns {unknown}."
            )

    @property
    def layer(self) -> str:
        """bronze, silver, gold or ops."""
        return self.name.split(".")[0]

    @property
    def noun(self) -> str:
        """The name below its layer."""
        return self.name.split(".", 1)[1]

    @property
    def column_names(self) -> tuple[str, ...]:
        """In order of declaration."""
        return tuple(column.name for column in self.columns)

    @property
    def content_columns(self) -> tuple[str, ...]:
        """The columns that carry meaning: all but lineage."""
        return tuple(name for name in self.column_names if not name.startswith(LINEAGE_PREFIX))

    @property
    def personal_columns(self) -> tuple[str, ...]:
        """Columns that hold personal data."""
        return tuple(column.name for column in self.columns if column.pii)

    def column(self, name: str) -> Column:
        """The column of that name; raises ContractError with a near-miss."""
        for column in self.columns:
            if column.name == name:
                return column
        raise ContractError(f"{self.name}: unknown column '{name}'.{near_miss(name, self.column_names)}")

    def schema(self) -> T.StructType:
        """Spark's schema; required and key columns are not nullable."""
        return T.StructType(
            [
                T.StructField(column.name, column.spark_type, nullable=not (column.required or column.name in self.key))
                for column in self.columns
            ]
        )

    def constraints(self) -> dict[str, str]:
        """CHECK name -> condition that is never null, because Delta counts a null condition as a violation."""
        of_columns = {
            f"{column.name}_check": f"({column.check}) IS NOT FALSE" for column in self.columns if column.check
        }
        return of_columns | {name: f"({condition}) IS NOT FALSE" for name, condition in self.checks}

    def contract_hash(self) -> str:
        """Lower hex SHA-256 of the declaration: changes when the shape, key, checks or write mode change."""
        body = [
            self.name,
            self.key,
            [(column.name, column.type, column.required, column.pii, column.check) for column in self.columns],
            repr(self.write),
            self.cluster_by,
            self.checks,
        ]
        return hashlib.sha256(json.dumps(body).encode()).hexdigest()


def text(
    name: str, description: str, *, required: bool = False, pii: PiiKind | None = None, check: str | None = None
) -> Column:
    """A STRING column."""
    return Column(name, "string", description, required, pii, check)


def amount(name: str, description: str, *, required: bool = False, check: str | None = None) -> Column:
    """A DECIMAL(18,2) column in the row's `currency`."""
    return Column(name, "decimal(18,2)", description, required, None, check)


def instant(name: str, description: str, *, required: bool = False) -> Column:
    """A TIMESTAMP column, a UTC instant."""
    return Column(name, "timestamp", description, required)


def number(name: str, description: str, *, required: bool = False, check: str | None = None) -> Column:
    """A BIGINT column."""
    return Column(name, "bigint", description, required, None, check)


def one_of(name: str, description: str, values: tuple[str, ...], *, required: bool = False) -> Column:
    """A STRING column with a closed list of values."""
    allowed = ", ".join(f"'{value}'" for value in values)
    said = f"{description} One of: {', '.join(values)}."
    return Column(name, "string", said, required, None, f"{name} IN ({allowed})", values)
