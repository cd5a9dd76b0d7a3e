"""Recommend products to every customer: what is due again, and what people with the same taste buy."""

from contextlib import ExitStack

from pyspark.sql import DataFrame, functions as F

from cdp_lib.contracts import identity, scores
from cdp_lib.io.caching import cached
from cdp_lib.models.ease import Ease
from cdp_lib.settings.recommendation import Recommendation
from cdp_lib.transforms.recommendation.choice import recommendations
from cdp_lib.transforms.recommendation.similarity import (
    comparable_products,
    most_bought,
    neighbours,
    product_figures,
    shared_among,
    shared_buyers,
)
from cdp_lib.transforms.recommendation.taste import tastes
from cdp_lib.workflow.context import JobContext
from cdp_lib.workflow.job import job
from jobs.forecasts.purchases import products_of, PURCHASE_READS, purchases_of
from jobs.page import run_page


@job(
    reads=(*PURCHASE_READS, identity.GOLDEN_RECORD),
    writes=(scores.recommendations,),
    shaped_by=("pack", "recommendation"),
)
def run(ctx: JobContext) -> None:
    """Everybody gets a list; who never bought gets what is popular."""
    settings, zone = ctx.pack.recommendation or Recommendation(), ctx.pack.info.time_zone
    customers = ctx.read(identity.GOLDEN_RECORD).select("golden_id")
    known = tastes(purchases_of(ctx), settings, as_of=ctx.as_of, time_zone=zone)
    with ExitStack() as kept:
        taste, products = (kept.enter_context(cached(frame)) for frame in (known, products_of(ctx)))
        comparable = kept.enter_context(cached(comparable_products(taste, settings)))
        left_out = comparable.agg(F.sum("left_out_count").alias("products")).collect()[0]["products"]
        if left_out:
            ctx.say(f"{left_out:,} products of heavy buyers say nothing of likeness (products_per_customer)")
        alike = kept.enter_context(cached(alike_products(comparable, settings, kept)))
        shown = recommendations(customers, taste, alike, products, settings)
        ctx.write(scores.RECOMMENDATION, shown.drop("kind_rank").select("*", F.lit(ctx.as_of).alias("as_of_date")))


def alike_products(comparable: DataFrame, settings: Recommendation, kept: ExitStack) -> DataFrame:
    """The `neighbours` of every product, with the weights of the model; what they are read from is kept meanwhile.

    Only counts of products come to the driver, half of `modelled_products` squared at most (3,000: 108 MB).
    """
    figures = kept.enter_context(cached(product_figures(comparable)))
    shared = kept.enter_context(cached(shared_buyers(comparable)))
    known = most_bought(figures, settings)
    model = Ease(settings.regularisation, kept=2 * settings.neighbours)
    weights = model.weights(known.toArrow(), shared_among(shared, known).toArrow())
    return neighbours(shared, figures, comparable.sparkSession.createDataFrame(weights), settings)


if __name__ == "__main__":
    run_page(__file__)
