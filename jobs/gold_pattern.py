"""Tell what is bought together, when and how often, and what each customer likes best."""

from pyspark.sql import functions as F

from cdp_lib.contracts import scores
from cdp_lib.io.caching import cached
from cdp_lib.settings.purchase_pattern import PurchasePattern
from cdp_lib.transforms.customer.preferences import preferences
from cdp_lib.transforms.purchase.baskets import baskets
from cdp_lib.transforms.purchase.patterns import purchase_patterns
from cdp_lib.workflow.context import JobContext
from cdp_lib.workflow.job import job
from jobs.forecasts.purchases import products_of, PURCHASE_READS, purchases_of
from jobs.page import run_page


@job(reads=PURCHASE_READS, writes=(scores.patterns,), shaped_by=("pack", "purchase_pattern"))
def run(ctx: JobContext) -> None:
    """Both tables from one look at the order lines."""
    settings, zone = ctx.pack.purchase_pattern or PurchasePattern(), ctx.pack.info.time_zone
    as_of = F.lit(ctx.as_of).alias("as_of_date")
    with cached(purchases_of(ctx)) as purchases, cached(products_of(ctx)) as products:
        with cached(baskets(purchases, products, as_of=ctx.as_of, time_zone=zone)) as kept:
            patterns = purchase_patterns(kept, settings, as_of=ctx.as_of)
            ctx.write(scores.PURCHASE_PATTERN, patterns.select("*", as_of))
        liked = preferences(purchases, products, as_of=ctx.as_of, time_zone=zone)
        ctx.write(scores.CUSTOMER_PREFERENCE, liked.select("*", as_of))


if __name__ == "__main__":
    run_page(__file__)
