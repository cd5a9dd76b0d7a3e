"""Who belongs together: found anew among all records, or among those that a day's news may concern."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, ExitStack
from dataclasses import dataclass
from functools import reduce
from typing import Any

from pyspark.sql import DataFrame, functions as F

from cdp_lib.contracts import identity, matching as tables, silver
from cdp_lib.io.caching import cached
from cdp_lib.io.local_rows import content_rows
from cdp_lib.settings.identity import Identity
from cdp_lib.transforms.identity import increment
from cdp_lib.transforms.identity.blocking import block_keys
from cdp_lib.transforms.identity.comparable import comparable_records
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
from jobs.matching.comparing import comparer
from jobs.matching.matchers import judged_pairs, NamedMatcher, Registered, Today
from jobs.matching.people import Evidence, group_records, Keep, known_of, no_known, no_pairs, sent_whole
from jobs.matching.weighing import kept_pairs, weigh_all

NEWS_AT_MOST = 0.2
"""Share of changed records above which comparing all of them anew costs less than finding out whom they concern."""

NO_MODEL = "none"
"""What silver.match_key names where the rules bring no two records together: there was nothing to learn from."""

_VALUE = ("identifier", "value_key")
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
    """New, changed and vanished records (source_system, source_record_id, record_key, was_there), one row each.

    `named` is the matcher that weighed all others.
    """

    changed: DataFrame
    named: NamedMatcher | None


def news_of(ctx: JobContext, keep: Keep) -> News | None:
    """What came since the last run; None where all records must be looked at.

    That is so on the first run, when settings or the matcher changed, when so much changed that it is cheaper, or when
    an earlier run ended between two of its tables.
    """
    if ctx.is_full or not ctx.goes_on:
        return None
    named = None
    if ctx.pack.identity.matching is not None:
        today = _today(ctx, ctx.read(silver.CUSTOMER_RECORD))
        named = Registered(ctx, ctx.pack.identity.matching, today).in_force()
        known = ctx.recall(tables.match_pair(ctx.pack.identity.matching)).select("model_version").first()
        if named is None or known is None or known[0] != named.label:
            return None
    per_record = ctx.changes(silver.CUSTOMER_RECORD).groupBy(*silver.RECORD_KEY)
    was_there = F.bool_or(F.col("_change_type") != "insert").alias("was_there")
    changed = keep(per_record.agg(was_there).withColumn("record_key", record_key()))
    if changed.count() > NEWS_AT_MOST * ctx.recall(identity.IDENTITY_LINK).count():
        return None
    return News(changed, named)


def _today(ctx: JobContext, records: DataFrame) -> Today:
    has_judged = ctx.input_version(identity.IDENTITY_OVERRIDE) is not None
    return Today(records.count(), judged_pairs(ctx.read(identity.IDENTITY_OVERRIDE)) if has_judged else 0)


@contextmanager
def find_all(ctx: JobContext, records: DataFrame, decisions: DataFrame, keep: Keep) -> Iterator[Found]:
    """Every record compared and grouped; writes the pack's match tables."""
    settings = ctx.pack.identity
    with ExitStack() as kept:
        pairs, named, known = None, None, no_known(ctx.spark)
        if settings.matching is not None:
            ctx.say("which records may be one person")
            models = Registered(ctx, settings.matching, _today(ctx, records))
            weighed = kept.enter_context(weigh_all(records, settings.matching, models, decisions))
            pairs, named, known = weighed.pairs, weighed.named, weighed.known
            # Made in many small parts, they are written in few files.
            ctx.write(tables.match_pair(settings.matching), named_pairs(pairs).hint("rebalance"), whole=True)
            _write_rules(ctx, weighed.rules, NO_MODEL if named is None else named.label)
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
            previous = ctx.recall_as_told(identity.IDENTITY_LINK, identity.IDENTITY_EVENT)
            yield Found(clusters, previous, pairs, named)


@contextmanager
def find_news(ctx: JobContext, news: News, records: DataFrame, decisions: DataFrame, keep: Keep) -> Iterator[Found]:
    """The new and changed records compared with all, and the groups that this may change made anew.

    The answer is that of `find_all` under the same matcher, but holds only records whose group may have changed. Each
    step is kept, because a plan that holds all of them takes longer to build than its few rows to compute; and of the
    tables of all records, each step makes one pass that picks the rows which the day concerns.
    """
    settings, keep_few = ctx.pack.identity, few(keep)
    change = _change(ctx, news.changed, records, keep_few)
    compared = None if news.named is None else _compared_anew(ctx, news.named, change, keep_few)
    links = ctx.recall(identity.IDENTITY_LINK).withColumn("record_key", record_key())
    decided_on = records_decided_on(ctx.read(identity.IDENTITY_OVERRIDE))
    first = keep_few(_directly_affected(change, compared, decided_on, settings, keep_few))
    affected = keep_few(increment.affected_records(first, links))
    ctx.say(f"{affected.count():,} records whose person may change")
    theirs = keep(_of(affected, records))
    their_pairs = no_pairs(ctx.spark) if compared is None else increment.within(compared.all_pairs, affected)
    evidence = Evidence(
        keys=_keys_of(affected, theirs, records, settings),
        pairs=their_pairs,
        decisions=decisions,
        records=theirs,
        known=known_of(theirs, settings.matching),
    )
    with cached(their_pairs), group_records(evidence, settings, news.named, keep) as memberships:
        regrouped = keep(record_clusters(theirs, memberships))
        bearers = keep_few(increment.with_bearers_of_own_names(affected, links))
        previous = keep(links.join(bearers, "record_key", "left_semi"))
        as_before = previous.join(affected, "record_key", "left_anti").select(*silver.RECORD_KEY, *_OF_CLUSTER)
        pairs = None if compared is None else compared.all_pairs
        yield Found(regrouped.unionByName(as_before), previous.drop("record_key"), pairs, news.named)


def few(keep: Keep) -> Keep:
    """Keeps a frame, and has Spark send it to the executors where it is small.

    For a checkpoint's size Spark takes the estimate of the plan it came from, which a chain of joins makes far too
    high: it would then shuffle the whole table that the frame's few rows are looked up in.
    """

    def kept(frame: DataFrame) -> DataFrame:
        found = keep(frame)
        return sent_whole(found, found.count())

    return kept


@dataclass(frozen=True)
class _Compared:
    """Records whose pairs were weighed anew, those of the new pairs that link, and all pairs of today."""

    concerned: DataFrame
    links: DataFrame
    all_pairs: DataFrame


@dataclass(frozen=True)
class _Change:
    """Keys of the records that changed, all records of today, and the changed ones as they are and as they were."""

    changed: DataFrame
    records: DataFrame
    now: DataFrame
    before: DataFrame


def _change(ctx: JobContext, changed: DataFrame, records: DataFrame, keep: Keep) -> _Change:
    were_there = changed.where("was_there").select(*silver.RECORD_KEY)
    now = records.join(changed.select(*silver.RECORD_KEY), list(silver.RECORD_KEY), "left_semi")
    before = ctx.former(silver.CUSTOMER_RECORD).join(were_there, list(silver.RECORD_KEY), "left_semi")
    return _Change(changed.select("record_key"), records, keep(now), keep(before))


def _of(keys: DataFrame, records: DataFrame) -> DataFrame:
    """The records that have one of the keys."""
    return records.withColumn("record_key", record_key()).join(keys, "record_key", "left_semi").drop("record_key")


def _compared_anew(ctx: JobContext, named: NamedMatcher, change: _Change, keep: Keep) -> _Compared:
    """Weighs what the changed records concern, and brings silver.match_pair up to date."""
    matching = ctx.pack.identity.matching
    if matching is None:
        raise ValueError("a pack without matching compares nothing")
    caps, table = named.matcher.caps, tables.match_pair(matching)

    def keys_of(records: DataFrame) -> DataFrame:
        return block_keys(comparable_records(records, matching), matching, caps)

    keys_before = keep(keys_of(change.before))
    with cached(keys_of(change.records)) as keys:
        near = keep(increment.with_keys_of(keys, keys_of(change.now).unionByName(keys_before), ["key"]))
        concerned = keep(increment.records_to_compare(near, keys_before, change.changed, caps))
        # Where a block crossed its cap, its members' other blocks are asked too.
        is_near = concerned.count() == change.changed.count()
        pairs = keep(increment.pairs_to_compare(near if is_near else keys, concerned, caps))
    needed = comparable_records(_of(increment.records_in(pairs), change.records), matching)
    with cached(needed), comparer(needed, matching, record_count=2 * pairs.count()) as compares:
        compared = compares.compare(pairs)
        fresh = keep(kept_pairs(compares.weigh(compared, named.matcher.model), named))
    stored = _with_keys(ctx.recall(table))
    outdated = keep(increment.with_one_of(stored, concerned).select("record_l", "record_r"))
    ctx.write(table, named_pairs(fresh), gone=named_pairs(outdated))
    unchanged = stored.join(outdated, ["record_l", "record_r"], "left_anti")
    is_link = (F.col("match_weight") >= named.matcher.threshold) & ~F.col("is_vetoed")
    return _Compared(concerned, fresh.where(is_link), unchanged.select(*fresh.columns).unionByName(fresh))


def _directly_affected(
    change: _Change, compared: _Compared | None, decided_on: DataFrame, settings: Identity, keep: Keep
) -> DataFrame:
    """One row per record that is an end of something new: a change, a link, a tie, a decision."""
    now, before = held_identifiers(change.now, settings), keep(held_identifiers(change.before, settings))
    near = keep(increment.with_keys_of(held_identifiers(change.records, settings), now.unionByName(before), _VALUE))
    tied = increment.records_tied_anew(near, before, change.changed, settings)
    ends = [change.changed, tied, decided_on]
    if compared is not None:
        ends += [compared.concerned, increment.records_in(compared.links)]
    return reduce(DataFrame.unionByName, [end.select("record_key") for end in ends]).distinct()


def _keys_of(affected: DataFrame, theirs: DataFrame, records: DataFrame, settings: Identity) -> DataFrame:
    """The exact identifiers of the affected records (`theirs`), counted over all records that hold them."""
    held = held_identifiers(records, settings)
    of_values = tying_keys(increment.with_keys_of(held, held_identifiers(theirs, settings), _VALUE), settings)
    return of_values.join(affected, "record_key", "left_semi")


def _with_keys(pairs: DataFrame) -> DataFrame:
    """Stored pairs with their records as 16 bytes again."""
    return pairs.withColumns({side: F.unhex(side) for side in ("record_l", "record_r")})


def _write_rules(ctx: JobContext, rules: Sequence[Mapping[str, Any]], label: str) -> None:
    rows = [{**rule, "model_version": label} for rule in rules]
    ctx.write(tables.MATCH_KEY, content_rows(ctx.spark, tables.MATCH_KEY, rows))
    for rule in rules:
        if not rule["max_records"]:
            ctx.say(f"{rule['blocking_rule']} is not used: among so many records it would make too many pairs")
        elif rule["dropped_block_count"]:
            ctx.say(
                f"{rule['dropped_block_count']:,} blocks of {rule['blocking_rule']} are too large to compare "
                f"(more than {rule['max_records']} records each)"
            )
