"""Kind `audience`: whom a campaign is for, as rules over the single view, facts and other audiences."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from datetime import date
from graphlib import TopologicalSorter
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator, ValidationError, ValidationInfo

from cdp_lib.settings.kind import Frozen, Name, SqlText
from cdp_lib.settings.trait import Trait

SUPPRESSION = "suppression"
"""What `exclude` may name beside audiences: everybody who is on a suppression list."""

_DAYS = re.compile(r"^(0|[1-9][0-9]{0,3})d$")
GROUPS = ("all", "any", "not_")
SUBJECTS = ("trait", "score", "segment", "did", "birthday_within", "audience")
OPERATORS = ("gte", "gt", "lte", "lt", "is_", "is_not", "in_", "not_in", "contains", "is_known")
_OPERATORS_OF: dict[str, tuple[str, ...]] = {
    "trait": OPERATORS,
    "score": OPERATORS,
    "segment": ("is_", "is_not", "in_", "not_in", "is_known"),
    "did": ("gte", "gt", "lte", "lt", "is_", "is_not"),
    "birthday_within": (),
    "audience": (),
}
Value = bool | int | float | str


def days_in(text: str) -> int:
    """Whole days of `90d`; raises ValueError for anything else."""
    match = _DAYS.match(text)
    if not match:
        raise ValueError(f"{text!r} is not a number of days such as 7d")
    return int(match[1])


def one_day_at_least(value: str, field: ValidationInfo) -> str:
    """A validator of `90d` and the like: a day or more."""
    if days_in(value) < 1:
        raise ValueError(f"{field.field_name} is one day at least")
    return value


class Condition(Frozen):
    """A group (all, any, not) of conditions, or one question with one answer that is asked for."""

    all: tuple["Condition", ...] | None = Field(default=None, min_length=1, description="Each of them holds")
    any: tuple["Condition", ...] | None = Field(default=None, min_length=1, description="One of them holds at least")
    not_: "Condition | None" = Field(default=None, alias="not", description="It does not hold, or is not known to")
    trait: Name | None = Field(default=None, description="A column of gold.customer")
    score: Name | None = Field(default=None, description="A score, e.g. churn_probability, cltv_amount")
    segment: Name | None = Field(default=None, description="A segmentation; its label or name is compared")
    did: Name | None = Field(default=None, description="An entity, e.g. order, event: facts of the customer")
    select: SqlText = Field(default="count(*)", description="Of did: an aggregate as in a trait")
    where: SqlText | None = Field(default=None, description="Of did: only these facts")
    window: str | None = Field(default=None, description="Of did: 30d = the 30 days that end with the as-of date")
    until: date | None = Field(
        default=None, description="Of did: facts up to this day, and a window that ends with it, once it has passed"
    )
    birthday_within: str | None = Field(
        default=None, description="7d: the next birthday is at most 7 days after the as-of date; 0d: on it"
    )
    audience: Name | None = Field(default=None, description="Members of another audience")
    gte: Value | None = None
    gt: Value | None = None
    lte: Value | None = None
    lt: Value | None = None
    is_: Value | None = Field(default=None, alias="is")
    is_not: Value | None = Field(default=None, description="Something else, or unknown")
    in_: tuple[Value, ...] | None = Field(default=None, alias="in", min_length=1)
    not_in: tuple[Value, ...] | None = Field(default=None, min_length=1, description="None of these, or unknown")
    contains: Value | None = Field(default=None, description="A list has it")
    is_known: bool | None = Field(default=None, description="Whether there is a value at all")

    @field_validator("birthday_within", "window")
    @classmethod
    def _is_days(cls, value: str | None) -> str | None:
        if value is not None:
            days_in(value)
        return value

    @model_validator(mode="after")
    def _is_one_thing(self) -> "Condition":
        said = [name for name in (*GROUPS, *SUBJECTS) if getattr(self, name) is not None]
        words = ", ".join(name.rstrip("_") for name in (*GROUPS, *SUBJECTS))
        if len(said) != 1:
            found = " and ".join(name.rstrip("_") for name in said) or "nothing"
            raise ValueError(f"a condition says one of {words}; this one says {found}")
        fitting = _OPERATORS_OF.get(said[0], ())
        given = self.operators
        wrong = sorted(name.rstrip("_") for name in given if name not in fitting)
        if wrong:
            raise ValueError(f"{said[0].rstrip('_')} takes no {', '.join(wrong)}")
        if fitting and not given:
            raise ValueError(f"{said[0]} needs a comparison: {', '.join(name.rstrip('_') for name in fitting)}")
        if said[0] != "did" and (self.where or self.window or self.until or self.select != "count(*)"):
            raise ValueError(f"select, where, window and until belong to did, not to {said[0].rstrip('_')}")
        if self.did:
            self._check_figure()
        return self

    def _check_figure(self) -> None:
        try:
            self.figure  # noqa: B018  # its own checks are what is wanted
        except ValidationError as problem:
            raise ValueError(str(problem.errors()[0]["msg"]).removeprefix("Value error, ")) from None

    @property
    def operators(self) -> dict[str, Any]:
        """Operator: the value it compares with; several hold together."""
        return {name: getattr(self, name) for name in OPERATORS if getattr(self, name) is not None}

    @property
    def parts(self) -> tuple["Condition", ...]:
        """The conditions of a group; of a question, none."""
        return self.all or self.any or ((self.not_,) if self.not_ else ())

    def leaves(self) -> Iterator["Condition"]:
        """The questions in it, in the order they are written; of a question, itself."""
        if not self.parts:
            yield self
        for part in self.parts:
            yield from part.leaves()

    @property
    def figure(self) -> Trait:
        """Of did: what is compared, as a trait whose name comes from what it asks."""
        asked = {"from": self.did, "select": self.select, "where": self.where, "window": self.window}
        name = f"did_{hashlib.sha256(repr((asked, self.until)).encode()).hexdigest()[:16]}"
        return Trait.asking(name, **asked)


class Cap(Frozen):
    """At most so many, the best first."""

    count: int = Field(ge=1)
    by: Name = Field(description="Column of the single view or score; nobody without a value is kept before one with")
    order: Literal["highest", "lowest"] = "highest"


class Draw(Frozen):
    """So many by lot, once: whoever has won stays in it. Another round has another seed."""

    count: int = Field(ge=1)
    seed: str = Field(min_length=1, description="Published, so that anybody can draw again")
    closes_on: date = Field(
        description="Drawn when this day is over, by the first run that sees a later one; before, nobody is in it"
    )


class Lookalike(Frozen):
    """Those outside the seed audience who are most like it."""

    seed: Name = Field(description="Audience to resemble; its members are not in the result")
    features: tuple[Name, ...] = Field(min_length=1, description="Numeric columns of the single view to compare by")
    count: int = Field(ge=1, description="How many, the most alike first")


class Audience(Frozen):
    """A named group of customers, computed anew in each run."""

    kind: Literal["audience"]
    id: Name
    description: str = ""
    where: Condition | None = Field(default=None, description="Who is in it; left out: everybody, or the lookalikes")
    lookalike: Lookalike | None = None
    exclude: tuple[Name, ...] = Field(default=(), description=f"Audiences whose members are not in it; {SUPPRESSION}")
    purpose: Name = Field(default="marketing", description="What the customers must have agreed to")
    priority_list: Name | None = Field(default=None, description="A customer is in one audience of a list only ...")
    priority: int = Field(default=100, description="... the one with the least number")
    cap: Cap | None = None
    draw: Draw | None = None

    @model_validator(mode="after")
    def _is_bounded_once(self) -> "Audience":
        bounds = [name for name in ("lookalike", "cap", "draw") if getattr(self, name) is not None]
        if len(bounds) > 1:
            raise ValueError(f"one of lookalike, cap and draw says how many; found {' and '.join(bounds)}")
        return self

    @model_validator(mode="after")
    def _is_drawn_among_those_in_time(self) -> "Audience":
        if self.draw is not None:
            last = self.draw.closes_on
            if any(leaf.did and (leaf.until or date.max) > last for leaf in self.leaves()):
                raise ValueError(f"a draw asks what was done in time: say `until: {last}` in each `did`")
        return self

    def leaves(self) -> tuple[Condition, ...]:
        """The questions of `where`; none where everybody is in it."""
        return () if self.where is None else tuple(self.where.leaves())

    def named_audiences(self) -> tuple[str, ...]:
        """The audiences that it asks for by name, each once."""
        asked = [leaf.audience for leaf in self.leaves() if leaf.audience]
        seed = [self.lookalike.seed] if self.lookalike else []
        return tuple(dict.fromkeys([*asked, *(name for name in self.exclude if name != SUPPRESSION), *seed]))


def ahead_in_list(audience: Audience, audiences: Sequence[Audience]) -> tuple[Audience, ...]:
    """The audiences of its priority list that come before it: their members are not in it."""
    if audience.priority_list is None:
        return ()
    of_list = [one for one in audiences if one.priority_list == audience.priority_list]
    return tuple(one for one in of_list if one.priority < audience.priority)


def needed_audiences(audience: Audience, audiences: Sequence[Audience]) -> tuple[str, ...]:
    """Ids of the audiences that must be known before this one is."""
    ahead = [one.id for one in ahead_in_list(audience, audiences)]
    return tuple(dict.fromkeys([*audience.named_audiences(), *ahead]))


def in_order(audiences: Sequence[Audience]) -> tuple[Audience, ...]:
    """Each after those it needs; raises graphlib.CycleError where they need each other in a circle."""
    by_id = {audience.id: audience for audience in audiences}
    order = TopologicalSorter({one.id: needed_audiences(one, audiences) for one in audiences}).static_order()
    return tuple(by_id[name] for name in order)
