"""One Great Expectations run over one frame: figures and verdicts come back, no value of a row, no exception text."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import great_expectations as gx
from great_expectations.core.batch_definition import BatchDefinition
from great_expectations.data_context.data_context.ephemeral_data_context import EphemeralDataContext
from great_expectations.data_context.types.base import (
    DataContextConfig,
    InMemoryStoreBackendDefaults,
    ProgressBarsConfig,
)
from great_expectations.exceptions.exceptions import GreatExpectationsError
from great_expectations.expectations.expectation import BatchExpectation
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame

from quality.expectations import CHECK_KEY

FRAME_FAULTS = (GreatExpectationsError, PySparkException)
"""What a frame or an expression that Spark cannot evaluate raises."""

_RESULT_FORMAT = {"result_format": "BASIC", "partial_unexpected_count": 0, "exclude_unexpected_values": True}
"""GX's leanest form that still tells figures. Our expectations ask for nothing else, whatever it says."""

_TELL_VALUES = ("great_expectations", "SQLQueryContextLogger", "DataFrameQueryContextLogger")
"""Great Expectations' loggers, and those by which PySpark reports a failed expression."""


@dataclass(frozen=True)
class Outcome:
    """What Great Expectations says of one check: `document` is its result as JSON; `obstacle` why there is none."""

    success: bool
    figure: float | None = None
    document: Mapping[str, Any] = field(default_factory=dict)
    obstacle: str = ""


def validate(frame: DataFrame, expectations: Sequence[BatchExpectation]) -> dict[str, Outcome]:
    """Check key -> outcome. One aggregation of `frame` answers all `expectations`.

    Raises one of FRAME_FAULTS when an expression cannot be evaluated: then none has been.
    """
    batch = _batch_definition()
    validator = batch.data_asset.datasource.data_context.get_validator(
        batch_request=batch.build_batch_request(batch_parameters={"dataframe": frame}),
        create_expectation_suite_with_name="checks",
    )
    results = validator.graph_validate(
        configurations=[expectation.configuration for expectation in expectations],
        # GX retries a failed aggregation three times and keeps the exception's text unless it may raise.
        runtime_configuration={"result_format": _RESULT_FORMAT, "catch_exceptions": False},
    )
    return {
        result.expectation_config.meta[CHECK_KEY]: Outcome(
            bool(result.success), result.result.get("observed_value"), result.to_json_dict()
        )
        for result in results
    }


def error_condition(problem: BaseException) -> str:
    """Spark's name of an error, e.g. CAST_INVALID_INPUT, else the kind of its first cause.

    Never the text, which may hold values of rows.
    """
    cause: BaseException | None = problem
    innermost = problem
    while cause is not None:
        if isinstance(cause, PySparkException) and (condition := cause.getCondition()):
            return str(condition)
        innermost, cause = cause, cause.__cause__ or cause.__context__
    return type(innermost).__name__


def _batch_definition() -> BatchDefinition[Any]:
    source = quiet_context().data_sources.add_spark("candidate", persist=False)
    return source.add_dataframe_asset("frame").add_batch_definition_whole_dataframe("whole")


def quiet_context() -> EphemeralDataContext:
    """A Great Expectations context in memory: no files, no progress bars, nothing sent anywhere."""
    config = DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        progress_bars=ProgressBarsConfig(globally=False, metric_calculations=False),
        analytics_enabled=False,
    )
    return gx.get_context(mode="ephemeral", project_config=config)


@contextmanager
def quiet_logs() -> Iterator[None]:
    """Within it, what would log the text of exceptions says nothing: the text may hold values of rows."""
    loggers = [logging.getLogger(name) for name in _TELL_VALUES]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
