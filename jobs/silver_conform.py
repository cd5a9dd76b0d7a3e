"""Turn bronze rows into the conformed entities: mapped by the pack, cleaned, one row per key, the newest version."""

from collections.abc import Callable, Sequence
from functools import reduce
from itertools import groupby

from pyspark.sql import DataFrame, functions as F

from cdp_lib.contracts import activation, bronze, identity, silver
from cdp_lib.contracts.table import Table
from cdp_lib.settings.pack import Pack
from cdp_lib.settings.source import Feed, Source
from cdp_lib.transforms.campaign.answers import with_recipients
from cdp_lib.transforms.clean.customer_record import clean_customer_records, CleaningRules
from cdp_lib.transforms.clean.shared import affected_by, mask_shared
from cdp_lib.transforms.ingest.conform import conform_feed, newest_rows, News, not_older, truth_about
from cdp_lib.transforms.ingest.versions import (
    forgets,
    rows_in_doubt,
    rows_of_groups,
    rows_that_count,
    taken,
    touched_groups,
    with_same,
)
from cdp_lib.workflow.context import JobContext
from cdp_lib.workflow.job import job
from jobs.page import run_page

Fed = tuple[Source, Feed]
Keep = Callable[[DataFrame], DataFrame]

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
    with ctx.checkpoints() as keep:
        for entity in fed_entities(ctx.pack):
            told = [_told(ctx, entity, feeds, keep) for feeds in _families(ctx, entity)]
            if told:
                news = News(_union([one.rows for one in told]), _union_or_none([one.settled for one in told]))
                ctx.write(entity, _completed(ctx, entity, news, keep), whole=ctx.is_full, gone=news.settled)
    for entity in fed_entities(ctx.pack):
        ctx.judge_age(entity)


def _families(ctx: JobContext, entity: Table) -> list[list[Fed]]:
    """The feeds of the entity that may speak of the same keys, and of which one has something new."""
    feeds = [(source, feed) for source in ctx.pack.sources for feed in source.feeds if feed.to == entity.noun]
    # A key has its source's name in it, unless a feed gives another.
    is_mixed = any("source_system" in feed.map for _, feed in feeds)
    families = [list(members) for _, members in groupby(feeds, key=lambda fed: "" if is_mixed else fed[0].id)]
    changed = [family for family in families if any(ctx.has_changed(bronze.accepted(source)) for source, _ in family)]
    if changed:
        names = dict.fromkeys(source.id for family in changed for source, _ in family)
        ctx.say(f"{entity.name}: from {', '.join(names)}")
    return changed


def _told(ctx: JobContext, entity: Table, family: list[Fed], keep: Keep) -> News:
    """What the feeds say by what changed. `keep` cuts plans where a row came anew: they would be read a dozen times."""
    changed = [(source, feed) for source, feed in family if ctx.has_changed(bronze.accepted(source))]
    # Feeds that group look at whole groups on an ordinary day, whatever came.
    asked = [source for source, feed in changed if (ctx.is_full if feed.group_by else forgets(feed))]
    revised = _revised(ctx, asked)
    news = [_news(ctx, source, feed, is_revised=source.id in revised) for source, feed in changed]
    rows = newest_rows(_union([one.rows for one in news]), entity)
    settled = _union_or_none([one.settled for one in news])
    if settled is None or (len(family) == 1 and family[0][1].group_by):
        return News(rows, settled)
    # What is left to say of such a key, rows may say that did not change, and other feeds.
    keys, info = keep(settled.distinct()), ctx.pack.info
    if keys.isEmpty():
        return News(rows)
    truths = [truth_about(keys, ctx.read(bronze.accepted(source)), source, feed, info) for source, feed in family]
    others = rows.join(keys, list(entity.key), "left_anti")
    return News(keep(others.unionByName(newest_rows(_union(truths), entity))), keys)


def _news(ctx: JobContext, source: Source, feed: Feed, *, is_revised: bool) -> News:
    """What one feed says by what changed, one row per source row or group."""
    table, info = bronze.accepted(source), ctx.pack.info
    current, changed = ctx.read(table), ctx.changes(table)
    if ctx.is_full:
        rows = rows_that_count(current, source, feed) if is_revised else taken(current, feed)
        return News(conform_feed(rows, source, feed, info))
    if feed.group_by:
        groups = touched_groups(changed, current, source, feed)
        rows, former = rows_of_groups(current, groups, source, feed), with_same(current, groups, feed.group_by)
    elif forgets(feed) and is_revised:
        versions = with_same(current, changed, source.key)
        rows, former = rows_that_count(versions, source, feed), rows_in_doubt(versions, source, feed)
    else:
        return News(conform_feed(rows_that_count(changed, source, feed), source, feed, info))
    settled = conform_feed(former, source, feed, info).select(*silver.ENTITIES[feed.to].key).distinct()
    return News(conform_feed(rows, source, feed, info), settled)


def _revised(ctx: JobContext, sources: Sequence[Source]) -> set[str]:
    """The sources of which a row came in another version too, since the last run or, if this one is full, ever."""
    asked = {source.id: source for source in sources}
    return {name for name, source in asked.items() if not _come_again(ctx, source).isEmpty()}


def _come_again(ctx: JobContext, source: Source) -> DataFrame:
    table, key = bronze.accepted(source), list(source.key)
    if ctx.is_full:
        return ctx.read(table).groupBy(*key).agg(F.count("*").alias("versions")).where("versions > 1")
    return ctx.former(table).select(*key).join(ctx.changes(table).select(*key), key, "left_semi")


def _union(frames: Sequence[DataFrame]) -> DataFrame:
    return reduce(DataFrame.unionByName, frames)


def _union_or_none(frames: Sequence[DataFrame | None]) -> DataFrame | None:
    given = [frame for frame in frames if frame is not None]
    return _union(given) if given else None


def _completed(ctx: JobContext, entity: Table, news: News, keep: Keep) -> DataFrame:
    """With what the sources do not say."""
    newest = news.rows
    if entity is silver.CUSTOMER_RECORD:
        return _people(ctx, news, keep)
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


def _people(ctx: JobContext, news: News, keep: Keep) -> DataFrame:
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
        return mask_shared(clean_customer_records(news.rows, rules), limits)
    stored = ctx.recall(silver.CUSTOMER_RECORD)
    changed = clean_customer_records(not_older(news, stored, silver.CUSTOMER_RECORD), rules)
    if not limits:
        return changed
    # Cleaning is long to plan, and what follows reads it several times.
    changed = keep(changed)
    existing, touched = stored.drop(*_ADDED_BY_WRITER), changed
    if news.settled is not None:
        leaving = news.settled.join(changed, list(silver.RECORD_KEY), "left_anti")
        touched = changed.unionByName(leaving, allowMissingColumns=True)
    return mask_shared(keep(changed.unionByName(affected_by(touched, existing, list(limits)))), limits)


if __name__ == "__main__":
    run_page(__file__)
