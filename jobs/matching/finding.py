"""Who belongs together: found anew among all records, or among those that a day's news may concern."""

from collections.abc import Iterator
from contextlib import contextmanager, ExitStack
from dataclasses import dataclass
from functools import reduce

from pyspark.sql import DataFrame, functions as F

from cdp_lib.contracts import identity, matching as tables, silver
from cdp_lib.settings.identity import Identity
from cdp_lib.transforms.identity import increment
from cdp_lib.transforms.identity.blocking import block_keys
from cdp_lib.transforms.identity.comparable import comparable_records
from cdp_lib.transforms.identity.comparison import compare_pairs
from cdp_lib.transforms.identity.decisions import records_decided_on
from cdp_lib.transforms.identity.exact import (
    held_identifiers,
    identifier_keys,
    record_clusters,
    record_key,
    tying_keys,
)
from cdp_lib.transforms.identity.scoring import named_pairs
from cdp_lib.workflow.context import JobContext
from jobs.matching.matchers import NamedMatcher, Registered
from jobs.matching.people import Evidence, group_records, Keep, known_of, no_known, no_pairs
from jobs.matching.weighing import kept_pairs, weigh, weigh_all

NEWS_AT_MOST = 0.2
"""Share of changed records above which comparing all of them anew costs less than finding out whom they concern."""

_OF_CLUSTER = ("cluster_id", "component_id", "matched_by")


@dataclass(frozen=True)
class Found:
    """Records with their clusters, as `assign_golden_ids` takes them, and their links before the run.

    `pairs` are all pairs of today, records as 16 bytes; None where the pack matches by identifiers alone.
    """

    clusters: DataFrame
    previous: DataFrame
    pairs: DataFrame | None
    named: NamedMatcher | None


@dataclass(frozen=True)
class News:
    """Keys of new, changed and vanished records, and the matcher that weighed all others."""

    changed: DataFrame
    named: NamedMatcher | None


def news_of(ctx: JobContext) -> News | None:
    """What came since the last run; None where all records must be looked at.

    That is so on the first run, when settings or the matcher changed, when so much changed that it is cheaper, or when
    an earlier run ended between two of its tables.
    """
    if ctx.is_full or not ctx.goes_on:
        return None
    named = None
    if ctx.pack.identity.matching is not None:
        record_count = ctx.read(silver.CUSTOMER_RECORD).count()
        named = Registered(ctx, ctx.pack.identity.matching, record_count).in_force()
        known = ctx.recall(tables.match_pair(ctx.pack.identity.matching)).select("model_version").first()
        if named is None or known is None or known[0] != named.label:
            return None
    changed = ctx.changes(silver.CUSTOMER_RECORD).select(record_key().alias("record_key")).distinct()
    if changed.count() > NEWS_AT_MOST * ctx.recall(identity.IDENTITY_LINK).count():
        return None
    return News(changed, named)


@contextmanager
def find_all(ctx: JobContext, records: DataFrame, decisions: DataFrame, keep: Keep) -> Iterator[Found]:
    """Every record compared and grouped; writes the pack's match tables."""
    settings = ctx.pack.identity
    with ExitStack() as kept:
        pairs, named, known = None, None, no_known(ctx.spark)
        if settings.matching is not None:
            ctx.say("which records may be one person")
            models = Registered(ctx, settings.matching, records.count())
            weighed = kept.enter_context(weigh_all(records, settings.matching, models, decisions))
            pairs, named, known = weighed.pairs, weighed.named, weighed.known
            ctx.write(tables.match_pair(settings.matching), named_pairs(pairs), whole=True)
            if named is not None:
                _write_rules(ctx, named)
        evidence = Evidence(
            keys=identifier_keys(records, settings),
            pairs=no_pairs(ctx.spark) if pairs is None else pairs,
            decisions=decisions,
            records=records,
            known=known,
        )
        ctx.say("who belongs together")
        with group_records(evidence, settings, named, keep) as memberships:
            clusters = record_clusters(records, memberships)
            yield Found(clusters, ctx.recall(identity.IDENTITY_LINK), pairs, named)


@contextmanager
def find_news(ctx: JobContext, news: News, records: DataFrame, decisions: DataFrame, keep: Keep) -> Iterator[Found]:
    """The new and changed records compared with all, and the groups that this may change made anew.

    The answer is that of `find_all` under the same matcher, but holds only records whose group may have changed. Each
    step is kept, because a plan that holds all of them takes longer to build than its few rows to compute.
    """
    settings = ctx.pack.identity
    changed = keep(news.changed)
    former = ctx.former(silver.CUSTOMER_RECORD).withColumn("record_key", record_key())
    change = _Change(changed, records, former.join(changed, "record_key", "left_semi").drop("record_key"))
    compared = None if news.named is None else _compared_anew(ctx, news.named, change, keep)
    links = ctx.recall(identity.IDENTITY_LINK).withColumn("record_key", record_key())
    decided_on = records_decided_on(ctx.read(identity.IDENTITY_OVERRIDE))
    first = _directly_affected(change, compared, decided_on, settings)
    affected = keep(increment.affected_records(first, links))
    ctx.say(f"{affected.count():,} records whose person may change")
    theirs = records.withColumn("record_key", record_key()).join(affected, "record_key", "left_semi").drop("record_key")
    evidence = Evidence(
        keys=_keys_of(affected, records, settings),
        pairs=no_pairs(ctx.spark) if compared is None else increment.within(compared.all_pairs, affected),
        decisions=decisions,
        records=theirs,
        known=known_of(theirs, settings.matching),
    )
    with group_records(evidence, settings, news.named, keep) as memberships:
        regrouped = keep(record_clusters(evidence.records, memberships))
        bearers = keep(increment.with_bearers_of_own_names(affected, links))
        others = bearers.join(affected, "record_key", "left_anti")
        as_before = links.join(others, "record_key", "left_semi").select(*silver.RECORD_KEY, *_OF_CLUSTER)
        previous = links.join(bearers, "record_key", "left_semi").drop("record_key")
        pairs = None if compared is None else compared.all_pairs
        yield Found(regrouped.unionByName(as_before), previous, pairs, news.named)


@dataclass(frozen=True)
class _Compared:
    """Records whose pairs were weighed anew, those of the new pairs that link, and all pairs of today."""

    concerned: DataFrame
    links: DataFrame
    all_pairs: DataFrame


@dataclass(frozen=True)
class _Change:
    """Keys of the records that changed, all records of today, and the changed ones as they were."""

    changed: DataFrame
    records: DataFrame
    before: DataFrame


def _compared_anew(ctx: JobContext, named: NamedMatcher, change: _Change, keep: Keep) -> _Compared:
    """Weighs what the changed records concern, and brings silver.match_pair up to date."""
    matching = ctx.pack.identity.matching
    if matching is None:
        raise ValueError("a pack without matching compares nothing")
    caps, table = named.matcher.caps, tables.match_pair(matching)
    comparable = comparable_records(change.records, matching)
    keys = block_keys(comparable, matching, caps)
    keys_before = keep(block_keys(comparable_records(change.before, matching), matching, caps))
    concerned = keep(increment.records_to_compare(keys, keys_before, change.changed, caps))
    pairs = keep(increment.pairs_to_compare(keys, concerned, matching, caps))
    needed = keep(comparable.join(increment.records_in(pairs), "record_key", "left_semi"))
    fresh = keep(kept_pairs(weigh(compare_pairs(pairs, needed, matching), named.matcher.model, matching), named))
    stored = _with_keys(ctx.recall(table))
    outdated = keep(increment.with_one_of(stored, concerned).select("record_l", "record_r"))
    ctx.write(table, named_pairs(fresh), gone=named_pairs(outdated))
    unchanged = stored.join(outdated, ["record_l", "record_r"], "left_anti")
    is_link = (F.col("match_weight") >= named.matcher.threshold) & ~F.col("is_vetoed")
    return _Compared(concerned, fresh.where(is_link), unchanged.select(*fresh.columns).unionByName(fresh))


def _directly_affected(
    change: _Change, compared: _Compared | None, decided_on: DataFrame, settings: Identity
) -> DataFrame:
    """One row per record that is an end of something new: a change, a link, a tie, a decision."""
    held, held_before = held_identifiers(change.records, settings), held_identifiers(change.before, settings)
    tied = increment.records_tied_anew(held, held_before, change.changed, settings)
    ends = [change.changed, tied, decided_on]
    if compared is not None:
        ends += [compared.concerned, increment.records_in(compared.links)]
    return reduce(DataFrame.unionByName, [end.select("record_key") for end in ends]).distinct()


def _keys_of(affected: DataFrame, records: DataFrame, settings: Identity) -> DataFrame:
    """The exact identifiers of the affected records, counted over all records that hold them."""
    held = held_identifiers(records, settings)
    values = held.join(affected, "record_key", "left_semi").select("identifier", "value_key").distinct()
    of_values = tying_keys(held.join(values, ["identifier", "value_key"], "left_semi"), settings)
    return of_values.join(affected, "record_key", "left_semi")


def _with_keys(pairs: DataFrame) -> DataFrame:
    """Stored pairs with their records as 16 bytes again."""
    return pairs.withColumns({side: F.unhex(side) for side in ("record_l", "record_r")})


def _write_rules(ctx: JobContext, named: NamedMatcher) -> None:
    rows = [{**rule, "model_version": named.label} for rule in named.matcher.rules]
    columns = [tables.MATCH_KEY.column(name) for name in tables.MATCH_KEY.column_names]
    schema = ", ".join(f"`{column.name}` {column.type}" for column in columns)
    ctx.write(
        tables.MATCH_KEY,
        ctx.spark.createDataFrame([tuple(row[column.name] for column in columns) for row in rows], schema),
    )
    for rule in named.matcher.rules:
        if rule["dropped_block_count"]:
            ctx.say(
                f"{rule['dropped_block_count']:,} blocks of {rule['blocking_rule']} are too large to compare "
                f"(more than {rule['max_records']} records each)"
            )
