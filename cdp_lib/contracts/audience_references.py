"""What audiences refer to: columns, scores, segments, entities and each other, without circles."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from cdp_lib.contracts.gold import CUSTOMER_FIXED, trait_type
from cdp_lib.contracts.reference_checks import fact_faults, feed_fault, way_back
from cdp_lib.contracts.scores import customer_scores
from cdp_lib.errors import Fault, near_miss
from cdp_lib.settings.audience import ahead_in_list, Audience, Condition, needed_audiences, SUPPRESSION
from cdp_lib.settings.pack import Pack
from cdp_lib.settings.segmentation import RFM_SEGMENTS
from cdp_lib.settings.sql import parse_type, TypeTree

_NUMBERS = frozenset({"tinyint", "smallint", "int", "bigint", "float", "double", "decimal"})
_TIMES = frozenset({"date", "timestamp"})
_ORDERED = ("gte", "gt", "lte", "lt")
_Keyed = Iterator[tuple[str, str]]
"""(key path below the object, message)."""


def audience_faults(pack: Pack, columns: Collection[str], functions: Collection[str] = ()) -> Iterator[Fault]:
    """Every reference that leads nowhere; `columns` are those of gold.customer, faulty traits included."""
    asked = Vocabulary.of(pack, columns, functions)
    for audience in pack.audiences:
        file, path = pack.place("audience", audience.id)
        for key, message in _audience_faults(audience, asked):
            yield Fault(file, f"{path}{key}", message)


@dataclass(frozen=True)
class Vocabulary:
    """The names that conditions may ask for, and the types of those whose type can be told."""

    pack: Pack
    traits: frozenset[str]
    scores: frozenset[str]
    segments: frozenset[str]
    audiences: frozenset[str]
    types: dict[str, TypeTree]
    choices: dict[tuple[str, str], tuple[str, ...]]
    """(subject, name): the texts that it can be, where the list is closed."""
    functions: Collection[str]

    @classmethod
    def of(cls, pack: Pack, columns: Collection[str], functions: Collection[str] = ()) -> "Vocabulary":
        """What the pack's conditions may name; `columns` are those of gold.customer, faulty traits included."""
        scores = [column for table in customer_scores(pack).values() for column in table]
        types = {column.name: column.type for column in (*CUSTOMER_FIXED, *scores)}
        choices = {("trait", column.name): column.choices for column in CUSTOMER_FIXED}
        choices |= {("score", column.name): column.choices for column in scores}
        rfm = (*RFM_SEGMENTS, *RFM_SEGMENTS.values())
        choices |= {("segment", one.id): rfm for one in pack.segmentations if one.method == "rfm"}
        for trait in pack.traits:
            try:
                types[trait.name] = trait_type(trait, pack)
            except ValueError:
                continue  # a fault of the trait's own
        return cls(
            pack,
            frozenset(name for name in columns if not name.startswith("_")),
            frozenset(column.name for column in scores),
            frozenset(one.id for one in pack.segmentations) | pack.written_names("segmentation"),
            frozenset(one.id for one in pack.audiences) | pack.written_names("audience"),
            {name: parse_type(text) for name, text in types.items()},
            choices,
            functions,
        )


def condition_faults(condition: Condition, asked: Vocabulary) -> _Keyed:
    """(key path below the condition, message) of every name that leads nowhere and comparison that does not fit."""
    if condition.not_ is not None:
        yield from ((f".not{key}", message) for key, message in condition_faults(condition.not_, asked))
    for name in ("all", "any"):
        for place, part in enumerate(getattr(condition, name) or ()):
            yield from ((f".{name}[{place}]{key}", message) for key, message in condition_faults(part, asked))
    if condition.did is not None:
        yield from _did_faults(condition, asked)
    for subject, known in (
        ("trait", asked.traits),
        ("score", asked.scores),
        ("segment", asked.segments),
        ("audience", asked.audiences),
    ):
        name = getattr(condition, subject)
        if name is not None and name not in known:
            yield f".{subject}", f"unknown {subject} '{name}'.{near_miss(name, known)}"
        yield from _choice_faults(condition, f"{subject} '{name}'", asked.choices.get((subject, name or ""), ()))
    column = condition.trait or condition.score
    if column in asked.types:
        yield from _comparison_faults(condition, f"'{column}'", asked.types[column])
    if condition.segment is not None:
        yield from _comparison_faults(condition, f"segment '{condition.segment}'", parse_type("string"))


def _did_faults(condition: Condition, asked: Vocabulary) -> _Keyed:
    figure = condition.figure
    if unfed := feed_fault(figure.from_, asked.pack):
        yield ".did", unfed
        return
    wrong = [
        (".did" if key == ".from" else key, message) for key, message in fact_faults(figure, asked.functions, others=())
    ]
    if wrong:
        yield from wrong
        return
    try:
        kind = parse_type(trait_type(figure, asked.pack))
    except ValueError:
        yield ".select", f"the type of {condition.select!r} cannot be told here: make it a trait with `type:`"
        return
    yield from _comparison_faults(condition, repr(condition.select), kind)


def _comparison_faults(condition: Condition, what: str, kind: TypeTree) -> _Keyed:
    for name, value in condition.operators.items():
        key = f".{name.rstrip('_')}"
        problem = _misfit(name, kind)
        if problem:
            yield key, f"{what} is {_said(kind)}: {problem}"
            continue
        if name == "is_known":
            continue
        element = kind.children[0][1] if name == "contains" else kind
        for position, one in enumerate(value) if isinstance(value, tuple) else ((None, value),):
            if not _fits(one, element):
                place = key if position is None else f"{key}[{position}]"
                yield place, f"{what} is {_said(kind)}, which {one!r} cannot be compared with: {_wanted(element)}"


def _choice_faults(condition: Condition, what: str, choices: Collection[str]) -> _Keyed:
    """Texts that a closed list does not have: nobody would be found, or with `is_not` everybody."""
    for name, value in condition.operators.items():
        for position, one in enumerate(value) if isinstance(value, tuple) else ((None, value),):
            if choices and isinstance(one, str) and one not in choices:
                place = f".{name.rstrip('_')}" + ("" if position is None else f"[{position}]")
                hint = near_miss(one, choices) or f" Choices: {', '.join(choices)}."
                yield place, f"{what} is never '{one}'.{hint}"


def _misfit(operator: str, kind: TypeTree) -> str:
    """Why values of that type cannot be asked so; empty where they can."""
    if operator == "is_known":
        return ""
    if operator == "contains":
        return "" if kind.name == "array" else "only a list contains something; write `is` or `in`"
    if kind.name in ("array", "map", "struct", "binary"):
        return "write `contains` or `is_known`" if kind.name == "array" else "only `is_known` can be asked"
    if operator in _ORDERED and kind.name not in _NUMBERS | _TIMES:
        return f"`{operator}` orders numbers, days and times; write `is` or `in`"
    return ""


def _fits(value: object, kind: TypeTree) -> bool:
    if kind.name in _NUMBERS:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind.name in _TIMES:
        return isinstance(value, str) and _is_moment(value, kind.name)
    return isinstance(value, bool if kind.name == "boolean" else str)


def _is_moment(text: str, kind: str) -> bool:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return False
    return moment.tzinfo is None and (kind == "timestamp" or len(text) == len("2025-01-31"))


def _wanted(kind: TypeTree) -> str:
    if kind.name in _NUMBERS:
        return "write a number"
    if kind.name in _TIMES:
        clock = " or 2025-01-31 18:00, in the pack's zone" if kind.name == "timestamp" else ""
        return f"write a day such as 2025-01-31{clock}"
    return "write true or false" if kind.name == "boolean" else "write a text, in quotes where it looks like a number"


def _said(kind: TypeTree) -> str:
    if kind.name == "array":
        return "a list"
    return "a number" if kind.name in _NUMBERS else f"of type {kind.name}"


def _audience_faults(audience: Audience, asked: Vocabulary) -> _Keyed:
    if audience.where is not None:
        yield from ((f".where{key}", message) for key, message in condition_faults(audience.where, asked))
    for place, name in enumerate(audience.exclude):
        known = asked.audiences | {SUPPRESSION}
        if name not in known:
            yield f".exclude[{place}]", f"unknown audience '{name}'.{near_miss(name, known)}"
    if audience.cap is not None:
        yield from ((".cap.by", message) for message in _figure_faults(audience.cap.by, asked, _NUMBERS | _TIMES))
    if audience.lookalike is not None:
        seed = audience.lookalike.seed
        if seed not in asked.audiences:
            yield ".lookalike.seed", f"unknown audience '{seed}'.{near_miss(seed, asked.audiences)}"
        for place, name in enumerate(audience.lookalike.features):
            yield from ((f".lookalike.features[{place}]", fault) for fault in _figure_faults(name, asked, _NUMBERS))
    yield from _order_faults(audience, asked.pack)


def _figure_faults(name: str, asked: Vocabulary, kinds: frozenset[str]) -> Iterator[str]:
    known = asked.traits | asked.scores
    if name not in known:
        yield f"unknown column '{name}' of the single view and its scores.{near_miss(name, known)}"
    elif name in asked.types and asked.types[name].name not in kinds:
        yield f"'{name}' is {_said(asked.types[name])}; a number is needed"


def _order_faults(audience: Audience, pack: Pack) -> _Keyed:
    """What keeps the audiences from being computed one after the other."""
    needs = {one.id: needed_audiences(one, pack.audiences) for one in pack.audiences}
    known = {name: [one for one in found if one in needs] for name, found in needs.items()}
    circle = way_back(audience.id, known)
    if circle:
        ahead = [one.id for one in ahead_in_list(audience, pack.audiences)]
        by_list = " (by its priority list)" if circle[1] in ahead else ""
        yield "", f"'{audience.id}' waits for itself{by_list}: {' -> '.join(circle)}"
    rivals = [
        one.id
        for one in pack.audiences
        if one.priority_list is not None
        and (one.priority_list, one.priority) == (audience.priority_list, audience.priority)
        and one.id != audience.id
    ]
    if rivals:
        yield (
            ".priority",
            f"{audience.priority} is also that of '{rivals[0]}' in list '{audience.priority_list}': who is in both "
            "belongs to the one with the least number",
        )
