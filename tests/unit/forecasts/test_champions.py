"""Which model scores, and which takes its place, told by a registry in memory."""

from dataclasses import dataclass, field
from datetime import datetime, UTC
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from cdp_lib.models.contest import Verdict
from cdp_lib.models.training import StoredModel, Training
from jobs.forecasts.champions import compete, Fit, in_force, Lesson, renew

FITS = Fit("settings-1", 100)


@dataclass
class Registry:
    """What the jobs ask of cdp_lib.models.registry, without MLflow."""

    stored: list[StoredModel] = field(default_factory=list)
    runs: dict[str, int] = field(default_factory=dict)
    champions: list[int] = field(default_factory=list)
    challenged: int | None = None

    def champion(self, model: str) -> StoredModel | None:
        return self.stored[self.champions[-1] - 1] if self.champions else None

    def of_run(self, model: str, run_name: str) -> StoredModel | None:
        return self.stored[self.runs[run_name] - 1] if run_name in self.runs else None

    def register(self, model: str, training: Training, *, run_name: str) -> StoredModel:
        self.stored.append(StoredModel(f"deli-{model}", len(self.stored) + 1, training.body))
        self.runs[run_name] = len(self.stored)
        return self.stored[-1]

    def promote(self, model: str, version: int) -> StoredModel:
        self.champions.append(version)
        return self.stored[version - 1]

    def challenge(self, model: str, version: int) -> None:
        self.challenged = version


@dataclass
class Context:
    """A job's context, as far as these functions look at it."""

    models: Registry
    run: Any
    said: list[str] = field(default_factory=list)
    deeds: list[dict] = field(default_factory=list)
    dies_at: str = ""

    def say(self, message: str) -> None:
        self.said.append(message)

    def record(self, table: Any, rows: list[dict]) -> None:
        self.deeds += rows

    def reached(self, point: str) -> None:
        if point == self.dies_at:
            raise KeyboardInterrupt


def context(registry: Registry, run_id: str = "run-1", dies_at: str = "") -> Any:
    return Context(
        registry, SimpleNamespace(run_id=run_id, started_at=datetime(2025, 1, 1, tzinfo=UTC)), dies_at=dies_at
    )


def lesson(promoted: bool, settings: str = "settings-1", customers: int = 100) -> Lesson:
    body = {"settings_hash": settings, "customer_count": customers, "is_labelled": False}
    verdict = Verdict(promoted, False, "better" if promoted else "no better", {})
    return Lesson(Training(body, lambda rows: rows, pd.DataFrame()), verdict, "a model")


def test_a_run_without_a_champion_trains_one_and_the_next_uses_it() -> None:
    registry = Registry()
    first = in_force(context(registry), "churn", FITS, lambda champion: lesson(False))
    again = in_force(context(registry, "run-2"), "churn", FITS, lambda champion: pytest.fail("trained again"))
    assert first == again
    assert registry.champions == [1]


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
    assert [(deed["subject"], deed["detail"]) for deed in ctx.deeds] == [("deli-churn", "deli-churn/3")]


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
    registry = Registry()
    for run_id in ("run-1", "run-1", "run-2"):
        renew(context(registry, run_id), "segment_x", lambda champion: lesson(False))
    assert registry.champions == [1, 2]
