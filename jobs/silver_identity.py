"""Give every customer record a golden_id that stays the same from run to run, and every person one golden record."""

from pyspark.sql import DataFrame, functions as F

from cdp_lib.contracts import identity, silver
from cdp_lib.io.caching import cached
from cdp_lib.models.components import cluster_records
from cdp_lib.transforms.identity.exact import blocked_identifiers, identifier_keys, record_clusters
from cdp_lib.transforms.identity.golden_id import assign_golden_ids, link_rows, touched_golden_ids
from cdp_lib.transforms.identity.history import event_rows
from cdp_lib.transforms.identity.survivorship import golden_records
from cdp_lib.workflow.context import JobContext
from cdp_lib.workflow.job import job
from jobs.page import run_page

_ADDED_BY_WRITER = ("_record_hash", "_run_id")
_TOLD_AT_MOST = 20


@job(
    reads=(silver.CUSTOMER_RECORD,),
    writes=identity.TABLES,
    remembers=identity.TABLES,
    shaped_by=("pack", "identity"),
)
def run(ctx: JobContext) -> None:
    """Partition the records by their identifiers, recall who had which id, tell what changed, let sources survive."""
    records = ctx.read(silver.CUSTOMER_RECORD)
    _tell_blocked(ctx, records)
    ctx.say("who shares an identifier with whom")
    memberships = cluster_records(identifier_keys(records, ctx.pack.identity).toArrow(), ctx.pack.identity)
    clusters = record_clusters(records, ctx.spark.createDataFrame(memberships))
    events = ctx.recall(identity.IDENTITY_EVENT)
    assigned_now = assign_golden_ids(clusters, ctx.recall(identity.IDENTITY_LINK), events, run_id=ctx.run.run_id)
    with cached(assigned_now) as assigned:
        links = link_rows(assigned, ctx.run.started_at)
        ctx.write(identity.IDENTITY_LINK, links)
        ctx.write(
            identity.IDENTITY_EVENT,
            event_rows(assigned, events, run_id=ctx.run.run_id, occurred_at=ctx.run.started_at),
        )
        ctx.write(identity.GOLDEN_RECORD, _survivors(ctx, records, links, assigned))


def _survivors(ctx: JobContext, records: DataFrame, links: DataFrame, assigned: DataFrame) -> DataFrame:
    """Every person's golden record: computed for those touched, carried over for the others."""
    if ctx.is_full:
        return golden_records(records, links, ctx.pack.identity)
    changed = ctx.changes(silver.CUSTOMER_RECORD).select(*silver.RECORD_KEY).distinct()
    of_changed = links.join(changed, list(silver.RECORD_KEY), "left_semi").select("golden_id")
    touched = touched_golden_ids(assigned).unionByName(of_changed).distinct()
    touched_links = links.join(touched, "golden_id", "left_semi")
    touched_records = records.join(touched_links, list(silver.RECORD_KEY), "left_semi")
    fresh = golden_records(touched_records, touched_links, ctx.pack.identity)
    kept = ctx.recall(identity.GOLDEN_RECORD).drop(*_ADDED_BY_WRITER).join(touched, "golden_id", "left_anti")
    return kept.unionByName(fresh)


def _tell_blocked(ctx: JobContext, records: DataFrame) -> None:
    """Values that match nobody are never dropped in silence: field, reason and how many, no values."""
    dropped = blocked_identifiers(records, ctx.pack.identity)
    summed = dropped.groupBy("field", "reason").agg(
        F.count("*").alias("values"), F.sum("record_count").alias("records")
    )
    for row in summed.limit(_TOLD_AT_MOST).collect():
        ctx.say(
            f"{row['values']} values of {row['field']} match nobody ({row['reason']}), held by {row['records']} records"
        )


if __name__ == "__main__":
    run_page(__file__)
