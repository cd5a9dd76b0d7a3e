"""One question of a rule: the column that it looks at, whether it holds, and how it is told to people."""

import re
from collections.abc import Mapping
from typing import Any

from pyspark.sql import Column, functions as F

from cdp_lib.settings.audience import Condition

DAYS_TO_BIRTHDAY = "days_to_birthday"
"""Helper column: days from the as-of date to the next birthday, 0 on it; null where no birth date is known."""

REASONS = "array<struct<leaf:string,value:string,threshold:string,held:boolean>>"
"""As gold.audience_member keeps them."""

_PLAIN_DAY = re.compile(r"^\d{4}-\d{2}-\d{2}$")
_HOLDS_FOR_UNKNOWN = ("is_not", "not_in")


def member_flag(audience_id: str) -> str:
    """Helper column: whether the customer is in that audience, never null."""
    return f"in_audience_{audience_id}"


def compares_days(leaf: Condition) -> bool:
    """Whether everything that the question compares with is a plain day: then times count by their local day."""
    values = [one for value in leaf.operators.values() for one in (value if isinstance(value, tuple) else (value,))]
    texts = [value for value in values if not isinstance(value, bool)]
    return bool(texts) and all(isinstance(text, str) and _PLAIN_DAY.match(text) for text in texts)


def compared_column(leaf: Condition) -> str:
    """Helper column of a trait or score leaf: the customer's value, times in the pack's zone."""
    return f"compared_{'day' if compares_days(leaf) else 'value'}_{leaf.trait or leaf.score}"


def answer(leaf: Condition) -> Column:
    """Whether the question's answer is yes; never null: an unknown value answers no, but yes to is_not and not_in."""
    if leaf.audience:
        return F.col(member_flag(leaf.audience))
    if leaf.birthday_within:
        return _or_false(F.col(DAYS_TO_BIRTHDAY) <= int(leaf.birthday_within.removesuffix("d")))
    held = F.lit(True)
    for operator, value in leaf.operators.items():
        held = held & (_of_segment(leaf, operator, value) if leaf.segment else _compare(_value(leaf), operator, value))
    return held


def reason(leaf: Condition, *, is_wanted: bool) -> Column:
    """A struct for people: the question, the customer's value, what was asked for, whether it speaks for membership.

    With `is_wanted` false the question stands below a `not`: its leaf begins with `not` and is held by the other
    answer. The value is null where it is unknown.
    """
    held = answer(leaf) if is_wanted else ~answer(leaf)
    return told(question(leaf, is_wanted=is_wanted), _shown(leaf), threshold(leaf), held)


def told(leaf: str, value: Column, asked: str, held: Column) -> Column:
    """One reason, as gold.audience_member keeps it."""
    return F.struct(
        F.lit(leaf).alias("leaf"), value.alias("value"), F.lit(asked).alias("threshold"), held.alias("held")
    )


def question(leaf: Condition, *, is_wanted: bool = True) -> str:
    """What is looked at, e.g. `trait visits_90d`, `not audience lapsed`, `did order: sum(paid_amount) in 30d`."""
    named = next(
        (f"{kind} {getattr(leaf, kind)}" for kind in ("trait", "score", "segment", "audience") if getattr(leaf, kind)),
        "birthday_within",
    )
    if leaf.did:
        where = f" where {leaf.where}" if leaf.where else ""
        window = f" in {leaf.window}" if leaf.window else ""
        until = f" until {leaf.until}" if leaf.until else ""
        named = f"did {leaf.did}: {leaf.select}{where}{window}{until}"
    return named if is_wanted else f"not {named}"


def threshold(leaf: Condition) -> str:
    """What it is compared with, e.g. `gte 6`, `in a, b`, `within 7d`."""
    if leaf.audience:
        return "member"
    if leaf.birthday_within:
        return f"within {leaf.birthday_within}"
    return ", ".join(_clause(operator, value) for operator, value in leaf.operators.items())


def _clause(operator: str, value: Any) -> str:
    if operator == "is_known":
        return "known" if value else "unknown"
    texts = [str(one).lower() if isinstance(one, bool) else str(one) for one in _several(value)]
    return f"{operator.rstrip('_').replace('_', ' ')} {', '.join(texts)}"


def _value(leaf: Condition) -> Column:
    return F.col(leaf.figure.name if leaf.did else compared_column(leaf))


def _shown(leaf: Condition) -> Column:
    if leaf.audience:
        return F.when(F.col(member_flag(leaf.audience)), "member").otherwise("not a member")
    if leaf.birthday_within:
        return F.concat(F.col(DAYS_TO_BIRTHDAY).cast("string"), F.lit("d"))
    if leaf.segment:
        label, name = _segment_columns(leaf.segment)
        return F.when(label.eqNullSafe(name), label).otherwise(F.concat(label, F.lit(" ("), name, F.lit(")")))
    return _value(leaf).cast("string")


def _of_segment(leaf: Condition, operator: str, value: Any) -> Column:
    """A segment is named by its label or by what people call it."""
    label, name = _segment_columns(str(leaf.segment))
    if operator in _HOLDS_FOR_UNKNOWN or operator == "is_known":
        return _compare(label, operator, value) & (
            _compare(name, operator, value) if operator != "is_known" else F.lit(True)
        )
    return _compare(label, operator, value) | _compare(name, operator, value)


def _segment_columns(segment: str) -> tuple[Column, Column]:
    return F.col(f"segment_{segment}"), F.col(f"segment_{segment}_name")


_ORDERS: Mapping[str, Any] = {
    "gte": lambda column, value: column >= value,
    "gt": lambda column, value: column > value,
    "lte": lambda column, value: column <= value,
    "lt": lambda column, value: column < value,
}


def _compare(column: Column, operator: str, value: Any) -> Column:
    if operator == "is_known":
        return column.isNotNull() if value else column.isNull()
    if operator in _ORDERS:
        return _or_false(_ORDERS[operator](column, F.lit(value)))
    if operator == "contains":
        return _or_false(F.exists(column, lambda one: one == F.lit(value)))
    is_one = _or_false(_any_equal(column, _several(value)))
    return ~is_one if operator in _HOLDS_FOR_UNKNOWN else is_one


def _any_equal(column: Column, values: tuple[Any, ...]) -> Column:
    found = F.lit(False)
    for value in values:
        found = found | (column == F.lit(value))
    return found


def _several(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _or_false(condition: Column) -> Column:
    return F.coalesce(condition, F.lit(False))
