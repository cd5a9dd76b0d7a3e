"""The rules of a source's contract as conditions over its typed rows. No row can make one fail the job.

A pack's expressions may throw under ANSI rules: a division by zero, a cast, an overflow, an index past the end. Each is
therefore computed inside `try_to_binary`, which Spark evaluates in a `TryEval`: what its argument throws becomes null.
The argument stands in a CASE, whose branches Spark computes only when taken: it may else compute an expression that
occurs twice ahead of both, outside of the TryEval.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pyspark.sql import Column, functions as F
from sqlglot import exp

from cdp_lib.contracts.references import required_columns
from cdp_lib.contracts.silver import ENTITIES
from cdp_lib.settings.source import Feed, Source, SourceColumn
from cdp_lib.settings.sql import parse_expression

CANNOT_BE_COMPUTED = "cannot be computed"

_NULL = "null"
_TRUE = "true"
_FALSE = "false"


@dataclass(frozen=True)
class Checks:
    """`states`: columns to compute first; `rules`: what a broken rule is called -> condition over columns and states.

    A condition is never null.
    """

    states: Mapping[str, Column] = field(default_factory=dict)
    rules: Mapping[str, Column] = field(default_factory=dict)

    def __or__(self, other: "Checks") -> "Checks":
        rules = dict(self.rules)
        for rule, broken in other.rules.items():
            rules[rule] = rules[rule] | broken if rule in rules else broken
        return Checks({**self.states, **other.states}, rules)


def contract_checks(source: Source) -> Checks:
    """Every rule of the source, over its typed columns and `_text_<column>`, the text that each came from."""
    checks = Checks()
    for name, column in source.columns.items():
        checks |= _column_checks(name, column, required=column.required or name in source.key)
    for place, feed in enumerate(source.feeds):
        if not feed.group_by:
            checks |= _feed_checks(f"_feed_{place}", feed)
    return checks


def _column_checks(name: str, column: SourceColumn, *, required: bool) -> Checks:
    rules: dict[str, Column] = {}
    states: dict[str, Column] = {}
    text = F.col(f"_text_{name}")
    if column.type != "string":
        rules[f"{name}: not a {column.type}"] = text.isNotNull() & F.col(name).isNull()
    if required:
        rules[f"{name}: missing"] = text.isNull()
    for place, condition in enumerate(column.expect):
        state = f"_expect_{name}_{place}"
        stated = " ".join(condition.split())
        states[state] = _tried(F.expr(condition).cast("string"))
        rules[f"{name}: {stated}"] = F.col(state).eqNullSafe(_FALSE)
        rules[f"{name}: {stated} {CANNOT_BE_COMPUTED}"] = F.col(state).isNull()
    return Checks(states, rules)


def _feed_checks(prefix: str, feed: Feed) -> Checks:
    """A row that the feed takes must give every required column of its entity, and no expression may throw.

    Expressions of feeds that group are aggregates: no row alone breaks them.
    """
    checks = Checks()
    is_taken: Column = F.lit(True)
    if feed.where:
        where = f"{prefix}_where"
        broken = {f"feed {feed.to}: where {CANNOT_BE_COMPUTED}": F.col(where).isNull()}
        checks |= Checks({where: _tried(F.expr(feed.where).cast("string"))}, broken)
        is_taken = F.col(where).eqNullSafe(_TRUE)
    needed = required_columns(feed.to) if feed.to in ENTITIES else ()
    for target, expression in feed.map.items():
        rule = f"feed {feed.to}.{target}"
        tree = parse_expression(expression)
        if isinstance(tree, exp.Column):
            if target in needed:
                checks |= Checks(rules={f"{rule}: null": is_taken & F.expr(expression).isNull()})
        elif not isinstance(tree, exp.Literal):
            state = f"{prefix}_{target}"
            # Not `is null`: Spark would skip an expression that cannot be null, and never see that it throws.
            states = {state: _tried(F.concat(F.lit("="), F.expr(expression).cast("string")))}
            rules = {f"{rule}: {CANNOT_BE_COMPUTED}": is_taken & F.col(state).isNull()}
            if target in needed:
                rules[f"{rule}: null"] = is_taken & F.col(state).eqNullSafe(_NULL)
            checks |= Checks(states, rules)
    return checks


def _tried(text: Column) -> Column:
    """The text that comes out; `null` where that is null; null where computing it throws."""
    # True of every row that is judged, but Spark cannot know that.
    is_row = F.col("_malformed").isNull()
    return F.try_to_binary(F.when(is_row, F.coalesce(text, F.lit(_NULL))), F.lit("utf-8")).cast("string")
