"""`cdp model`: which trained versions there are, which one scores, and changing that."""

import importlib
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table as Grid

from cdp_lib.contracts import ops
from cdp_lib.errors import ModelError, near_miss
from cdp_lib.io.lock import run_lock
from cdp_lib.models.training import StoredModel
from jobs.audit import note_deed
from jobs.compose import build_suite, Place, Suite
from jobs.moves import moved, PROMOTED, was_last_moved_to
from jobs.options import EnvOption, LakehouseOption, PackOption, told_plainly

app = typer.Typer(help="Trained models: list them, choose the one that scores.", no_args_is_help=True)
console = Console()

NameArgument = Annotated[str, typer.Argument(help="The model, e.g. match.")]


@app.command("list")
def list_versions(
    pack: PackOption,
    name: Annotated[str | None, typer.Argument(help="Only this model.")] = None,
    lakehouse: LakehouseOption = None,
    env: EnvOption = "local",
) -> None:
    """Every version, newest first, with its figures; the champion is the one that scores."""
    with told_plainly():
        show_versions(console, build_suite(Place(pack, None, lakehouse, env)), name)


@app.command()
def promote(
    name: NameArgument,
    pack: PackOption,
    version: Annotated[int | None, typer.Option(min=1, help="The newest when left out.")] = None,
    lakehouse: LakehouseOption = None,
    env: EnvOption = "local",
) -> None:
    """Make a version the champion, once it has scored its own example."""
    with told_plainly():
        said = promote_version(build_suite(Place(pack, None, lakehouse, env)), name, version)
        console.print(said, highlight=False, markup=False, soft_wrap=True)


@app.command()
def rollback(name: NameArgument, pack: PackOption, lakehouse: LakehouseOption = None, env: EnvOption = "local") -> None:
    """Make the version before the champion the champion again."""
    with told_plainly():
        said = roll_back(build_suite(Place(pack, None, lakehouse, env)), name)
        console.print(said, highlight=False, markup=False, soft_wrap=True)


def show_versions(screen: Console, suite: Suite, name: str | None) -> None:
    """One row per version of the pack's models, or of one of them; raises ModelError for an unknown model."""
    registry = suite.models()
    known = registry.known()
    if name is not None or not known:
        _check_name(suite, name or "", known)
    grid = Grid(box=None, padding=(0, 2), pad_edge=False, header_style="dim")
    for header in ("model", "version", "", "figures of its training"):
        grid.add_column(header)
    for model in known if name is None else (name,):
        champion, challenger = registry.champion_version(model), registry.challenger(model)
        for version, metrics in sorted(registry.metrics(model).items(), reverse=True):
            role = "champion" if version == champion else "challenger" if version == challenger else ""
            figures = ", ".join(f"{metric} {figure:.6g}" for metric, figure in sorted(metrics.items()))
            grid.add_row(model, str(version), role, figures)
    screen.print(grid)


def promote_version(suite: Suite, name: str, version: int | None) -> str:
    """Make the version (None: the newest) the champion, and keep it; what was done, in words. Raises ModelError.

    Done twice it is done once: what a kill left undone is made good.
    """
    with run_lock(suite.lakehouse, f"model promote of {suite.pack.name}"):
        registry = suite.models()
        _check_name(suite, name, registry.known())
        wanted = max(registry.versions(name), default=0) if version is None else version
        _check_use(suite, name, registry.stored(name, wanted))
        before = registry.champion_version(name)
        is_done = before == wanted and registry.stored(name, wanted).is_chosen
        promoted = registry.promote(name, wanted, is_choice=True)
        subject = moved(suite.pack.name, name)
        if is_done and was_last_moved_to(promoted.label, subject, suite.ledger.rows(ops.AUDIT)):
            return f"{promoted.label} is the champion already: nothing was changed."
        note_deed(suite, PROMOTED, subject, promoted.label)
    return _told(suite, promoted.label)


def roll_back(suite: Suite, name: str) -> str:
    """Make the version before the champion the champion, and keep it; what was done, in words. Raises ModelError."""
    with run_lock(suite.lakehouse, f"model rollback of {suite.pack.name}"):
        registry = suite.models()
        _check_name(suite, name, registry.known())
        _check_use(suite, name, registry.stored(name, registry.before_champion(name)))
        restored = registry.roll_back(name)
        note_deed(suite, "model_rollback", moved(suite.pack.name, name), restored.label)
    return _told(suite, restored.label)


def _check_use(suite: Suite, name: str, wanted: StoredModel) -> None:
    """Refuses what the next run could not score with: it would train another one in its place."""
    reason = importlib.import_module("jobs.forecasts.choice").why_not(suite.pack, name, wanted)
    if reason:
        raise ModelError(
            f"{wanted.label} {reason}: the next run would train another. Set the pack to what it was then, or choose "
            f"another version: cdp model list --pack {suite.place.pack}"
        )


def _told(suite: Suite, label: str) -> str:
    return f"{label} is the champion. The next run scores with it: cdp run daily --pack {suite.place.pack}"


def _check_name(suite: Suite, name: str, known: tuple[str, ...]) -> None:
    if not known:
        raise ModelError(
            f"pack {suite.pack.name} has no model yet. A run trains what it needs: "
            f"cdp run daily --pack {suite.place.pack}"
        )
    if name not in known:
        raise ModelError(f"pack {suite.pack.name}: unknown model '{name}'.{near_miss(name, known)}")
