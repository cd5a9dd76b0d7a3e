"""Python workers asked for early: once a session, and without a word where it cannot be."""

import pytest
from py4j.protocol import Py4JError
from pyspark.sql import SparkSession

from cdp_lib.io import early_start
from cdp_lib.io.early_start import start_python_workers


def test_a_session_is_asked_once_and_answers(spark: SparkSession) -> None:
    early_start._ASKED.clear()
    thread = start_python_workers(spark)
    thread.join(60)
    assert not thread.is_alive()
    assert start_python_workers(spark) is thread


def test_a_worker_that_does_not_start_is_left_to_those_who_need_it(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def ended(self: SparkSession, *args: object, **options: object) -> None:
        raise Py4JError("the session has ended")

    monkeypatch.setattr(SparkSession, "range", ended)
    with caplog.at_level("DEBUG", logger=early_start.__name__):
        early_start._ask(spark)
    assert [record.getMessage() for record in caplog.records] == ["early_start=failed problem=Py4JError"]
