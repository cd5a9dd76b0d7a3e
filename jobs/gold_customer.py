"""Compute the single view: one row per person with who they are and what they did, for those whose data changed."""

from pyspark.sql import DataFrame

from cdp_lib.contracts import gold, identity, silver
from cdp_lib.contracts.table import Table
from cdp_lib.io.caching import cached
from cdp_lib.settings.pack import Pack
from cdp_lib.transforms.customer.single_view import carry_over, finish_view, observe
from cdp_lib.transforms.customer.touched import FactChanges, Snapshot, touched_customers
from cdp_lib.transforms.customer.traits import fact_traits, facts_of_people
from cdp_lib.workflow.context import JobContext
from cdp_lib.workflow.job import job
from jobs.page import run_page


def facts_of(pack: Pack) -> tuple[Table, ...]:
    """The facts that traits are computed from, and all others that are fed: they tell the data's last day."""
    wanted = pack.fed & set(silver.FACT_TIME) | set(fact_traits(pack))
    return tuple(silver.ENTITIES[name] for name in sorted(wanted))


@job(
    reads=(facts_of, identity.IDENTITY_LINK, identity.GOLDEN_RECORD),
    writes=(gold.tables,),
    remembers=(gold.tables,),
    shaped_by=("pack", "trait"),
)
def run(ctx: JobContext) -> None:
    """Observe the customers whose facts, identity or windows changed; carry the others over; date everyone."""
    links, people = ctx.read(identity.IDENTITY_LINK), ctx.read(identity.GOLDEN_RECORD)
    table = gold.customer(ctx.pack)
    if ctx.is_full or ctx.previous_as_of is None:
        ctx.say(f"everyone, as of {ctx.as_of}")
        observed = observe(people, _facts(ctx, links), ctx.pack, as_of=ctx.as_of)
        ctx.write(table, finish_view(observed, ctx.pack, as_of=ctx.as_of))
        return
    with cached(_touched(ctx, links, people)) as touched:
        ctx.say(f"{touched.count():,} customers, as of {ctx.as_of}")
        their_links = links.join(touched, "golden_id", "left_semi")
        their_records = people.join(touched, "golden_id", "left_semi")
        observed = observe(their_records, _facts(ctx, their_links), ctx.pack, as_of=ctx.as_of)
        everyone = carry_over(ctx.recall(table), touched, observed)
        ctx.write(table, finish_view(everyone, ctx.pack, as_of=ctx.as_of))


def _facts(ctx: JobContext, links: DataFrame) -> dict[str, DataFrame]:
    return {name: facts_of_people(ctx.read(silver.ENTITIES[name]), links) for name in fact_traits(ctx.pack)}


def _touched(ctx: JobContext, links: DataFrame, people: DataFrame) -> DataFrame:
    last = Snapshot(
        ctx.previous_as_of or ctx.as_of, ctx.former(identity.IDENTITY_LINK), ctx.former(identity.GOLDEN_RECORD)
    )
    current = _facts(ctx, links)
    changes = {
        name: FactChanges(current[name], ctx.changes(silver.ENTITIES[name]).drop("_change_type")) for name in current
    }
    return touched_customers(last, Snapshot(ctx.as_of, links, people), changes, ctx.pack)


if __name__ == "__main__":
    run_page(__file__)
