"""Whose single view may have changed since the last run: everyone else's row is carried over."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import reduce

from pyspark.sql import Column, DataFrame, functions as F

from cdp_lib.contracts.silver import FACT_TIME, RECORD_KEY
from cdp_lib.settings.pack import Pack
from cdp_lib.transforms.customer.as_of import end_of_day
from cdp_lib.transforms.customer.traits import fact_traits, source_of_person


@dataclass(frozen=True)
class Snapshot:
    """What a run knew: its as-of date, silver.identity_link and silver.golden_record as they were."""

    as_of: date
    links: DataFrame
    golden_records: DataFrame


@dataclass(frozen=True)
class FactChanges:
    """One entity's facts: `current` all rows with golden_id; `changed` every row version that came or went since.

    A changed fact stands in `changed` twice, as it was and as it is; both with source_system and person_id.
    """

    current: DataFrame
    changed: DataFrame


def touched_customers(last: Snapshot, now: Snapshot, facts: Mapping[str, FactChanges], pack: Pack) -> DataFrame:
    """One row per golden_id (old or present) whose observed row may differ between the two runs.

    They are: holders of a fact that came, went, changed or moved, under the old and the new identity; both sides of a
    record that changed hands; golden records that came, went or changed; and holders of a fact that crossed the edge of
    a window, or the as-of day itself, between the two dates. Facts of nobody touch nobody.
    """
    entities = [entity for entity in fact_traits(pack) if entity in facts]
    touched = [
        *(_holders(facts[entity].changed, (last.links, now.links)) for entity in entities),
        *(
            _crossed_edges(facts[entity].current, _edges(entity, pack, last.as_of, now.as_of), entity)
            for entity in entities
        ),
        _moved(last.links, now.links),
        _changed_records(last.golden_records, now.golden_records),
    ]
    everyone = reduce(DataFrame.unionByName, touched)
    return everyone.filter(F.col("golden_id").isNotNull()).distinct()


def _holders(changed: DataFrame, links: Iterable[DataFrame]) -> DataFrame:
    records = changed.alias("f").select(
        source_of_person(changed, "f").alias("source_system"), F.col("f.person_id").alias("source_record_id")
    )
    return reduce(
        DataFrame.unionByName,
        [link.join(records, on=list(RECORD_KEY), how="left_semi").select("golden_id") for link in links],
    )


def _moved(before: DataFrame, after: DataFrame) -> DataFrame:
    """Both golden ids of every record that has another one now, or appeared, or vanished."""
    old = before.select(*RECORD_KEY, F.col("golden_id").alias("old_id"))
    new = after.select(*RECORD_KEY, F.col("golden_id").alias("new_id"))
    return _both_where_different(old.join(new, on=list(RECORD_KEY), how="full"), "old_id", "new_id")


def _both_where_different(pairs: DataFrame, old: str, new: str) -> DataFrame:
    differing = pairs.filter(~F.col(old).eqNullSafe(F.col(new)))
    return differing.select(F.explode(F.array(old, new)).alias("golden_id"))


def _changed_records(before: DataFrame, after: DataFrame) -> DataFrame:
    old = before.select("golden_id", F.col("_record_hash").alias("old_hash"))
    new = after.select("golden_id", F.col("_record_hash").alias("new_hash"))
    pairs = old.join(new, on="golden_id", how="full")
    return pairs.filter(~F.col("old_hash").eqNullSafe(F.col("new_hash"))).select("golden_id")


def _edges(entity: str, pack: Pack, last: date, now: date) -> list[Column]:
    """Per edge that the entity's traits have, the facts it passed over from one date to the other, in either direction.

    0 days is the leading edge: facts dated after the last as-of day that count now.
    """
    at = F.col(FACT_TIME[entity])
    zone = pack.info.time_zone
    lengths = sorted({0, *(trait.window_days or 0 for trait in fact_traits(pack)[entity])})
    spans = [sorted((last - timedelta(days=days), now - timedelta(days=days))) for days in lengths]
    return [(at >= F.lit(end_of_day(early, zone))) & (at < F.lit(end_of_day(late, zone))) for early, late in spans]


def _crossed_edges(facts: DataFrame, edges: Sequence[Column], entity: str) -> DataFrame:
    dated = facts.select("golden_id", FACT_TIME[entity])
    return dated.filter(reduce(Column.__or__, edges)).select("golden_id")
