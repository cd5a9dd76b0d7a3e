"""Lakehouses that keep their models in one store, and what a kill leaves of a training."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from mlflow import MlflowClient

from cdp_lib.io.ledger import JobState, RUN_ITSELF, utc_now
from cdp_lib.models.owner import Owner
from cdp_lib.models.registry import ModelRegistry
from cdp_lib.models.training import Training
from cdp_lib.settings.settings import MlflowSettings
from jobs.compose import build_suite, Place, Suite

PRODUCTION = Owner("aaaaaaaa-0000-4000-8000-000000000001", founded_ms=1)
STAGING = Owner("bbbbbbbb-0000-4000-8000-000000000002", founded_ms=4_000_000_000_000)
MARK = "cdp.lakehouse"


def same(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows as they are."""
    return rows


def training(**body: Any) -> Training:
    return Training(body, same, pd.DataFrame({"value": [1.0]}))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    folder = tmp_path_factory.mktemp("mlflow")
    return f"sqlite:///{folder}/mlflow.db", folder / "artifacts"


@pytest.fixture
def client(store: tuple[str, Path]) -> MlflowClient:
    return MlflowClient(*store[:1])


@pytest.fixture
def pack(request: pytest.FixtureRequest) -> str:
    return request.node.name[:40].strip("_")


@pytest.fixture
def production(store: tuple[str, Path], pack: str) -> ModelRegistry:
    return ModelRegistry(*store, pack, PRODUCTION)


@pytest.fixture
def staging(store: tuple[str, Path], pack: str) -> ModelRegistry:
    return ModelRegistry(*store, pack, STAGING)


def test_a_second_lakehouse_neither_uses_nor_moves_the_champion_of_the_first(
    production: ModelRegistry, staging: ModelRegistry, pack: str
) -> None:
    first = production.register("churn", training(shop="real"), run_name="daily-1")
    production.promote("churn", first.version)

    assert staging.of_run("churn", "daily-1") is None
    assert staging.champion("churn") is None
    assert staging.known() == ()
    made = staging.register("churn", training(shop="trial"), run_name="daily-1")
    staging.promote("churn", made.version)

    assert (first.label, made.label) == (f"{pack}-churn/1", f"{pack}-churn-bbbbbbbb/1")
    for registry, shop in ((production, "real"), (staging, "trial")):
        champion, again = registry.champion("churn"), registry.of_run("churn", "daily-1")
        assert champion is not None
        assert again is not None
        assert (champion.body, again.body) == ({"shop": shop}, {"shop": shop})
        assert (registry.known(), registry.versions("churn")) == (("churn",), (1,))


def test_a_training_of_another_lakehouse_that_is_still_going_on_is_not_closed(
    production: ModelRegistry, staging: ModelRegistry, client: MlflowClient
) -> None:
    production.register("churn", training(), run_name="daily-1")
    experiment = client.get_experiment_by_name(production.name("churn")).experiment_id
    going_on = client.create_run(experiment, tags={MARK: PRODUCTION.lakehouse}).info.run_id
    staging.register("churn", training(), run_name="daily-1")
    assert client.get_run(going_on).info.status == "RUNNING"


def test_models_from_before_there_were_marks_stay_with_the_lakehouse_that_was_there(
    production: ModelRegistry, staging: ModelRegistry, store: tuple[str, Path], pack: str
) -> None:
    client = MlflowClient(*store[:1])
    production.promote("churn", production.register("churn", training(), run_name="daily-1").version)
    experiment = client.get_experiment_by_name(f"{pack}-churn")
    client._tracking_client.store.delete_experiment_tag(experiment.experiment_id, MARK)

    # A lakehouse that was founded since, or has never run, has not made them.
    assert staging.champion_version("churn") is None
    assert ModelRegistry(*store, pack, Owner("")).champion_version("churn") is None
    assert production.champion_version("churn") == 1
    production.register("churn", training(), run_name="daily-2")
    assert client.get_experiment(experiment.experiment_id).tags[MARK] == PRODUCTION.lakehouse


def test_a_lakehouse_that_is_made_anew_over_its_own_store_keeps_champion_and_names_but_trains_again(
    store: tuple[str, Path], pack: str
) -> None:
    before = ModelRegistry(*store, pack, Owner(PRODUCTION.lakehouse, 1, is_alone=True))
    before.promote("churn", before.register("churn", training(), run_name="daily-1").version)
    anew = ModelRegistry(*store, pack, Owner(STAGING.lakehouse, STAGING.founded_ms, is_alone=True))
    assert anew.name("churn") == f"{pack}-churn"
    assert anew.champion_version("churn") == 1
    assert anew.of_run("churn", "daily-1") is None


def test_no_training_is_finished_without_its_version(
    production: ModelRegistry, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: object) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as patched:
        patched.setattr(MlflowClient, "create_model_version", full)
        with pytest.raises(OSError, match="disk full"):
            production.register("churn", training(), run_name="daily-1")
    experiment = client.get_experiment_by_name(production.name("churn")).experiment_id
    assert [run.info.status for run in client.search_runs([experiment])] == ["FAILED"]
    assert production.of_run("churn", "daily-1") is None


def test_a_training_that_was_cut_off_after_its_version_is_found_and_finished(
    production: ModelRegistry, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(MlflowClient, "set_terminated", lambda *given: None)
        made = production.register("churn", training(), run_name="daily-1")
    found = production.of_run("churn", "daily-1")
    assert found is not None
    assert found.version == made.version
    production.register("churn", training(), run_name="daily-2")
    experiment = client.get_experiment_by_name(production.name("churn")).experiment_id
    assert [run.info.status for run in client.search_runs([experiment])] == ["FINISHED", "FINISHED"]


def suite_of(lakehouse: Path, mlflow: MlflowSettings) -> Suite:
    """A suite whose lakehouse has begun a run."""
    suite = build_suite(Place("coffee_shop", None, str(lakehouse)))
    run = JobState("coffee_shop-daily-000001", 1, "daily", RUN_ITSELF, 1, "started", "c", utc_now())
    suite.ledger.record(run)
    return replace(suite, settings=suite.settings.model_copy(update={"mlflow": mlflow}))


def test_suites_of_two_lakehouses_are_two_owners_on_a_server_and_each_the_only_one_at_home(
    tmp_path: Path, store: tuple[str, Path]
) -> None:
    server = MlflowSettings(tracking_uri=store[0], artifacts=str(store[1]))
    first, second = (suite_of(tmp_path / name, server) for name in ("production", "staging"))
    assert first.models().register("churn", training(), run_name="1").label == "coffee_shop-churn/1"
    made = second.models().register("churn", training(), run_name="1")
    founded = second.ledger.founding()
    assert founded is not None
    assert made.label == f"coffee_shop-churn-{founded[0][:8]}/1"
    at_home = replace(second, settings=second.settings.model_copy(update={"mlflow": MlflowSettings()}))
    assert at_home.models().name("churn") == "coffee_shop-churn"
