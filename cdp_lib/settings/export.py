"""Kind `export`: a file for people outside the lakehouse, with literal column names in a literal order."""

from typing import Literal

from pydantic import Field

from cdp_lib.settings.kind import Frozen, Name, SqlText


class AlsoKnownAs(Frozen):
    """A companion file: the other ids that one golden customer goes by."""

    column: str = Field(min_length=1, description="Header of the export that holds the surviving id")
    source_systems: tuple[Name, ...] = Field(default=(), description="Only ids of these sources; all when left out")


class MayReceive(Frozen):
    """What the customers of a file that leads to a message must have agreed to."""

    channel: Name = Field(description="How they are written to, e.g. email: the channel of consents and suppression")
    purpose: Name = Field(default="marketing", description="What for")


class Export(Frozen):
    """One CSV file, one row per customer of `gold.customer`, with their scores."""

    kind: Literal["export"]
    id: Name
    description: str = ""
    columns: dict[str, SqlText] = Field(
        min_length=1, description="Header: Spark SQL over gold.customer and the customer's scores"
    )
    where: SqlText | None = None
    may_receive: MayReceive | None = Field(
        default=None,
        description="Only who agreed to it and is on no suppression list, as for activations",
    )
    order_by: tuple[str, ...] = Field(default=(), description="Export columns that order the rows")
    notes: dict[str, str] = Field(default_factory=dict, description="Header: what it means, for the header document")
    also_known_as: AlsoKnownAs | None = None
