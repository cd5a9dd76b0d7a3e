"""Why two records are one person or two, in plain words, the most decisive reason first. Knows no table."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from math import isinf

from jobs.explanation.weighed import Block, WeighedPair

NO_WEIGHT = "at every weight too many of the pairs would be wrong"
"""Why a threshold is infinite."""


@dataclass(frozen=True)
class Judged:
    """A person's decision in force about the two records."""

    is_link: bool
    decided_at: datetime | None


@dataclass(frozen=True)
class SharedValue:
    """A value of an identifier that both records hold; `why_not` says why it ties nobody, empty where it does."""

    identifier: str
    why_not: str = ""


@dataclass(frozen=True)
class TooMany:
    """An identifier of which the two would hold more values than a person may."""

    identifier: str
    allowed: int


@dataclass(frozen=True)
class Between:
    """What lies between the two records' groups: mean bits of their pairs, and how many must not be one person.

    The mean counts the `counted` pairs whose records know a field in common; it is None where there is none.
    """

    mean: float | None
    counted: int
    pair_count: int
    forbidden_count: int
    together: float
    is_too_large: bool
    """The whole group was larger than may be looked at at once."""
    too_many: tuple[TooMany, ...] = ()
    """Identifiers of which both groups together hold more values than one person may, where that is more than one."""


@dataclass(frozen=True)
class Case:
    """All that is known about two records; `weighed` and `threshold` are None where the pack matches exactly alone.

    `listed_once` names the source of both where it lists everybody once. `between` is None unless a chain of links
    leads from one to the other.
    """

    is_together: bool
    judged: Judged | None
    shared: tuple[SharedValue, ...]
    too_many: tuple[TooMany, ...]
    weighed: WeighedPair | None
    threshold: float | None
    listed_once: str | None
    between: Between | None
    withdrawn_at: datetime | None = None
    """When the decision about them was taken back, where the run that carries it out is still to come."""


def reasons(case: Case) -> tuple[str, ...]:
    """Why the two are what they are; one at least."""
    if case.withdrawn_at is not None:
        number = "one" if case.is_together else "two"
        taken_back = f"A person's decision that they are {number} was withdrawn on {case.withdrawn_at:%Y-%m-%d}"
        return (f"{taken_back}; the next run decides anew.",)
    return tuple(_why_one(case) if case.is_together else _why_two(case))


def _why_one(case: Case) -> Iterator[str]:
    """What ties the two directly; else that others of the person do."""
    found = False
    if case.judged is not None and case.judged.is_link:
        found = True
        yield f"A person decided that they are one{_when(case.judged)}."
    for value in case.shared:
        if not value.why_not:
            found = True
            yield f"They share {value.identifier}."
    weighed, threshold = case.weighed, case.threshold
    is_link = weighed is not None and weighed.blocking_rule is not None and not weighed.vetoes
    if is_link and weighed is not None and threshold is not None and weighed.total >= threshold:
        found = True
        yield f"They weigh {weighed.total:.2f} bits, {weighed.total - threshold:.2f} above the threshold."
    if not found:
        yield "Nothing ties these two directly: other records of the person lead from one to the other."
    if case.judged is not None and not case.judged.is_link:
        yield f"A person decided that they are two{_when(case.judged)}; the next run carries it out."


def _why_two(case: Case) -> Iterator[str]:
    said = [*_by_decision(case), *_by_identifiers(case), *_by_weight(case), *_by_group(case)]
    yield from said
    if not said:
        yield _by_default(case)


def _by_decision(case: Case) -> Iterator[str]:
    if case.judged is None:
        return
    if case.judged.is_link:
        yield (
            f"A person decided that they are one{_when(case.judged)}. Either the next run has still to carry it out, "
            "or another decision in the same group forbids it."
        )
    else:
        yield f"A person decided that they are two{_when(case.judged)}."


def _when(judged: Judged) -> str:
    return "" if judged.decided_at is None else f" on {judged.decided_at:%Y-%m-%d}"


def _by_identifiers(case: Case) -> Iterator[str]:
    for limit in case.too_many:
        if limit.allowed == 1:
            yield f"Their {limit.identifier} differs, and a person has only one."
        else:
            yield f"Together they would hold more than the {limit.allowed} values of {limit.identifier} that one may."


def _by_weight(case: Case) -> Iterator[str]:
    weighed, threshold = case.weighed, case.threshold
    if weighed is None or threshold is None:
        yield from _by_ties(case)
        return
    for veto in weighed.vetoes:
        yield f"A veto forbids it: {veto}."
    if case.listed_once is not None:
        yield f"Both come from {case.listed_once}, which lists everybody once: two of its records are two people."
    yield from _by_ties(case)
    if isinf(threshold):
        yield f"They weigh {weighed.total:.2f} bits, but likeness links nobody here: {NO_WEIGHT}."
    elif weighed.total < threshold:
        yield (
            f"They weigh {weighed.total:.2f} bits, {threshold - weighed.total:.2f} below the threshold of "
            f"{threshold:.2f}."
        )
    if weighed.blocking_rule is None:
        yield from _by_blocking(weighed)


def _by_ties(case: Case) -> Iterator[str]:
    """Shared values that do not tie, and ties that came to nothing."""
    for value in case.shared:
        if value.why_not:
            yield f"They share {value.identifier}, but {value.why_not}."
        elif not case.too_many and (case.judged is None or case.judged.is_link):
            yield (
                f"They share {value.identifier}, but all who are joined by it would be more than one person: together "
                "they hold more values of an identifier than one may, or a decision parts them."
            )


def _by_blocking(weighed: WeighedPair) -> Iterator[str]:
    if not weighed.blocks:
        yield "No blocking rule brings them together, so they were never compared."
        return
    yield f"They were never compared: {'; '.join(map(_too_large, weighed.blocks))}."


def _too_large(block: Block) -> str:
    others = f"{block.record_count:,} records agree on {block.rule}"
    if block.max_records == 0:
        return f"{others}, a rule that is left out as too loose for so many records"
    return f"{others}, more than the {block.max_records:,} that are compared"


def _by_group(case: Case) -> Iterator[str]:
    between = case.between
    if between is None:
        return
    if between.forbidden_count:
        yield (
            f"A chain of links leads from one to the other, but {between.forbidden_count:,} of the "
            f"{between.pair_count:,} pairs between their two groups must not be one person."
        )
    elif between.mean is None:
        yield (
            "A chain of links leads from one to the other, but no record of one group knows a field that a record of "
            "the other group knows too: nothing says that they are one person."
        )
    elif between.mean < between.together:
        all_of_them = between.counted == between.pair_count
        which = "" if all_of_them else f" that can be compared ({between.counted:,} of {between.pair_count:,})"
        pairs = f"{between.pair_count:,} pairs" if all_of_them else "pairs"
        yield (
            f"A chain of links leads from one to the other, but the {pairs} between their two groups{which} weigh "
            f"{between.mean:.2f} bits on average, {between.together - between.mean:.2f} below the "
            f"{between.together:.2f} that one person needs."
        )
    elif between.too_many:
        for limit in between.too_many:
            yield (
                "A chain of links leads from one to the other, but their two groups together hold more than the "
                f"{limit.allowed} values of {limit.identifier} that one person may."
            )
    elif between.is_too_large:
        yield (
            "A chain of links leads from one to the other, but the whole group is too large to look at at once: it was "
            "parted at a higher threshold."
        )


def _by_default(case: Case) -> str:
    if case.weighed is None:
        return "They share no exact identifier, and the pack has no probable matching (`matching` in its identity.yml)."
    return "Nothing speaks against it as of today: records or model changed since the last run. Run daily."
