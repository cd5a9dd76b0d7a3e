"""Say what each customer is expected to spend: the lifetime value over the pack's horizon."""

from functools import partial

from pyspark.sql import DataFrame, functions as F

from cdp_lib.contracts import identity, scores
from cdp_lib.io.caching import cached
from cdp_lib.models.lifetime.discount import present_worth
from cdp_lib.models.lifetime.lifetime_value import LifetimeModel, SCORES
from cdp_lib.models.sanity import Outlook
from cdp_lib.models.scoring import score_rows
from cdp_lib.models.training import StoredModel
from cdp_lib.settings.forecast import LifetimeValue
from cdp_lib.workflow.context import JobContext
from cdp_lib.workflow.job import job
from jobs.forecasts.alike import as_others_did, SLACK
from jobs.forecasts.champions import in_force
from jobs.forecasts.history import History, purchase_history, READS
from jobs.forecasts.lifetime import CLTV, cltv_fit, learn_lifetime
from jobs.forecasts.monitor import Compared, watch, Watched
from jobs.forecasts.published import drift_of, is_too_early, publish
from jobs.moves import moves_of
from jobs.page import run_page

_SCHEMA = ", ".join(["golden_id string", *(f"{name} double" for name in SCORES)])


@job(
    reads=(*READS, identity.IDENTITY_EVENT),
    writes=(scores.cltv,),
    remembers=(scores.cltv,),
    shaped_by=("pack", "lifetime_value"),
    watches=moves_of(CLTV),
)
def run(ctx: JobContext) -> None:
    """Score everybody who ever bought with the model in force; without one, train it first."""
    settings = ctx.pack.lifetime_value or LifetimeValue()
    with purchase_history(ctx) as history:
        if is_too_early(ctx, scores.CLTV, history, settings.sanity):
            return
        fit = cltv_fit(history, settings)
        stored = in_force(ctx, CLTV, fit, partial(learn_lifetime, ctx, history, settings))
        model = LifetimeModel.from_dict(stored.body["model"])
        with cached(score_rows(history.features(), model.score, _SCHEMA)) as scored:
            outlook = _outlook(scored, history, stored, settings)
            publish(ctx, scores.CLTV, _rows(ctx, scored, settings, stored.label), outlook, settings.sanity)
        summed = {name: F.sum(name) for name in ("predicted_purchase_count", "cltv_amount")}
        watched = Watched(scores.CLTV, settings.horizon_days, summed, settings.yearly_discount)
        watch(ctx, watched, history, _compare)


def _rows(ctx: JobContext, scored: DataFrame, settings: LifetimeValue, label: str) -> DataFrame:
    amounts = [F.col(name).cast("decimal(18,2)").alias(name) for name in SCORES if name.endswith("_amount")]
    others = [name for name in SCORES if not name.endswith("_amount")]
    return scored.select(
        "golden_id",
        *others,
        *amounts,
        F.lit(ctx.as_of).alias("as_of_date"),
        F.lit(settings.horizon_days).cast("int").alias("horizon_days"),
        F.lit(ctx.pack.info.currency).alias("currency"),
        F.lit(label).alias("model_version"),
    )


def _outlook(scored: DataFrame, history: History, stored: StoredModel, settings: LifetimeValue) -> Outlook:
    """The forecast's total beside what customers would spend if they did as others did who stood as they do now.

    Both are discounted, the latter from the middle of the horizon.
    """
    alike = as_others_did(history, settings.horizon_days, settings.sanity.least_customers)
    worth = present_worth(settings.horizon_days / 2, settings.yearly_discount)
    said = scored.agg(F.sum("cltv_amount").alias("amount"), F.count(F.lit(1)).alias("customers")).collect()[0]
    return Outlook(
        what="spend",
        expected=float(said["amount"] or 0.0),
        naive=None if alike is None else alike.amount * worth,
        is_bound=alike is not None and alike.is_bound,
        slack=SLACK * int(said["customers"]) * history.mean_amount,
        drift=drift_of(scored, "cltv_amount", stored.body),
        customer_count=int(said["customers"]),
        silent_days=history.silent_days,
        longest_silence_days=history.longest_silence_days,
    )


def _compare(judged: DataFrame, share: float) -> dict[str, Compared]:
    predicted, future = F.col("predicted_purchase_count"), F.col("future_purchase_count")
    value = F.col("cltv_amount").cast("double")
    summed = judged.agg(
        F.sum(predicted).alias("purchases"),
        F.sum(future).alias("true_purchases"),
        F.sum(value).alias("spend"),
        F.sum("future_amount").alias("true_spend"),
        F.avg(F.abs(value * share - F.col("future_amount"))).alias("mae"),
    ).collect()[0]
    return {
        "purchase_count": Compared(summed["purchases"] * share, summed["true_purchases"]),
        "spend_amount": Compared(summed["spend"] * share, summed["true_spend"]),
        "spend_mae": Compared(None, summed["mae"]),
    }


if __name__ == "__main__":
    run_page(__file__)
