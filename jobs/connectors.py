"""`cdp connectors`: which channels there are, and whether each connector withstands what channels do."""

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

_REAL_SERVERS = {
    "email": "tested against a real SMTP server in tests/connectors/test_email.py",
    "drop": "tested against a real SFTP server in tests/connectors/test_drop.py",
}
"""Connectors that speak no HTTP: a loopback server of HTTP says nothing of them."""


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
    """Drive connectors against fakes of their channels that fail in every way; exit code 1 where one does not hold."""
    with told_plainly():
        known = benches()
        asked = [kind_named(name).name] if name else [*dict.fromkeys([*BUILT_IN, *known])]
        results = {one: findings_of(known[one]) for one in asked if one in known}
        console.print(_findings(results))
        for one in asked:
            if one not in results:
                console.print(f"{one}: not checked here; {_REAL_SERVERS.get(one, 'it has no bench')}", highlight=False)
        failed = sum(1 for findings in results.values() for finding in findings if not finding.ok)
        if failed:
            console.print(f"[red]{failed} checks failed.[/]", highlight=False)
            raise typer.Exit(1)


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
