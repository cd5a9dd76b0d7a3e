"""Which matcher a run uses: the champion while it fits, what the run itself trained before it was cut off, or none."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from cdp_lib.models.identity.match_model import Model
from cdp_lib.models.identity.matcher import Matcher
from cdp_lib.models.training import StoredModel
from cdp_lib.settings.matching import Matching
from jobs.matching.matchers import misfit, Registered, Today

MATCHING = Matching()
MODEL = Model(1e-6, {}, (), 1e9, 1)


def version(number: int, *, settings: Matching = MATCHING, bits: float = 3.0, judged: int = 0) -> StoredModel:
    """Trained on a thousand records."""
    body = Matcher(MODEL, (), bits, "for a test", settings.model_hash, 1_000, (), judged).to_dict()
    return StoredModel("shop-match", number, body)


def registered(
    champion: StoredModel | None, today: Today, of_run: StoredModel | None = None
) -> tuple[Registered, list[int]]:
    """The matchers of a run, and the versions that it promoted."""
    promoted: list[int] = []

    def promote(model: str, number: int) -> StoredModel | None:
        promoted.append(number)
        return of_run

    models = SimpleNamespace(champion=lambda model: champion, of_run=lambda model, run: of_run, promote=promote)
    ctx: Any = SimpleNamespace(models=models, run=SimpleNamespace(run_id="run-1"), say=lambda text: None)
    return Registered(ctx, MATCHING, today), promoted


def test_the_champion_is_used_while_it_fits() -> None:
    found = registered(version(4), Today(1_500, 0))[0].in_force()

    assert found is not None
    assert (found.label, found.matcher.threshold) == ("shop-match/4", 3.0)


@pytest.mark.parametrize(
    ("champion", "today"),
    [
        (None, Today(10, 0)),
        (version(1, settings=Matching(false_pairs=0.2)), Today(1_000, 0)),
        (version(1), Today(2_001, 0)),
        (version(1, judged=3), Today(1_000, 20)),
        (version(1, judged=25), Today(1_000, 50)),
        (version(1, bits=float("inf")), Today(1_001, 0)),
    ],
    ids=["first run", "other settings", "outgrown", "people judged enough", "judged twice as many", "links nobody"],
)
def test_a_matcher_is_trained_when_no_champion_fits(champion: StoredModel | None, today: Today) -> None:
    assert registered(champion, today)[0].in_force() is None


@pytest.mark.parametrize(
    ("champion", "today"),
    [
        (version(1, judged=3), Today(1_000, 19)),
        (version(1, judged=25), Today(1_000, 49)),
        (version(1, bits=float("inf")), Today(1_000, 0)),
    ],
    ids=["too few judged", "not many more judged", "links nobody, and nothing is new"],
)
def test_a_champion_stays_while_nothing_new_could_teach_another(champion: StoredModel, today: Today) -> None:
    assert registered(champion, today)[0].in_force() is not None


def test_verdicts_do_not_matter_where_the_pack_states_the_threshold() -> None:
    stated = Matching(threshold=5.0)

    assert misfit(version(1, settings=stated), stated, Today(1_000, 500)) is None


@pytest.mark.parametrize(
    ("today", "said"),
    [
        (Today(2_001, 0), "has seen 1,000 records, and there are 2,001 today"),
        (Today(1_000, 20), "knew 0 judged pairs of either verdict, and there are 20 today"),
    ],
)
def test_a_misfit_says_what_changed(today: Today, said: str) -> None:
    assert misfit(version(1), MATCHING, today) == said


def test_a_matcher_that_somebody_chose_stays_under_its_settings() -> None:
    outgrown = replace(version(1), is_chosen=True)
    found = registered(outgrown, Today(2_001, 50))[0].in_force()
    assert found is not None
    assert found.label == "shop-match/1"
    of_others = replace(version(1, settings=Matching(false_pairs=0.2)), is_chosen=True)
    assert registered(of_others, Today(10, 0))[0].in_force() is None


def test_what_a_run_trained_before_it_was_cut_off_is_promoted_and_not_trained_again() -> None:
    matchers, promoted = registered(None, Today(900, 0), of_run=version(2))
    found = matchers.in_force()

    assert found is not None
    assert found.label == "shop-match/2"
    assert promoted == [2]


@pytest.mark.parametrize(("bits", "doubtful"), [(7.5, 7.5), (-2.0, -2.0), (float("inf"), 0.0)])
def test_where_no_weight_will_do_pairs_of_even_odds_are_kept_and_asked_about(bits: float, doubtful: float) -> None:
    matcher = Matcher(MODEL, (), bits, "for a test", "hash", 1_000, ())
    assert (matcher.most_doubtful, matcher.least_weight) == (doubtful, doubtful - 30)
