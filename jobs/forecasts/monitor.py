"""What earlier scores said beside what came true: rows of ops.model_monitor."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import date, timedelta

from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame

from cdp_lib.contracts import identity, ops
from cdp_lib.contracts.table import Table
from cdp_lib.transforms.features.merged import by_todays_people
from cdp_lib.transforms.features.purchases import discounted, purchase_labels
from cdp_lib.workflow.context import JobContext
from jobs.forecasts.history import History


@dataclass(frozen=True)
class Compared:
    """What one set of scores said and what came true: `predicted` is null where the metric has no such side."""

    predicted: float | None
    observed: float


LEFT_OUT = "left_out_count"
"""Metric of customers who had scores and of whom nothing is known today; no row where there are none."""

Compare = Callable[[DataFrame, float], Mapping[str, Compared]]
"""From scores joined with their labels and the share of the horizon that has passed, to figures by metric."""


@dataclass(frozen=True)
class Watched:
    """A table of scores, and how the pack asks for them today.

    `merged` has the columns that are compared, each as the aggregate over customers who have turned out to be one.
    """

    table: Table
    horizon_days: int
    merged: Mapping[str, Column]
    yearly_discount: float = 0.0


def watch(ctx: JobContext, watched: Watched, history: History, compare: Compare) -> None:
    """Compares the newest earlier scores whose horizon has passed, else the oldest ones, pro rata.

    As-of date and horizon are those that the scores tell, whatever the pack asks for today; what was spent since is
    discounted to their day, by the pack's rate. Nothing to compare on a first run, nor where no day has passed.
    Customers who have been merged since are compared as one; who is left out, because today's purchases do not know
    the id any more, is counted.
    """
    before = ctx.published_before(watched.table)
    chosen = _chosen(before, history.as_of, watched.horizon_days)
    if chosen is None:
        return
    try:
        scores = ctx.read_version(watched.table, before[chosen])
    except AnalysisException:
        ctx.say(f"{watched.table.name} as of {chosen} can be read no more: what came true is not compared with it")
        return
    told = scores.select("as_of_date", "horizon_days", "model_version").orderBy("model_version").limit(1).collect()
    if not told or told[0]["as_of_date"] >= history.as_of:
        return
    day, horizon = told[0]["as_of_date"], told[0]["horizon_days"]
    elapsed = min((history.as_of - day).days, horizon)
    labels = purchase_labels(discounted(history.days, day, watched.yearly_discount), day, elapsed)
    people = by_todays_people(scores, ctx.read(identity.IDENTITY_EVENT), watched.merged)
    judged = people.join(labels, "golden_id", "inner")
    facts = {
        "run_id": ctx.run.run_id,
        "table_name": watched.table.name,
        "model_version": told[0]["model_version"],
        "scored_as_of_date": day,
        "horizon_days": horizon,
        "elapsed_days": elapsed,
        "customer_count": judged.count(),
        "recorded_at": ctx.run.started_at,
    }
    if facts["customer_count"]:
        found = dict(compare(judged, elapsed / horizon))
        left_out = people.count() - facts["customer_count"]
        if left_out:
            found[LEFT_OUT] = Compared(None, float(left_out))
        rows = [{**facts, "metric": metric, **asdict(figures)} for metric, figures in found.items()]
        ctx.record(ops.MODEL_MONITOR, rows)


def _chosen(before: Mapping[date, int], as_of: date, horizon_days: int) -> date | None:
    passed = [day for day in before if day + timedelta(days=horizon_days) <= as_of]
    since = [day for day in before if day < as_of]
    return max(passed) if passed else min(since, default=None)
