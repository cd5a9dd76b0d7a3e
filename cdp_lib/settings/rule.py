"""Kind `rule`: what a published table must hold beyond its contract: freshness, volume, references, drift, variety."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator, StringConstraints

from cdp_lib.settings.kind import Frozen, Name, SqlText

TableName = Annotated[str, StringConstraints(pattern=r"^[a-z]+\.[a-z][a-z0-9_]*$")]
"""`layer.noun`, e.g. silver.order."""

TablePattern = Annotated[str, StringConstraints(pattern=r"^[a-z]+\.[a-z0-9_*]+$")]
"""A table name in which `*` stands for any text, e.g. silver.*"""

ColumnName = Annotated[str, StringConstraints(pattern=r"^_?[a-z][a-z0-9_]*$")]
Share = Annotated[float, Field(ge=0, le=1)]


class Freshness(Frozen):
    """The newest instant of a column is not too old on the as-of date. An empty table is not judged."""

    column: ColumnName
    at_most_days: float = Field(gt=0, description="Age of the newest instant at the end of the as-of date, in days")


class Volume(Frozen):
    """The table has about as many rows as it should; relative bounds hold from the second publication on."""

    at_least: int | None = Field(default=None, ge=0, description="Rows")
    at_most: int | None = Field(default=None, ge=0, description="Rows")
    relative_at_least: float | None = Field(default=None, ge=0, description="Times the mean of the last publications")
    relative_at_most: float | None = Field(default=None, gt=0, description="Times the mean of the last publications")
    of_last_runs: int = Field(default=1, ge=1, description="So many publications make the mean")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        bounds = (self.at_least, self.at_most, self.relative_at_least, self.relative_at_most)
        if all(bound is None for bound in bounds):
            raise ValueError("volume without a bound; give at_least, at_most, relative_at_least or relative_at_most")
        _in_order(self.at_least, self.at_most)
        _in_order(self.relative_at_least, self.relative_at_most)
        return self


class Referential(Frozen):
    """Rows of the table name something that stands in another table."""

    columns: tuple[ColumnName, ...] = Field(min_length=1)
    found_in: TableName
    found_columns: tuple[ColumnName, ...] = Field(default=(), description="Names there, where they differ")
    at_least: Share = Field(default=1.0, description="Share of the rows that must be found")
    null_is_missing: bool = Field(default=False, description="A row with a null counts as not found, or is left out")

    @model_validator(mode="after")
    def _same_length(self) -> Self:
        _same_number(self.columns, self.found_columns, "found_columns")
        return self


class Coverage(Frozen):
    """Everything that another table names stands in this one: the reverse of `referential`."""

    columns: tuple[ColumnName, ...] = Field(min_length=1)
    of: TableName
    of_columns: tuple[ColumnName, ...] = Field(default=(), description="Names there, where they differ")
    at_least: Share = Field(default=1.0, description="Share of the other table's rows that must be found here")

    @model_validator(mode="after")
    def _same_length(self) -> Self:
        _same_number(self.columns, self.of_columns, "of_columns")
        return self


class Drift(Frozen):
    """A share or a distribution stays near that of the last publication; the first one is not judged."""

    nulls: ColumnName | None = Field(default=None, description="Share of rows where the column is null")
    share: SqlText | None = Field(default=None, description="Share of rows where the condition is true")
    psi: ColumnName | None = Field(default=None, description="Population stability index of a numeric column")
    at_most: float = Field(gt=0, description="Change of the share, up or down; or the index (0.1 small, 0.25 large)")
    bins: int = Field(default=10, ge=2, le=50, description="Of psi: quantiles of the last publication")
    psi_at_least_rows: int = Field(
        default=500, ge=1, description="Fewer rows now or before: chance alone moves the index, so it is not judged"
    )

    @model_validator(mode="after")
    def _one_subject(self) -> Self:
        given = [name for name in ("nulls", "share", "psi") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"drift takes exactly one of nulls, share, psi; found {given or 'none'}")
        return self


class Distinct(Frozen):
    """How many different values, or combinations of values, the columns hold; nulls are not counted."""

    columns: tuple[ColumnName, ...] = Field(min_length=1)
    at_least: int | None = Field(default=None, ge=0)
    at_most: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.at_least is None and self.at_most is None:
            raise ValueError("distinct without a bound; give at_least or at_most")
        _in_order(self.at_least, self.at_most)
        return self


Requirement = Freshness | Volume | Referential | Coverage | Drift | Distinct
REQUIREMENTS = ("freshness", "volume", "referential", "coverage", "drift", "distinct")


class Rule(Frozen):
    """One requirement of the tables that `tables` names. A pack's rule replaces a default rule of the same id."""

    kind: Literal["rule"]
    id: Name
    description: str = Field(default="", description="What it means to the business, and what to do when it fails")
    tables: tuple[TablePattern, ...] = Field(min_length=1, description="Names; * stands for any text")
    severity: Literal["error", "warn"] = Field(description="error: the table is not published; warn: it is told")
    freshness: Freshness | None = None
    volume: Volume | None = None
    referential: Referential | None = None
    coverage: Coverage | None = None
    drift: Drift | None = None
    distinct: Distinct | None = None

    @model_validator(mode="after")
    def _one_requirement(self) -> Self:
        given = [name for name in REQUIREMENTS if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"a rule takes exactly one of {', '.join(REQUIREMENTS)}; found {given or 'none'}")
        return self

    @property
    def requirement(self) -> Requirement:
        """The one requirement that the rule states."""
        found: list[Requirement] = [value for name in REQUIREMENTS if (value := getattr(self, name)) is not None]
        return found[0]

    @property
    def other_table(self) -> str | None:
        """The table that the rule compares with; None where it looks at its own table only."""
        if self.referential:
            return self.referential.found_in
        return self.coverage.of if self.coverage else None


def _in_order(low: float | None, high: float | None) -> None:
    if low is not None and high is not None and low > high:
        raise ValueError(f"the lower bound {low} is above the upper bound {high}")


def _same_number(columns: tuple[str, ...], there: tuple[str, ...], key: str) -> None:
    if there and len(there) != len(columns):
        raise ValueError(f"{key} names {len(there)} columns, columns names {len(columns)}")
