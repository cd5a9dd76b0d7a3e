"""Kind `sample`: landing files made from the Parquet tables inside an installed Python package."""

import re
from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator, StringConstraints

from cdp_lib.errors import near_miss
from cdp_lib.settings.kind import Frozen, Name

FORMATS = {".csv": "csv", ".jsonl": "jsonl", ".parquet": "parquet"}
"""File name ending: how the rows are written; `.gz` after the first two compresses."""

_DAY_PATTERNS = "YmdjV"
_PATTERN = re.compile(r"%(.)")

InnerPath = Annotated[str, StringConstraints(pattern=r"^[^/].*\.parquet$")]
"""Path of a Parquet table inside the package's folder."""


def _leaves_its_folder(path: str) -> bool:
    return PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts


class Lookup(Frozen):
    """Columns of a second table, found by equal values; its rows must be unique in them."""

    table: InnerPath
    by: tuple[str, ...] = Field(min_length=1, description="Columns that both tables have")


class SplitBy(Frozen):
    """The time that says on which day a row was dropped."""

    column: str
    clock: Literal["utc", "local"] = Field(
        default="utc", description="utc: an instant, its day is the pack's zone's; local: already the pack's zone's"
    )


class SampleFile(Frozen):
    """One table of the package, and the landing file or files it becomes."""

    table: InnerPath
    path: str = Field(description="Below the landing folder; %Y, %m, %d split into one file per year, month or day")
    day: SplitBy | None = Field(default=None, description="Where the rows' days come from; needed for %Y, %m, %d")
    lookup: Lookup | None = Field(default=None, description="Add the columns of another table")
    columns: dict[str, str] = Field(
        default_factory=dict, description="Header in the file: column of the table; all of them when left out"
    )
    dates: tuple[str, ...] = Field(default=(), description="Columns written as dates, without a time of day")
    only: dict[str, tuple[str | int | float | bool, ...]] = Field(
        default_factory=dict, description="Keep rows whose column holds one of the values"
    )

    @field_validator("path")
    @classmethod
    def _path_is_writable(cls, value: str) -> str:
        if _leaves_its_folder(value):
            raise ValueError(f"path {value!r} leads out of the landing folder; write it relative, without ..")
        unknown = sorted({found for found in _PATTERN.findall(value) if found not in _DAY_PATTERNS})
        if unknown:
            raise ValueError(f"path {value!r} splits by %{unknown[0]}; choose among %Y, %m, %d, %j, %V")
        name = PurePosixPath(value).name.removesuffix(".gz")
        ending = PurePosixPath(name).suffix
        if ending not in FORMATS or (value.endswith(".gz") and ending == ".parquet"):
            raise ValueError(f"path {value!r} names no format.{near_miss(ending, FORMATS)}")
        return value

    @model_validator(mode="after")
    def _days_are_known(self) -> "SampleFile":
        if self.is_split and self.day is None:
            raise ValueError(f"path {self.path!r} splits by day: name the column, e.g. day: {{column: sold_at}}")
        return self

    @property
    def is_split(self) -> bool:
        """Whether the table becomes one file per day, month or year."""
        return bool(_PATTERN.search(self.path))

    @property
    def format(self) -> str:
        """csv, jsonl or parquet."""
        return FORMATS[PurePosixPath(self.path.removesuffix(".gz")).suffix]


class Sample(Frozen):
    """Real rows to practise on: which package holds them, and how the business's systems would have dropped them."""

    kind: Literal["sample"]
    id: Name = "sample"
    description: str = ""
    package: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", description="Importable name of the Python package")
    distribution: str | None = Field(default=None, description="What to install, where its name differs")
    files: tuple[SampleFile, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _paths_differ(self) -> "Sample":
        paths = [file.path for file in self.files]
        twice = sorted({path for path in paths if paths.count(path) > 1})
        if twice:
            raise ValueError(f"two tables are written to {', '.join(twice)}; give each its own path")
        return self

    @property
    def install_name(self) -> str:
        """What a package manager calls it."""
        return self.distribution or self.package.replace("_", "-")
