"""What a person sees at the end of a run: rows, verdicts, times, ten customers, and where to look next."""

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

from cdp_lib.contracts import gold, ops
from cdp_lib.contracts.table import Column
from cdp_lib.workflow.runner import RunReport
from jobs.compose import Suite

_SHOWN_CUSTOMERS = 10
_COUNTS = ("read_count", "accepted_count", "quarantined_count", "duplicate_count")


def show_run(console: Console, suite: Suite, reports: Sequence[RunReport]) -> None:
    """The one screen at the end of a run."""
    report = reports[-1]
    runs = {one.run_id for one in reports}
    console.rule(
        f"[bold]{escape(suite.pack.info.title or suite.pack.name)}[/]  run {report.run_id}, as of {report.as_of}"
    )
    if all(one.changed_nothing for one in reports):
        console.print("Nothing new: no table changed.")
    place = {source.id: number for number, source in enumerate(suite.pack.sources)}
    accounts, files, results = (
        [row for row in suite.ledger.rows(table) if row["run_id"] in runs]
        for table in (ops.ROW_ACCOUNT, ops.SOURCE_FILE, ops.QUALITY_RESULT)
    )
    _show_rows(console, sorted(accounts, key=lambda row: place.get(row["source_system"], len(place))))
    _show_files(console, sorted(files, key=lambda row: (place.get(row["source_system"], len(place)), row["path"])))
    _show_verdicts(console, sorted(results, key=lambda row: row["checked_at"]))
    _show_jobs(console, reports)
    _show_customers(console, suite)
    _show_next(console, suite)


def _show_rows(console: Console, accounts: Sequence[Mapping[str, Any]]) -> None:
    if not accounts:
        return
    grid = _grid("rows by source", "source", "files", "read", "accepted", "quarantined", "duplicate")
    for source in dict.fromkeys(row["source_system"] for row in accounts):
        of_source = [row for row in accounts if row["source_system"] == source]
        sums = [sum(row[name] for row in of_source) for name in _COUNTS]
        grid.add_row(source, f"{len(of_source):,}", *(f"{figure:,}" for figure in sums))
    totals = [sum(row[name] for row in accounts) for name in _COUNTS]
    grid.add_section()
    grid.add_row("all", f"{len(accounts):,}", *(f"{figure:,}" for figure in totals))
    console.print(grid)


def _show_files(console: Console, files: Iterable[Mapping[str, Any]]) -> None:
    for row in files:
        if row["status"] in ("refused", "resent", "empty"):
            console.print(f"  [yellow]{row['status']}[/] {escape(row['path'])}: {escape(row['reason'] or '')}")


def _show_verdicts(console: Console, results: Sequence[Mapping[str, Any]]) -> None:
    if not results:
        return
    grid = _grid("quality by table", "table", "checks", "passed", "warnings", "errors", "withheld")
    for table in dict.fromkeys(row["table_name"] for row in results):
        of_table = [row for row in results if row["table_name"] == table]
        failed = [row for row in of_table if not row["success"]]
        counts = {kind: sum(1 for row in failed if row["severity"] == kind) for kind in ("warn", "error", "withhold")}
        passed = len(of_table) - len(failed)
        grid.add_row(
            table,
            str(len(of_table)),
            str(passed),
            _coloured(counts["warn"], "yellow"),
            _coloured(counts["error"], "red"),
            _coloured(counts["withhold"], "yellow"),
        )
    console.print(grid)
    for row in results:
        if not row["success"]:
            what = f"{row['table_name']} {row['expectation']} {row['column_name']}".strip()
            console.print(
                f"  [yellow]{row['severity']}[/] {escape(what)}: {escape(row['observed'] or '')}", soft_wrap=True
            )


def _show_jobs(console: Console, reports: Sequence[RunReport]) -> None:
    grid = _grid("time by job", "job", "status", "seconds", "tables published")
    for report in reports:
        for outcome in report.outcomes:
            tables = ", ".join(f"{name} ({count:,})" for name, count in outcome.published.items())
            grid.add_row(outcome.job, outcome.status, f"{outcome.seconds:.1f}", tables)
    console.print(grid)


def _show_customers(console: Console, suite: Suite) -> None:
    table = gold.customer(suite.pack)
    wanted = [name for name in table.content_columns if name not in ("as_of_date", "currency", "source_systems")]
    customers = suite.store.head(table, wanted, order_by="total_amount", count=_SHOWN_CUSTOMERS)
    shown = [name for name in wanted if any(row[name] is not None for row in customers)]
    if not customers:
        return
    fitting = shown[: max(4, console.width // 14)]
    grid = _grid("ten customers of the single view, by amount (personal data masked)", *fitting)
    for row in customers:
        grid.add_row(*(_masked(row[name], table.column(name)) for name in fitting))
    console.print(grid)
    left_out = len(shown) - len(fitting)
    if left_out:
        console.print(f"  [dim]and {left_out} more columns: {escape(', '.join(shown[len(fitting) :]))}[/]")


def _show_next(console: Console, suite: Suite) -> None:
    root, docs = shown_path(suite.store.root), shown_path(str(suite.docs_folder))
    console.print("[bold]Where to look next[/]")
    console.print(f"  single view    {root}/gold/customer (any Delta reader opens it by path)", soft_wrap=True)
    console.print(f"  checks         {docs}/index.html", soft_wrap=True)
    console.print(f"  runs           cdp status --pack {suite.place.pack}", soft_wrap=True)
    console.print(
        f"  refused rows   {root}/bronze/<source>_quarantine, then cdp replay --pack {suite.place.pack}", soft_wrap=True
    )


def shown_path(path: str) -> str:
    """As short as it can be typed from where the person stands."""
    here = os.getcwd() + os.sep
    return path.removeprefix(here)


def _masked(value: Any, column: Column) -> str:
    """Personal data keeps its first letter; ids and figures are shown short."""
    if value is None:
        return ""
    text = f"{value:%Y-%m-%d}" if hasattr(value, "strftime") else f"{value:,}" if isinstance(value, int) else str(value)
    if column.pii:
        return f"{text[:1]}***"
    return text if len(text) <= 18 else f"{text[:15]}..."


def _coloured(count: int, colour: str) -> str:
    return f"[{colour}]{count}[/]" if count else "0"


def _grid(title: str, *headers: str) -> Grid:
    grid = Grid(
        title=title,
        title_justify="left",
        title_style="bold",
        header_style="dim",
        pad_edge=False,
        box=None,
        padding=(0, 2),
    )
    for position, header in enumerate(headers):
        grid.add_column(header, justify="left" if position == 0 else "right")
    return grid
