"""Shops with channels on loopback."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from cdp_lib.connectors.kit.bench import Bench
from cdp_lib.connectors.kit.server import LoopbackServer
from cdp_lib.settings.settings import MlflowSettings
from jobs.compose import Suite
from tests.integration.mailing import shop_with

OpenShop = Callable[[str, Mapping[str, tuple[Bench, LoopbackServer]]], Suite]


@pytest.fixture
def open_shop(
    spark: SparkSession, tmp_path: Path, mlflow_store: MlflowSettings, monkeypatch: pytest.MonkeyPatch
) -> OpenShop:
    """Opens a shop with these documents and destinations, whose secrets stand in the environment."""

    def opened(rules: str, channels: Mapping[str, tuple[Bench, LoopbackServer]]) -> Suite:
        suite, secrets = shop_with(spark, tmp_path, mlflow_store, rules, channels)
        for name, value in secrets.items():
            monkeypatch.setenv(name, value)
        return suite

    return opened
