"""Models are recorded, promoted after they have scored, and rolled back."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import TEMPORARILY_UNAVAILABLE

from cdp_lib.errors import ModelError
from cdp_lib.models.owner import Owner
from cdp_lib.models.registry import ModelRegistry
from cdp_lib.models.training import Training

OWNER = Owner("5f0c1a77-1b2e-4c3d-9e8f-000000000001", founded_ms=0)


def doubled(rows: pd.DataFrame, factor: float | None) -> pd.DataFrame:
    """Twice the value; nothing where there is no factor."""
    return pd.DataFrame({"doubled": rows["value"] * (float("nan") if factor is None else factor)})


def training(factor: float | None = 2.0, **changed: Any) -> Training:
    body: Mapping[str, Any] = {"factor": factor}
    return Training(body, partial(doubled, factor=factor), pd.DataFrame({"value": [1.0, 2.0]}), **changed)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    folder = tmp_path_factory.mktemp("mlflow")
    return f"sqlite:///{folder}/mlflow.db", folder / "artifacts"


@pytest.fixture
def registry(store: tuple[str, Path], request: pytest.FixtureRequest) -> ModelRegistry:
    return ModelRegistry(*store, request.node.name[:40].strip("_"), OWNER)


def test_a_registered_model_scores_only_once_it_is_promoted(registry: ModelRegistry) -> None:
    first = registry.register("doubling", training(), run_name="run-1")
    assert registry.champion("doubling") is None
    registry.promote("doubling", first.version)
    champion = registry.champion("doubling")
    assert champion is not None
    assert (champion.version, champion.body) == (first.version, {"factor": 2.0})


def test_the_run_holds_what_a_data_scientist_compares(registry: ModelRegistry, store: tuple[str, Path]) -> None:
    registry.register(
        "doubling",
        training(
            parameters={"floor": 3}, metrics={"f1": 0.9}, inputs={"silver.order": 4}, documents={"why.json": {"a": 1}}
        ),
        run_name="run-1",
    )
    client = MlflowClient(*store[:1])
    experiment = client.get_experiment_by_name(registry.name("doubling"))
    run = client.search_runs([experiment.experiment_id])[0]
    assert (run.data.params["floor"], run.data.metrics["f1"]) == ("3", 0.9)
    read = [(one.dataset.name, one.dataset.digest) for one in run.inputs.dataset_inputs]
    assert read == [("silver.order", "version 4")]
    # Without it MLflow's page shows trainings among the tools for language models.
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"
    assert run.info.status == "FINISHED"
    assert {entry.path for entry in client.list_artifacts(run.info.run_id)} == {"body.json", "model", "why.json"}


def test_a_model_that_leaves_rows_unscored_is_not_promoted(registry: ModelRegistry) -> None:
    good = registry.register("doubling", training(), run_name="run-1")
    registry.promote("doubling", good.version)
    bad = registry.register("doubling", training(None), run_name="run-2")
    with pytest.raises(ModelError, match=f"/{bad.version} leaves rows of its own example unscored; not promoted"):
        registry.promote("doubling", bad.version)
    champion = registry.champion("doubling")
    assert champion is not None
    assert champion.version == good.version


def test_rolling_back_goes_to_the_champion_before_and_no_further(registry: ModelRegistry) -> None:
    versions = [registry.register("doubling", training(), run_name=f"run-{number}").version for number in (1, 2, 3)]
    for version in (versions[0], versions[2]):
        registry.promote("doubling", version)
    # Version 2 was never champion: a rollback must not make it one.
    assert registry.roll_back("doubling").version == versions[0]
    with pytest.raises(ModelError, match=r"/1 is the first champion: there is none to go back to"):
        registry.roll_back("doubling")


def test_a_challenger_is_named_until_it_takes_the_place(registry: ModelRegistry) -> None:
    first, second = (registry.register("doubling", training(), run_name=f"run-{number}") for number in (1, 2))
    registry.promote("doubling", first.version)
    assert registry.challenger("doubling") is None
    registry.challenge("doubling", second.version)
    assert registry.challenger("doubling") == second.version
    registry.promote("doubling", second.version)
    assert registry.challenger("doubling") is None


def test_an_unknown_version_and_a_missing_champion_are_told(registry: ModelRegistry) -> None:
    with pytest.raises(ModelError, match=r"has no champion"):
        registry.roll_back("doubling")
    with pytest.raises(ModelError, match=r"has no version 7; it has none"):
        registry.promote("doubling", 7)


def test_a_store_that_does_not_answer_is_no_missing_champion(
    registry: ModelRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taken for one, a new model would be trained and take the champion's place."""
    registry.promote("doubling", registry.register("doubling", training(), run_name="run-1").version)

    def locked(*given: object) -> None:
        raise MlflowException("database is locked", error_code=TEMPORARILY_UNAVAILABLE)

    monkeypatch.setattr(MlflowClient, "get_model_version_by_alias", locked)
    with pytest.raises(ModelError, match=r"doubling: MLflow cannot be asked for its champion \(TEMPORARILY_UNAVAIL"):
        registry.champion("doubling")


@pytest.mark.parametrize(
    ("artifacts", "place"),
    [("s3://bucket/models/", "s3://bucket/models/gym-doubling"), ("/srv/a b", "file:///srv/a%20b/gym-doubling")],
)
def test_files_of_runs_lie_in_a_folder_or_at_a_uri(
    store: tuple[str, Path], monkeypatch: pytest.MonkeyPatch, artifacts: str, place: str
) -> None:
    made: list[str] = []
    monkeypatch.setattr(MlflowClient, "get_experiment_by_name", lambda *given: None)
    monkeypatch.setattr(
        MlflowClient, "create_experiment", lambda *given, artifact_location, tags: made.append(artifact_location) or "1"
    )
    ModelRegistry(store[0], artifacts, "gym", OWNER)._experiment("doubling")
    assert made == [place]


def test_a_run_that_a_kill_left_open_is_closed_by_the_next(registry: ModelRegistry, store: tuple[str, Path]) -> None:
    registry.register("doubling", training(), run_name="run-1")
    client = MlflowClient(*store[:1])
    experiment = client.get_experiment_by_name(registry.name("doubling")).experiment_id
    left_open = client.create_run(experiment, tags={"cdp.lakehouse": OWNER.lakehouse}).info.run_id
    registry.register("doubling", training(), run_name="run-2")
    assert client.get_run(left_open).info.status == "KILLED"


def test_the_models_of_the_pack_are_known_with_what_each_version_was_measured_by(
    registry: ModelRegistry, store: tuple[str, Path]
) -> None:
    assert registry.known() == ()
    for figure in (0.5, 0.75):
        registry.register("doubling", training(metrics={"f1": figure}), run_name="run-1")
    assert registry.known() == ("doubling",)
    assert registry.metrics("doubling") == {1: {"f1": 0.5}, 2: {"f1": 0.75}}
    assert registry.metrics("unknown") == {}
    assert ModelRegistry(*store, "another", OWNER).known() == ()


def promoted(registry: ModelRegistry, *, versions: int) -> list[int]:
    """So many versions, each champion in its turn."""
    made = [registry.register("doubling", training(), run_name=f"run-{number}").version for number in range(versions)]
    for version in made:
        registry.promote("doubling", version)
    return made


def without(file: str, registry: ModelRegistry, store: tuple[str, Path], version: int) -> None:
    """A version whose file somebody deleted."""
    client = MlflowClient(*store[:1])
    run_id = client.get_model_version(registry.name("doubling"), str(version)).run_id
    (found,) = (store[1] / registry.name("doubling") / str(run_id)).rglob(file)
    found.unlink()


def test_a_rollback_that_fails_changes_nothing(registry: ModelRegistry, store: tuple[str, Path]) -> None:
    first, second = promoted(registry, versions=2)
    without("python_model.pkl", registry, store, first)
    for _ in range(2):
        with pytest.raises(ModelError, match=rf"/{first} cannot score its own example .*; not promoted"):
            registry.roll_back("doubling")
        assert (registry.champion_version("doubling"), registry.before_champion("doubling")) == (second, first)


def test_a_version_without_its_body_is_not_promoted(registry: ModelRegistry, store: tuple[str, Path]) -> None:
    first, second = promoted(registry, versions=2)
    without("body.json", registry, store, first)
    with pytest.raises(ModelError, match=rf"/{first}: its body.json cannot be read .* cdp model promote doubling"):
        registry.promote("doubling", first)
    assert registry.champion_version("doubling") == second


def test_a_champion_without_its_body_can_be_replaced(registry: ModelRegistry, store: tuple[str, Path]) -> None:
    first, second = promoted(registry, versions=2)
    without("body.json", registry, store, second)
    with pytest.raises(ModelError, match=rf"/{second}: its body.json cannot be read"):
        registry.champion("doubling")
    assert registry.champion_version("doubling") == second
    assert registry.roll_back("doubling").version == first


def test_what_a_kill_left_between_alias_and_tag_is_made_good(registry: ModelRegistry, store: tuple[str, Path]) -> None:
    first, second, third = promoted(registry, versions=3)
    client = MlflowClient(*store[:1])
    # Cut off after the alias of a fourth, and of a rollback, had moved.
    fourth = registry.register("doubling", training(), run_name="run-4").version
    client.set_registered_model_alias(registry.name("doubling"), "champion", str(fourth))
    assert registry.before_champion("doubling") == third
    registry.promote("doubling", fourth)
    assert registry.roll_back("doubling").version == third
    client.set_registered_model_alias(registry.name("doubling"), "champion", str(second))
    assert registry.roll_back("doubling").version == first


def test_a_choice_is_remembered_until_a_run_promotes(registry: ModelRegistry) -> None:
    first, second = promoted(registry, versions=2)

    def chosen() -> bool:
        champion = registry.champion("doubling")
        assert champion is not None
        return champion.is_chosen

    assert not chosen()
    assert registry.roll_back("doubling").is_chosen
    assert chosen()
    registry.promote("doubling", second)
    assert not chosen()
    registry.promote("doubling", first, is_choice=True)
    assert chosen()
    assert registry.before_champion("doubling") == second
