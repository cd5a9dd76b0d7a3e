"""Train a challenger for churn and let it compete with the champion on the last horizon."""

from functools import partial

from cdp_lib.contracts import scores
from cdp_lib.settings.forecast import Churn
from cdp_lib.workflow.context import JobContext
from cdp_lib.workflow.job import job
from jobs.forecasts.champions import compete
from jobs.forecasts.churn import CHURN, churn_fit, learn_churn, unheard
from jobs.forecasts.history import purchase_history, READS_WITH_PRODUCTS
from jobs.forecasts.published import is_drifting
from jobs.page import run_page


@job(reads=READS_WITH_PRODUCTS, writes=(), shaped_by=("pack", "churn"))
def run(ctx: JobContext) -> None:
    """Nothing is trained from too short a history; what was promoted scores from the next daily run on."""
    settings = ctx.pack.churn or Churn()
    with purchase_history(ctx, with_products=True) as history:
        if history.length_days < settings.sanity.least_history_days:
            return
        why = unheard(history, settings)
        if why:
            ctx.say(f"nothing is trained: {why}")
            return
        learn = partial(learn_churn, ctx, history, settings)
        compete(ctx, CHURN, churn_fit(history, settings), learn, is_drifting=is_drifting(ctx, scores.CHURN_SCORE))


if __name__ == "__main__":
    run_page(__file__)
