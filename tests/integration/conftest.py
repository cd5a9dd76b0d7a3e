"""What several integration tests share."""

import pytest

from cdp_lib.settings.settings import MlflowSettings


@pytest.fixture(scope="session")
def mlflow_store(tmp_path_factory: pytest.TempPathFactory) -> MlflowSettings:
    """One MLflow store for all tests: making its tables takes ten seconds."""
    folder = tmp_path_factory.mktemp("mlflow_store")
    return MlflowSettings(tracking_uri=f"sqlite:///{folder}/mlflow.db", artifacts=str(folder / "artifacts"))
