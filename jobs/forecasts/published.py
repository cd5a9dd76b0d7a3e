"""Fresh scores on their way to people: looked at as a whole, then published or withheld."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import Column, DataFrame, functions as F

from cdp_lib.contracts.table import Table
from cdp_lib.models.sanity import bucket_shares, doubts, DRIFT, Outlook, score_edges, SILENCE, stability_index
from cdp_lib.settings.forecast import Sanity
from cdp_lib.workflow.context import JobContext
from jobs.forecasts.champions import AS_OF, CUSTOMER_COUNT, Fit, HORIZON_DAYS, IS_LABELLED, SETTINGS_HASH
from jobs.forecasts.history import History

Floats = NDArray[np.float64]


def is_too_early(ctx: JobContext, table: Table, history: History, settings: Sanity) -> bool:
    """Whether there is too little to learn from; then it is told, and nothing is trained or published."""
    if not history.customer_count:
        ctx.withhold(table, "somebody_has_bought", "no customer has bought anything")
    elif history.length_days < settings.least_history_days:
        told = f"{history.length_days} days of purchases, {settings.least_history_days} needed"
        ctx.withhold(table, "history_is_long_enough", f"{told} (sanity.least_history_days)")
    else:
        return False
    return True


def model_body(model: Mapping[str, Any], fit: Fit, scored: Floats, as_of: date) -> dict[str, Any]:
    """What the registry keeps of a model: itself, what it fits, and how its scores were spread in the training."""
    edges = score_edges(scored)
    return {
        SETTINGS_HASH: fit.settings_hash,
        CUSTOMER_COUNT: fit.customer_count,
        HORIZON_DAYS: fit.horizon_days,
        IS_LABELLED: fit.is_labelled,
        "model": model,
        "score_edges": list(edges),
        "score_shares": list(bucket_shares(scored, edges)),
        AS_OF: as_of.isoformat(),
    }


def drift_of(scores: DataFrame, column: str, body: Mapping[str, Any]) -> float:
    """Population stability index of the scores against those that the model gave in its training."""
    edges: Sequence[float] = body["score_edges"]
    value = F.col(column).cast("double")
    bucket: Column = sum((F.when(value >= edge, 1).otherwise(0) for edge in edges), F.lit(0))
    counts = np.zeros(len(edges) + 1)
    for row in scores.groupBy(bucket.alias("bucket")).count().collect():
        counts[row["bucket"]] = row["count"]
    return stability_index(body["score_shares"], counts / max(counts.sum(), 1.0))


def is_drifting(ctx: JobContext, table: Table) -> bool:
    """Whether the table was last withheld because its scores drift; not where orders had stopped, which explains it."""
    checks = ctx.withheld_last(table)
    return DRIFT in checks and SILENCE not in checks


def publish(ctx: JobContext, table: Table, rows: DataFrame, outlook: Outlook, settings: Sanity) -> bool:
    """Writes the scores, or tells why they are withheld; then the table's former scores stay served."""
    found = doubts(outlook, settings)
    for check, observed in found.items():
        ctx.withhold(table, check, observed)
    if not found:
        ctx.write(table, rows, kept=True)
    return not found
