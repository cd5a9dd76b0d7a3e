"""Recommend products to every customer: what is due again, and what people with the same taste buy."""

from contextlib import ExitStack

from pyspark.sql import functions as F

from cdp_lib.contracts import identity, scores
from cdp_lib.io.caching import cached
from cdp_lib.settings.recommendation import Recommendation
from cdp_lib.transforms.recommendation.choice import recommendations
from cdp_lib.transforms.recommendation.similarity import comparable_products, neighbours
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
        alike = kept.enter_context(cached(neighbours(comparable, settings)))
        shown = recommendations(customers, taste, alike, products, settings)
        ctx.write(scores.RECOMMENDATION, shown.drop("kind_rank").select("*", F.lit(ctx.as_of).alias("as_of_date")))


if __name__ == "__main__":
    run_page(__file__)
