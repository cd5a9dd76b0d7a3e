"""What each aggregate of a trait means, as one Spark column over a customer's facts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pyspark.sql import Column, functions as F, types as T

COUNTS = ("count", "count_distinct")
"""Aggregates that are 0, not null, of no facts."""
ORDERED = ("first", "last", "list")
"""Aggregates that read the facts in order of their time, ties by the entity's key."""


@dataclass(frozen=True)
class Facts:
    """The facts that a trait is about: `value` is null for every fact that does not count."""

    value: Column
    value_type: T.DataType
    order: Column
    """The fact's time and key: orders any two facts of an entity."""

    @property
    def known_order(self) -> Column:
        """`order`, null for facts that do not count."""
        return F.when(self.value.isNotNull(), self.order)

    @property
    def is_floating(self) -> bool:
        """Whether the sum depends on the order of addition."""
        return isinstance(self.value_type, T.DoubleType | T.FloatType)


def aggregate(function: str, facts: Facts, result: T.DataType) -> Column:
    """The trait's column of type `result`; decimals are summed wide and cast back once, half up."""
    return _AGGREGATES[function](facts).cast(result)


def _sum(facts: Facts) -> Column:
    return _in_value_order(facts) if facts.is_floating else F.sum(facts.value)


def _avg(facts: Facts) -> Column:
    return F.try_divide(_in_value_order(facts), F.count(facts.value)) if facts.is_floating else F.avg(facts.value)


def _in_value_order(facts: Facts) -> Column:
    """A sum of doubles that does not depend on how the rows are spread: smallest value first."""
    values = F.array_sort(F.collect_list(facts.value.cast("double")))
    return F.when(F.size(values) > 0, F.aggregate(values, F.lit(0.0), lambda total, value: total + value))


def _distinct(facts: Facts) -> Column:
    return _unless_empty(F.array_sort(F.collect_set(facts.value)))


def _unless_empty(values: Column) -> Column:
    return F.when(F.size(values) > 0, values)


def _list(facts: Facts) -> Column:
    pairs = F.collect_list(
        F.when(facts.value.isNotNull(), F.struct(facts.order.alias("at"), facts.value.alias("value")))
    )
    return _unless_empty(F.transform(F.array_sort(pairs), lambda pair: pair["value"]))


_AGGREGATES: Mapping[str, Callable[[Facts], Column]] = {
    "count": lambda facts: F.count(facts.value),
    "count_distinct": lambda facts: F.size(F.collect_set(facts.value)),
    "sum": _sum,
    "min": lambda facts: F.min(facts.value),
    "max": lambda facts: F.max(facts.value),
    "avg": _avg,
    "first": lambda facts: F.min_by(facts.value, facts.known_order),
    "last": lambda facts: F.max_by(facts.value, facts.known_order),
    "most_frequent": lambda facts: F.mode(facts.value, True),
    "list": _list,
    "distinct": _distinct,
}
