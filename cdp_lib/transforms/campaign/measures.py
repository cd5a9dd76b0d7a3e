"""What customers did in the days after they were assigned, and as long before: all KPIs of an entity in one pass."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import reduce

from pyspark.sql import Column, DataFrame, functions as F, types as T

from cdp_lib.contracts.silver import ENTITIES, FACT_TIME
from cdp_lib.errors import ContractError, near_miss
from cdp_lib.settings.activation import Kpi
from cdp_lib.settings.audience import days_in
from cdp_lib.settings.pack import Pack
from cdp_lib.settings.sql import columns_in
from cdp_lib.settings.trait import Trait
from cdp_lib.transforms.customer.aggregates import aggregate, Facts
from cdp_lib.transforms.customer.as_of import end_of_day
from cdp_lib.transforms.customer.traits import EVERY_FACT

FUNCTIONS = ("count", "count_distinct", "sum")
_AMOUNT = "decimal(18,2)"
_FIGURE = T.DecimalType(18, 6)
"""Sums of decimals do not depend on the order of addition, and their squares still fit 38 digits."""
_ENDS = "window_ends_at"
_TOLD = ("value", "before", _ENDS)


@dataclass(frozen=True)
class Measure:
    """One KPI of one activation."""

    activation_id: str
    kpi: Kpi

    @property
    def trait(self) -> Trait:
        """How it reads the facts, its window aside."""
        return Trait.asking(self.kpi.id, from_=self.kpi.from_, select=self.kpi.select, where=self.kpi.where)

    @property
    def window(self) -> Column:
        """How long after the assignment facts count; days of 24 hours."""
        return F.make_dt_interval(days=F.lit(days_in(self.kpi.window)))

    @property
    def is_money(self) -> bool:
        """Whether it sums a column of amounts: a lift of it is revenue."""
        function, argument = self.trait.call
        types = {column.name: column.type for column in ENTITIES[self.kpi.from_].columns}
        return function == "sum" and types.get(argument.strip("`").lower()) == _AMOUNT

    @property
    def columns(self) -> Iterator[str]:
        """Columns of the entity that it reads, its time aside."""
        argument = self.trait.call.argument
        if argument != EVERY_FACT:
            yield from columns_in(argument)
        if self.kpi.where:
            yield from columns_in(self.kpi.where)


def measures_of(pack: Pack) -> tuple[Measure, ...]:
    """Every KPI of the pack's activations; raises ContractError for one that is no count, count_distinct or sum."""
    found = tuple(Measure(activation.id, kpi) for activation in pack.activations for kpi in activation.kpis)
    problems = [
        f"activation {one.activation_id}: kpi {one.kpi.id}: {one.kpi.select!r} is none of {', '.join(FUNCTIONS)}"
        for one in found
        if one.trait.call.function not in FUNCTIONS
    ]
    if problems:
        raise ContractError("; ".join(problems) + ". Write e.g. select: count(*).")
    return found


def kpi_values(people: DataFrame, facts: Mapping[str, DataFrame], pack: Pack, *, as_of: date) -> DataFrame:
    """One row per activation, KPI and customer whose window has passed: arm, value, before.

    `people` are rows of `exposures`; who is crossed is left out. `value` is the KPI over [assigned_at, assigned_at +
    window), `before` over as long a time before assigned_at; 0 without facts. A window has passed that ends at the end
    of the as-of day or earlier. `facts` maps entities to their rows with golden_id. Raises ContractError where an
    entity or a column of it is missing.
    """
    comparable = people.where(~F.col("is_crossed"))
    of_entity: dict[str, list[Measure]] = {}
    for measure in measures_of(pack):
        of_entity.setdefault(measure.kpi.from_, []).append(measure)
    per_entity = [_entity_values(comparable, _facts_of(facts, group), group) for group in of_entity.values()]
    no_value = F.lit(None).cast(_FIGURE)
    nobody = comparable.limit(0).select(
        "activation_id",
        F.lit("").alias("kpi"),
        "golden_id",
        "arm",
        no_value.alias("value"),
        no_value.alias("before"),
        F.col("assigned_at").alias(_ENDS),
    )
    has_passed = F.col(_ENDS) <= F.lit(end_of_day(as_of, pack.info.time_zone))
    return reduce(DataFrame.unionByName, per_entity, nobody).where(has_passed).drop(_ENDS)


def sufficient_statistics(values: DataFrame) -> DataFrame:
    """One row per activation, KPI and arm: customer_count, and sums of value, before, their squares and product.

    All that a comparison of means needs, exact, and as small as the pack's settings.
    """
    value, before = F.col("value"), F.col("before")
    sums = {
        "value_sum": value,
        "value_square_sum": value * value,
        "before_sum": before,
        "before_square_sum": before * before,
        "product_sum": value * before,
    }
    return values.groupBy("activation_id", "kpi", "arm").agg(
        F.count("*").alias("customer_count"), *[F.sum(figure).alias(name) for name, figure in sums.items()]
    )


def _entity_values(people: DataFrame, facts: DataFrame, measures: Sequence[Measure]) -> DataFrame:
    """One row per activation, KPI and customer, whether or not the window has passed."""
    at, assigned_at = F.col(FACT_TIME[measures[0].kpi.from_]), F.col("assigned_at")
    asked = people.where(F.col("activation_id").isin(sorted({one.activation_id for one in measures})))
    longest = F.make_dt_interval(days=F.lit(max(days_in(one.kpi.window) for one in measures)))
    is_theirs = F.col("golden_id") == F.col("fact_golden_id")
    is_near = (at >= assigned_at - longest) & (at < assigned_at + longest)
    met = asked.join(facts, is_theirs & is_near, "left")
    told = [F.when(F.col("activation_id") == one.activation_id, _told(one, met)) for one in measures]
    summed = met.groupBy("activation_id", "golden_id", "arm", "assigned_at").agg(F.array(*told).alias("told"))
    each = summed.select("activation_id", "golden_id", "arm", F.explode(F.array_compact("told")).alias("told"))
    return each.select("activation_id", "told.kpi", "golden_id", "arm", *[f"told.{name}" for name in _TOLD])


def _told(measure: Measure, met: DataFrame) -> Column:
    """The KPI of a customer: its id, figures and when its window ends."""
    at, assigned_at = F.col(FACT_TIME[measure.kpi.from_]), F.col("assigned_at")
    is_after = (at >= assigned_at) & (at < assigned_at + measure.window)
    is_before = (at < assigned_at) & (at >= assigned_at - measure.window)
    return F.struct(
        F.lit(measure.kpi.id).alias("kpi"),
        _figure(measure, is_after, met).alias("value"),
        _figure(measure, is_before, met).alias("before"),
        (assigned_at + measure.window).alias(_ENDS),
    )


def _figure(measure: Measure, is_in_time: Column, met: DataFrame) -> Column:
    function, argument = measure.trait.call
    value = F.lit(1) if argument == EVERY_FACT else F.expr(argument)
    counts = is_in_time if measure.kpi.where is None else is_in_time & F.expr(measure.kpi.where)
    kind = met.select(value.alias("value")).schema["value"].dataType
    facts = Facts(F.when(counts, value), kind, F.struct(FACT_TIME[measure.kpi.from_]))
    return F.coalesce(aggregate(function, facts, _FIGURE), F.lit(0).cast(_FIGURE))


def _facts_of(facts: Mapping[str, DataFrame], measures: Sequence[Measure]) -> DataFrame:
    """What the measures of one entity read of it; raises ContractError for what is not there."""
    entity = measures[0].kpi.from_
    read = {name: one.kpi.id for one in measures for name in one.columns}
    if entity not in facts:
        raise ContractError(
            f"no facts of '{entity}' were given for kpi {', '.join(sorted(set(one.kpi.id for one in measures)))}."
        )
    present = facts[entity].columns
    problems = [
        f"kpi {read[name]}: '{entity}' has no column '{name}'.{near_miss(name, present)}"
        for name in sorted(set(read) - set(present))
    ]
    if problems:
        raise ContractError("; ".join(problems))
    named = sorted({FACT_TIME[entity], *read})
    return facts[entity].select(F.col("golden_id").alias("fact_golden_id"), *named)
