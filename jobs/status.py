"""What `cdp status` prints: who holds the lakehouse, the last runs and their jobs. Needs no Spark."""

from rich.console import Console
from rich.table import Table as Grid

from cdp_lib.contracts import ops
from cdp_lib.io.arrivals import still_refused
from cdp_lib.io.ledger import JobState, RUN_ITSELF
from cdp_lib.io.lock import held_by, is_locked
from jobs.compose import Suite

_SHOWN_RUNS = 10


def show_status(console: Console, suite: Suite) -> None:
    """The lock, the last runs newest first, the newest run's jobs, and files that wait for a cure."""
    busy = is_locked(suite.lakehouse)
    console.print(f"{suite.lakehouse}: {f'in use by {held_by(suite.lakehouse)}' if busy else 'free'}", highlight=False)
    states = suite.ledger.states()
    runs = list({state.run_id: state for state in states if state.job == RUN_ITSELF}.values())[-_SHOWN_RUNS:]
    if not runs:
        console.print(
            f"pack {suite.pack.name}: no run yet. Start one: cdp run daily --pack {suite.place.pack}", highlight=False
        )
        return
    grid = _grid("run", "status", "as of", "ended or last seen", "owner")
    newest = {run.workflow: run for run in runs}
    for run in reversed(runs):
        of_run = [state for state in states if state.run_id == run.run_id]
        as_of = [str(state.as_of_date) for state in of_run if state.as_of_date]
        last = max(state.recorded_at for state in of_run)
        shown = _said(run, is_last=run is newest[run.workflow], is_busy=busy)
        grid.add_row(run.run_id, shown, as_of[-1] if as_of else "", f"{last:%Y-%m-%d %H:%M:%S}Z", run.owner)
    console.print(grid)
    _show_jobs(console, [state for state in states if state.run_id == runs[-1].run_id and state.job != RUN_ITSELF])
    for state in states:
        if state.run_id == runs[-1].run_id and state.error:
            console.print(f"  {state.job}: {state.error}", style="red", highlight=False, markup=False, soft_wrap=True)
    _show_refused(console, suite)


def _said(run: JobState, *, is_last: bool, is_busy: bool) -> str:
    """Only the newest run of a workflow can be gone on with."""
    if run.status == "started":
        return "running" if is_last and is_busy else "cut off: --resume" if is_last else "cut off"
    return "failed: --resume" if run.status == "failed" and is_last else run.status


def _show_jobs(console: Console, states: list[JobState]) -> None:
    grid = _grid("job", "status", "attempt", "seconds")
    for state in {state.job: state for state in states}.values():
        seconds = "" if state.seconds is None else f"{state.seconds:.1f}"
        grid.add_row(state.job, state.status, str(state.attempt), seconds)
    console.print(grid)


def _show_refused(console: Console, suite: Suite) -> None:
    for row in still_refused(suite.ledger.rows(ops.SOURCE_FILE)):
        console.print(f"  refused file {row['path']}: {row['reason']}", style="yellow", highlight=False, markup=False)


def _grid(*headers: str) -> Grid:
    grid = Grid(box=None, padding=(0, 2), pad_edge=False, header_style="dim")
    for header in headers:
        grid.add_column(header)
    return grid
