"""All traits of an entity in one pass over its facts.

Facts come with the golden_id of their person (`facts_of_people`). A trait sees the facts up to the end of the as-of
day in the pack's zone; `90d` are the 90 calendar days that end with it. Facts whose argument is null do not count.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from functools import reduce

from pyspark.sql import Column, DataFrame, functions as F, types as T

from cdp_lib.contracts.gold import CUSTOMER_FIXED, FIXED_TRAITS, trait_type
from cdp_lib.contracts.silver import ENTITIES, FACT_TIME
from cdp_lib.contracts.types import spark_type
from cdp_lib.errors import ContractError, near_miss
from cdp_lib.settings.pack import Pack
from cdp_lib.settings.sql import columns_in
from cdp_lib.settings.trait import Trait
from cdp_lib.transforms.customer.aggregates import aggregate, COUNTS, Facts, ORDERED
from cdp_lib.transforms.customer.as_of import end_of_day

EVERY_FACT = "*"
_REQUIRED = frozenset(column.name for column in CUSTOMER_FIXED if column.required)


def fact_traits(pack: Pack) -> dict[str, tuple[Trait, ...]]:
    """Entity: its traits, the fixed ones of gold.customer first; an entity without traits is absent."""
    traits = [*FIXED_TRAITS, *(trait for trait in pack.traits if not trait.is_derived)]
    return {entity: tuple(t for t in traits if t.from_ == entity) for entity in sorted({t.from_ for t in traits})}


def facts_of_people(facts: DataFrame, links: DataFrame) -> DataFrame:
    """The facts of known people, each with its golden_id; facts of nobody are left out.

    `links` are rows of silver.identity_link: all of them, or those of the people who are asked for.
    """
    is_theirs = (source_of_person(facts, "f") == F.col("l.source_system")) & (
        F.col("f.person_id") == F.col("l.source_record_id")
    )
    joined = facts.alias("f").join(links.alias("l"), is_theirs, "inner")  # one row per record: identity_link's key
    return joined.select("f.*", "l.golden_id")


def source_of_person(facts: DataFrame, alias: str) -> Column:
    """The source that `person_id` of the aliased facts is an id of: their own, unless `person_source` names another."""
    own = F.col(f"{alias}.source_system")
    return F.coalesce(F.col(f"{alias}.person_source"), own) if "person_source" in facts.columns else own


def compute_traits(customers: DataFrame, facts: Mapping[str, DataFrame], pack: Pack, *, as_of: date) -> DataFrame:
    """Every row of `customers` (one per golden_id) with one more column per fixed or pack trait over facts.

    Of no facts: counts are 0, so is what gold.customer requires (total_amount), all else is null. A list is in order
    of the facts' time, ties by their key; distinct values are sorted. `facts` maps each entity of `fact_traits(pack)`
    to its rows with golden_id. Raises ContractError when an entity or a column that a trait reads is missing.
    """
    traits = fact_traits(pack)
    _check_facts(facts, traits)
    per_entity = [aggregate_facts(facts[entity], traits[entity], pack, as_of=as_of) for entity in traits]
    joined = reduce(lambda left, right: left.join(right, on="golden_id", how="left"), per_entity, customers)
    in_order = [*FIXED_TRAITS, *(trait for trait in pack.traits if not trait.is_derived)]
    return joined.select(*customers.columns, *[_filled(trait, pack) for trait in in_order])


def _filled(trait: Trait, pack: Pack) -> Column:
    if trait.call.function not in COUNTS and trait.name not in _REQUIRED:
        return F.col(trait.name)
    return F.coalesce(trait.name, F.lit(0).cast(result_type(trait, pack))).alias(trait.name)


def result_type(trait: Trait, pack: Pack) -> T.DataType:
    """The Spark type of the trait's column in gold.customer."""
    return spark_type(trait_type(trait, pack))


def aggregate_facts(facts: DataFrame, traits: Sequence[Trait], pack: Pack, *, as_of: date) -> DataFrame:
    """One row per golden_id with a fact in reach of any trait: the traits, all over the entity that `facts` are of.

    The rows meet their customer before the aggregation: with few facts a customer, aggregating before the shuffle
    costs more than it saves.
    """
    entity = traits[0].from_
    zone = pack.info.time_zone
    of_customer = (
        facts.filter(F.col("golden_id").isNotNull() & _in_reach(traits, as_of, zone))
        .select(*sorted({"golden_id", *_columns_read(traits)}))
        .repartition("golden_id")
    )
    arguments = of_customer.select(*[_argument(trait).alias(trait.name) for trait in traits]).schema
    order = F.struct(*[F.col(name) for name in _order_columns(entity)])
    columns = []
    for trait in traits:
        counted = Facts(_counted_value(trait, as_of, zone), arguments[trait.name].dataType, order)
        columns.append(aggregate(trait.call.function, counted, result_type(trait, pack)).alias(trait.name))
    return of_customer.groupBy("golden_id").agg(*columns)


def _in_reach(traits: Sequence[Trait], as_of: date, time_zone: str) -> Column:
    """Up to the as-of day's end; where every trait has a window, not before the longest one."""
    at = F.col(FACT_TIME[traits[0].from_])
    is_past = at < F.lit(end_of_day(as_of, time_zone))
    windows = [trait.window_days for trait in traits]
    longest = max((days for days in windows if days is not None), default=0)
    return is_past if None in windows else is_past & _in_window(at, longest, as_of, time_zone)


def _in_window(at: Column, days: int, as_of: date, time_zone: str) -> Column:
    return at >= F.lit(end_of_day(as_of - timedelta(days=days), time_zone))


def _counted_value(trait: Trait, as_of: date, time_zone: str) -> Column:
    """The trait's argument, null for facts outside its window or its `where`."""
    conditions = [F.expr(trait.where)] if trait.where else []
    if trait.window_days is not None:
        conditions.append(_in_window(F.col(FACT_TIME[trait.from_]), trait.window_days, as_of, time_zone))
    argument = _argument(trait)
    return F.when(reduce(Column.__and__, conditions), argument) if conditions else argument


def _argument(trait: Trait) -> Column:
    text = trait.call.argument
    return F.lit(1) if text == EVERY_FACT else F.expr(text)


def _order_columns(entity: str) -> tuple[str, ...]:
    return (FACT_TIME[entity], *ENTITIES[entity].key)


def _columns_read(traits: Sequence[Trait]) -> Iterator[str]:
    for trait in traits:
        if trait.call.argument != EVERY_FACT:
            yield from columns_in(trait.call.argument)
        if trait.where:
            yield from columns_in(trait.where)
        if trait.window_days is not None:
            yield FACT_TIME[trait.from_]
        if trait.call.function in ORDERED:
            yield from _order_columns(trait.from_)


def _check_facts(facts: Mapping[str, DataFrame], traits: Mapping[str, Sequence[Trait]]) -> None:
    problems = [
        f"no facts of '{entity}' were given for {', '.join(trait.name for trait in traits[entity])}"
        for entity in sorted(set(traits) - set(facts))
    ]
    for entity in sorted(set(traits) & set(facts)):
        present = facts[entity].columns
        needed = {"golden_id", FACT_TIME[entity], *_columns_read(traits[entity])}
        problems += [
            f"facts of '{entity}' lack column '{name}'.{near_miss(name, present)}"
            for name in sorted(needed - set(present))
        ]
    if problems:
        raise ContractError("traits: " + "; ".join(problems))
