"""What Spark must compute about a few records: their weights in parts, and the identifiers that they share."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame, functions as F

from cdp_lib.contracts import silver
from cdp_lib.contracts.matching import MATCH_KEY
from cdp_lib.errors import ModelError
from cdp_lib.io.caching import cached
from cdp_lib.io.local_rows import local_rows
from cdp_lib.models.identity.matcher import Matcher
from cdp_lib.settings.identity import Identity
from cdp_lib.settings.matching import Matching
from cdp_lib.transforms.identity.blocking import block_keys
from cdp_lib.transforms.identity.comparable import comparable_records, known_fields
from cdp_lib.transforms.identity.exact import held_identifiers
from cdp_lib.transforms.identity.explain import explain_pairs, Scale
from jobs.compose import Suite
from jobs.explanation.lookup import Member, Pair
from jobs.explanation.reasons import SharedValue, TooMany
from jobs.explanation.weighed import weighed_pair, WeighedPair
from jobs.matching.comparing import weights_of
from jobs.matching.finding import NO_MODEL
from jobs.matching.matchers import MATCH, NamedMatcher

Value = tuple[int, bytes]
"""Place of an identifier in the settings, and the hash of a value."""


@dataclass(frozen=True)
class Weighings:
    """Pairs weighed, and the values compared (record's hash: field: normal text) they were weighed by."""

    pairs: Mapping[Pair, WeighedPair]
    values: Mapping[str, Mapping[str, str | None]]


@dataclass(frozen=True)
class Identifiers:
    """Which usable identifier values a few records hold, and how many records of all hold each."""

    held: Mapping[str, Collection[Value]]
    record_count: Mapping[Value, int]

    def shared(self, pair: Pair, rows: Mapping[str, Mapping[str, Any]], identity: Identity) -> tuple[SharedValue, ...]:
        """The identifiers whose value both records hold, in order of priority, and why a value ties nobody."""
        both = set(self.held.get(pair[0], ())) & set(self.held.get(pair[1], ()))
        found = []
        for place, entry in enumerate(identity.identifiers):
            for value in sorted(one for one in both if one[0] == place):
                count = self.record_count.get(value, 0)
                is_common = count > entry.max_records
                why_not = f"{count:,} records hold the value, more than {entry.max_records:,}" if is_common else ""
                found.append(SharedValue(entry.field, why_not))
            values = [_raw(rows.get(name, {}), entry.field) for name in pair]
            if values[0] is not None and values[0] == values[1] and str(values[0]) in entry.blocked:
                found.append(SharedValue(entry.field, "the pack says that the value is nobody's own (`blocked`)"))
        return tuple(found)

    def too_many(self, hashes: Collection[str], identity: Identity) -> tuple[TooMany, ...]:
        """The identifiers of which these records together hold more values than a person may."""
        both = {value for name in hashes for value in self.held.get(name, ())}
        found = []
        for place, entry in enumerate(identity.identifiers):
            own = [one for one in both if one[0] == place and self.record_count.get(one, 0) <= entry.max_records]
            if entry.max_values is not None and len(own) > entry.max_values:
                found.append(TooMany(entry.field, entry.max_values))
        return tuple(found)


def matcher_in_force(suite: Suite) -> NamedMatcher | None:
    """The champion; None for a pack without `matching`, and where the last run found no two records to learn from.

    Raises ModelError where it is missing or outdated.
    """
    settings = suite.pack.identity.matching
    if settings is None:
        return None
    champion = suite.models().champion(MATCH)
    if champion is None and _nothing_was_learnt(suite):
        return None
    if champion is None:
        raise ModelError(
            f"pack {suite.pack.name} has no match model yet. A run trains it: cdp run daily --pack {suite.place.pack}"
        )
    matcher = Matcher.from_dict(champion.body)
    if matcher.settings_hash != settings.model_hash:
        raise ModelError(
            f"{champion.label} was trained under other matching settings than the pack's identity.yml has now. The "
            f"next run trains anew: cdp run daily --pack {suite.place.pack}"
        )
    return NamedMatcher(matcher, champion.label)


def _nothing_was_learnt(suite: Suite) -> bool:
    return {row["model_version"] for row in suite.store.read(MATCH_KEY).collect()} == {NO_MODEL}


def weigh_asked(suite: Suite, named: NamedMatcher, members: Sequence[Member], pairs: Collection[Pair]) -> Weighings:
    """The pairs in parts, whether or not a rule brought them together. `members` are their records."""
    settings = suite.pack.identity.matching
    if settings is None or not pairs:
        return Weighings({}, {})
    spark, records = suite.session(), suite.store.read(silver.CUSTOMER_RECORD)
    scale = Scale(settings, weights_of(named.matcher.model), named.matcher.caps)
    rows = [[bytes.fromhex(name) for name in pair] for pair in sorted(pairs)]
    asked = local_rows(spark, "record_l binary, record_r binary", rows)
    with ExitStack() as kept:
        few = kept.enter_context(cached(comparable_records(only(records, members), settings)))
        all_keys = block_keys(comparable_records(records, settings), settings)
        found = explain_pairs(asked, few, all_keys, named.matcher.model.term_weights(), scale).collect()
        values = {bytes(row["record_key"]).hex(): _texts(row.asDict(), settings) for row in few.collect()}
    keys = [tuple(bytes(row[side]).hex() for side in ("record_l", "record_r")) for row in found]
    return Weighings(
        {(left, right): weighed_pair(row.asDict(), settings) for (left, right), row in zip(keys, found, strict=True)},
        values,
    )


def identifiers_of(suite: Suite, members: Sequence[Member]) -> Identifiers:
    """The usable identifier values of the records, and how widespread each is."""
    records = suite.store.read(silver.CUSTOMER_RECORD)
    with cached(held_identifiers(only(records, members), suite.pack.identity)) as own:
        asked = F.broadcast(own.select("identifier", "value_key").distinct())
        among_all = held_identifiers(records, suite.pack.identity).join(asked, ["identifier", "value_key"], "left_semi")
        counted = among_all.groupBy("identifier", "value_key").agg(F.count(F.lit(1)).alias("record_count"))
        counts = {(row["identifier"], bytes(row["value_key"])): row["record_count"] for row in counted.collect()}
        held: dict[str, set[Value]] = {}
        for row in own.collect():
            value = (row["identifier"], bytes(row["value_key"]))
            held.setdefault(bytes(row["record_key"]).hex(), set()).add(value)
    return Identifiers(held, counts)


def fields_of(suite: Suite, members: Sequence[Member]) -> dict[str, int]:
    """By the record's hash: a bit for each compared field that it says something of."""
    settings = suite.pack.identity.matching
    if settings is None:
        return {}
    few = comparable_records(only(suite.store.read(silver.CUSTOMER_RECORD), members), settings)
    return {bytes(row["record_key"]).hex(): row["known_fields"] for row in known_fields(few, settings).collect()}


def only(records: DataFrame, members: Sequence[Member]) -> DataFrame:
    """The records of the members; files without their ids are not read."""
    wanted = sorted({(member.record.source_system, member.record.source_record_id) for member in members})
    is_wanted = F.col("source_record_id").isin([record_id for _, record_id in wanted])
    keys = F.array(*(F.struct(F.lit(source), F.lit(record_id)) for source, record_id in wanted))
    named = F.struct(*silver.RECORD_KEY).cast("struct<col1:string,col2:string>")
    return records.where(is_wanted & F.array_contains(keys, named))


def _texts(row: Mapping[str, Any], matching: Matching) -> dict[str, str | None]:
    return {field: row[field] for field in matching.fields}


def _raw(row: Mapping[str, Any], field: str) -> object:
    return row[field] if field in row else row.get("identifiers", {}).get(field)
