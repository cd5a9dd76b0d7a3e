"""What earlier scores said beside what came true: rows of ops.model_monitor."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import date, timedelta

from pyspark.sql import DataFrame

from cdp_lib.contracts import ops
from cdp_lib.contracts.table import Table
from cdp_lib.transforms.features.purchases import purchase_labels
from cdp_lib.workflow.context import JobContext
from jobs.forecasts.history import History


@dataclass(frozen=True)
class Compared:
    """What one set of scores said and what came true: `predicted` is null where the metric has no such side."""

    predicted: float | None
    observed: float


Compare = Callable[[DataFrame, float], Mapping[str, Compared]]
"""From scores joined with their labels and the share of the horizon that has passed, to figures by metric."""


def watch(ctx: JobContext, table: Table, history: History, horizon_days: int, compare: Compare) -> None:
    """Compares the newest earlier scores whose horizon has passed, else the oldest ones, pro rata.

    Nothing to compare on a first run, nor where no day has passed.
    """
    before = ctx.published_before(table)
    chosen = _chosen(before, history.as_of, horizon_days)
    if chosen is None:
        return
    elapsed = min((history.as_of - chosen).days, horizon_days)
    labels = purchase_labels(history.days, chosen, elapsed)
    scores = ctx.read_version(table, before[chosen]).join(labels, "golden_id", "inner")
    known = scores.groupBy("model_version").count().orderBy("model_version").collect()
    if not known:
        return
    told = {
        "run_id": ctx.run.run_id,
        "table_name": table.name,
        "model_version": known[0]["model_version"],
        "scored_as_of_date": chosen,
        "horizon_days": horizon_days,
        "elapsed_days": elapsed,
        "customer_count": sum(one["count"] for one in known),
        "recorded_at": ctx.run.started_at,
    }
    found = compare(scores, elapsed / horizon_days)
    ctx.record(ops.MODEL_MONITOR, [{**told, "metric": metric, **asdict(figures)} for metric, figures in found.items()])


def _chosen(before: Mapping[date, int], as_of: date, horizon_days: int) -> date | None:
    passed = [day for day in before if day + timedelta(days=horizon_days) <= as_of]
    since = [day for day in before if day < as_of]
    return max(passed) if passed else min(since, default=None)
