"""A registry and a job's context in memory, and trainings that end as a test wants."""

import json
from dataclasses import dataclass, field, replace
from datetime import date, datetime, UTC
from types import SimpleNamespace
from typing import Any

import pandas as pd

from cdp_lib.errors import ModelError
from cdp_lib.models.contest import Verdict
from cdp_lib.models.training import StoredModel, Training
from jobs.forecasts.champions import Fit, Lesson

FITS = Fit("settings-1", 100)
LAST_DAY = date(2024, 12, 31)


@dataclass
class Registry:
    """What the jobs ask of cdp_lib.models.registry, without MLflow."""

    trained: list[StoredModel] = field(default_factory=list)
    runs: dict[str, int] = field(default_factory=dict)
    champions: list[int] = field(default_factory=list)
    challenged: int | None = None
    chosen: int | None = None

    def champion(self, model: str) -> StoredModel | None:
        return self.stored(model, self.champions[-1]) if self.champions else None

    def stored(self, model: str, version: int) -> StoredModel:
        if version > len(self.trained):
            raise ModelError(f"deli-{model} has no version {version}")
        return replace(self.trained[version - 1], is_chosen=version == self.chosen)

    def challenger(self, model: str) -> int | None:
        return self.challenged

    def of_run(self, model: str, run_name: str) -> StoredModel | None:
        return self.trained[self.runs[run_name] - 1] if run_name in self.runs else None

    def register(self, model: str, training: Training, *, run_name: str) -> StoredModel:
        kept = json.loads(json.dumps(training.body))
        self.trained.append(StoredModel(f"deli-{model}", len(self.trained) + 1, kept))
        self.runs[run_name] = len(self.trained)
        return self.trained[-1]

    def promote(self, model: str, version: int) -> StoredModel:
        self.champions.append(version)
        return self.trained[version - 1]

    def challenge(self, model: str, version: int) -> None:
        self.challenged = version


@dataclass
class Context:
    """A job's context, as far as these functions look at it."""

    models: Registry
    run: Any
    as_of: date = LAST_DAY
    said: list[str] = field(default_factory=list)
    deeds: list[dict] = field(default_factory=list)
    dies_at: str = ""
    pack: Any = field(default_factory=lambda: SimpleNamespace(name="deli"))

    def say(self, message: str) -> None:
        self.said.append(message)

    def record(self, table: Any, rows: list[dict]) -> None:
        if self.dies_at == "audit":
            raise KeyboardInterrupt
        self.deeds += rows

    def recorded(self, table: Any) -> list[dict]:
        return self.deeds

    def reached(self, point: str) -> None:
        if point == self.dies_at:
            raise KeyboardInterrupt


def context(registry: Registry, run_id: str = "run-1", dies_at: str = "", **given: Any) -> Any:
    run = SimpleNamespace(run_id=run_id, started_at=datetime(2025, 1, 1, tzinfo=UTC))
    return Context(registry, run, dies_at=dies_at, **given)


def lesson(
    promoted: bool, settings: str = "settings-1", customers: int = 100, *, worse: bool = False, **more: Any
) -> Lesson:
    body = {"settings_hash": settings, "customer_count": customers, "is_labelled": False, "horizon_days": 90, **more}
    verdict = Verdict(promoted, False, "better" if promoted else "no better", {}, worse)
    return Lesson(Training(body, lambda rows: rows, pd.DataFrame()), verdict, "a model")
