"""The model in force: the registry's champion, or one trained now; and the weekly contest for its place."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any

from cdp_lib.contracts import ops
from cdp_lib.errors import ModelError
from cdp_lib.io.ledger import owner
from cdp_lib.models.contest import Verdict
from cdp_lib.models.training import StoredModel, Training
from cdp_lib.workflow.context import JobContext
from jobs.moves import moved, PROMOTED, RENEWED, was_last_moved_to

SETTINGS_HASH, CUSTOMER_COUNT = "settings_hash", "customer_count"
HORIZON_DAYS, IS_LABELLED, FEATURES = "horizon_days", "is_labelled", "features"
AS_OF = "as_of"
"""Keys of a model's body: under which settings it was trained, how many customers there were, how far it looks ahead,
whether it was known of any of them what came true, which columns of the single view it takes, and the last day that it
has seen; without the last, no day says more of it than another."""
_VERDICT = "verdict"
"""Key of a model's body, added to it here: what its trial said, for a run that goes on after it was registered."""

OUTGROWN = 2.0
"""A model is trained anew once there are so many times the customers that it was trained on: a young business grows
out of what its first days told before the week is over."""


@dataclass(frozen=True)
class Fit:
    """What a champion must fit: the settings that shape a training, and about as many customers as there are."""

    settings_hash: str
    customer_count: int
    horizon_days: int | None = None
    """What it must look ahead; None: the model looks at no horizon."""
    is_labelled: bool = False
    """Whether it is known of some customers what came true."""
    features: frozenset[str] | None = None
    """Columns of the single view that it must take; None: no choice of the pack. Of a model that is told by neither,
    its settings say what it takes and gives."""

    def misfit(self, champion: StoredModel) -> str:
        """Why the champion does not fit; empty where it does."""
        return self.mismatch(champion) or self.outgrown(champion)

    def mismatch(self, champion: StoredModel) -> str:
        """Why it answers another question, so that no contest can tell which is better; empty where it does not."""
        return "" if champion.body.get(SETTINGS_HASH) == self.settings_hash else "was trained under other settings"

    def outgrown(self, champion: StoredModel) -> str:
        """Why it is time for another; empty where it is not."""
        seen = int(champion.body.get(CUSTOMER_COUNT, 0))
        if self.customer_count > OUTGROWN * seen:
            return f"has seen {seen:,} customers, and there are {self.customer_count:,} today"
        if self.is_labelled and champion.body.get(IS_LABELLED) is False:
            return "was trained before it was known of anybody what came true"
        return ""

    def unusable(self, champion: StoredModel) -> str:
        """Why it cannot even score for this pack, so that nobody can choose it; empty where it can."""
        ahead, taken = champion.body.get(HORIZON_DAYS), champion.body.get(FEATURES)
        if self.features is not None and taken is not None:
            other = sorted(self.features ^ set(taken))
            return f"takes other features than the pack names: {', '.join(other)}" if other else ""
        if self.horizon_days is None or ahead is None:
            return self.mismatch(champion)  # a body of an earlier version does not tell
        told = f"looks {ahead} days ahead, and the pack asks for {self.horizon_days}"
        return "" if ahead == self.horizon_days else told


@dataclass(frozen=True)
class Lesson:
    """What a training leaves, and how it did on days that it had not seen; None: there were no such days."""

    training: Training
    verdict: Verdict | None
    told: str
    """What kind of model it is and why, in words."""


Learn = Callable[[StoredModel | None], Lesson]
"""Trains; a champion of the same settings is given to be compared with."""


def days_seen_after(body: Mapping[str, Any], day: date) -> int:
    """How many days after this one a model was trained on; 0: none."""
    return max((date.fromisoformat(body[AS_OF]) - day).days, 0) if AS_OF in body else 0


def in_force(ctx: JobContext, model: str, fit: Fit, learn: Learn) -> StoredModel:
    """The champion, if it fits or somebody chose it; else one trained now, unless the champion turns out better.

    A run as of an earlier day than the champion has seen is scored by a model of that day, which stays without alias.
    """
    champion: StoredModel | None = ctx.models.champion(model)
    if champion is None:
        return _renewed(ctx, model, fit, learn, None)
    foreseen = days_seen_after(champion.body, ctx.as_of)
    misfit = _foresight(ctx, foreseen) if foreseen else fit.misfit(champion)
    if not misfit:
        _make_good(ctx, model, champion, RENEWED)
        return champion
    if champion.is_chosen and not fit.unusable(champion):
        ctx.say(f"{champion.label} {misfit}, but stays: somebody chose it")
        return champion
    if foreseen:
        ctx.say(f"{champion.label} {misfit}: one as of that day is trained, for this run alone")
        return _trained(ctx, model, fit, learn, None)[0]
    if not fit.mismatch(champion) and _has_won_already(ctx, model, champion, fit):
        return champion
    ctx.say(f"{champion.label} {misfit}: a new one is trained")
    return _renewed(ctx, model, fit, learn, None if fit.mismatch(champion) else champion)


def _foresight(ctx: JobContext, days: int) -> str:
    return f"has seen {days} days after {ctx.as_of}"


def _has_won_already(ctx: JobContext, model: str, champion: StoredModel, fit: Fit) -> bool:
    """Whether the challenger fits today, and was trained when the champion was due already: then it was worse."""
    version = ctx.models.challenger(model)
    if version is None:
        return False
    try:
        challenger: StoredModel = ctx.models.stored(model, version)
    except ModelError:
        return False  # its files are gone, and nobody scores with it
    seen, is_labelled = int(challenger.body.get(CUSTOMER_COUNT, 0)), bool(challenger.body.get(IS_LABELLED))
    then = replace(fit, customer_count=seen, is_labelled=is_labelled)
    return not fit.misfit(challenger) and bool(then.outgrown(champion))


def _renewed(ctx: JobContext, model: str, fit: Fit, learn: Learn, champion: StoredModel | None) -> StoredModel:
    """One trained now and promoted, unless it is worse than the champion."""
    trained, verdict = _trained(ctx, model, fit, learn, champion)
    if champion is not None and verdict is not None and verdict.is_worse:
        _challenge(ctx, model, trained, champion)
        return champion
    _promote(ctx, model, trained, RENEWED)
    return trained


def compete(ctx: JobContext, model: str, fit: Fit, learn: Learn, *, is_drifting: bool = False) -> None:
    """Train a challenger. It becomes champion where there is none that fits, or where it beats that one.

    A champion that is outgrown, or whose scores are withheld because they drift, gives way to one that is not worse.
    One that has seen later days than the run's stays, and what is trained has no alias.
    """
    champion: StoredModel | None = ctx.models.champion(model)
    stays = champion is not None and champion.is_chosen and not fit.unusable(champion)
    is_compared = champion is not None and (stays or not fit.mismatch(champion))
    trained, verdict = _trained(ctx, model, fit, learn, champion if is_compared else None)
    if _is_settled(ctx, model, champion, trained):
        return
    if champion is None or not is_compared or _takes_over(champion, verdict, fit, is_drifting and not stays):
        _promote(ctx, model, trained, PROMOTED)
    else:
        _challenge(ctx, model, trained, champion)


def _takes_over(champion: StoredModel, verdict: Verdict | None, fit: Fit, is_drifting: bool) -> bool:
    is_due = is_drifting or (not champion.is_chosen and bool(fit.outgrown(champion)))
    if verdict is None:
        return is_due
    return verdict.is_promoted or (is_due and not verdict.is_worse)


def _challenge(ctx: JobContext, model: str, trained: StoredModel, champion: StoredModel) -> None:
    ctx.models.challenge(model, trained.version)
    ctx.say(f"{trained.label} is the challenger; {champion.label} stays champion")


def renew(ctx: JobContext, model: str, fit: Fit, learn: Learn) -> None:
    """Train anew and promote, where there is nothing to compare by; one that somebody chose, and can score, stays."""
    champion: StoredModel | None = ctx.models.champion(model)
    trained, _ = _trained(ctx, model, fit, learn, champion)
    if _is_settled(ctx, model, champion, trained):
        return
    if champion is not None and champion.is_chosen and not fit.unusable(champion):
        _challenge(ctx, model, trained, champion)
    else:
        _promote(ctx, model, trained, PROMOTED)


def _is_settled(ctx: JobContext, model: str, champion: StoredModel | None, trained: StoredModel) -> bool:
    """Whether no place is open: this run gave it away before it was cut off, or who has it has seen later days."""
    if champion is None:
        return False
    if champion.version == trained.version:
        _make_good(ctx, model, champion, PROMOTED)
        return True
    foreseen = days_seen_after(champion.body, ctx.as_of)
    if foreseen:
        ctx.say(f"{champion.label} {_foresight(ctx, foreseen)} and stays champion; {trained.label} takes no part")
    return foreseen > 0


def _make_good(ctx: JobContext, model: str, champion: StoredModel, action: str) -> None:
    """Promotes a champion again that this run made one, where it was cut off before it left word of it."""
    if was_last_moved_to(champion.label, moved(ctx.pack.name, model), ctx.recorded(ops.AUDIT)):
        return
    own: StoredModel | None = ctx.models.of_run(model, ctx.run.run_id)
    if own is not None and own.version == champion.version:
        _promote(ctx, model, champion, action)


def _promote(ctx: JobContext, model: str, trained: StoredModel, action: str) -> None:
    """Makes it the champion, and leaves word of it; of a PROMOTED one the jobs that score take notice."""
    ctx.models.promote(model, trained.version)
    deed = {
        "happened_at": ctx.run.started_at,
        "actor": owner(),
        "action": action,
        "subject": moved(ctx.pack.name, model),
        "detail": trained.label,
    }
    ctx.record(ops.AUDIT, [deed])
    if action == PROMOTED:
        ctx.say(f"{trained.label} is the champion from now on")


def _trained(
    ctx: JobContext, model: str, fit: Fit, learn: Learn, champion: StoredModel | None
) -> tuple[StoredModel, Verdict | None]:
    """What this run trained, also where it was cut off after it, and what its trial said; without a trial, None.

    Where the settings changed before it went on, it trains again.
    """
    earlier: StoredModel | None = ctx.models.of_run(model, ctx.run.run_id)
    if earlier is not None and not fit.mismatch(earlier):
        said = earlier.body.get(_VERDICT)
        return earlier, None if said is None else Verdict(**said)
    lesson = learn(champion)
    said = None if lesson.verdict is None else asdict(replace(lesson.verdict, figures={}))
    training = replace(lesson.training, body={**lesson.training.body, _VERDICT: said})
    stored: StoredModel = ctx.models.register(model, training, run_name=ctx.run.run_id)
    ctx.reached("registered")
    ctx.say(f"{stored.label} trained: {lesson.told}")
    if lesson.verdict is not None:
        ctx.say(f"{stored.label} on the last days: {lesson.verdict.reason}")
    return stored, lesson.verdict
