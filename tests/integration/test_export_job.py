"""Files for people outside: one that leads to a message leaves out who may not get it."""

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from cdp_lib.errors import ConfigError, StorageError
from cdp_lib.settings.settings import MlflowSettings
from jobs.exports import write_exports
from tests.integration.shop import FIRST_DAY, Purchase, shop

AUDIENCE = """
kind: audience
id: buyers
where: {trait: order_count, gte: 1}
---
"""
EXPORT = """
kind: export
id: letters
columns: {Id: golden_id}
may_receive: {channel: email}
"""


def test_an_export_leaves_out_who_may_not_receive_it(
    spark: SparkSession, tmp_path: Path, mlflow_store: MlflowSettings
) -> None:
    one = shop(spark, tmp_path / "letters", tmp_path / "lake", mlflow_store, AUDIENCE + EXPORT)
    one.publish([Purchase(name, FIRST_DAY, "9.00") for name in ("ann", "bob", "eve")])
    with pytest.raises(StorageError, match=r"export letters leaves out who unsubscribed, but .*First: cdp run daily"):
        list(write_exports(one.suite, tmp_path / "out", None))

    one.agree("ann", "bob")
    one.suppress("bob")
    list(write_exports(one.suite, tmp_path / "out", None))
    assert (tmp_path / "out" / "letters.csv").read_text().split() == ["Id", "ann"]


def test_a_pack_that_gathers_no_unsubscribing_is_told(
    spark: SparkSession, tmp_path: Path, mlflow_store: MlflowSettings
) -> None:
    with pytest.raises(ConfigError, match=r"exports\[0\]\.may_receive: nobody's unsubscribing is gathered"):
        shop(spark, tmp_path / "letters", tmp_path / "lake", mlflow_store, EXPORT)
