"""Our checks in Great Expectations' terms. Only figures are computed: no value of a row ever reaches the driver.

GX's own map expectations fetch failing values, by a Spark job each, as soon as they are to report a count; its share of
non-null values calls an empty table a failure; its compound uniqueness is a window over the whole table. So the
expectations here ask for one SQL aggregate each, and GX computes all of a frame in one aggregation.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from great_expectations.core.metric_domain_types import MetricDomainTypes
from great_expectations.core.metric_function_types import MetricPartialFunctionTypes
from great_expectations.execution_engine.sparkdf_execution_engine import SparkDFExecutionEngine
from great_expectations.expectations.expectation import BatchExpectation, render_suite_parameter_string
from great_expectations.expectations.metadata_types import FailureSeverity
from great_expectations.expectations.metrics.metric_provider import metric_partial
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider
from great_expectations.render.components import LegacyRendererType, RenderedStringTemplateContent
from great_expectations.render.renderer.renderer import renderer
from pyspark.sql import Column, functions as F

from quality.verdict import Check

FIGURE = "table.figure"
CHECK_KEY = "check"
"""Where the meta of an expectation keeps the key of its check."""


class Figure(TableMetricProvider):
    """The value of one SQL aggregate expression; all figures of a frame are computed in one aggregation."""

    metric_name = FIGURE
    value_keys = ("expression",)

    @metric_partial(
        engine=SparkDFExecutionEngine,
        partial_fn_type=MetricPartialFunctionTypes.AGGREGATE_FN,
        domain_type=MetricDomainTypes.TABLE,
    )
    def _spark(
        cls,  # noqa: N805 - Great Expectations calls it with the class
        metric_domain_kwargs: dict[str, Any],
        metric_value_kwargs: dict[str, Any],
        **_given: Any,
    ) -> tuple[Column, dict[str, Any], dict[str, Any]]:
        return F.expr(f"CAST(({metric_value_kwargs['expression']}) AS DOUBLE)"), metric_domain_kwargs, {}


class ExpectFigureToBeBetween(BatchExpectation):
    """A SQL aggregate of the rows lies within bounds; a null aggregate has nothing to judge and passes."""

    expression: str
    statement: str
    min_value: float | None = None
    max_value: float | None = None
    column: str | None = None

    metric_dependencies = (FIGURE,)
    domain_keys: ClassVar[tuple[str, ...]] = ("batch_id",)
    success_keys: ClassVar[tuple[str, ...]] = ("expression", "statement", "min_value", "max_value", "column")
    args_keys: ClassVar[tuple[str, ...]] = ("expression", "min_value", "max_value")

    def _validate(self, metrics: dict[str, Any], *_unused: Any, **_given: Any) -> dict[str, Any]:
        figure, low, high = metrics[FIGURE], self.min_value, self.max_value
        holds = figure is None or ((low is None or figure >= low) and (high is None or figure <= high))
        return {"success": holds, "result": {"observed_value": figure}}

    @classmethod
    @renderer(renderer_type=LegacyRendererType.PRESCRIPTIVE)
    @render_suite_parameter_string
    def _prescriptive_renderer(
        cls, configuration: Any = None, result: Any = None, runtime_configuration: Any = None, **_given: Any
    ) -> list[RenderedStringTemplateContent]:
        kwargs = (configuration or result.expectation_config).kwargs
        return [
            RenderedStringTemplateContent(
                content_block_type="string_template",
                string_template={"template": "$statement", "params": {"statement": kwargs["statement"]}},
            )
        ]


class ExpectColumnToBeComplete(ExpectFigureToBeBetween):
    """No row lacks the column. The figure counts the rows that do."""


class ExpectConditionToHold(ExpectFigureToBeBetween):
    """No row breaks a SQL condition; a row where it is null passes. The figure counts the rows that break it."""


class ExpectKeyToBeUnique(ExpectFigureToBeBetween):
    """No key stands twice. The figure counts the rows too many."""


class ExpectReferencesToBeFound(ExpectFigureToBeBetween):
    """Rows name what stands in another table. The figure is the share of rows found."""


class ExpectDistributionToBeStable(ExpectFigureToBeBetween):
    """A column is distributed as before. The figure is the population stability index."""


class ExpectDistinctCountToBeBetween(ExpectFigureToBeBetween):
    """The columns hold so many different values. The figure counts them."""


_OF_FIGURES: Mapping[str, type[ExpectFigureToBeBetween]] = {
    kind.expectation_type: kind
    for kind in (
        ExpectColumnToBeComplete,
        ExpectConditionToHold,
        ExpectFigureToBeBetween,
        ExpectKeyToBeUnique,
        ExpectReferencesToBeFound,
        ExpectDistributionToBeStable,
        ExpectDistinctCountToBeBetween,
    )
}


def expectation_of(check: Check, expression: str | None = None) -> BatchExpectation:
    """The Great Expectations object of a check; `expression` reads its figure where that was prepared elsewhere."""
    return _OF_FIGURES[check.expectation](
        expression=expression or check.kwargs["expression"],
        statement=f"{check.statement}; allowed: {check.allowed}",
        min_value=check.kwargs.get("min_value"),
        max_value=check.kwargs.get("max_value"),
        column=check.columns[0] if len(check.columns) == 1 else None,
        severity=FailureSeverity.CRITICAL if check.severity == "error" else FailureSeverity.WARNING,
        meta={CHECK_KEY: check.key},
    )
