"""Rules over the single view: the figures that their questions need, whether they hold, and why.

The frame is gold.customer with scores (`scored_customers`). `with_figures` adds what the questions look at, each helper
column named by what is asked: a question that stands in two rules is computed once.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from functools import reduce

from pyspark.sql import Column, DataFrame, functions as F, types as T

from cdp_lib.errors import ContractError
from cdp_lib.settings.audience import Condition
from cdp_lib.settings.pack import Pack
from cdp_lib.settings.trait import Trait
from cdp_lib.transforms.audience.questions import (
    answer,
    compared_column,
    compares_days,
    DAYS_TO_BIRTHDAY,
    member_flag,
    reason,
    REASONS,
)
from cdp_lib.transforms.customer.aggregates import COUNTS
from cdp_lib.transforms.customer.traits import aggregate_facts


def with_figures(  # noqa: PLR0913  # everything that a rule looks at, and journeys call it so
    customers: DataFrame,
    conditions: Sequence[Condition],
    facts: Mapping[str, DataFrame],
    members: DataFrame | None,
    *,
    pack: Pack,
    as_of: date,
) -> DataFrame:
    """Every row of `customers` with the helper columns that the conditions ask for.

    `facts` maps each entity of a `did` to its rows with golden_id; its questions up to one day take one pass. Of no
    facts counts are 0, all else is null. `members` are the (audience_id, golden_id) of those who are in an audience;
    None: the frame has the flags of the audiences asked for already (`member_flag`). Raises ContractError where an
    entity or a flag is missing.
    """
    leaves = list(leaves_of(conditions))
    figures = _figures(leaves, as_of)
    audiences = sorted({leaf.audience for leaf in leaves if leaf.audience})
    _check(customers, {entity for entity, _ in figures}, facts, audiences if members is None else [])
    counted = [aggregate_facts(facts[entity], asked, pack, as_of=last) for (entity, last), asked in figures.items()]
    if members is not None and audiences:
        counted.append(_memberships(members, audiences))
    joined = reduce(lambda left, right: left.join(right, "golden_id", "left"), counted, customers)  # one row per id
    added = {
        **{figure.name: _filled(figure) for asked in figures.values() for figure in asked},
        **({} if members is None else {member_flag(name): _is_member(name) for name in audiences}),
        **_compared(customers, leaves, pack.info.time_zone),
        **({DAYS_TO_BIRTHDAY: days_to_birthday(as_of)} if any(leaf.birthday_within for leaf in leaves) else {}),
    }
    return joined.select(*customers.columns, *[column.alias(name) for name, column in added.items()])


def holds(condition: Condition) -> Column:
    """Whether the condition is met; never null.

    A value that is unknown meets nothing but `is_not`, `not_in` and `is_known: false`; `not` of an unmet condition is
    met.
    """
    if condition.all:
        return reduce(Column.__and__, map(holds, condition.all))
    if condition.any:
        return reduce(Column.__or__, map(holds, condition.any))
    return ~holds(condition.not_) if condition.not_ is not None else answer(condition)


def reasons(condition: Condition) -> Column:
    """An array with one struct (leaf, value, threshold, held) per question, in the order they are written.

    Below a `not` the leaf begins with `not`, and `held` is the answer turned round: `held` always speaks for the rule.
    """
    return F.array(*_reasons(condition, is_wanted=True)).cast(REASONS)


def leaves_of(conditions: Iterable[Condition]) -> Iterable[Condition]:
    """All questions of the conditions."""
    return (leaf for condition in conditions for leaf in condition.leaves())


def _reasons(condition: Condition, *, is_wanted: bool) -> list[Column]:
    if not condition.parts:
        return [reason(condition, is_wanted=is_wanted)]
    below = is_wanted if condition.not_ is None else not is_wanted
    return [found for part in condition.parts for found in _reasons(part, is_wanted=below)]


def _figures(leaves: Sequence[Condition], as_of: date) -> dict[tuple[str, date], tuple[Trait, ...]]:
    """(entity, last day that counts): the figures that are asked of its facts, each once."""
    asked = {leaf.figure.name: (leaf.figure, min(as_of, leaf.until or as_of)) for leaf in leaves if leaf.did}
    found: dict[tuple[str, date], tuple[Trait, ...]] = {}
    for _, (figure, last) in sorted(asked.items()):
        found[figure.from_, last] = (*found.get((figure.from_, last), ()), figure)
    return found


def _check(
    customers: DataFrame,
    entities: Collection[str],
    facts: Mapping[str, DataFrame],
    audiences: Sequence[str],
) -> None:
    problems = [f"no facts of '{entity}' were given" for entity in sorted(set(entities) - set(facts))]
    problems += [
        f"neither members nor a column '{member_flag(name)}' were given"
        for name in audiences
        if member_flag(name) not in customers.columns
    ]
    if problems:
        raise ContractError("conditions: " + "; ".join(problems))


def _filled(figure: Trait) -> Column:
    if figure.call.function not in COUNTS:
        return F.col(figure.name)
    return F.coalesce(figure.name, F.lit(0).cast("bigint"))


def _is_member(audience_id: str) -> Column:
    return F.coalesce(member_flag(audience_id), F.lit(False))


def _memberships(members: DataFrame, audiences: Sequence[str]) -> DataFrame:
    """One row per golden_id that is in one of the audiences."""
    flags = [F.bool_or(F.col("audience_id") == name).alias(member_flag(name)) for name in audiences]
    return members.where(F.col("audience_id").isin(*audiences)).groupBy("golden_id").agg(*flags)


def _compared(customers: DataFrame, leaves: Iterable[Condition], time_zone: str) -> dict[str, Column]:
    """What trait and score leaves compare: times become local times, or local days where days are asked for."""
    asked = {compared_column(leaf): leaf for leaf in leaves if leaf.trait or leaf.score}
    columns = {}
    for name, leaf in sorted(asked.items()):
        source = str(leaf.trait or leaf.score)
        columns[name] = F.col(source)
        if isinstance(customers.schema[source].dataType, T.TimestampType):
            local = F.from_utc_timestamp(source, time_zone)
            columns[name] = local.cast("date" if compares_days(leaf) else "timestamp_ntz")
    return columns


def days_to_birthday(as_of: date) -> Column:
    """Days from a day to the next birthday by `birth_date`, 0 on it; null where that is unknown.

    29 February is kept on the 28th in common years: months are added to the day of birth itself.
    """
    today, birth = F.lit(as_of), F.col("birth_date")
    years = F.lit(as_of.year) - F.year(birth)
    this_year, next_year = F.add_months(birth, years * 12), F.add_months(birth, (years + 1) * 12)
    coming = F.when(this_year >= today, this_year).otherwise(next_year)
    return F.datediff(coming, today)
