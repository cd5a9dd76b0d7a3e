"""What the gate is asked and what it answers: a check, a candidate table, a result, a verdict."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from pyspark.sql import DataFrame

from cdp_lib.contracts.table import Table

Severity = Literal["error", "warn"]
Scope = Literal["row", "table"]
Figures = Mapping[str, tuple[float, ...]]
"""Check name -> the figures of the table's publications, oldest first."""


@dataclass(frozen=True)
class Check:
    """One thing that must hold, as plain data.

    `expectation` is the Great Expectations type; `kwargs` are its arguments. `scope` row looks at each row alone, table
    at all rows together. `statement` and `cure` are for people. `name` is what ops.quality_result calls it.
    """

    name: str
    expectation: str
    statement: str
    columns: tuple[str, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    severity: Severity = "error"
    scope: Scope = "row"
    unit: str = ""
    cure: str = ""

    @property
    def key(self) -> str:
        """Names the check among those of its table."""
        return f"{self.name}({', '.join(self.columns)})"

    @property
    def allowed(self) -> str:
        """The allowed figure in words."""
        if self.scope == "row":
            return "0 rows"
        low, high = self.kwargs.get("min_value"), self.kwargs.get("max_value")
        given = [("at least", low), ("at most", high)]
        bounds = [f"{word} {plain_number(bound)}" for word, bound in given if bound is not None]
        return f"{' and '.join(bounds)} {self.unit}".strip() if bounds else "anything"


@dataclass(frozen=True)
class Candidate:
    """A table about to be published.

    `batch` holds the rows about to be written, `after` the table as it would be then; where both are the same rows,
    the same object must be handed in, which saves a scan. `neighbours` are the tables that rules compare with,
    `previous` the table as it is published now (None: never was), `history` the figures of its publications.
    `as_of` is an instant with a zone.
    """

    table: Table
    batch: DataFrame
    after: DataFrame
    as_of: datetime
    neighbours: Mapping[str, DataFrame] = field(default_factory=dict)
    previous: DataFrame | None = None
    history: Figures = field(default_factory=dict)


@dataclass(frozen=True)
class CheckResult:
    """What one check found. `observed` is a figure, never a value of a row; None: there was nothing to judge.

    For row checks it counts the rows that break the check, out of `row_count`. `obstacle` says why a check could not
    be made.
    """

    table_name: str
    check: Check
    success: bool
    observed: float | None
    row_count: int | None = None
    obstacle: str = ""

    @property
    def observed_text(self) -> str:
        """The figure in words; a number always comes first, so that it can be read back."""
        if self.obstacle:
            return f"not evaluated: {self.obstacle}"
        if self.observed is None:
            return "nothing to judge"
        figure = plain_number(self.observed)
        return f"{figure} of {self.row_count} rows" if self.check.scope == "row" else f"{figure} {self.check.unit}"

    @property
    def message(self) -> str:
        """Table, check, observed figure, allowed figure, what to do."""
        return (
            f"{self.table_name}: {self.check.name}: {self.check.statement}: "
            f"observed {self.observed_text}, allowed {self.check.allowed}. {self.check.cure}"
        ).strip()


@dataclass(frozen=True)
class Verdict:
    """All results of one table. `documents` are the Great Expectations validations as JSON, for the Data Docs."""

    table_name: str
    results: tuple[CheckResult, ...]
    documents: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)

    @property
    def success(self) -> bool:
        """Whether the table may be published: no error-level check failed."""
        return not self.errors

    @property
    def errors(self) -> tuple[CheckResult, ...]:
        """Failed checks that stop the publication."""
        return self._failed("error")

    @property
    def warnings(self) -> tuple[CheckResult, ...]:
        """Failed checks that are only told."""
        return self._failed("warn")

    @property
    def message(self) -> str:
        """What a QualityError says: one line per failed error-level check; empty on success."""
        if self.success:
            return ""
        head = f"{self.table_name} was not published: {len(self.errors)} of {len(self.results)} checks failed."
        return "\n".join((head, *(f"  {result.message}" for result in self.errors)))

    def _failed(self, severity: Severity) -> tuple[CheckResult, ...]:
        return tuple(result for result in self.results if not result.success and result.check.severity == severity)


def plain_number(figure: float) -> str:
    """`1474300`, `0.996721`: whole numbers in full, others with six significant digits."""
    return str(int(figure)) if float(figure).is_integer() else f"{figure:.6g}"
