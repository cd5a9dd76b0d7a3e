"""Kind `source`: what arrives from one system, how it is read, what it means, and which entities it feeds."""

import re
from typing import Literal

from pydantic import Field, field_validator, model_validator

from cdp_lib.settings.date_pattern import check_date_pattern
from cdp_lib.settings.kind import Frozen, known_zone, Name, SqlText
from cdp_lib.settings.sql import parse_type

PiiKind = Literal[
    "name", "email", "phone", "address", "birth_date", "national_id", "online_id", "device_id", "free_text", "payment",
    "raw",
]  # fmt: skip

_MOMENTS = ("date", "timestamp", "timestamp_ntz")
_IDS = ("national_id", "online_id", "device_id")
_ZONED = ("timestamp", "struct", "array", "map")
"""Types in which a time without a zone of its own may stand that is meant as an instant."""

_BRACKETS = re.compile(r"\[!?([^\]/]+)\]")
"""One letter out of several, in a path."""


def _is_backward(letters: str) -> bool:
    """Whether a range of letters ends before it begins, such as z-a."""
    return any(first > last for first, last in re.findall(r"(.)-(.)", letters))


class SourceColumn(Frozen):
    """One column of a source file."""

    type: str = Field(description="Spark SQL type: string, bigint, decimal(18,2), date, timestamp, struct<...>, ...")
    header: str | None = Field(default=None, description="Name in the file, where it differs")
    format: str | tuple[str, ...] = Field(
        default=(), description="Spark's patterns of a date or timestamp, tried in order; ISO 8601 when left out"
    )
    time_zone: str | None = Field(default=None, description="IANA zone of times written without one; else the pack's")
    era: Literal["common", "buddhist"] = Field(
        default="common", description="buddhist: years are written 543 later, 2568 for 2025"
    )
    pii: PiiKind | None = Field(default=None, description="What personal data it holds; everything obeys the mark")
    required: bool = Field(default=False, description="A row without it is quarantined")
    optional: bool = Field(default=False, description="A file may lack the column; otherwise such a file is refused")
    expect: tuple[SqlText, ...] = Field(default=(), description="Conditions; a row that breaks one is quarantined")
    description: str = ""

    @field_validator("type")
    @classmethod
    def _type_is_known(cls, value: str) -> str:
        parse_type(value)
        return value

    @field_validator("format")
    @classmethod
    def _patterns_read_days(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        for pattern in (value,) if isinstance(value, str) else value:
            check_date_pattern(pattern)
        return value

    @field_validator("time_zone")
    @classmethod
    def _zone_is_known(cls, value: str | None) -> str | None:
        return value if value is None else known_zone(value)

    @model_validator(mode="after")
    def _keys_fit_the_type(self) -> "SourceColumn":
        name = parse_type(self.type).name
        for key, is_given in (("format", bool(self.format)), ("era", self.era != "common")):
            if is_given and not self.is_moment:
                kinds = ", ".join(_MOMENTS)
                raise ValueError(f"{key} belongs to {kinds}, not to {self.type}: remove it, or change type")
        if self.time_zone and name not in _ZONED:
            raise ValueError(f"time_zone belongs to timestamps, alone or nested, not to {self.type}: remove it")
        return self

    @property
    def is_moment(self) -> bool:
        """Whether it holds days or times."""
        return parse_type(self.type).name in _MOMENTS

    @property
    def is_id(self) -> bool:
        """Whether it is a text that names somebody or something of theirs."""
        return self.type == "string" and self.pii in _IDS

    @property
    def formats(self) -> tuple[str, ...]:
        """The patterns to try, in order."""
        return (self.format,) if isinstance(self.format, str) else self.format


class Read(Frozen):
    """How the files are found and read."""

    format: Literal["csv", "jsonl", "parquet"]
    path: str = Field(description="Glob below the landing folder; gzip is recognised by its content")
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    encoding: str = Field(default="utf-8", description="Of CSV and JSON lines; a file that does not decode is refused")
    null_values: tuple[str, ...] = Field(
        default=("",), description="Texts that mean unknown; in CSV an empty cell does in any case"
    )

    @field_validator("path")
    @classmethod
    def _path_stays_below_landing(cls, value: str) -> str:
        if value.startswith("/") or ".." in value.split("/"):
            raise ValueError(f"path {value!r} leads out of the landing folder; write it relative, without ..")
        if {"", "."}.intersection(value.split("/")):
            raise ValueError(f"path {value!r} has a part that names nothing; write it like desk/members_*.csv")
        outside = _BRACKETS.sub("", value)
        if set("[{").intersection(outside) or any(map(_is_backward, _BRACKETS.findall(value))):
            raise ValueError(
                f"path {value!r} is no glob: it may have *, **, ? and [a-z]; a bracket itself is written [[]"
            )
        return value

    @field_validator("encoding")
    @classmethod
    def _encoding_is_known(cls, value: str) -> str:
        try:
            "".encode(value)
        except LookupError as problem:
            raise ValueError(f"unknown text encoding {value!r}; try utf-8, tis-620, cp874, latin-1") from problem
        return value

    @property
    def unknown_texts(self) -> tuple[str, ...]:
        """Every text that means unknown: CSV has no other way to leave a cell out than to leave it empty."""
        return ("", *self.null_values) if self.format == "csv" else self.null_values


class Feed(Frozen):
    """How rows of the source become rows of one conformed entity."""

    to: Name = Field(description="Conformed entity, e.g. order")
    where: SqlText | None = Field(default=None, description="Only these rows")
    group_by: tuple[Name, ...] = Field(default=(), description="Source columns: one row per group, map aggregates")
    map: dict[Name, SqlText] = Field(min_length=1, description="Entity column: Spark SQL over the source's columns")


class Source(Frozen):
    """A contract with one source system's file."""

    kind: Literal["source"]
    id: Name
    description: str = ""
    read: Read
    key: tuple[Name, ...] = Field(min_length=1, description="Columns that name a row; same key and content = duplicate")
    columns: dict[Name, SourceColumn] = Field(min_length=1)
    feeds: tuple[Feed, ...] = ()

    @model_validator(mode="after")
    def _keys_exist(self) -> "Source":
        unknown = sorted(set(self.key) - set(self.columns))
        if unknown:
            raise ValueError(f"key names unknown columns {unknown}; columns are {sorted(self.columns)}")
        return self

    @model_validator(mode="after")
    def _headers_differ(self) -> "Source":
        headers = [column.header or name for name, column in self.columns.items()]
        twice = sorted({header for header in headers if headers.count(header) > 1})
        if twice:
            raise ValueError(f"two columns are read from header {twice[0]!r}; a value has one place")
        return self
