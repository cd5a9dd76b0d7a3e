"""Kind `trait`: one figure or fact about a customer, from a conformed entity, other traits or the golden record."""

import re
from typing import Literal, NamedTuple

from pydantic import Field, field_validator, model_validator

from cdp_lib.settings.kind import Frozen, Name, SqlText
from cdp_lib.settings.sql import parse_type

AGGREGATES = (
    "count",
    "count_distinct",
    "sum",
    "min",
    "max",
    "avg",
    "first",
    "last",
    "most_frequent",
    "list",
    "distinct",
)
"""What a trait over facts may ask: `first` and `last` go by the fact's time, ties broken by the fact's key."""

_CALL = re.compile(r"^\s*([a-z_]+)\s*\((.*)\)\s*$", re.IGNORECASE | re.DOTALL)
_RATIO = re.compile(r"^\s*ratio\s*\(\s*([a-z][a-z0-9_]*)\s*,\s*([a-z][a-z0-9_]*)\s*\)\s*$", re.IGNORECASE)
_WINDOW = re.compile(r"^([1-9][0-9]{0,4})d$")

DERIVED_FROM = ("customer", "golden_record")
"""Traits from these are scalar expressions: over fixed columns and other traits, or over the golden record."""


class Call(NamedTuple):
    """`function(argument)`; the argument of `count(*)` is `*`."""

    function: str
    argument: str


class Trait(Frozen):
    """One column of `gold.customer`."""

    kind: Literal["trait"]
    name: Name
    from_: Name = Field(alias="from", description="Entity (order, event, ...), or customer, or golden_record")
    select: SqlText = Field(description=f"One of {', '.join(AGGREGATES)} over the entity; else ratio(a, b) or SQL")
    where: SqlText | None = Field(default=None, description="Only these facts")
    window: str | None = Field(default=None, description="90d = the 90 days that end with the as-of date")
    type: str | None = Field(default=None, description="Spark SQL type, where it cannot be derived")
    description: str = ""

    @classmethod
    def asking(cls, name: str, **asked: str | None) -> "Trait":
        """The trait of that name that asks so; what is null is left out."""
        return cls.model_validate({"kind": "trait", "name": name, **{key: it for key, it in asked.items() if it}})

    @field_validator("type")
    @classmethod
    def _type_is_known(cls, value: str | None) -> str | None:
        if value is not None:
            parse_type(value)
        return value

    @field_validator("window")
    @classmethod
    def _window_is_days(cls, value: str | None) -> str | None:
        if value is not None and not _WINDOW.match(value):
            raise ValueError(f"window {value!r} is not a number of days such as 90d")
        return value

    @model_validator(mode="after")
    def _shape_fits(self) -> "Trait":
        if self.is_derived and (self.where or self.window):
            raise ValueError(f"a trait from {self.from_} has no facts to filter: remove where and window")
        if not self.is_derived and self.call.function not in AGGREGATES:
            raise ValueError(f"select {self.select!r} is not one of {', '.join(AGGREGATES)} around one expression")
        return self

    @property
    def is_derived(self) -> bool:
        """Whether it is a scalar over the customer or golden record rather than an aggregate of facts."""
        return self.from_ in DERIVED_FROM

    @property
    def call(self) -> Call:
        """The aggregate and its argument; an empty function name where `select` is no call."""
        match = _CALL.match(self.select)
        return Call(match[1].lower(), match[2].strip()) if match else Call("", self.select)

    @property
    def ratio(self) -> tuple[str, str] | None:
        """(numerator, denominator) trait names of `ratio(a, b)`, else None."""
        match = _RATIO.match(self.select)
        return (match[1], match[2]) if match else None

    @property
    def window_days(self) -> int | None:
        """Length of the window in whole days; None means all facts up to the as-of date."""
        match = _WINDOW.match(self.window or "")
        return int(match[1]) if match else None
