"""`cdp model`: versions are listed, promoted and rolled back, and every move is noted."""

import io
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest
from rich.console import Console
from typer.testing import CliRunner

from cdp_lib.errors import LockedError, ModelError
from cdp_lib.io.lock import run_lock
from cdp_lib.models.training import StoredModel
from cdp_lib.settings.forecast import Churn
from jobs import models
from jobs.compose import Suite
from jobs.models import promote_version, roll_back, show_versions
from tests.unit.people.conftest import Deli


@dataclass
class Registry:
    """What the commands ask of cdp_lib.models.registry, without MLflow."""

    trained: dict[str, dict[int, dict[str, float]]] = field(default_factory=dict)
    champions: dict[str, int] = field(default_factory=dict)
    challengers: dict[str, int] = field(default_factory=dict)
    chosen: dict[str, int] = field(default_factory=dict)
    settings_hash: str = ""
    bodies: dict[int, dict[str, Any]] = field(default_factory=dict)

    def known(self) -> tuple[str, ...]:
        return tuple(sorted(self.trained))

    def versions(self, model: str) -> tuple[int, ...]:
        return tuple(self.trained[model])

    def metrics(self, model: str) -> dict[int, dict[str, float]]:
        return self.trained[model]

    def champion_version(self, model: str) -> int | None:
        return self.champions.get(model)

    def challenger(self, model: str) -> int | None:
        return self.challengers.get(model)

    def stored(self, model: str, version: int) -> StoredModel:
        if version not in self.trained[model]:
            raise ModelError(f"deli-{model} has no version {version}")
        return StoredModel(
            f"deli-{model}",
            version,
            self.bodies.get(version, {"settings_hash": self.settings_hash}),
            self.chosen.get(model) == version,
        )

    def promote(self, model: str, version: int, *, is_choice: bool = False) -> StoredModel:
        self.champions[model] = version
        if is_choice:
            self.chosen[model] = version
        return self.stored(model, version)

    def before_champion(self, model: str) -> int:
        return self.champions[model] - 1

    def roll_back(self, model: str) -> StoredModel:
        return self.promote(model, self.before_champion(model), is_choice=True)


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch, deli: Deli) -> Registry:
    made = Registry({"match": {1: {"threshold": 6.25}, 2: {"threshold": 7.5, "prior": 0.001}}}, {"match": 1})
    assert deli.suite.pack.identity.matching is not None
    made.settings_hash = deli.suite.pack.identity.matching.model_hash
    monkeypatch.setattr(Suite, "models", lambda suite: made)
    return made


@pytest.fixture
def suite(deli: Deli, registry: Registry) -> Suite:
    return deli.suite


def listed(suite: Suite, name: str | None = None) -> list[str]:
    screen = Console(file=io.StringIO(), width=120)
    show_versions(screen, suite, name)
    return [" ".join(line.split()) for line in cast(io.StringIO, screen.file).getvalue().splitlines()]


def test_the_newest_version_stands_first_and_the_champion_is_marked(suite: Suite) -> None:
    wanted = [
        "model version figures of its training",
        "match 2 prior 0.001, threshold 7.5",
        "match 1 champion threshold 6.25",
    ]
    assert listed(suite) == wanted
    assert listed(suite, "match") == wanted


def test_the_challenger_is_marked(suite: Suite, registry: Registry) -> None:
    registry.challengers["match"] = 2
    assert "match 2 challenger prior 0.001, threshold 7.5" in listed(suite)


@pytest.mark.parametrize("version", [2, None])
def test_a_promotion_is_noted_and_the_newest_version_is_meant_without_a_word(
    suite: Suite, deli: Deli, registry: Registry, version: int | None
) -> None:
    said = promote_version(suite, "match", version)

    assert said == f"deli-match/2 is the champion. The next run scores with it: cdp run daily --pack {deli.pack}"
    assert registry.champions == {"match": 2}
    (deed,) = deli.deeds()
    assert (deed["action"], deed["subject"], deed["detail"]) == ("model_promote", "deli-match", "deli-match/2")


def test_promoting_the_champion_makes_good_what_was_left_undone_and_then_changes_nothing(
    suite: Suite, deli: Deli, registry: Registry
) -> None:
    # A run promoted it, or a kill cut a promotion off: nobody has chosen it, and nothing is noted.
    assert promote_version(suite, "match", 1).startswith("deli-match/1 is the champion. The next run")
    assert registry.chosen == {"match": 1}
    assert [deed["detail"] for deed in deli.deeds()] == ["deli-match/1"]
    assert promote_version(suite, "match", 1) == "deli-match/1 is the champion already: nothing was changed."
    assert len(deli.deeds()) == 1


def test_a_rollback_is_noted(suite: Suite, deli: Deli, registry: Registry) -> None:
    registry.champions["match"] = 2
    assert roll_back(suite, "match").startswith("deli-match/1 is the champion.")
    (deed,) = deli.deeds()
    assert (deed["action"], deed["subject"], deed["detail"]) == ("model_rollback", "deli-match", "deli-match/1")


def test_what_the_pack_cannot_score_with_is_refused(suite: Suite, deli: Deli, registry: Registry) -> None:
    asked = replace(suite, pack=replace(suite.pack, churn=Churn(horizon_days=60)))
    registry.trained["churn"], registry.champions["churn"] = {1: {}, 2: {}, 3: {}}, 3
    registry.bodies |= {2: {"horizon_days": 90}, 3: {"horizon_days": 60, "settings_hash": "of other trees"}}
    told = (
        r"deli-churn/2 looks 90 days ahead, and the pack asks for 60: the next run would train another\. Set the pack"
    )
    for command in (roll_back, lambda one, name: promote_version(one, name, 2)):
        with pytest.raises(ModelError, match=told):
            command(asked, "churn")
    assert (registry.champions["churn"], deli.deeds()) == (3, [])
    assert promote_version(asked, "churn", 3).startswith("deli-churn/3 is the champion.")


def test_an_unknown_model_is_answered_with_a_near_miss(suite: Suite) -> None:
    for command in (listed, roll_back, lambda one, name: promote_version(one, name, None)):
        with pytest.raises(ModelError, match=r"pack deli: unknown model 'mach'\. Did you mean 'match'\?"):
            command(suite, "mach")


def test_a_promotion_that_fails_is_not_noted(suite: Suite, deli: Deli) -> None:
    with pytest.raises(ModelError, match="deli-match has no version 9"):
        promote_version(suite, "match", 9)
    assert deli.deeds() == []


def test_before_the_first_training_it_is_told_how_a_model_comes_about(suite: Suite, registry: Registry) -> None:
    registry.trained.clear()
    for command in (listed, roll_back):
        with pytest.raises(ModelError, match=r"pack deli has no model yet\. .*: cdp run daily"):
            command(suite, "match")


def test_a_run_keeps_the_model_that_it_began_with(suite: Suite, deli: Deli, registry: Registry) -> None:
    with run_lock(deli.lakehouse, "daily of deli"), pytest.raises(LockedError, match="daily of deli"):
        promote_version(suite, "match", 2)
    assert registry.champions == {"match": 1}


def test_the_commands_are_there(deli: Deli, registry: Registry) -> None:
    place = ["--pack", str(deli.pack), "--lakehouse", str(deli.lakehouse)]
    runner = CliRunner()
    for words, said in (
        (["list"], "champion"),
        (["promote", "match", "--version", "2"], "deli-match/2 is the champion."),
        (["rollback", "match"], "deli-match/1 is the champion."),
    ):
        result = runner.invoke(models.app, [*words, *place])
        assert result.exit_code == 0, result.output
        assert said in result.stdout
