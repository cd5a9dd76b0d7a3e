"""Options that several commands share, and how errors are told."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Annotated

import typer
from rich.console import Console

from cdp_lib.errors import CdpError, ConfigError

PackOption = Annotated[str, typer.Option("--pack", "-p", help="A pack's name, or any folder of YAML.")]
LandingOption = Annotated[str | None, typer.Option(help="Folder of the pack's landing files.")]
LakehouseOption = Annotated[str | None, typer.Option(help="Folder of the tables; the pack's name is added.")]
EnvOption = Annotated[str, typer.Option(help="Settings: local or cluster.")]
AsOfOption = Annotated[str | None, typer.Option(help="YYYY-MM-DD; the data's last day when left out.")]
LevelOption = Annotated[
    str | None, typer.Option("--log-level", help="DEBUG, INFO, WARNING or ERROR; else as the settings say.")
]


@contextmanager
def told_plainly(level: str | None = None) -> Iterator[None]:
    """Our own errors are a message, several faults a line each, and exit code 1; no trace."""
    logging.basicConfig(
        stream=sys.stderr, level=level or "WARNING", format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    try:
        yield
    except CdpError as problem:
        console = Console(stderr=True)
        for line in str(problem).splitlines():
            console.print(line, style="red", highlight=False, markup=False, soft_wrap=True)
        if isinstance(problem, ConfigError) and len(problem.faults) > 1:
            console.print(f"{len(problem.faults)} faults.", highlight=False)
        raise typer.Exit(1) from None


def day_of(text: str | None) -> date | None:
    """The date of `--as-of`; raises ConfigError."""
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"--as-of {text!r} is not a date such as 2025-01-31") from None
