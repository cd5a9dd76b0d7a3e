"""Run one job's page by itself: `spark-submit jobs/<job>.py --pack ...`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from jobs.compose import build_suite, Place, Request, run_named
from jobs.options import (
    AsOfOption,
    day_of,
    EnvOption,
    LakehouseOption,
    LandingOption,
    LevelOption,
    PackOption,
    told_plainly,
)
from jobs.screen import show_run


def run_page(job_file: str) -> None:
    """The command line of one page; the run is recorded like any other."""
    job = Path(job_file).stem

    def one(
        pack: PackOption,
        landing: LandingOption = None,
        lakehouse: LakehouseOption = None,
        env: EnvOption = "local",
        as_of: AsOfOption = None,
        workflow: Annotated[str, typer.Option(help="Workflow that the job stands in.")] = "daily",
        resume: Annotated[bool, typer.Option("--resume", help="Go on with the run that failed or was killed.")] = False,
        log_level: LevelOption = None,
    ) -> None:
        with told_plainly(log_level):
            suite = build_suite(Place(pack, landing, lakehouse, env, log_level))
            request = Request(workflow, (job,), None, day_of(as_of), resume)
            show_run(Console(), suite, run_named(suite, request, Console(stderr=True)))

    typer.run(one)
