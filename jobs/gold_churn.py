"""Say how likely each customer is to stay away, and why."""

from functools import partial

import numpy as np
from pyspark.sql import Column, DataFrame, functions as F

from cdp_lib.contracts import identity, scores
from cdp_lib.io.caching import cached
from cdp_lib.models.churn.evaluation import auc_of_counts
from cdp_lib.models.churn.scorer import ChurnScorer
from cdp_lib.models.sanity import Outlook
from cdp_lib.models.scoring import score_rows
from cdp_lib.models.training import StoredModel
from cdp_lib.settings.forecast import Churn
from cdp_lib.workflow.context import JobContext
from cdp_lib.workflow.job import job
from jobs.forecasts.alike import as_others_did, SLACK
from jobs.forecasts.champions import in_force
from jobs.forecasts.churn import band_limits, CHURN, churn_fit, learn_churn, unheard
from jobs.forecasts.history import History, purchase_history, READS_WITH_PRODUCTS
from jobs.forecasts.monitor import Compared, watch, Watched
from jobs.forecasts.published import drift_of, is_too_early, publish
from jobs.moves import moves_of
from jobs.page import run_page

_SCHEMA = "golden_id string, churn_probability double, churn_band string, reasons array<string>"


@job(
    reads=(*READS_WITH_PRODUCTS, identity.IDENTITY_EVENT),
    writes=(scores.churn,),
    remembers=(scores.churn,),
    shaped_by=("pack", "churn"),
    watches=moves_of(CHURN),
)
def run(ctx: JobContext) -> None:
    """Score everybody who ever bought with the model in force; without one, train it first."""
    settings = ctx.pack.churn or Churn()
    with purchase_history(ctx, with_products=True) as history:
        if is_too_early(ctx, scores.CHURN_SCORE, history, settings.sanity):
            return
        why = unheard(history, settings)
        if why:
            ctx.withhold(scores.CHURN_SCORE, "a_horizon_has_passed", why)
            return
        fit = churn_fit(history, settings)
        stored = in_force(ctx, CHURN, fit, partial(learn_churn, ctx, history, settings))
        scorer = ChurnScorer.from_dict(stored.body["model"]).with_limits(band_limits(settings))
        with cached(score_rows(history.features(), scorer.score, _SCHEMA)) as scored:
            outlook = _outlook(scored, history, stored, settings)
            publish(ctx, scores.CHURN_SCORE, _rows(ctx, scored, settings, stored.label), outlook, settings.sanity)
        watch(ctx, Watched(scores.CHURN_SCORE, settings.horizon_days, _merged()), history, _compare)


def _rows(ctx: JobContext, scored: DataFrame, settings: Churn, label: str) -> DataFrame:
    return scored.select(
        "golden_id",
        "churn_probability",
        "churn_band",
        F.col("reasons").alias("top_reasons"),
        F.lit(ctx.as_of).alias("as_of_date"),
        F.lit(settings.horizon_days).cast("int").alias("horizon_days"),
        F.lit(label).alias("model_version"),
    )


def _outlook(scored: DataFrame, history: History, stored: StoredModel, settings: Churn) -> Outlook:
    """Customers expected to buy beside as many as would if they did as others did who stood as they do now."""
    alike = as_others_did(history, settings.horizon_days, settings.sanity.least_customers)
    said = scored.agg(
        F.sum(1 - F.col("churn_probability")).alias("stay"), F.count(F.lit(1)).alias("customers")
    ).collect()[0]
    return Outlook(
        what="customers who buy",
        expected=float(said["stay"] or 0.0),
        naive=None if alike is None else alike.buyers,
        is_bound=alike is not None and alike.is_bound,
        slack=SLACK * int(said["customers"]),
        drift=drift_of(scored, "churn_probability", stored.body),
        customer_count=int(said["customers"]),
        silent_days=history.silent_days,
        longest_silence_days=history.longest_silence_days,
    )


def _merged() -> dict[str, Column]:
    """Somebody known by several ids stays away where none of them comes back."""
    return {"churn_probability": F.product("churn_probability")}


def _compare(judged: DataFrame, share: float) -> dict[str, Compared]:
    """Of a horizon that has passed: rates and Brier score; of a part of it: how well the scores rank who bought."""
    churned = 1 - F.col("has_purchase")
    counted = judged.groupBy(F.round("churn_probability", 3).alias("score")).agg(
        F.count(F.lit(1)).alias("customers"), F.sum(churned).alias("churned")
    )
    rows = counted.orderBy("score").collect()
    customers, lost = (np.array([row[name] for row in rows], dtype=np.float64) for name in ("customers", "churned"))
    figures = (
        {} if not 0 < lost.sum() < customers.sum() else {"auc": Compared(None, auc_of_counts(lost, customers - lost))}
    )
    if share < 1:
        return figures
    chance = F.col("churn_probability")
    summed = judged.agg(
        F.avg(chance).alias("said"), F.avg(churned).alias("true"), F.avg((chance - churned) ** 2).alias("brier")
    ).collect()[0]
    return figures | {
        "churn_rate": Compared(summed["said"], summed["true"]),
        "brier": Compared(None, summed["brier"]),
    }


if __name__ == "__main__":
    run_page(__file__)
