"""The model registry: the one place that knows MLflow. A model is a JSON body, and a pyfunc that scores with it.

Every training is a run of the pack's experiment for that model, and a version of the registered model of the same name.
`champion` names the version that scores; it moves only to a version that was loaded and has scored its own example.
`challenger` names the newest version that was compared with it and did not take its place.

Lakehouses may share a store, and their packs' names and run ids are the same: an experiment bears the id of the
lakehouse that made it, and another one takes another name beside it, so nobody uses or moves a champion not its own.
"""

import json
import logging
import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from pickle import PickleError
from urllib.parse import quote

import mlflow.pyfunc
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, ViewType
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models import infer_signature
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NOTE

from cdp_lib.errors import ModelError, near_miss
from cdp_lib.models.charts import draw
from cdp_lib.models.owner import Owner
from cdp_lib.models.training import Score, StoredModel, Training

CHAMPION, CHALLENGER = "champion", "challenger"
_CHAMPIONS = "champions"
"""Tag of a registered model: the versions that were champion, in that order, the present one last."""
_CHOSEN = "chosen"
"""Tag of a registered model: the version that somebody made champion by hand; gone once a run promotes another."""
_LAKEHOUSE = "cdp.lakehouse"
"""Tag of experiments and runs: the id of the lakehouse that made them."""
_BODY = "body.json"
_MODEL = "model"
_IN_MODEL_TRAINING = {"mlflow.experimentKind": "custom_model_development"}
"""MLflow's page shows an experiment without it among those of language models."""
_FAULTY_FILES = (MlflowException, OSError, ValueError)
_UNLOADABLE = (*_FAULTY_FILES, AttributeError, EOFError, ImportError, KeyError, PickleError, TypeError)
"""What a pickled model may fail with, of its files or of the code that it names."""
_NO_ALIAS = ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST")
"""What MLflow says of an alias that a model lacks, and of a model that it lacks."""
_QUIET = {
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # It would copy the project's lock file into every model.
    "MLFLOW_UV_AUTO_DETECT": "false",
    "MLFLOW_LOG_UV_FILES": "false",
}


class ModelRegistry:
    """Models of one pack of one lakehouse, named `<pack>-<model>`, in the MLflow store at a URI.

    Files of runs lie under `artifacts`, a folder or a URI.
    """

    def __init__(self, tracking_uri: str, artifacts: Path | str, pack: str, owner: Owner) -> None:
        for name, value in _QUIET.items():
            os.environ.setdefault(name, value)
        # It warns of how models are stored and tells each file that it copies, for every training.
        logging.getLogger("mlflow").setLevel(logging.ERROR)
        self._client = MlflowClient(tracking_uri, tracking_uri)
        self._artifacts = str(artifacts)
        self._pack = pack
        self._owner = owner

    def name(self, model: str) -> str:
        """The name of experiment and registered model: with the lakehouse's id where another lakehouse has this one."""
        plain = f"{self._pack}-{model}"
        known = None if self._owner.is_alone else self._client.get_experiment_by_name(plain)
        is_own = known is None or self._owner.owns(known.tags.get(_LAKEHOUSE), known.creation_time or 0)
        return plain if is_own else self._owner.apart(plain)

    def champion(self, model: str) -> StoredModel | None:
        """The version that scores; None before the first one is promoted. Raises ModelError where its body is gone."""
        version = self.champion_version(model)
        return None if version is None else self.stored(model, version)

    def champion_version(self, model: str) -> int | None:
        """Its number alone, which is told also where its files are gone."""
        return self._aliased(model, CHAMPION)

    def stored(self, model: str, version: int) -> StoredModel:
        """A version. Raises ModelError for an unknown one, and where its body is gone."""
        known = self.versions(model)
        if version not in known:
            raise ModelError(f"{self.name(model)} has no version {version}; it has {list(known) or 'none'}.")
        return self._stored(model, version)

    def versions(self, model: str) -> tuple[int, ...]:
        """Every registered version, oldest first."""
        return tuple(sorted(int(version.version) for version in self._found(model)))

    def known(self) -> tuple[str, ...]:
        """Models of the pack that have been registered, by the names that the other methods take."""
        mark, apart = f"{self._pack}-", self._owner.apart("")
        names = {entry.name for entry in self._client.search_registered_models(f"name LIKE '{mark}%'")}
        models = {name.removeprefix(mark).removesuffix(apart) for name in names if name.startswith(mark)}
        return tuple(sorted(model for model in models if self.name(model) in names))

    def metrics(self, model: str) -> dict[int, dict[str, float]]:
        """What every version was measured by in its training, oldest version first."""
        ordered = sorted(self._found(model), key=lambda version: int(version.version))
        runs = {int(version.version): self._client.get_run(str(version.run_id)) for version in ordered}
        return {number: dict(run.data.metrics) for number, run in runs.items()}

    def of_run(self, model: str, run_name: str) -> StoredModel | None:
        """The version that a training of this name left, so that a run tried again need not train twice; else None."""
        known = self._client.get_experiment_by_name(self.name(model))
        if known is None:
            return None
        named = f"attributes.run_name = '{run_name}' and {self._of_lakehouse}"
        runs = {run.info.run_id for run in self._client.search_runs([known.experiment_id], named)}
        versions = [int(version.version) for version in self._found(model) if version.run_id in runs]
        return self._stored(model, max(versions)) if versions else None

    def register(self, model: str, training: Training, *, run_name: str) -> StoredModel:
        """Record a training as a run and a version; no alias moves. A run that a kill left open is closed first."""
        experiment, name = self._experiment(model), self.name(model)
        self._close_killed(model, experiment)
        tags = {_LAKEHOUSE: self._owner.lakehouse}
        run_id = self._client.create_run(experiment, tags=tags, run_name=run_name).info.run_id
        outcome = "FAILED"
        try:
            source = self._record(run_id, training)
            if not self._client.search_registered_models(f"name = '{name}'"):
                self._client.create_registered_model(name)
            version = self._client.create_model_version(name, source, run_id)
            outcome = "FINISHED"  # with its version, never without
        finally:
            self._client.set_terminated(run_id, outcome)
        return StoredModel(name, int(version.version), training.body)

    def promote(self, model: str, version: int, *, is_choice: bool = False) -> StoredModel:
        """Make a version the champion once its body was read and it has scored its own example; twice is once.

        `is_choice`: somebody decided it by hand. Raises ModelError for an unknown version, and for one that cannot be
        read or cannot score; then the champion stays.
        """
        stored = self.stored(model, version)
        source = self._client.get_model_version(self.name(model), str(version)).source
        _prove(self.name(model), version, str(source))
        self._crown(model, version, is_choice)
        before = self._champions(model)
        if not before or before[-1] != version:
            self._remember_champions(model, [*before, version])
        return replace(stored, is_chosen=is_choice)

    def _crown(self, model: str, version: int, is_choice: bool) -> None:
        self._client.set_registered_model_alias(self.name(model), CHAMPION, str(version))
        if is_choice:
            self._client.set_registered_model_tag(self.name(model), _CHOSEN, str(version))
        elif _CHOSEN in self._tags(model):
            self._client.delete_registered_model_tag(self.name(model), _CHOSEN)
        if self._aliased(model, CHALLENGER) == version:
            self._client.delete_registered_model_alias(self.name(model), CHALLENGER)

    def challenge(self, model: str, version: int) -> None:
        """Name a version the challenger: it was compared with the champion, which stays."""
        self._client.set_registered_model_alias(self.name(model), CHALLENGER, str(version))

    def challenger(self, model: str) -> int | None:
        """The version that challenges; None: none does."""
        return self._aliased(model, CHALLENGER)

    def before_champion(self, model: str) -> int:
        """The version that was champion before this one. Raises ModelError where there was none."""
        champion = self.champion_version(model)
        if champion is None:
            known = sorted(entry.name for entry in self._client.search_registered_models())
            raise ModelError(f"{self.name(model)} has no champion.{near_miss(self.name(model), known)}")
        earlier = [version for version in self._until(model, champion) if version != champion]
        if not earlier:
            raise ModelError(f"{self.name(model)}/{champion} is the first champion: there is none to go back to.")
        return earlier[-1]

    def roll_back(self, model: str) -> StoredModel:
        """Make the champion before this one the champion again, by hand.

        Raises ModelError where there was none, and for one that cannot be read or score; then the champion stays.
        """
        version = self.before_champion(model)
        until = self._until(model, version)
        restored = self.promote(model, version, is_choice=True)
        self._remember_champions(model, until)
        return restored

    def _until(self, model: str, version: int) -> list[int]:
        """Champions up to the last time that this one became it; all of them where it is not noted."""
        noted = self._champions(model)
        last = max((place for place, one in enumerate(noted) if one == version), default=len(noted))
        return noted[: last + 1]

    def _champions(self, model: str) -> list[int]:
        return [int(version) for version in self._tags(model).get(_CHAMPIONS, "").split(",") if version]

    def _tags(self, model: str) -> dict[str, str]:
        return dict(self._client.get_registered_model(self.name(model)).tags)

    def _remember_champions(self, model: str, versions: Sequence[int]) -> None:
        said = ",".join(str(version) for version in versions)
        self._client.set_registered_model_tag(self.name(model), _CHAMPIONS, said)

    def _aliased(self, model: str, alias: str) -> int | None:
        try:
            return int(self._client.get_model_version_by_alias(self.name(model), alias).version)
        except MlflowException as problem:
            if problem.error_code not in _NO_ALIAS:
                raise ModelError(
                    f"{self.name(model)}: MLflow cannot be asked for its {alias} ({problem.error_code}). Nothing was "
                    "trained in its place; see that the store answers, then --resume."
                ) from None
            return None

    def _experiment(self, model: str) -> str:
        name = self.name(model)
        known = self._client.get_experiment_by_name(name)
        if known is not None:
            if known.tags.get(_LAKEHOUSE) is None:  # made before there were marks
                self._client.set_experiment_tag(known.experiment_id, _LAKEHOUSE, self._owner.lakehouse)
            return str(known.experiment_id)
        folder = self._artifacts if "://" in self._artifacts else Path(self._artifacts).absolute().as_uri()
        told = f"Every training of the pack {self._pack}'s model {model}: a run, and a version of {name}."
        tags = {**_IN_MODEL_TRAINING, MLFLOW_RUN_NOTE: told, _LAKEHOUSE: self._owner.lakehouse}
        place = f"{folder.rstrip('/')}/{quote(name)}"
        return str(self._client.create_experiment(name, artifact_location=place, tags=tags))

    def _close_killed(self, model: str, experiment: str) -> None:
        """One run at a time holds the lakehouse: one of its own that is still open is of a process that is gone."""
        done = {version.run_id for version in self._found(model)}
        still_open = f"attributes.status = 'RUNNING' and {self._of_lakehouse}"
        for run in self._client.search_runs([experiment], still_open, ViewType.ALL):
            self._client.set_terminated(run.info.run_id, "FINISHED" if run.info.run_id in done else "KILLED")

    @property
    def _of_lakehouse(self) -> str:
        """What MLflow's search says of the lakehouse's own runs."""
        return f"tags.`{_LAKEHOUSE}` = '{self._owner.lakehouse}'"

    def _found(self, model: str) -> list[ModelVersion]:
        return list(self._client.search_model_versions(f"name = '{self.name(model)}'"))

    def _record(self, run_id: str, training: Training) -> str:
        for key, value in training.parameters.items():
            self._client.log_param(run_id, key, value)
        for key, figure in training.metrics.items():
            self._client.log_metric(run_id, key, figure)
        self._client.log_inputs(run_id, [_dataset(table, version) for table, version in training.inputs.items()])
        for name, document in training.documents.items():
            self._client.log_text(run_id, json.dumps(document, indent=1, sort_keys=True), name)
        for name, chart in training.charts.items():
            self._client.log_figure(run_id, draw(chart), name)
        self._client.log_text(run_id, json.dumps(training.body, sort_keys=True), _BODY)
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / _MODEL
            mlflow.pyfunc.save_model(
                str(folder),
                python_model=_Scoring(training.scorer),
                signature=infer_signature(training.example, training.scorer(training.example)),
                input_example=training.example,
                # Inferring them would load the model in another process; it needs this suite, installed.
                pip_requirements=[],
            )
            self._client.log_artifacts(run_id, str(folder), _MODEL)
        return f"{self._client.get_run(run_id).info.artifact_uri}/{_MODEL}"

    def _stored(self, model: str, version: int) -> StoredModel:
        found = self._client.get_model_version(self.name(model), str(version))
        try:
            with tempfile.TemporaryDirectory() as scratch:
                path = self._client.download_artifacts(str(found.run_id), _BODY, scratch)
                body = json.loads(Path(path).read_text(encoding="utf-8"))
        except _FAULTY_FILES as problem:
            raise ModelError(
                f"{self.name(model)}/{version}: its {_BODY} cannot be read ({type(problem).__name__}). "
                f"Restore the files of its run, or choose another version: cdp model promote {model} --version N"
            ) from None
        is_chosen = self._tags(model).get(_CHOSEN) == str(version)
        return StoredModel(self.name(model), version, body, is_chosen)


def _dataset(table: str, version: int) -> DatasetInput:
    """The table at the version that was read, as MLflow's page lists and filters what a run has seen."""
    source = json.dumps({"delta_table_name": table, "delta_table_version": version})
    return DatasetInput(Dataset(name=table, digest=f"version {version}", source_type="delta_table", source=source))


class _Scoring(mlflow.pyfunc.PythonModel):  # type: ignore[misc, name-defined]  # MLflow has no types here
    """A scorer in MLflow's shape."""

    def __init__(self, score: Score) -> None:
        self.score = score

    def predict(self, context: object, model_input: pd.DataFrame, params: object = None) -> pd.DataFrame:
        """The scores of the rows."""
        del context, params
        return self.score(model_input)


def _prove(name: str, version: int, source: str) -> None:
    """A model that cannot be loaded, or scores nothing, registers with a mere warning."""
    try:
        loaded = mlflow.pyfunc.load_model(source)
        example = loaded.input_example
        scored = loaded.predict(example)
    except _UNLOADABLE as problem:
        raise ModelError(
            f"{name}/{version} cannot score its own example ({type(problem).__name__}); not promoted."
        ) from None
    if len(scored) != len(example) or bool(pd.DataFrame(scored).isna().any(axis=None)):
        raise ModelError(f"{name}/{version} leaves rows of its own example unscored; not promoted.")
