"""Which model scores, and which takes its place, told by a registry in memory."""

import re
from dataclasses import replace

import pytest

from cdp_lib.models.training import StoredModel
from jobs.forecasts.champions import compete, Fit, in_force, Lesson, renew
from tests.unit.forecasts.scene import context, FITS, lesson, Registry


def test_a_run_without_a_champion_trains_one_and_the_next_uses_it() -> None:
    registry = Registry()
    first = in_force(context(registry), "churn", FITS, lambda champion: lesson(False))
    again = in_force(context(registry, "run-2"), "churn", FITS, lambda champion: pytest.fail("trained again"))
    assert first == again
    assert registry.champions == [1]


def test_what_a_scoring_run_promotes_is_noted_as_its_own() -> None:
    ctx = context(Registry())
    in_force(ctx, "churn", FITS, lambda champion: lesson(False))
    assert [(deed["action"], deed["detail"]) for deed in ctx.deeds] == [("model_renew", "deli-churn/1")]


@pytest.mark.parametrize(
    ("fit", "told"),
    [
        (Fit("settings-2", 100), "deli-churn/1 was trained under other settings: a new one is trained"),
        (Fit("settings-1", 201), "deli-churn/1 has seen 100 customers, and there are 201 today: a new one is trained"),
        (
            Fit("settings-1", 100, is_labelled=True),
            "deli-churn/1 was trained before it was known of anybody what came true: a new one is trained",
        ),
    ],
)
def test_a_champion_that_does_not_fit_is_replaced_and_why_is_told(fit: Fit, told: str) -> None:
    registry = Registry()
    in_force(context(registry), "churn", FITS, lambda champion: lesson(True))
    ctx = context(registry, "run-2")
    in_force(ctx, "churn", fit, lambda champion: lesson(True, fit.settings_hash, fit.customer_count))
    assert told in ctx.said
    assert registry.champions == [1, 2]


def test_a_run_that_died_after_training_does_not_train_twice() -> None:
    registry = Registry()
    with pytest.raises(KeyboardInterrupt):
        in_force(context(registry, dies_at="registered"), "churn", FITS, lambda champion: lesson(True))
    assert registry.champions == []
    in_force(context(registry), "churn", FITS, lambda champion: pytest.fail("trained again"))
    assert registry.champions == [1]


def test_only_a_better_challenger_takes_the_place_and_leaves_word() -> None:
    registry = Registry()
    in_force(context(registry), "churn", FITS, lambda champion: lesson(True))
    ctx = context(registry, "run-2")
    compete(ctx, "churn", FITS, lambda champion: lesson(False))
    assert (registry.champions, registry.challenged, ctx.deeds) == ([1], 2, [])
    ctx = context(registry, "run-3")
    compete(ctx, "churn", FITS, lambda champion: lesson(True))
    assert registry.champions == [1, 3]
    told = [(deed["action"], deed["subject"], deed["detail"]) for deed in ctx.deeds]
    assert told == [("model_promote", "deli-churn", "deli-churn/3")]


def test_a_challenger_is_compared_with_a_champion_of_the_same_settings_alone() -> None:
    registry = Registry()
    in_force(context(registry), "churn", FITS, lambda champion: lesson(True))
    seen: list[StoredModel | None] = []

    def learn(champion: StoredModel | None) -> Lesson:
        seen.append(champion)
        return lesson(False, "settings-2")

    compete(context(registry, "run-2"), "churn", Fit("settings-2", 100), learn)
    assert seen == [None]
    assert registry.champions == [1, 2]


def test_clusters_are_renewed_once_a_run() -> None:
    registry, deeds = Registry(), []
    for run_id in ("run-1", "run-1", "run-2"):
        renew(context(registry, run_id, deeds=deeds), "segment_x", FITS, lambda champion: lesson(False))
    assert registry.champions == [1, 2]


MANY = Fit("settings-1", 201, 90)


def grown(*, chosen: bool = False) -> Registry:
    """A champion that has seen 100 customers, of 201."""
    registry = Registry()
    in_force(context(registry), "churn", FITS, lambda champion: lesson(True))
    registry.chosen = 1 if chosen else None
    return registry


def test_an_outgrown_champion_is_compared_and_gives_way_unless_it_is_better() -> None:
    registry, seen = grown(), []

    def learn(champion: StoredModel | None) -> Lesson:
        seen.append(None if champion is None else champion.version)
        return lesson(False, customers=201, worse=len(seen) == 1)

    assert in_force(context(registry, "run-2"), "churn", MANY, learn).version == 1
    assert (registry.champions, registry.challenged, seen) == ([1], 2, [1])
    # The next day it is not trained again: the challenger, which fits, has lost.
    again = in_force(context(registry, "run-3"), "churn", MANY, lambda champion: pytest.fail("trained again"))
    assert again.version == 1
    # But once they are twice as many again.
    in_force(context(registry, "run-4"), "churn", replace(MANY, customer_count=403), learn)
    assert (registry.champions, seen) == ([1, 3], [1, 1])


def test_a_challenger_whose_files_are_gone_stops_nobody() -> None:
    registry = grown()
    registry.challenged = 7
    in_force(context(registry, "run-2"), "churn", MANY, lambda champion: lesson(False, customers=201))
    assert registry.champions == [1, 2]


def test_a_challenger_from_before_the_champion_was_outgrown_says_nothing_of_it() -> None:
    registry = grown()
    compete(
        context(registry, "run-2"), "churn", replace(FITS, customer_count=150), lambda _: lesson(False, customers=150)
    )
    assert registry.challenged == 2
    in_force(context(registry, "run-3"), "churn", MANY, lambda champion: lesson(False, customers=201))
    assert registry.champions == [1, 3]


@pytest.mark.parametrize("fit", [MANY, replace(MANY, settings_hash="settings-2"), replace(MANY, is_labelled=True)])
def test_a_champion_that_somebody_chose_stays_while_it_can_score(fit: Fit) -> None:
    registry = grown(chosen=True)
    ctx = context(registry, "run-2")
    kept = in_force(ctx, "churn", fit, lambda champion: pytest.fail("trained"))
    assert kept.version == 1
    assert re.fullmatch(r"deli-churn/1 (has seen|was trained) .*, but stays: somebody chose it", ctx.said[0])
    # Only one that is better takes its place, and it is compared, whatever it does not fit.
    for promoted, champions in ((False, [1]), (True, [1, 3])):
        compete(
            context(registry, f"run-{promoted}"), "churn", fit, lambda champion, promoted=promoted: lesson(promoted)
        )
        assert registry.champions == champions


def test_a_body_that_does_not_tell_its_horizon_goes_by_its_settings() -> None:
    old = StoredModel("deli-churn", 1, {"settings_hash": "settings-1", "customer_count": 100})
    assert MANY.unusable(old) == ""
    assert replace(MANY, settings_hash="settings-2").unusable(old) == "was trained under other settings"


def test_a_choice_that_looks_another_way_ahead_is_replaced() -> None:
    registry = grown(chosen=True)
    fit = replace(MANY, settings_hash="settings-2", horizon_days=60)
    in_force(context(registry, "run-2"), "churn", fit, lambda champion: lesson(True, "settings-2"))
    assert registry.champions == [1, 2]


def test_clusters_that_somebody_chose_stay() -> None:
    registry = Registry()
    renew(context(registry), "segment_x", FITS, lambda champion: lesson(False))
    registry.chosen = 1
    renew(context(registry, "run-2"), "segment_x", FITS, lambda champion: lesson(False))
    assert (registry.champions, registry.challenged) == ([1], 2)
    renew(context(registry, "run-3"), "segment_x", Fit("settings-2", 100), lambda champion: lesson(False))
    assert registry.champions == [1, 3]


def test_chosen_clusters_stay_while_they_take_the_features_that_the_pack_names() -> None:
    chosen = StoredModel("deli-segment_x", 1, {"settings_hash": "s", "customer_count": 9, "features": ["a", "b"]})
    assert Fit("settings-2", 9, features=frozenset({"b", "a"})).unusable(chosen) == ""
    told = Fit("s", 9, features=frozenset({"a", "c"})).unusable(chosen)
    assert told == "takes other features than the pack names: b, c"


def test_a_champion_whose_scores_drift_gives_way_to_one_that_is_not_worse() -> None:
    for worse, champions in ((True, [1]), (False, [1, 2])):
        registry = grown()
        compete(
            context(registry, "run-2"),
            "churn",
            FITS,
            lambda _, worse=worse: lesson(False, worse=worse),
            is_drifting=True,
        )
        assert registry.champions == champions
    registry = grown(chosen=True)
    compete(
        context(registry, "run-2"), "churn", replace(FITS, horizon_days=90), lambda _: lesson(False), is_drifting=True
    )
    assert registry.champions == [1]
