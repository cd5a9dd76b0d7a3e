"""`cdp deliveries`: what was sent and what became of it, sending again, and the switch that stops all sending."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Any, get_args, Literal

import typer
from deltalake.exceptions import TableNotFoundError
from rich.console import Console
from rich.table import Table as Grid

from cdp_lib.contracts.activation import DELIVERY, FINAL, LAST_STATE_BY
from cdp_lib.errors import DeliveryError, near_miss
from cdp_lib.io.lock import run_lock
from cdp_lib.io.selection import count_rows, Newest, select_rows
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
_LAST = Newest(of=("intent_id",), by=LAST_STATE_BY)

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
        _refuse_unknown(suite, activation)
        _show_states([row for row in count_states(suite) if activation in (None, row["activation_id"])])
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
    """Plan a new try for what was rejected or failed and still may be sent; `unknown` is never tried blindly."""
    with told_plainly():
        suite = build_suite(Place(pack, None, lakehouse, env))
        count = plan_again(suite, activation, reason)
        console.print(
            f"{count:,} planned again. The next run with --send sends those that still may be sent: "
            f"cdp run daily --send --pack {pack}"
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


def last_states(suite: Suite, where: Mapping[str, Collection[str]] | None = None) -> list[dict[str, Any]]:
    """The last state of every intent, or of those whose columns then hold one of the values each; none before any."""
    with suppress(TableNotFoundError):
        return select_rows(suite.ledger.path(DELIVERY), DELIVERY.column_names, where, newest=_LAST)
    return []


def count_states(suite: Suite) -> list[dict[str, Any]]:
    """How many intents are in which state and why: activation_id, channel, status, reason, row_count."""
    with suppress(TableNotFoundError):
        return count_rows(suite.ledger.path(DELIVERY), ("activation_id", "channel", "status", "reason"), newest=_LAST)
    return []


def plan_again(suite: Suite, activation: str | None, reason: str | None) -> int:
    """How many rejected and failed intents have a new planned try now."""

    def is_asked_for(row: Mapping[str, Any]) -> bool:
        return reason is None or str(row["reason"] or "").startswith(reason)

    fresh = {"status": "planned", "reason": None, "provider_id": None}
    with run_lock(suite.lakehouse, f"deliveries retry of {suite.pack.name}"):
        chosen = filter(is_asked_for, last_states(suite, _of(suite, activation) | {"status": _AGAIN}))
        return _add(suite, activation, [{**row, **fresh, "attempt": row["attempt"] + 1} for row in chosen], "retry")


def settle_unknown(suite: Suite, verdict: str, reason: str, activation: str | None, intents: Sequence[str]) -> int:
    """How many unknown intents are settled now. Raises DeliveryError for an intent that is not unknown."""
    told = {"status": verdict, "reason": f"reconciled: {reason}"}
    with run_lock(suite.lakehouse, f"deliveries reconcile of {suite.pack.name}"):
        named = {"intent_id": set(intents)} if intents else {}
        states = {row["intent_id"]: row["status"] for row in last_states(suite, named)} if intents else {}
        wrong = [one for one in intents if states.get(one) != "unknown"]
        if wrong:
            lines = [f"{one}: {states.get(one, 'no such intent')}, not unknown" for one in wrong]
            raise DeliveryError("\n".join(["Only unknown intents can be reconciled.", *lines]))
        chosen = last_states(suite, _of(suite, activation) | named | {"status": {"unknown"}})
        return _add(suite, activation, [{**row, **told} for row in chosen], f"reconcile_{verdict}")


def _add(suite: Suite, activation: str | None, rows: Sequence[Mapping[str, Any]], action: str) -> int:
    now = suite.ledger.clock()
    suite.ledger.append(DELIVERY, [{**row, "recorded_at": now} for row in rows])
    if rows:
        note_deed(suite, f"deliveries_{action}", activation or "all activations", f"{len(rows)} intents")
    return len(rows)


def _of(suite: Suite, activation: str | None) -> dict[str, Collection[str]]:
    """The condition that an intent is of that activation, if one is named. Raises DeliveryError for an unknown one."""
    _refuse_unknown(suite, activation)
    return {} if activation is None else {"activation_id": {activation}}


def _refuse_unknown(suite: Suite, activation: str | None) -> None:
    known = [one.id for one in suite.pack.activations]
    if activation is not None and activation not in known:
        raise DeliveryError(f"pack {suite.pack.name}: unknown activation '{activation}'.{near_miss(activation, known)}")


def _show_states(states: Iterable[Mapping[str, Any]]) -> None:
    rows = list(states)
    if not rows:
        console.print("Nothing was ever planned to be sent. A run sends with --send.", highlight=False)
        return
    grid = Grid("activation", "channel", *(name.replace("_", " ") for name in _STATES), box=None, title_justify="left")
    counts, reasons = Counter[tuple[str, str, str]](), Counter[tuple[str, str, str]]()
    for row in rows:
        counts[row["activation_id"], row["channel"], row["status"]] += row["row_count"]
        if row["reason"]:
            reasons[row["activation_id"], row["status"], row["reason"]] += row["row_count"]
    for name, channel in sorted({(row["activation_id"], row["channel"]) for row in rows}):
        figures = [counts[name, channel, state] for state in _STATES]
        grid.add_row(name, channel, *(f"{figure:,}" if figure else "" for figure in figures))
    console.print(grid)
    for (name, state, reason), count in reasons.most_common(_SHOWN_REASONS):
        console.print(f"  {name}: {count:,} {state}: {reason}", highlight=False, markup=False, soft_wrap=True)
