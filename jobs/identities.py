"""`cdp identity`: what people know about two records, whatever the figures say."""

import importlib
from collections.abc import Collection
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cdp_lib.errors import IdentityError
from cdp_lib.io.lock import run_lock
from jobs.audit import note_deed
from jobs.compose import build_suite, Place, Suite
from jobs.decisions import (
    Decision,
    judge,
    Judgement,
    parse_records,
    read_book,
    Record,
    unmasked,
    Verdict,
    write_decisions,
)
from jobs.options import EnvOption, LakehouseOption, PackOption, told_plainly

app = typer.Typer(help="Say who is one person and who is not.", no_args_is_help=True)
console = Console()

RecordArgument = Annotated[str, typer.Argument(help="SOURCE:RECORD_ID, as the source names the record.")]
ReasonOption = Annotated[str | None, typer.Option(help="Why, for those who ask later.")]

_HOLDS = {
    "link": "{both} are one person by decision.",
    "unlink": "{both} are two people by decision.",
    "withdraw": "No decision holds about {both}.",
}


@app.command()
def link(
    first: RecordArgument,
    second: RecordArgument,
    pack: PackOption,
    lakehouse: LakehouseOption = None,
    env: EnvOption = "local",
    reason: ReasonOption = None,
) -> None:
    """Two records are one person."""
    with told_plainly():
        _decide(build_suite(Place(pack, None, lakehouse, env)), (first, second), "link", reason)


@app.command()
def unlink(
    first: RecordArgument,
    second: RecordArgument,
    pack: PackOption,
    lakehouse: LakehouseOption = None,
    env: EnvOption = "local",
    reason: ReasonOption = None,
) -> None:
    """Two records are two people."""
    with told_plainly():
        _decide(build_suite(Place(pack, None, lakehouse, env)), (first, second), "unlink", reason)


@app.command()
def withdraw(
    first: RecordArgument,
    second: RecordArgument,
    pack: PackOption,
    lakehouse: LakehouseOption = None,
    env: EnvOption = "local",
    reason: ReasonOption = None,
) -> None:
    """An earlier decision about two records holds no longer: the figures decide again."""
    with told_plainly():
        _decide(build_suite(Place(pack, None, lakehouse, env)), (first, second), "withdraw", reason)


@app.command()
def diff(
    pack: PackOption,
    other: Annotated[Path, typer.Option("--with", help="Another identity.yml.", dir_okay=False)],
    lakehouse: LakehouseOption = None,
    env: EnvOption = "local",
) -> None:
    """What another identity.yml would change: merges, splits, people and revenue; nothing is written."""
    with told_plainly():
        trial = importlib.import_module("jobs.matching.trial")
        trial.show_difference(console, build_suite(Place(pack, None, lakehouse, env)), other)


def _decide(suite: Suite, texts: tuple[str, str], verdict: Verdict, reason: str | None) -> None:
    typed = parse_records(*texts)
    first, second = (unmasked(suite, one) for one in typed)
    judged = record_decision(suite, Decision(first, second, verdict, reason), shown=typed)
    said = _HOLDS[verdict].format(both=" and ".join(map(str, typed)))
    if judged.already_so:
        said = f"{said} It was so already: nothing was written."
    else:
        said = f"{said} The next run carries it out: cdp run daily --pack {suite.place.pack}"
    console.print(said, highlight=False, markup=False, soft_wrap=True)


def record_decision(suite: Suite, decision: Decision, shown: Collection[Record]) -> Judgement:
    """Write the decision down unless it is in force; raises IdentityError where it cannot stand.

    `shown` are records that may be named openly: those that were typed.
    """
    with run_lock(suite.lakehouse, f"identity {decision.verdict} of {suite.pack.name}"):
        book = read_book(suite.ledger)
        judged = judge(suite, [decision], book, shown)
        if judged.refused:
            raise IdentityError("\n".join(message for _, message in judged.refused))
        if judged.fresh:
            write_decisions(suite, judged.fresh, book, origin="command")
            note_deed(suite, f"identity_{decision.verdict}", " ".join(decision.pair), "written")
    return judged
