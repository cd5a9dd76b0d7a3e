"""Kind `identity`: which identifiers make two records one person, and which source wins each field."""

from typing import Annotated, Literal

from pydantic import Field

from cdp_lib.settings.kind import Frozen, Name
from cdp_lib.settings.matching import Matching

SurvivorshipRule = Literal["source_priority", "newest", "oldest", "most_frequent", "longest"]


class Identifier(Frozen):
    """An exact identifier; the order in `identifiers` is its priority."""

    field: str = Field(
        pattern=r"^[a-z][a-z0-9_]*$", description="A column of customer_record, or a key of its identifiers map"
    )
    max_records: int = Field(default=50, ge=2, description="A value held by more records than this matches nobody")
    max_values: int | None = Field(
        default=None,
        ge=1,
        description="A person holds at most so many values; links that would break it are dropped. 1: unique, two "
        "records with different values are two people",
    )
    blocked: tuple[str, ...] = Field(default=(), description="Values that match nobody")


class Identity(Frozen):
    """Exact and probable matching, and survivorship, of one pack."""

    kind: Literal["identity"]
    id: Name = "identity"
    identifiers: tuple[Identifier, ...] = ()
    matching: Matching | None = Field(
        default=None, description="Probable matches beside the exact ones, `{}` for the defaults; left out: none"
    )
    source_priority: tuple[Name, ...] = Field(default=(), description="Most trusted source first; the rest by name")
    survivorship: dict[Name, tuple[SurvivorshipRule, ...]] = Field(
        default_factory=dict, description="Per field of the golden record: rules in order, ties go to the next"
    )
    default_survivorship: tuple[SurvivorshipRule, ...] = ("source_priority", "newest")
    shared_value_limits: dict[Literal["email", "phone"], Annotated[int, Field(ge=1)]] = Field(
        default_factory=dict, description="A value held by more records than this is nobody's own: nulled, reason kept"
    )
