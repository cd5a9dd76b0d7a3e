"""Turn bronze rows into the conformed entities: mapped by the pack, cleaned, one row per key, the newest version."""

from functools import reduce

from pyspark.sql import DataFrame, functions as F

from cdp_lib.contracts import activation, bronze, identity, silver
from cdp_lib.contracts.table import Table
from cdp_lib.settings.pack import Pack
from cdp_lib.settings.source import Feed, Source
from cdp_lib.transforms.campaign.answers import with_recipients
from cdp_lib.transforms.clean.customer_record import clean_customer_records, CleaningRules
from cdp_lib.transforms.clean.shared import affected_by, mask_shared
from cdp_lib.transforms.ingest.conform import conform_feed, newest_rows, not_older, rows_to_conform
from cdp_lib.workflow.context import JobContext
from cdp_lib.workflow.job import job
from jobs.page import run_page

_ADDED_BY_WRITER = ("_record_hash", "_run_id")


def _bronze_accepted(pack: Pack) -> tuple[Table, ...]:
    return tuple(bronze.accepted(source) for source in pack.sources)


def fed_entities(pack: Pack) -> tuple[Table, ...]:
    """The entities that the pack's sources feed; people and products first, for the checks of facts refer to them."""
    fact_last = sorted(silver.ENTITIES, key=lambda name: name in silver.FACT_TIME)
    return tuple(silver.ENTITIES[name] for name in fact_last if name in pack.fed)


@job(
    reads=(_bronze_accepted,),
    writes=(fed_entities,),
    # What earlier runs sent, and to whom: answers come after it.
    remembers=(silver.CUSTOMER_RECORD, activation.DELIVERY, *identity.TABLES),
    shaped_by=("pack", "source", "identity"),
)
def run(ctx: JobContext) -> None:
    """One entity after the other, from the sources that have something new for it."""
    for entity in fed_entities(ctx.pack):
        feeds = [
            (source, feed)
            for source in ctx.pack.sources
            for feed in source.feeds
            if feed.to == entity.noun and ctx.has_changed(bronze.accepted(source))
        ]
        if not feeds:
            continue
        ctx.say(f"{entity.name}: from {', '.join(dict.fromkeys(source.id for source, _ in feeds))}")
        mapped = reduce(DataFrame.unionByName, [_mapped(ctx, source, feed) for source, feed in feeds])
        ctx.write(entity, _completed(ctx, entity, newest_rows(mapped, entity)), whole=ctx.is_full)
    for entity in fed_entities(ctx.pack):
        ctx.judge_age(entity)


def _mapped(ctx: JobContext, source: Source, feed: Feed) -> DataFrame:
    table = bronze.accepted(source)
    rows = rows_to_conform(ctx.changes(table), ctx.read(table), source, feed, is_full=ctx.is_full)
    return conform_feed(rows, source, feed, ctx.pack.info)


def _completed(ctx: JobContext, entity: Table, newest: DataFrame) -> DataFrame:
    """With what the sources do not say."""
    if entity is silver.CUSTOMER_RECORD:
        return _people(ctx, newest)
    if entity is not silver.CAMPAIGN_RESPONSE:
        return newest
    if not any("message_id" in feed.map for source in ctx.pack.sources for feed in source.feeds):
        return newest.withColumn("person_source", F.lit(None).cast("string"))
    links = ctx.recall(identity.IDENTITY_LINK)
    # People come first: the records of a source that the pack has no more are gone by now.
    if silver.CUSTOMER_RECORD in fed_entities(ctx.pack):
        links = links.join(ctx.newest(silver.CUSTOMER_RECORD), list(silver.RECORD_KEY), "left_semi")
    sent, golden = ctx.recall(activation.DELIVERY), ctx.recall(identity.GOLDEN_RECORD)
    return with_recipients(newest, sent, ctx.recall(identity.IDENTITY_EVENT), golden, links)


def _people(ctx: JobContext, newest: DataFrame) -> DataFrame:
    """Cleaned records, and the stored ones whose shared values came or went with them."""
    info = ctx.pack.info
    limits: dict[str, int] = {field: count for field, count in ctx.pack.identity.shared_value_limits.items()}
    rules = CleaningRules(
        phone_region=info.phone_region,
        latest_birth_date=ctx.run.started_at.date(),
        day_first=info.day_first,
        placeholders=info.placeholders,
    )
    if ctx.is_full:
        return mask_shared(clean_customer_records(newest, rules), limits)
    stored = ctx.recall(silver.CUSTOMER_RECORD)
    changed = clean_customer_records(not_older(newest, stored, silver.CUSTOMER_RECORD), rules)
    existing = stored.drop(*_ADDED_BY_WRITER)
    others = affected_by(changed, existing, list(limits)) if limits else existing.where(F.lit(False))
    return mask_shared(changed.unionByName(others), limits)


if __name__ == "__main__":
    run_page(__file__)
