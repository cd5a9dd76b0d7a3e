"""The `cdp` command."""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cdp_lib.contracts.lineage import column_lineage
from cdp_lib.errors import WorkflowError
from jobs import (
    audiences,
    connectors,
    deliveries,
    demo as demo_page,
    documents,
    exports,
    identities,
    journeys,
    models,
    review,
    stream as stream_page,
    unsubscribes,
)
from jobs.compose import build_suite, Place, Request, run_named
from jobs.options import (
    AsOfOption,
    AtOption,
    day_of,
    EnvOption,
    instant_of,
    LakehouseOption,
    LandingOption,
    LevelOption,
    PackOption,
    SendOption,
    told_plainly,
)
from jobs.screen import show_run
from jobs.status import show_status

app = typer.Typer(
    help="An open customer data platform: landing files in, single view out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(identities.app, name="identity")
app.add_typer(review.app, name="review")
app.add_typer(models.app, name="model")
app.add_typer(deliveries.app, name="deliveries")
app.add_typer(connectors.app, name="connectors")
app.add_typer(audiences.app, name="audience")
app.add_typer(journeys.app, name="journey")
console = Console()
errors = Console(stderr=True)


@app.command()
def validate(
    pack: PackOption, lineage: Annotated[bool, typer.Option(help="Print where every column comes from.")] = True
) -> None:
    """Find every fault of a pack at once, and print its column lineage."""
    with told_plainly():
        loaded = Place(pack).load_pack()
        if lineage:
            for target, source, expression in column_lineage(loaded):
                console.print(f"{target} <- {source}  [dim]{expression}[/]", highlight=False, soft_wrap=True)
        console.print(
            f"{loaded.name}: {len(loaded.sources)} sources, {len(loaded.traits)} traits, no faults.", highlight=False
        )


@app.command()
def run(
    workflow: Annotated[str, typer.Argument(help="daily, replay, ... of conf/workflows.yml")],
    pack: PackOption,
    landing: LandingOption = None,
    lakehouse: LakehouseOption = None,
    env: EnvOption = "local",
    as_of: AsOfOption = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run that failed or was killed.")] = False,
    only: Annotated[list[str] | None, typer.Option(help="Only this job; may be repeated.")] = None,
    start: Annotated[str | None, typer.Option("--from", help="This job and those that depend on it.")] = None,
    stream: Annotated[
        str | None,
        typer.Option(help="`available-now`: take what has arrived and end; `continuous`: go on until stopped."),
    ] = None,
    send: SendOption = False,
    at: AtOption = None,
    log_level: LevelOption = None,
) -> None:
    """Run a workflow: landing files in, single view, audiences and, with --send, messages out."""
    with told_plainly(log_level):
        suite = build_suite(Place(pack, landing, lakehouse, env, log_level))
        day = day_of(as_of)
        if stream is not None:
            _refuse_beside_stream(
                {"--as-of": as_of, "--resume": resume, "--only": only, "--from": start, "--send": send, "--at": at}
            )
            for reports in stream_page.run_stream(suite, workflow, stream, console=errors):
                show_run(console, suite, reports)
            return
        request = Request(workflow, tuple(only or ()), start, day, resume, send, instant_of(at))
        reports = run_named(suite, request, errors)
        show_run(console, suite, reports)


def _refuse_beside_stream(given: Mapping[str, object]) -> None:
    """Raises WorkflowError for options that a stream would leave out without a word."""
    names = [name for name, value in given.items() if value]
    if names:
        raise WorkflowError(
            f"--stream runs the whole workflow for whatever arrives, without {', '.join(names)}. Leave "
            f"{'it' if len(names) == 1 else 'them'} out; to send, run `cdp run daily --send` by the clock."
        )


@app.command()
def demo(
    pack: PackOption = "department_store",
    landing: LandingOption = None,
    lakehouse: LakehouseOption = None,
    env: EnvOption = "local",
    log_level: LevelOption = None,
) -> None:
    """Fill the landing folder with the pack's sample or simulated year, and run the daily workflow."""
    with told_plainly(log_level):
        suite = build_suite(Place(pack, landing, lakehouse, env, log_level))
        demo_page.fill_landing(suite, errors)
        show_run(console, suite, run_named(suite, Request(), errors))


@app.command()
def simulate(
    pack: PackOption,
    customers: Annotated[int, typer.Option(min=1, help="How many people.")],
    days: Annotated[int, typer.Option(min=1, help="How many days.")],
    out: Annotated[Path, typer.Option(help="Folder to fill.")],
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 1,
) -> None:
    """Write landing files as several messy systems would, and a truth file of who is who."""
    with told_plainly():
        demo_page.simulate_into(Place(pack).load_pack(), demo_page.Size(customers, days, seed), out, console)


@app.command()
def status(pack: PackOption, lakehouse: LakehouseOption = None, env: EnvOption = "local") -> None:
    """Who holds the lakehouse, the last runs, and how each job ended."""
    with told_plainly():
        show_status(console, build_suite(Place(pack, None, lakehouse, env)))


@app.command()
def replay(
    pack: PackOption,
    landing: LandingOption = None,
    lakehouse: LakehouseOption = None,
    env: EnvOption = "local",
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run that failed or was killed.")] = False,
    log_level: LevelOption = None,
) -> None:
    """Drive quarantined rows again, after the contract or its settings were fixed."""
    with told_plainly(log_level):
        suite = build_suite(Place(pack, landing, lakehouse, env, log_level))
        show_run(console, suite, run_named(suite, Request("replay", resume=resume), errors))


@app.command()
def export(
    pack: PackOption,
    out: Annotated[Path, typer.Option(help="Folder for the files.")],
    name: Annotated[str | None, typer.Option(help="Only this export of the pack.")] = None,
    lakehouse: LakehouseOption = None,
    env: EnvOption = "local",
) -> None:
    """Write the pack's exports: CSV files with a header document and companion files."""
    with told_plainly():
        suite = build_suite(Place(pack, None, lakehouse, env))
        for path, rows in exports.write_exports(suite, out, name):
            console.print(f"{path}: {rows:,} rows", highlight=False, soft_wrap=True)


@app.command()
def unsubscribe(
    pack: PackOption,
    tokens: Annotated[
        typer.FileText, typer.Argument(help="A file of lines with a time and a token; -: standard input.")
    ],
    landing: LandingOption = None,
    lakehouse: LakehouseOption = None,
    env: EnvOption = "local",
) -> None:
    """Take in who used the unsubscribe link of a message: a landing file, which the next run reads."""
    with told_plainly():
        unsubscribes.unsubscribe(console, build_suite(Place(pack, landing, lakehouse, env)), tokens)


@app.command()
def docs(
    check: Annotated[bool, typer.Option(help="Only say whether the files are in sync.")] = False,
) -> None:
    """Write what is derived from the code: docs/data_dictionary.md and docs/schemas/."""
    with told_plainly():
        stale = documents.write_documents(check=check)
        console.print("\n".join(stale) if stale else "in sync", highlight=False)
        if check and stale:
            raise typer.Exit(1)


@app.command()
def explain(
    pack: PackOption,
    record: Annotated[str | None, typer.Option(help="SOURCE:ID: its person, and what ties it to the others.")] = None,
    golden_id: Annotated[str | None, typer.Option(help="A person, by today's id or an old one.")] = None,
    why_not: Annotated[
        tuple[str, str] | None, typer.Option(metavar="A B", help="Why these two (SOURCE:ID each) are not one person.")
    ] = None,
    show_values: Annotated[bool, typer.Option("--show-values", help="Show personal values on the terminal.")] = False,
    html: Annotated[Path | None, typer.Option(dir_okay=False, help="Draw the first pair as a page.")] = None,
    png: Annotated[Path | None, typer.Option(dir_okay=False, help="Draw the first pair as a picture.")] = None,
    lakehouse: LakehouseOption = None,
    env: EnvOption = "local",
) -> None:
    """Say why records are one person or not: every field's bits, the rules, the chain, who won each field."""
    with told_plainly():
        # Its libraries take seconds to import, which no other command should wait for.
        explain_page = importlib.import_module("jobs.explain")
        question = explain_page.Question(record, golden_id, why_not, show_values, html, png)
        explain_page.explain(console, build_suite(Place(pack, None, lakehouse, env)), question)


@app.command()
def why(
    pack: PackOption,
    customer: Annotated[str, typer.Option(help="A golden_id, today's or an old one.")],
    audience: Annotated[str, typer.Option(help="An audience of the pack.")],
    on: Annotated[str | None, typer.Option(help="YYYY-MM-DD: that day's run; else the last one.")] = None,
    show_values: Annotated[bool, typer.Option("--show-values", help="Show personal values on the terminal.")] = False,
    lakehouse: LakehouseOption = None,
    env: EnvOption = "local",
) -> None:
    """Say why a customer was in an audience on a day, or why not."""
    with told_plainly():
        why_page = importlib.import_module("jobs.why")
        question = why_page.Question(customer, audience, day_of(on, "--on"), show_values)
        why_page.why(console, build_suite(Place(pack, None, lakehouse, env)), question)


def main() -> None:
    """Entry point of `cdp` and of `python -m jobs`."""
    app()


if __name__ == "__main__":
    main()
