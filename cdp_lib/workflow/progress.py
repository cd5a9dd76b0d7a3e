"""How far a run is: bars in a terminal, plain lines elsewhere."""

import sys
from typing import Protocol, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn


class Reporter(Protocol):
    """Told of every step of a run."""

    def run_started(self, run_id: str, jobs: int) -> None:
        """A run of so many jobs begins."""

    def job_started(self, job: str, purpose: str) -> None:
        """A job begins."""

    def step(self, job: str, message: str) -> None:
        """The running job did something worth a word."""

    def job_ended(self, job: str, status: str, seconds: float) -> None:
        """A job ended, was skipped or had been done before."""

    def run_ended(self) -> None:
        """Nothing more will come."""


class PlainLines:
    """One line a fact, for logs and pipes."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stderr

    def run_started(self, run_id: str, jobs: int) -> None:
        """See Reporter."""
        self._line(f"run={run_id} jobs={jobs}")

    def job_started(self, job: str, purpose: str) -> None:
        """See Reporter."""
        self._line(f"job={job} status=started {purpose}")

    def step(self, job: str, message: str) -> None:
        """See Reporter."""
        self._line(f"job={job} {message}")

    def job_ended(self, job: str, status: str, seconds: float) -> None:
        """See Reporter."""
        self._line(f"job={job} status={status} seconds={seconds:.1f}")

    def run_ended(self) -> None:
        """See Reporter."""

    def _line(self, text: str) -> None:
        self._out.write(text + "\n")
        self._out.flush()


class TerminalBars:
    """A bar over the jobs, the running job's last word beside it."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("[bold]{task.fields[job]:<18}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[said]}"),
            console=console,
            transient=True,
        )
        self._console = console
        self._task: TaskID | None = None

    def run_started(self, run_id: str, jobs: int) -> None:
        """See Reporter."""
        self._progress.start()
        self._task = self._progress.add_task(run_id, total=jobs, job="", said="")

    def job_started(self, job: str, purpose: str) -> None:
        """See Reporter."""
        self._show(job, purpose)

    def step(self, job: str, message: str) -> None:
        """See Reporter."""
        self._show(job, message)

    def job_ended(self, job: str, status: str, seconds: float) -> None:
        """See Reporter."""
        mark = {"succeeded": "[green]done[/]", "failed": "[red]failed[/]"}.get(status, f"[dim]{status}[/]")
        self._console.print(f"  {job:<18} {mark} [dim]{seconds:6.1f} s[/]")
        if self._task is not None:
            self._progress.advance(self._task)

    def run_ended(self) -> None:
        """See Reporter."""
        self._progress.stop()

    def _show(self, job: str, said: str) -> None:
        if self._task is not None:
            self._progress.update(self._task, job=job, said=said)


def reporter_for(console: Console) -> Reporter:
    """Bars where a person watches, lines elsewhere."""
    return TerminalBars(console) if console.is_terminal else PlainLines()
