"""Train a challenger for lifetime value and let it compete with the champion on the last horizon."""

from functools import partial

from cdp_lib.contracts import scores
from cdp_lib.settings.forecast import LifetimeValue
from cdp_lib.workflow.context import JobContext
from cdp_lib.workflow.job import job
from jobs.forecasts.champions import compete
from jobs.forecasts.history import purchase_history, READS
from jobs.forecasts.lifetime import CLTV, cltv_fit, learn_lifetime
from jobs.forecasts.published import is_drifting
from jobs.page import run_page


@job(reads=READS, writes=(), shaped_by=("pack", "lifetime_value"))
def run(ctx: JobContext) -> None:
    """Nothing is trained from too short a history; what was promoted scores from the next daily run on."""
    settings = ctx.pack.lifetime_value or LifetimeValue()
    with purchase_history(ctx) as history:
        if history.length_days >= settings.sanity.least_history_days:
            learn = partial(learn_lifetime, ctx, history, settings)
            compete(ctx, CLTV, cltv_fit(history, settings), learn, is_drifting=is_drifting(ctx, scores.CLTV))


if __name__ == "__main__":
    run_page(__file__)
