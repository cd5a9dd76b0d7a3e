"""Traits that are computed from other columns rather than from facts."""

from collections.abc import Mapping, Sequence

from pyspark.sql import Column, DataFrame, functions as F, types as T

from cdp_lib.contracts.gold import trait_type
from cdp_lib.contracts.types import spark_type
from cdp_lib.errors import ConfigError
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
    One projection per step of the longest chain of traits. Raises ConfigError when traits read each other in a circle.
    """
    derived = customers
    for step in dependency_steps(customer_traits(pack)):
        kinds = {field.name: field.dataType for field in derived.schema.fields}
        derived = derived.select("*", *[_derived_column(trait, pack, kinds) for trait in step])
    return derived


def dependency_steps(traits: Sequence[Trait]) -> list[list[Trait]]:
    """The traits in steps: each reads only columns that are no trait here, or traits of earlier steps."""
    waiting = {trait.name: trait for trait in traits}
    reads = {trait.name: _reads(trait) for trait in traits}
    steps: list[list[Trait]] = []
    while waiting:
        ready = [trait for name, trait in waiting.items() if not reads[name] & set(waiting)]
        if not ready:
            raise ConfigError(f"traits are computed from each other in a circle: {', '.join(sorted(waiting))}")
        steps.append(ready)
        waiting = {name: trait for name, trait in waiting.items() if trait not in ready}
    return steps


def _reads(trait: Trait) -> frozenset[str]:
    return frozenset(trait.ratio) if trait.ratio else columns_in(trait.select)


def _derived_column(trait: Trait, pack: Pack, kinds: Mapping[str, T.DataType]) -> Column:
    result = spark_type(trait_type(trait, pack))
    if trait.ratio:
        numerator, denominator = (_divisible(name, kinds[name], result) for name in trait.ratio)
        value = F.try_divide(numerator, denominator)
    else:
        value = F.expr(trait.select)
    return value.cast(result).alias(trait.name)


def _divisible(name: str, kind: T.DataType, result: T.DataType) -> Column:
    """Decimals and whole numbers divide exactly where the result is a decimal; else as doubles."""
    if isinstance(result, T.DecimalType) and isinstance(kind, T.DecimalType):
        return F.col(name)
    if isinstance(result, T.DecimalType) and isinstance(kind, _WHOLE_NUMBERS):
        return F.col(name).cast(T.DecimalType(20, 0))
    return F.col(name).cast("double")
