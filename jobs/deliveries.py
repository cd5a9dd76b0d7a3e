"""`cdp deliveries`: what was sent and what became of it, sending again, and the switch that stops all sending."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, get_args, Literal

import typer
from rich.console import Console
from rich.table import Table as Grid

from cdp_lib.contracts.activation import DELIVERY, FINAL
from cdp_lib.errors import DeliveryError, near_miss
from cdp_lib.io.lock import run_lock
from cdp_lib.io.sending_folder import sending_folder, SendingFolder
from jobs.audit import note_deed
from jobs.compose import build_suite, Place, Suite
from jobs.options import EnvOption, LakehouseOption, PackOption, told_plainly

app = typer.Typer(help="What was sent, what became of it, and the switch that stops it.", no_args_is_help=True)
console = Console()

Verdict = Literal["accepted", "rejected"]
_STATES = ("planned", *FINAL)
_AGAIN = ("rejected", "failed")
"""Ends after which a new try cannot double anything; what expired is planned anew where its offer still runs."""
_SHOWN_REASONS = 12

ActivationOption = Annotated[str | None, typer.Option("--activation", "-a", help="Only this activation of the pack.")]
ReasonArgument = Annotated[str, typer.Option("--reason", help="Why, for those who ask later.")]


@app.command()
def status(
    pack: PackOption,
    activation: ActivationOption = None,
    lakehouse: LakehouseOption = None,
    env: EnvOption = "local",
) -> None:
    """Intents by activation and state, and why some were not accepted."""
    with told_plainly():
        suite = build_suite(Place(pack, None, lakehouse, env))
        states = [row for row in last_states(suite) if _is_of(suite, row, activation)]
        _show_states(states)
        reason = folder_of(suite).stopped()
        if reason is not None:
            console.print(f"[red]Sending is stopped:[/] {reason}", highlight=False)


@app.command()
def retry(
    pack: PackOption,
    activation: ActivationOption = None,
    reason: Annotated[str | None, typer.Option(help="Only those whose reason begins like this.")] = None,
    lakehouse: LakehouseOption = None,
    env: EnvOption = "local",
) -> None:
    """Plan a new try for what was rejected or failed; `unknown` is never tried blindly."""
    with told_plainly():
        suite = build_suite(Place(pack, None, lakehouse, env))
        count = plan_again(suite, activation, reason)
        console.print(
            f"{count:,} planned again. The next run with --send sends them: cdp run daily --send --pack {pack}"
            if count
            else "Nothing to try again.",
            highlight=False,
        )


@app.command()
def reconcile(
    pack: PackOption,
    verdict: Annotated[str, typer.Option("--as", help="accepted or rejected, by the channel's own account.")],
    reason: ReasonArgument,
    activation: ActivationOption = None,
    intent: Annotated[list[str] | None, typer.Option(help="An intent id; may be repeated. None: all unknown.")] = None,
    lakehouse: LakehouseOption = None,
    env: EnvOption = "local",
) -> None:
    """Say what became of intents that are `unknown`, once the channel's own account has been read."""
    with told_plainly():
        suite = build_suite(Place(pack, None, lakehouse, env))
        if verdict not in get_args(Verdict):
            raise DeliveryError(f"--as {verdict!r} is no verdict.{near_miss(verdict, get_args(Verdict))}")
        count = settle_unknown(suite, verdict, reason, activation, tuple(intent or ()))
        console.print(f"{count:,} unknown intents are {verdict} now.", highlight=False)


@app.command()
def stop(pack: PackOption, reason: ReasonArgument, lakehouse: LakehouseOption = None, env: EnvOption = "local") -> None:
    """Stop all sending of the pack at once, also of a run that is under way."""
    with told_plainly():
        suite = build_suite(Place(pack, None, lakehouse, env))
        folder_of(suite).stop(reason)
        note_deed(suite, "sending_stop", suite.pack.name, reason)
        console.print(f"Nothing more is sent. To go on: cdp deliveries allow --pack {pack}", highlight=False)


@app.command()
def allow(pack: PackOption, lakehouse: LakehouseOption = None, env: EnvOption = "local") -> None:
    """Let sending go on after `stop`."""
    with told_plainly():
        suite = build_suite(Place(pack, None, lakehouse, env))
        if folder_of(suite).allow():
            note_deed(suite, "sending_allow", suite.pack.name, "")
        console.print("Sending is allowed.", highlight=False)


def folder_of(suite: Suite) -> SendingFolder:
    """Where the pack's journals and its stop file are."""
    return sending_folder(suite.store.root, suite.settings.sending.folder, suite.pack.name)


def last_states(suite: Suite) -> list[dict[str, Any]]:
    """The last state of every intent."""
    order = {"planned": 0, "sent": 1}
    rows = suite.ledger.rows(DELIVERY)
    rows.sort(key=lambda row: (row["attempt"], order.get(row["status"], 2), row["recorded_at"]))
    return list({row["intent_id"]: row for row in rows}.values())


def plan_again(suite: Suite, activation: str | None, reason: str | None) -> int:
    """How many rejected and failed intents have a new planned try now."""

    def is_asked_for(row: Mapping[str, Any]) -> bool:
        return row["status"] in _AGAIN and (reason is None or str(row["reason"] or "").startswith(reason))

    fresh = {"status": "planned", "reason": None, "provider_id": None}
    return _add(suite, activation, is_asked_for, lambda row: {**fresh, "attempt": row["attempt"] + 1}, "retry")


def settle_unknown(suite: Suite, verdict: str, reason: str, activation: str | None, intents: Sequence[str]) -> int:
    """How many unknown intents are settled now. Raises DeliveryError for an intent that is not unknown."""
    states = {row["intent_id"]: row["status"] for row in last_states(suite)}
    wrong = [one for one in intents if states.get(one) != "unknown"]
    if wrong:
        lines = [f"{one}: {states.get(one, 'no such intent')}, not unknown" for one in wrong]
        raise DeliveryError("\n".join(["Only unknown intents can be reconciled.", *lines]))

    def is_asked_for(row: Mapping[str, Any]) -> bool:
        return row["status"] == "unknown" and (not intents or row["intent_id"] in intents)

    told = {"status": verdict, "reason": f"reconciled: {reason}"}
    return _add(suite, activation, is_asked_for, lambda row: told, f"reconcile_{verdict}")


def _add(
    suite: Suite,
    activation: str | None,
    is_asked_for: Callable[[Mapping[str, Any]], bool],
    change: Callable[[Mapping[str, Any]], Mapping[str, Any]],
    action: str,
) -> int:
    with run_lock(suite.lakehouse, f"deliveries {action} of {suite.pack.name}"):
        now = suite.ledger.clock()
        chosen = [row for row in last_states(suite) if _is_of(suite, row, activation) and is_asked_for(row)]
        rows = [{**row, **change(row), "recorded_at": now} for row in chosen]
        suite.ledger.append(DELIVERY, rows)
        if rows:
            note_deed(suite, f"deliveries_{action}", activation or "all activations", f"{len(rows)} intents")
    return len(rows)


def _is_of(suite: Suite, row: Mapping[str, Any], activation: str | None) -> bool:
    known = [one.id for one in suite.pack.activations]
    if activation is not None and activation not in known:
        raise DeliveryError(f"pack {suite.pack.name}: unknown activation '{activation}'.{near_miss(activation, known)}")
    return activation is None or row["activation_id"] == activation


def _show_states(states: Iterable[Mapping[str, Any]]) -> None:
    rows = list(states)
    if not rows:
        console.print("Nothing was ever planned to be sent. A run sends with --send.", highlight=False)
        return
    grid = Grid("activation", "channel", *(name.replace("_", " ") for name in _STATES), box=None, title_justify="left")
    counts = Counter((row["activation_id"], row["channel"], row["status"]) for row in rows)
    for name, channel in sorted({(row["activation_id"], row["channel"]) for row in rows}):
        figures = [counts[name, channel, state] for state in _STATES]
        grid.add_row(name, channel, *(f"{figure:,}" if figure else "" for figure in figures))
    console.print(grid)
    reasons = Counter((row["activation_id"], row["status"], row["reason"]) for row in rows if row["reason"])
    for (name, state, reason), count in reasons.most_common(_SHOWN_REASONS):
        console.print(f"  {name}: {count:,} {state}: {reason}", highlight=False, markup=False, soft_wrap=True)
