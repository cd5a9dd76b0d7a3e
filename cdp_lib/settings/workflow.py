"""Workflows: named lists of jobs with their limits."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field, TypeAdapter, ValidationError

from cdp_lib.errors import ConfigError, Fault
from cdp_lib.settings.kind import Frozen, Name


class Workflow(Frozen):
    """One entry of conf/workflows.yml."""

    purpose: str = ""
    jobs: tuple[Name, ...] = Field(min_length=1, description="In any order: it is computed from reads and writes")
    time_limit_minutes: float | None = Field(default=None, gt=0)


def parse_workflows(body: Mapping[str, Any], *, file: str) -> dict[str, Workflow]:
    """Name: workflow; raises ConfigError with every fault."""
    try:
        return TypeAdapter(dict[str, Workflow]).validate_python(body)
    except ValidationError as problem:
        raise ConfigError(
            [
                Fault(file, ".".join(map(str, error["loc"])), str(error["msg"]))
                for error in problem.errors(include_url=False)
            ]
        ) from None
