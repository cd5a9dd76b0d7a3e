"""`cdp audience`: who would be told what, counted before anything goes out."""

import importlib
from collections import Counter
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table as Grid

from cdp_lib.contracts.activation import AUDIENCE_MEMBER
from jobs.compose import build_suite, Place
from jobs.options import AtOption, EnvOption, instant_of, LakehouseOption, PackOption, told_plainly

app = typer.Typer(help="Audiences: who is in them, and what would become of each member.", no_args_is_help=True)
console = Console()


@app.command("list")
def list_audiences(pack: PackOption, lakehouse: LakehouseOption = None, env: EnvOption = "local") -> None:
    """Every audience with its members in the last run, and what is sent to it."""
    with told_plainly():
        suite = build_suite(Place(pack, None, lakehouse, env))
        counts = Counter((row["audience_id"], row["status"]) for row in suite.ledger.rows(AUDIENCE_MEMBER))
        grid = Grid("audience", "members", "entered", "left", "activations", "description", box=None)
        for one in suite.pack.audiences:
            entered, stayed, left = (counts[one.id, status] for status in ("enter", "stay", "exit"))
            told = ", ".join(activation.id for activation in suite.pack.activations if activation.audience == one.id)
            grid.add_row(one.id, f"{entered + stayed:,}", f"{entered:,}", f"{left:,}", told, one.description)
        console.print(grid)


@app.command()
def preview(
    pack: PackOption,
    audience: Annotated[str | None, typer.Option(help="Only this; none: all that something is sent to.")] = None,
    at: AtOption = None,
    lakehouse: LakehouseOption = None,
    env: EnvOption = "local",
) -> None:
    """By the rules as they are written now: matched, no consent, suppressed, ..., to send. Nothing is written."""
    with told_plainly():
        suite = build_suite(Place(pack, None, lakehouse, env))
        # Its libraries take seconds to import, which no other command should wait for.
        importlib.import_module("jobs.preview").show_preview(console, suite, audience, instant_of(at))
