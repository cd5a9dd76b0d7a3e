"""The rules of a source's contract over its typed rows. No row can make one of them fail the job.

A pack's expressions may throw under ANSI rules: a division by zero, a cast (also one that Spark adds by itself), an
overflow, an index past the end, a function's own error. They are therefore computed inside `try_to_binary`, which Spark
evaluates in a `TryEval`: whatever its argument throws becomes null. Only what ends the JVM, such as a lack of memory,
gets through. The argument stands in a CASE, whose branches Spark computes only when taken: an expression that occurs
twice may else be computed ahead of both, outside of the TryEval.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import and_

from pyspark.sql import Column, functions as F

from cdp_lib.contracts.references import required_columns
from cdp_lib.contracts.silver import CUSTOMER_RECORD, ENTITIES
from cdp_lib.settings.source import Feed, Source, SourceColumn
from cdp_lib.settings.sql import is_plain
from cdp_lib.transforms.ingest.conform import entity_type

CANNOT_BE_COMPUTED = "cannot be computed"

_BUDDHIST_YEARS = (2443, 2642)
"""1900 to 2099, written in that era: nothing that happens to a customer is of such a year of the common one."""

_YES, _NO = "01", "00"


@dataclass(frozen=True)
class Rule:
    """`is_broken` is true or false of a row, or throws; then `thrown` is what is said of the row."""

    name: str
    thrown: str
    is_broken: Column


@dataclass(frozen=True)
class Group:
    """Rules that hold for the rows where `guard` is true; for all rows where there is none. The guard may throw."""

    rules: tuple[Rule, ...]
    guard: Column = field(default_factory=lambda: F.lit(True))
    guard_thrown: str | None = None

    @property
    def is_kept(self) -> Column:
        """Whether a row breaks none of the rules; may throw."""
        kept = reduce(and_, (~rule.is_broken for rule in self.rules), F.lit(True))
        return ~F.coalesce(self.guard, F.lit(False)) | kept

    def broken(self) -> Iterator[tuple[str, Column]]:
        """(what is said, whether it is true of the row): conditions that never throw."""
        guarded = _tried(F.coalesce(self.guard, F.lit(False)))
        if self.guard_thrown is not None:
            yield self.guard_thrown, guarded.isNull()
        for rule in self.rules:
            answer = _tried(rule.is_broken)
            is_judged = guarded.eqNullSafe(_answer(_YES))
            yield rule.name, is_judged & answer.eqNullSafe(_answer(_YES))
            yield rule.thrown, is_judged & answer.isNull()


def contract_groups(source: Source) -> tuple[Group, ...]:
    """Every rule of the source: over its typed columns, and `_is_given_<column>` for those that are no strings."""
    of_columns = [
        rule
        for name, column in source.columns.items()
        for rule in _column_rules(name, column, required=column.required or name in source.key)
    ]
    of_feeds = [_feed_group(feed) for feed in source.feeds]
    return (Group(tuple(of_columns)), *of_feeds)


def is_fine(groups: Sequence[Group]) -> Column:
    """Whether a row breaks no rule at all: one evaluation for all rules, for nearly all rows are good. Never throws."""
    kept = reduce(and_, (group.is_kept for group in groups), F.lit(True))
    return F.coalesce(_tried(kept) == _answer(_YES), F.lit(False))


def broken_rules(groups: Iterable[Group]) -> list[tuple[str, Column]]:
    """What is said of a row -> whether it is true, by name; one entry where several rules say the same."""
    merged: dict[str, Column] = {}
    for group in groups:
        for said, is_true in group.broken():
            merged[said] = merged[said] | is_true if said in merged else is_true
    return sorted(merged.items(), key=lambda pair: pair[0])


def _column_rules(name: str, column: SourceColumn, *, required: bool) -> Iterator[Rule]:
    is_given = F.col(name).isNotNull() if column.type == "string" else F.col(f"_is_given_{name}")
    if column.type != "string":
        yield _rule(f"{name}: not a {column.type}", is_given & F.col(name).isNull())
    if column.is_moment:
        is_of_it = F.coalesce(F.year(name).between(*_BUDDHIST_YEARS), F.lit(False))
        yield _rule(f"{name}: a year of the Buddhist era, see `era`", is_of_it)
    if required:
        yield _rule(f"{name}: missing", ~is_given)
    for condition in column.expect:
        stated = " ".join(condition.split())
        yield _rule(f"{name}: {stated}", ~F.coalesce(F.expr(condition), F.lit(True)))


def _feed_group(feed: Feed) -> Group:
    """A row that the feed takes must give every required column of its entity, keep its CHECKs, and make nothing throw.

    A value that is none in the entity's type (a text `1,50` for an amount) is not given. What a feed that groups makes
    of its rows no row alone breaks; what it groups by, it does.
    """
    rules: list[Rule] = []
    for target, expression in feed.map.items():
        if not feed.group_by or expression.strip() in feed.group_by:
            rules += _mapped_rules(feed.to, target, expression)
    if feed.where is None:
        return Group(tuple(rules))
    return Group(tuple(rules), F.expr(feed.where), f"feed {feed.to}: where {CANNOT_BE_COMPUTED}")


def _mapped_rules(entity: str, target: str, expression: str) -> Iterator[Rule]:
    """What the entity asks of the value that an expression gives one of its columns."""
    name, value = f"feed {entity}.{target}", _computed(F.expr(expression))
    thrown = f"{name}: {CANNOT_BE_COMPUTED}"
    needed = required_columns(entity) if entity in ENTITIES else ()
    check = _check_of(entity, target)
    if target in needed:
        yield Rule(f"{name}: null", thrown, value.try_cast(entity_type(target, entity)).isNull())
    if check is not None:
        typed = f"try_cast(({expression}) AS {ENTITIES[entity].column(target).type})"
        of_value = re.sub(rf"\b{target}\b", lambda _: typed, check)
        yield Rule(f"{name}: not {check}", thrown, ~F.coalesce(F.expr(of_value), F.lit(True)))
    elif target not in needed and not is_plain(expression):
        # Never broken, but Spark cannot know and computes the value.
        yield Rule(f"{name}: null", thrown, ~(value.isNull() | (F.col("_row_number") > 0)))


def _check_of(entity: str, target: str) -> str | None:
    """The CHECK of an entity's column, where the value is written as it is mapped: people's are cleaned before."""
    table = ENTITIES.get(entity)
    if table is None or table is CUSTOMER_RECORD or target not in table.column_names:
        return None
    return table.column(target).check


def _rule(name: str, is_broken: Column) -> Rule:
    return Rule(name, f"{name} {CANNOT_BE_COMPUTED}", is_broken)


def _computed(value: Column) -> Column:
    """The value, as an array's item: Spark skips `x is null` where x cannot be null, and never sees x throw."""
    return F.get(F.array(value), F.length(F.coalesce("_malformed", F.lit(""))))


def _tried(condition: Column) -> Column:
    """`_answer` of a condition that is never null; null where it throws, and for rows that could not be split."""
    answer = F.when(condition, F.lit(_YES)).otherwise(F.lit(_NO))
    return F.try_to_binary(F.when(F.col("_malformed").isNull(), answer), F.lit("hex"))


def _answer(digits: str) -> Column:
    return F.lit(bytes.fromhex(digits))
