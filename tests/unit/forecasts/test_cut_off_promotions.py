"""A training or promotion that a kill cut off ends as it would have, and a run of an earlier day moves no champion."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from cdp_lib.models.contest import judge, Losses
from jobs.forecasts.champions import compete, Fit, in_force, Lesson, renew
from tests.unit.forecasts.scene import context, FITS, LAST_DAY, lesson, Registry

GROWN = Fit("settings-1", 201, 90)
Deed = tuple[str, str]


def ruled() -> Registry:
    """With a champion of 100 customers."""
    registry = Registry()
    in_force(context(registry, "run-0"), "churn", FITS, lambda _: lesson(True))
    return registry


def contest(ctx: Any, taught: Lesson) -> None:
    compete(ctx, "churn", FITS, lambda _: taught)


def outgrown(ctx: Any, taught: Lesson) -> None:
    in_force(ctx, "churn", GROWN, lambda _: taught)


def ended(run: Callable[[Any, Lesson], None], taught: Lesson, *dies_at: str) -> tuple[list[int], int | None, set[Deed]]:
    """Champions, challenger and deeds after a run that died at these points, one after the other, and then ended."""
    registry, deeds = ruled(), []
    for point in dies_at:
        with pytest.raises(KeyboardInterrupt):
            run(context(registry, dies_at=point, deeds=deeds), taught)
    run(context(registry, deeds=deeds), taught)
    return registry.champions, registry.challenged, {(deed["action"], deed["detail"]) for deed in deeds}


@pytest.mark.parametrize(
    ("run", "taught"),
    [
        (contest, lesson(True)),
        (contest, lesson(False)),
        (outgrown, lesson(False, customers=201)),
        (outgrown, lesson(False, customers=201, worse=True)),
    ],
)
def test_a_training_that_was_cut_off_keeps_its_verdict(run: Callable[[Any, Lesson], None], taught: Lesson) -> None:
    assert ended(run, taught, "registered") == ended(run, taught)


@pytest.mark.parametrize(
    ("run", "taught", "action"),
    [(contest, lesson(True), "model_promote"), (outgrown, lesson(False, customers=201), "model_renew")],
)
def test_a_promotion_that_was_cut_off_before_it_was_noted_is_noted(
    run: Callable[[Any, Lesson], None], taught: Lesson, action: str
) -> None:
    champions, _, deeds = ended(run, taught, "audit")
    assert champions[-1] == 2
    assert deeds == {(action, "deli-churn/2")}


def test_clusters_whose_promotion_was_cut_off_are_noted_once() -> None:
    registry, deeds = Registry(), []
    with pytest.raises(KeyboardInterrupt):
        renew(context(registry, dies_at="audit", deeds=deeds), "segment_x", FITS, lambda _: lesson(True))
    for _ in range(2):
        renew(context(registry, deeds=deeds), "segment_x", FITS, lambda _: lesson(True))
    assert [(deed["action"], deed["detail"]) for deed in deeds] == [("model_promote", "deli-segment_x/1")]


def test_a_champion_that_another_run_moved_is_not_noted_as_this_ones() -> None:
    registry = ruled()
    ctx = context(registry, "run-1")
    in_force(ctx, "churn", FITS, lambda _: pytest.fail("trained again"))
    assert ctx.deeds == []


def test_what_was_trained_before_the_settings_changed_is_not_what_the_run_goes_on_with() -> None:
    registry = Registry()
    with pytest.raises(KeyboardInterrupt):
        in_force(context(registry, dies_at="registered"), "churn", FITS, lambda _: lesson(True))
    other = Fit("settings-2", 100)
    stored = in_force(context(registry), "churn", other, lambda _: lesson(True, "settings-2"))
    assert (stored.version, stored.body["settings_hash"], registry.champions) == (2, "settings-2", [2])


def test_a_verdict_can_be_kept_with_the_model() -> None:
    far, near = np.array([1.0, 2.0, 3.0, 2.0]), np.array([0.5, 0.5, 0.5, 0.5])
    registry = ruled()
    verdict = judge(Losses(near, far, far, champion_saw=3), naive_name="naive")
    contest(context(registry), replace(lesson(True), verdict=verdict))
    kept = registry.trained[-1].body["verdict"]
    assert kept == {
        "is_promoted": True,
        "loses_to_naive": False,
        "is_worse": False,
        "reason": verdict.reason,
        "figures": {},
    }


EARLIER = LAST_DAY - timedelta(days=30)


def of_the_last_day(**changed: Any) -> Registry:
    """With a champion that has seen the last day."""
    registry = Registry()
    taught = lesson(True, as_of=LAST_DAY.isoformat(), **changed)
    in_force(context(registry, "run-0"), "churn", FITS, lambda _: taught)
    return registry


def test_a_run_of_an_earlier_day_is_scored_by_a_model_of_that_day_and_moves_no_champion() -> None:
    registry, compared = of_the_last_day(), []

    def learn(champion: Any) -> Lesson:
        compared.append(champion)
        return lesson(True, as_of=EARLIER.isoformat())

    ctx = context(registry, as_of=EARLIER)
    assert in_force(ctx, "churn", FITS, learn).version == 2
    assert in_force(context(registry, as_of=EARLIER), "churn", FITS, learn).version == 2
    assert (registry.champions, registry.challenged, ctx.deeds, compared) == ([1], None, [], [None])
    told = f"deli-churn/1 has seen 30 days after {EARLIER}: one as of that day is trained, for this run alone"
    assert told in ctx.said
    later = context(registry, "run-2")
    assert in_force(later, "churn", FITS, lambda _: pytest.fail("trained again")).version == 1


@pytest.mark.parametrize("train", [compete, renew])
def test_what_is_trained_as_of_an_earlier_day_takes_no_part(train: Callable[..., None]) -> None:
    registry = of_the_last_day()
    ctx = context(registry, as_of=EARLIER)
    train(ctx, "churn", FITS, lambda _: lesson(True))
    assert (registry.champions, registry.challenged, ctx.deeds) == ([1], None, [])
    told = f"deli-churn/1 has seen 30 days after {EARLIER} and stays champion; deli-churn/2 takes no part"
    assert ctx.said[-1] == told


def test_a_champion_that_somebody_chose_scores_earlier_days_too_and_it_is_told() -> None:
    registry = of_the_last_day()
    registry.chosen = 1
    ctx = context(registry, as_of=EARLIER)
    assert in_force(ctx, "churn", replace(FITS, horizon_days=90), lambda _: pytest.fail("trained")).version == 1
    assert ctx.said == [f"deli-churn/1 has seen 30 days after {EARLIER}, but stays: somebody chose it"]
