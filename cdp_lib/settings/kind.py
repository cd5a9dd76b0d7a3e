"""What every pack object shares: frozen, unknown keys forbidden, an id that others refer to, a content hash."""

import hashlib
import json
from typing import Annotated, Any
from zoneinfo import available_timezones

from pydantic import BaseModel, ConfigDict, field_validator, StringConstraints, ValidationInfo

from cdp_lib.errors import near_miss

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]
"""Lower snake case: it becomes a table, column or id."""

SqlText = Annotated[str, StringConstraints(min_length=1)]
"""A Spark SQL expression over the columns of its source or entity."""

NOTHING_BEHIND = "has nothing behind it: write a value, or remove the key"

AS_WRITTEN = {"as": "written"}
"""Validation's context for what a person wrote, where a key with nothing behind it is an error."""


def known_zone(name: str) -> str:
    """The name of an IANA zone; raises ValueError with a near miss for anything else."""
    if name not in available_timezones():
        raise ValueError(f"unknown time zone {name!r}.{near_miss(name, available_timezones())}")
    return name


class Frozen(BaseModel):
    """A value from YAML: immutable, and a misspelt key is an error, as is one with nothing behind it.

    Left out, a key often means everybody or always; a rule that somebody commented out must not come to mean that.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    @field_validator("*")
    @classmethod
    def _has_something_behind_it(cls, value: Any, info: ValidationInfo) -> Any:
        if value is None and info.context == AS_WRITTEN:
            raise ValueError(NOTHING_BEHIND)
        return value

    def content_hash(self, *, without: frozenset[str] = frozenset()) -> str:
        """Lower hex SHA-256 of the object's canonical JSON: the same settings give the same hash anywhere.

        Fields of its own that are named by `without` do not count.
        """
        told = self.model_dump(mode="json", by_alias=True, exclude=set(without))
        body = json.dumps(told, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(body.encode()).hexdigest()
