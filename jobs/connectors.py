"""`cdp connectors`: which channels there are, and whether each connector withstands what channels do."""

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

from cdp_lib.connectors import BUILT_IN, kind_named, kinds
from cdp_lib.connectors.kit.checks import benches, check as findings_of, Finding
from cdp_lib.connectors.protocol import ConnectorKind
from jobs.options import told_plainly

app = typer.Typer(help="Channels that customers are reached by.", no_args_is_help=True)
console = Console()


@app.command("list")
def list_all() -> None:
    """Every connector: its channel, what it can do, its limits, and what of it is not verified."""
    with told_plainly():
        grid = Grid("connector", "channel", "kind", "operations", "batch", "per second", "same key twice", "what it is")
        for kind in kinds().values():
            grid.add_row(*map(escape, _told(kind)))
        console.print(grid)
        for kind in kinds().values():
            for fact in kind.unverified:
                console.print(f"  [yellow]not verified[/] {kind.name}: {escape(fact)}", soft_wrap=True, highlight=False)


@app.command()
def check(name: Annotated[str | None, typer.Argument(help="One connector; all when left out.")] = None) -> None:
    """Drive connectors against channels on this machine that fail in every way.

    Exit code 1 where one does not hold, or cannot be driven because a library is missing.
    """
    with told_plainly():
        known = benches()
        asked = [kind_named(name).name] if name else [*dict.fromkeys([*BUILT_IN, *known])]
        lacking = {one: known[one].missing for one in asked if one in known and known[one].missing}
        results = {one: findings_of(known[one]) for one in asked if one in known and one not in lacking}
        console.print(_findings(results))
        for one in asked:
            if one not in known:
                console.print(f"{one}: not checked; it has no bench", highlight=False)
        for one, libraries in lacking.items():
            console.print(f"[red]{one}: not checked;[/] {_cure(libraries)}", soft_wrap=True, highlight=False)
        failed = sum(1 for findings in results.values() for finding in findings if not finding.ok)
        if failed:
            console.print(f"[red]{failed} checks failed.[/]", highlight=False)
        if failed or lacking:
            raise typer.Exit(1)


def _cure(libraries: Sequence[str]) -> str:
    named = " ".join(libraries)
    return (
        f"its channel is a real server on this machine, which needs {named}: not installed, because sending does "
        f"without. Run: pip install {named} (a checkout: make setup)."
    )


def _told(kind: ConnectorKind) -> tuple[str, ...]:
    limits = kind.limits
    again = "nothing happens" if kind.is_idempotent else "may double: not tried"
    operations = ", ".join(kind.operations)
    size, rate = f"{limits.batch_size:,}", f"{limits.per_second:g}"
    return (kind.name, kind.channel, kind.mode, operations, size, rate, again, kind.doc)


def _findings(results: dict[str, list[Finding]]) -> Grid:
    grid = Grid("connector", "check", "", "what was seen")
    for name, findings in results.items():
        for finding in findings:
            verdict = "[green]ok[/]" if finding.ok else "[red]FAILED[/]"
            grid.add_row(name, finding.check, verdict, escape(finding.detail))
        grid.add_section()
    return grid
