"""The surviving record: one row per person, each field from the record that wins it, and which record that was."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, functions as F, Window as W

from cdp_lib.contracts.identity import GOLDEN_FIELDS
from cdp_lib.contracts.silver import RECORD_KEY
from cdp_lib.settings.identity import Identity, SurvivorshipRule

_MAPS = ("identifiers", "attributes")
_NO_ENTRIES = "array<struct<key:string,value:string>>"
_LAST = 2**62
"""Rank behind every instant: a record without one loses by `newest` and by `oldest`."""
_RECORD_RANKS: dict[SurvivorshipRule, tuple[str, ...]] = {
    "source_priority": ("source_rank", "source_system"),
    "newest": ("newest_rank",),
    "oldest": ("oldest_rank",),
}
_MEMBER_ORDER = ("source_rank", "source_system", "newest_rank", "source_record_id")
"""How the surviving record is chosen, whatever the rules of the fields."""


@dataclass(frozen=True)
class _Contest:
    """Fields that the same order of a person's records decides; a rule that looks at values has one field alone."""

    name: str
    rules: tuple[SurvivorshipRule, ...]
    fields: tuple[str, ...]


def golden_records(records: DataFrame, links: DataFrame, identity: Identity) -> DataFrame:
    """One row per golden_id of `links`: silver.golden_record but for `_record_hash` and `_run_id`, added by its writer.

    A field's value is that of the record that its rules put first among those that have one: null never wins; ties
    after the last rule go to the smallest (source_system, source_record_id). `field_sources` has an entry for each
    field that has a value. `identifiers` and `attributes` are merged key by key under the default rules; null when no
    record has any. Sources that source_priority leaves out come after it, by name. The surviving record is the one of
    the first source, then the newest, then the smallest id. Each person is computed from own records alone: give the
    records and links of some people to get exactly their rows. A person's records are held together in one row.
    """
    contests = _contests(identity)
    linked = records.join(links.select(*RECORD_KEY, "golden_id"), list(RECORD_KEY), "inner").repartition("golden_id")
    ranked = linked.select(
        "golden_id", *RECORD_KEY, *GOLDEN_FIELDS, *_record_ranks(identity.source_priority), *_entries()
    )
    entrants = ranked.select(
        "golden_id",
        F.struct(*_MEMBER_ORDER, "oldest_rank", *_MAPS).alias("members"),
        *[_entrant(contest).alias(contest.name) for contest in contests],
    )
    lists = ["members", *[contest.name for contest in contests]]
    people = entrants.groupBy("golden_id").agg(*[F.sort_array(F.collect_list(name)).alias(name) for name in lists])
    pooled = people.select("*", *[_pooled_entries(name).alias(f"{name}_entries") for name in _MAPS])
    merged = pooled.select(
        "*", *[_ranked_entries(f"{name}_entries", identity.default_survivorship).alias(name) for name in _MAPS]
    )
    return merged.select(
        "golden_id",
        *[_winner(field, contests)[field].alias(field) for field in GOLDEN_FIELDS],
        *[F.get("members", F.lit(0))[name].alias(name) for name in RECORD_KEY],
        _field_sources(contests).alias("field_sources"),
        *[_first_of_each_key(name).alias(name) for name in _MAPS],
        F.size("members").cast("bigint").alias("record_count"),
        F.sort_array(F.array_distinct("members.source_system")).alias("source_systems"),
    )


def _contests(identity: Identity) -> list[_Contest]:
    rules = {field: identity.survivorship.get(field, identity.default_survivorship) for field in GOLDEN_FIELDS}
    fields_of: dict[tuple[tuple[SurvivorshipRule, ...], str], list[str]] = {}
    for field in GOLDEN_FIELDS:
        looks_at_values = not set(rules[field]) <= set(_RECORD_RANKS)
        fields_of.setdefault((rules[field], field if looks_at_values else ""), []).append(field)
    return [
        _Contest(f"contest_{place}", order, tuple(fields))
        for place, ((order, _), fields) in enumerate(fields_of.items())
    ]


def _record_ranks(source_priority: Sequence[str]) -> list[Column]:
    position = F.array_position(F.array(*map(F.lit, source_priority)).cast("array<string>"), F.col("source_system"))
    micros = F.unix_micros("source_updated_at")
    return [
        F.when(position > 0, position).otherwise(len(source_priority) + 1).alias("source_rank"),
        F.coalesce(-micros, F.lit(_LAST)).alias("newest_rank"),
        F.coalesce(micros, F.lit(_LAST)).alias("oldest_rank"),
    ]


def _entries() -> list[Column]:
    return [F.coalesce(F.map_entries(name), F.array().cast(_NO_ENTRIES)).alias(name) for name in _MAPS]


def _standing(
    rules: Sequence[SurvivorshipRule], record: Callable[[str], Column], value: Column, votes: Column
) -> list[Column]:
    """Columns of which the smallest wins, rule after rule; total, because the record's key comes last."""
    ranks: list[Column] = []
    for rule in rules:
        if rule == "longest":
            ranks.append(-F.length(value.cast("string")))
        elif rule == "most_frequent":
            ranks.append(-votes)
        else:
            ranks.extend(record(name) for name in _RECORD_RANKS[rule])
    return [
        *[rank.alias(f"rank_{place}") for place, rank in enumerate(ranks)],
        *[record(name).alias(name) for name in RECORD_KEY],
    ]


def _entrant(contest: _Contest) -> Column:
    """What one record brings: its standing, and of each field whether it has a value and which."""
    value = F.col(contest.fields[0])
    votes = F.count(value).over(W.partitionBy("golden_id", value))
    return F.struct(
        *_standing(contest.rules, F.col, value, votes),
        *[F.col(field).isNotNull().alias(f"has_{field}") for field in contest.fields],
        *contest.fields,
    )


def _winner(field: str, contests: Sequence[_Contest]) -> Column:
    """The first record of the field's contest that has a value; null when none has.

    Found by the position of a flag, because a lambda over the records costs ten times as much.
    """
    contest = next(contest.name for contest in contests if field in contest.fields)
    position = F.array_position(F.col(f"{contest}.has_{field}"), F.lit(True))
    return F.get(contest, (position - 1).cast("int"))


def _pooled_entries(name: str) -> Column:
    """Every entry of the members' maps that has a value, with the member's ranks and key."""

    def of_member(member: Column) -> Column:
        ranks = [member[rank].alias(rank) for rank in (*_MEMBER_ORDER, "oldest_rank")]
        return F.transform(
            F.filter(member[name], lambda entry: entry.value.isNotNull()),
            lambda entry: F.struct(entry.key.alias("key"), entry.value.alias("value"), *ranks),
        )

    return F.flatten(F.transform("members", of_member))


def _ranked_entries(entries: str, rules: Sequence[SurvivorshipRule]) -> Column:
    """The entries by key, the winner of each key first."""

    def standing(entry: Column) -> Column:
        def is_same(rival: Column) -> Column:
            return (rival.key == entry.key) & (rival.value == entry.value)

        votes = F.size(F.filter(entries, is_same))
        own = _standing(rules, lambda name: entry[name], entry.value, votes)
        return F.struct(entry.key.alias("key"), *own, entry.value.alias("value"))

    return F.sort_array(F.transform(entries, standing))


def _first_of_each_key(ranked: str) -> Column:
    def is_first(entry: Column, place: Column) -> Column:
        return (place == 0) | (entry.key != F.get(F.col(ranked), place - 1).key)

    first = F.transform(F.filter(ranked, is_first), lambda entry: F.struct(entry.key, entry.value))
    return F.when(F.size(ranked) > 0, F.map_from_entries(first))


def _field_sources(contests: Sequence[_Contest]) -> Column:
    won = []
    for field in GOLDEN_FIELDS:
        winner = _winner(field, contests)
        source = F.concat(winner.source_system, F.lit(":"), winner.source_record_id)
        won.append(F.when(winner.isNotNull(), F.struct(F.lit(field).alias("key"), source.alias("value"))))
    return F.map_from_entries(F.array_compact(F.array(*won)))
