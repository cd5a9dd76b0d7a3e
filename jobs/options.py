"""Options that several commands share, and how errors are told."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import Annotated

import typer
from rich.console import Console

from cdp_lib.errors import CdpError, ConfigError, near_miss
from cdp_lib.settings.settings import LOG_LEVELS

PackOption = Annotated[str, typer.Option("--pack", "-p", help="A pack's name, or any folder of YAML.")]
LandingOption = Annotated[str | None, typer.Option(help="Folder of the pack's landing files.")]
LakehouseOption = Annotated[str | None, typer.Option(help="Folder of the tables; the pack's name is added.")]
EnvOption = Annotated[str, typer.Option(help="Settings: local or cluster.")]
AsOfOption = Annotated[str | None, typer.Option(help="YYYY-MM-DD; the data's last day when left out.")]
SendOption = Annotated[bool, typer.Option("--send", help="Send what is planned; else it is only rendered.")]
AtOption = Annotated[
    str | None, typer.Option("--at", help="Plan for this moment, e.g. 2025-01-31T10:00+07:00; now where it sends.")
]
LevelOption = Annotated[
    str | None, typer.Option("--log-level", help="DEBUG, INFO, WARNING or ERROR; else as the settings say.")
]


@contextmanager
def told_plainly(level: str | None = None) -> Iterator[None]:
    """Our own errors are a message, several faults a line each, and exit code 1; no trace."""
    named = (level or "WARNING").upper()
    is_known = named in LOG_LEVELS
    logging.basicConfig(
        stream=sys.stderr,
        level=named if is_known else "WARNING",
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    try:
        if not is_known:
            raise ConfigError(f"unknown --log-level '{level}'.{near_miss(named, LOG_LEVELS)}")
        yield
    except CdpError as problem:
        console = Console(stderr=True)
        for line in str(problem).splitlines():
            console.print(line, style="red", highlight=False, markup=False, soft_wrap=True)
        if isinstance(problem, ConfigError) and len(problem.faults) > 1:
            console.print(f"{len(problem.faults)} faults.", highlight=False)
        raise typer.Exit(1) from None


def day_of(text: str | None, option: str = "--as-of") -> date | None:
    """The date that an option names; raises ConfigError."""
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{option} {text!r} is not a date such as 2025-01-31") from None


def instant_of(text: str | None) -> datetime | None:
    """The instant of `--at`; raises ConfigError."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"--at {text!r} is not a time such as 2025-01-31T10:00+07:00") from None
    if found.tzinfo is None:
        raise ConfigError(f"--at {text!r} has no zone: write 2025-01-31T10:00+07:00, or Z for UTC")
    return found
