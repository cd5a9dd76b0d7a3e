"""Which matcher a run uses: the champion while it fits, what the run itself trained before it was cut off, or none."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from cdp_lib.models.identity.match_model import Model
from cdp_lib.models.identity.matcher import Matcher
from cdp_lib.models.training import StoredModel
from cdp_lib.settings.matching import Matching
from jobs.matching.matchers import Registered

MATCHING = Matching()
MODEL = Model(1e-6, {}, (), 1e9, 1)


def version(number: int, *, settings: Matching = MATCHING, seen: int = 1_000) -> StoredModel:
    body = Matcher(MODEL, (), 3.0, "for a test", settings.model_hash, seen, ()).to_dict()
    return StoredModel("shop-match", number, body)


def registered(
    champion: StoredModel | None, record_count: int, of_run: StoredModel | None = None
) -> tuple[Registered, list[int]]:
    """The matchers of a run, and the versions that it promoted."""
    promoted: list[int] = []

    def promote(model: str, number: int) -> StoredModel | None:
        promoted.append(number)
        return of_run

    models = SimpleNamespace(champion=lambda model: champion, of_run=lambda model, run: of_run, promote=promote)
    ctx: Any = SimpleNamespace(models=models, run=SimpleNamespace(run_id="run-1"), say=lambda text: None)
    return Registered(ctx, MATCHING, record_count), promoted


def test_the_champion_is_used_while_it_fits() -> None:
    found = registered(version(4), 1_500)[0].in_force()

    assert found is not None
    assert (found.label, found.matcher.threshold) == ("shop-match/4", 3.0)


@pytest.mark.parametrize(
    ("champion", "record_count"),
    [(None, 10), (version(1, settings=Matching(false_pairs=0.2)), 10), (version(1, seen=1_000), 2_001)],
    ids=["first run", "other settings", "outgrown"],
)
def test_a_matcher_is_trained_when_no_champion_fits(champion: StoredModel | None, record_count: int) -> None:
    assert registered(champion, record_count)[0].in_force() is None


def test_a_matcher_that_somebody_chose_stays_under_its_settings() -> None:
    outgrown = replace(version(1, seen=1_000), is_chosen=True)
    found = registered(outgrown, 2_001)[0].in_force()
    assert found is not None
    assert found.label == "shop-match/1"
    of_others = replace(version(1, settings=Matching(false_pairs=0.2)), is_chosen=True)
    assert registered(of_others, 10)[0].in_force() is None


def test_what_a_run_trained_before_it_was_cut_off_is_promoted_and_not_trained_again() -> None:
    matchers, promoted = registered(None, 900, of_run=version(2))
    found = matchers.in_force()

    assert found is not None
    assert found.label == "shop-match/2"
    assert promoted == [2]
