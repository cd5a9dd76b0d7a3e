"""Traits that are computed from other columns rather than from facts."""

from collections.abc import Mapping, Sequence
from functools import reduce

from pyspark.sql import Column, DataFrame, functions as F, types as T

from cdp_lib.contracts.gold import trait_type
from cdp_lib.contracts.types import spark_type
from cdp_lib.errors import ConfigError
from cdp_lib.settings.of_all import aggregates_of_all, OfAll
from cdp_lib.settings.pack import Pack
from cdp_lib.settings.sql import columns_in
from cdp_lib.settings.trait import Trait

_WHOLE_NUMBERS = (T.ByteType, T.ShortType, T.IntegerType, T.LongType)


def golden_record_traits(pack: Pack) -> list[Column]:
    """One column per trait from: golden_record, over the columns of silver.golden_record."""
    return [
        F.expr(trait.select).cast(spark_type(trait_type(trait, pack))).alias(trait.name)
        for trait in pack.traits
        if trait.from_ == "golden_record"
    ]


def customer_traits(pack: Pack) -> tuple[Trait, ...]:
    """The traits from: customer, scalars over gold.customer's own row."""
    return tuple(trait for trait in pack.traits if trait.from_ == "customer")


def derive_traits(customers: DataFrame, pack: Pack) -> DataFrame:
    """Every row of `customers` with one more column per trait from: customer, each after those it reads.

    `ratio(a, b)` is null where b is null or 0; with a decimal type it is divided in decimals and rounded half up.
    An aggregate `OVER` whole groups of customers, or all of them, is one row per group that every customer is joined
    with. One projection per step of the longest chain of traits. Raises ConfigError when traits read each other in a
    circle.
    """
    derived = customers
    for step in dependency_steps(customer_traits(pack)):
        kinds = {field.name: field.dataType for field in derived.schema.fields}
        parts = {trait.name: aggregates_of_all(trait.select, f"_of_all_{trait.name}") for trait in step}
        known = _with_figures_of_all(derived, [one for _, found in parts.values() for one in found])
        columns = [_derived_column(trait, parts[trait.name][0], pack, kinds) for trait in step]
        derived = known.select(*derived.columns, *columns)
    return derived


def dependency_steps(traits: Sequence[Trait]) -> list[list[Trait]]:
    """The traits in steps: each reads only columns that are no trait here, or traits of earlier steps."""
    waiting = {trait.name: trait for trait in traits}
    reads = {trait.name: columns_read(trait) for trait in traits}
    steps: list[list[Trait]] = []
    while waiting:
        ready = [trait for name, trait in waiting.items() if not reads[name] & set(waiting)]
        if not ready:
            raise ConfigError(f"traits are computed from each other in a circle: {', '.join(sorted(waiting))}")
        steps.append(ready)
        waiting = {name: trait for name, trait in waiting.items() if trait not in ready}
    return steps


def columns_read(trait: Trait) -> frozenset[str]:
    """The columns of gold.customer that a trait from: customer is computed from."""
    return frozenset(trait.ratio) if trait.ratio else columns_in(trait.select)


def _with_figures_of_all(customers: DataFrame, asked: Sequence[OfAll]) -> DataFrame:
    """Every customer with the figures of their group. A window would bring a group, at times everybody, to one task."""
    joined = customers
    for number, group_by in enumerate(dict.fromkeys(one.group_by for one in asked)):
        keys = {f"_group_{number}_{place}": F.expr(key) for place, key in enumerate(group_by)}
        figures = [F.expr(one.aggregate).alias(one.name) for one in asked if one.group_by == group_by]
        groups = customers.groupBy(*[key.alias(name) for name, key in keys.items()]).agg(*figures)
        is_theirs = [key.eqNullSafe(F.col(name)) for name, key in keys.items()]
        # One row per group, and of groups few, as of channels or cities: packs.md asks for that.
        joined = joined.join(F.broadcast(groups), reduce(Column.__and__, is_theirs, F.lit(True)), "left")
    return joined


def _derived_column(trait: Trait, text: str, pack: Pack, kinds: Mapping[str, T.DataType]) -> Column:
    """The trait's value; `text` is its expression, where it is no ratio."""
    result = spark_type(trait_type(trait, pack))
    if trait.ratio:
        numerator, denominator = (_divisible(name, kinds[name], result) for name in trait.ratio)
        value = F.try_divide(numerator, denominator)
    else:
        value = F.expr(text)
    return value.cast(result).alias(trait.name)


def _divisible(name: str, kind: T.DataType, result: T.DataType) -> Column:
    """Decimals and whole numbers divide exactly where the result is a decimal; else as doubles."""
    if isinstance(result, T.DecimalType) and isinstance(kind, T.DecimalType):
        return F.col(name)
    if isinstance(result, T.DecimalType) and isinstance(kind, _WHOLE_NUMBERS):
        return F.col(name).cast(T.DecimalType(20, 0))
    return F.col(name).cast("double")
