"""The model in force: the registry's champion, or one trained now; and the weekly contest for its place."""

from collections.abc import Callable
from dataclasses import dataclass

from cdp_lib.contracts import ops
from cdp_lib.io.ledger import owner
from cdp_lib.models.contest import Verdict
from cdp_lib.models.training import StoredModel, Training
from cdp_lib.workflow.context import JobContext
from jobs.moves import PROMOTED

SETTINGS_HASH, CUSTOMER_COUNT, IS_LABELLED = "settings_hash", "customer_count", "is_labelled"
"""Keys of a model's body: under which settings it was trained, how many customers there were, and whether it was known
of any of them what came true."""

OUTGROWN = 2.0
"""A model is trained anew once there are so many times the customers that it was trained on: a young business grows
out of what its first days told before the week is over."""


@dataclass(frozen=True)
class Fit:
    """What a champion must fit: the pack's settings, and about as many customers as there are."""

    settings_hash: str
    customer_count: int
    is_labelled: bool = False
    """Whether it is known of some customers what came true."""

    def misfit(self, champion: StoredModel) -> str:
        """Why the champion does not fit; empty where it does."""
        if champion.body.get(SETTINGS_HASH) != self.settings_hash:
            return "was trained under other settings"
        seen = int(champion.body.get(CUSTOMER_COUNT, 0))
        if self.customer_count > OUTGROWN * seen:
            return f"has seen {seen:,} customers, and there are {self.customer_count:,} today"
        if self.is_labelled and champion.body.get(IS_LABELLED) is False:
            return "was trained before it was known of anybody what came true"
        return ""


@dataclass(frozen=True)
class Lesson:
    """What a training leaves, and how it did on days that it had not seen; None: there were no such days."""

    training: Training
    verdict: Verdict | None
    told: str
    """What kind of model it is and why, in words."""


Learn = Callable[[StoredModel | None], Lesson]
"""Trains; a champion of the same settings is given to be compared with."""


def in_force(ctx: JobContext, model: str, fit: Fit, learn: Learn) -> StoredModel:
    """The champion, if it fits; a run without such a one trains and promotes it."""
    champion: StoredModel | None = ctx.models.champion(model)
    if champion is not None:
        misfit = fit.misfit(champion)
        if not misfit:
            return champion
        ctx.say(f"{champion.label} {misfit}: a new one is trained")
    trained, _ = _trained(ctx, model, learn, None)
    promoted: StoredModel = ctx.models.promote(model, trained.version)
    return promoted


def compete(ctx: JobContext, model: str, fit: Fit, learn: Learn) -> None:
    """Train a challenger. It becomes champion where there is none that fits, or where it beats that one."""
    champion: StoredModel | None = ctx.models.champion(model)
    fits = champion is not None and not fit.misfit(champion)
    trained, lesson = _trained(ctx, model, learn, champion if fits else None)
    if champion is not None and champion.version == trained.version:
        return  # this run promoted it before it was cut off
    is_promoted = not fits or (lesson is not None and lesson.verdict is not None and lesson.verdict.is_promoted)
    if not is_promoted:
        ctx.models.challenge(model, trained.version)
        ctx.say(f"{trained.label} is the challenger; {champion.label if champion else 'nobody'} stays champion")
        return
    _promote(ctx, model, trained)


def renew(ctx: JobContext, model: str, learn: Learn) -> None:
    """Train anew and promote, where there is nothing to compare by."""
    champion: StoredModel | None = ctx.models.champion(model)
    trained, _ = _trained(ctx, model, learn, champion)
    if champion is None or champion.version != trained.version:
        _promote(ctx, model, trained)


def _promote(ctx: JobContext, model: str, trained: StoredModel) -> None:
    """Makes it the champion, and leaves word of it for the jobs that score."""
    ctx.models.promote(model, trained.version)
    deed = {
        "happened_at": ctx.run.started_at,
        "actor": owner(),
        "action": PROMOTED,
        "subject": trained.name,
        "detail": trained.label,
    }
    ctx.record(ops.AUDIT, [deed])
    ctx.say(f"{trained.label} is the champion from now on")


def _trained(
    ctx: JobContext, model: str, learn: Learn, champion: StoredModel | None
) -> tuple[StoredModel, Lesson | None]:
    """What this run trained, also where it was cut off after it; the lesson is None then."""
    earlier: StoredModel | None = ctx.models.of_run(model, ctx.run.run_id)
    if earlier is not None:
        return earlier, None
    lesson = learn(champion)
    stored: StoredModel = ctx.models.register(model, lesson.training, run_name=ctx.run.run_id)
    ctx.reached("registered")
    ctx.say(f"{stored.label} trained: {lesson.told}")
    if lesson.verdict is not None:
        ctx.say(f"{stored.label} on the last days: {lesson.verdict.reason}")
    return stored, lesson
