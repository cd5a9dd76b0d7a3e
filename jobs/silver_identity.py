"""Give every customer record a golden_id that stays the same from run to run, and every person one golden record."""

from contextlib import AbstractContextManager, nullcontext

from pyspark.sql import DataFrame, functions as F

from cdp_lib.contracts import identity, matching, silver
from cdp_lib.io.caching import cached
from cdp_lib.io.local_rows import content_rows
from cdp_lib.transforms.identity.decisions import decisions_in_force
from cdp_lib.transforms.identity.exact import blocked_identifiers, record_key
from cdp_lib.transforms.identity.golden_id import assign_golden_ids, link_rows, touched_golden_ids
from cdp_lib.transforms.identity.history import event_rows
from cdp_lib.transforms.identity.increment import records_in, with_keys_of, within
from cdp_lib.transforms.identity.review import review_pairs
from cdp_lib.transforms.identity.scoring import named_pairs
from cdp_lib.transforms.identity.survivorship import golden_records
from cdp_lib.workflow.context import JobContext
from cdp_lib.workflow.job import job
from jobs.matching.finding import few, find_all, find_news, Found, News, news_of
from jobs.matching.matchers import MATCH
from jobs.matching.people import Keep
from jobs.moves import moves_of
from jobs.page import run_page

_ADDED_BY_WRITER = ("_record_hash", "_run_id")
_TOLD_AT_MOST = 20


@job(
    reads=(silver.CUSTOMER_RECORD, identity.IDENTITY_OVERRIDE),
    writes=(identity.tables,),
    remembers=(identity.tables,),
    shaped_by=("pack", "identity"),
    watches=moves_of(MATCH),
)
def run(ctx: JobContext) -> None:
    """Find who belongs together, recall who had which id, tell what changed, let sources survive."""
    records = ctx.read(silver.CUSTOMER_RECORD)
    decided = decisions_in_force(ctx.read(identity.IDENTITY_OVERRIDE))
    with ctx.checkpoints() as keep:
        keep_few = few(keep)
        news = news_of(ctx, keep_few)
        if news is None:
            _tell_blocked(ctx, records)
        decisions = keep(within(decided, _decided_and_known(decided, records)))
        with _found(ctx, news, records, decisions, keep) as found:
            events = ctx.recall(identity.IDENTITY_EVENT)
            assigned_now = assign_golden_ids(found.clusters, found.previous, events, run_id=ctx.run.run_id)
            with cached(assigned_now) if news is None else nullcontext(keep(assigned_now)) as assigned:
                links = _publish_links(ctx, assigned, events, keep_few, is_whole=news is None)
                if news is None:
                    ctx.write(identity.GOLDEN_RECORD, golden_records(records, links, ctx.pack.identity), whole=True)
                else:
                    touched = keep_few(_people_touched(assigned, links, news.changed))
                    _publish_people(ctx, records, links, touched, keep_few)
                _publish_review(ctx, found, links, decisions)


def _found(
    ctx: JobContext, news: News | None, records: DataFrame, decisions: DataFrame, keep: Keep
) -> AbstractContextManager[Found]:
    return find_all(ctx, records, decisions, keep) if news is None else find_news(ctx, news, records, decisions, keep)


def _publish_links(
    ctx: JobContext, assigned: DataFrame, events: DataFrame, keep_few: Keep, *, is_whole: bool
) -> DataFrame:
    """Writes links and events; all links as they are from now on. `is_whole`: `assigned` are all records."""
    fresh = link_rows(assigned, ctx.run.started_at)
    told = event_rows(assigned, events, run_id=ctx.run.run_id, occurred_at=ctx.run.started_at)
    if is_whole:
        ctx.write(identity.IDENTITY_LINK, fresh, whole=True)
        ctx.write(identity.IDENTITY_EVENT, told)
        return fresh
    vanished = assigned.where(F.col("golden_id").isNull()).select(*silver.RECORD_KEY)
    ctx.write(identity.IDENTITY_LINK, fresh, gone=vanished)
    ctx.write(identity.IDENTITY_EVENT, told)
    former = ctx.recall(identity.IDENTITY_LINK).drop("_run_id")
    asked = keep_few(assigned.select(*silver.RECORD_KEY))
    others = former.join(asked, list(silver.RECORD_KEY), "left_anti")
    return others.select(*fresh.columns).unionByName(fresh)


def _decided_and_known(decided: DataFrame, records: DataFrame) -> DataFrame:
    """One row per record that people decided about and that is there: the few decisions look for their records."""
    return with_keys_of(records.select(record_key().alias("record_key")), records_in(decided), ["record_key"])


def _people_touched(assigned: DataFrame, links: DataFrame, changed: DataFrame) -> DataFrame:
    """One row per golden_id that gained or lost a record, or one of whose records changed."""
    of_changed = links.join(changed, list(silver.RECORD_KEY), "left_semi").select("golden_id")
    return touched_golden_ids(assigned).unionByName(of_changed).distinct()


def _publish_people(ctx: JobContext, records: DataFrame, links: DataFrame, touched: DataFrame, keep_few: Keep) -> None:
    """Writes the golden records of the people touched; ids that ended leave."""
    their_links = keep_few(links.join(touched, "golden_id", "left_semi").select(*silver.RECORD_KEY, "golden_id"))
    their_records = records.join(their_links, list(silver.RECORD_KEY), "left_semi")
    ctx.write(identity.GOLDEN_RECORD, golden_records(their_records, their_links, ctx.pack.identity), gone=touched)


def _publish_review(ctx: JobContext, found: Found, links: DataFrame, decisions: DataFrame) -> None:
    """Writes the pairs that people should judge, where the pack matches by probability."""
    settings = ctx.pack.identity.matching
    if settings is None or found.pairs is None:
        return
    if found.named is None:
        ctx.write(matching.REVIEW_PAIR, content_rows(ctx.spark, matching.REVIEW_PAIR, []))
        return
    doubtful = found.named.matcher.most_doubtful
    uncertain = review_pairs(named_pairs(found.pairs), links, decisions, settings, threshold=doubtful)
    ctx.write(matching.REVIEW_PAIR, uncertain)


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
