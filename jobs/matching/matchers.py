"""The matcher in force: the registry's champion, or one trained now and registered; or one that nobody keeps."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isinf
from typing import Protocol

from pyspark.sql import DataFrame

from cdp_lib.contracts import silver
from cdp_lib.models.identity.fellegi_sunter import Evidence
from cdp_lib.models.identity.match_model import FieldModel
from cdp_lib.models.identity.matcher import example_levels, level_scorer, Matcher, probability_chart, weight_chart
from cdp_lib.models.identity.threshold import ENOUGH_LABELS
from cdp_lib.models.training import StoredModel, Training
from cdp_lib.settings.matching import Matching
from cdp_lib.transforms.identity.decisions import decisions_in_force
from cdp_lib.transforms.identity.grading import LEVELS
from cdp_lib.workflow.context import JobContext

OUTGROWN = 2.0
"""A matcher is trained anew once there are so many times the records that it was trained on: what is rare among few is
not among many, and a threshold holds for its number of records. The same goes for the pairs that people judged."""

MATCH = "match"
"""What the registry calls the model, after the pack's name."""


@dataclass(frozen=True)
class NamedMatcher:
    """A matcher, and what `model_version` columns say of it."""

    matcher: Matcher
    label: str


@dataclass(frozen=True)
class Today:
    """What a matcher is for: so many records, and so many pairs that people judged (of the rarer verdict)."""

    record_count: int
    judged_count: int


def judged_pairs(overrides: DataFrame) -> int:
    """How many pairs people judged to be one person, or two, whichever are fewer: silver.identity_override as it is."""
    counted = decisions_in_force(overrides).groupBy("is_link").count().collect()
    by_verdict = {row["is_link"]: int(row["count"]) for row in counted}
    return min(by_verdict.get(True, 0), by_verdict.get(False, 0))


def misfit(champion: StoredModel, matching: Matching, today: Today) -> str | None:
    """Why a registered matcher does not fit any more, as said after its name; None: it does.

    One that somebody chose by hand fits while the settings are those it was trained under.
    """
    body = champion.body
    records, judged = int(body.get("record_count", 0)), int(body.get("judged_count", 0))
    if body.get("settings_hash") != matching.model_hash:
        return "was trained under other matching settings"
    if champion.is_chosen:
        return None
    if today.record_count > OUTGROWN * records:
        return f"has seen {records:,} records, and there are {today.record_count:,} today"
    if matching.threshold is not None:
        return None
    enough = max(ENOUGH_LABELS, OUTGROWN * judged if judged >= ENOUGH_LABELS else 0)
    if today.judged_count >= enough:
        return f"knew {judged:,} judged pairs of either verdict, and there are {today.judged_count:,} today"
    if isinf(float(body.get("threshold", 0.0))) and today.record_count != records:
        return "links nobody"
    return None


@dataclass(frozen=True)
class Lesson:
    """What a training has seen and learnt."""

    matcher: Matcher
    evidence: Evidence
    pair_count: int


class Matchers(Protocol):
    """Where a matcher comes from, and where a new one goes."""

    def in_force(self) -> NamedMatcher | None:
        """The matcher to use; None: one must be trained."""

    def keep(self, lesson: Lesson) -> NamedMatcher:
        """What was trained, to be used from now on."""


class Unkept:
    """Matchers of a trial: what is learnt is used once. With `known`, that one is used."""

    def __init__(self, known: Matcher | None = None) -> None:
        self._known = known

    def in_force(self) -> NamedMatcher | None:
        """The one given."""
        return None if self._known is None else NamedMatcher(self._known, "given")

    def keep(self, lesson: Lesson) -> NamedMatcher:
        """As it is."""
        return NamedMatcher(lesson.matcher, "not registered")


class Registered:
    """Matchers of the daily run: the champion of the pack's registry, which a run without one trains and promotes."""

    def __init__(self, ctx: JobContext, matching: Matching, today: Today) -> None:
        self._ctx = ctx
        self._matching = matching
        self._today = today

    def in_force(self) -> NamedMatcher | None:
        """The champion, if it fits today; else what this run trained before it was cut off."""
        champion = self._ctx.models.champion(MATCH)
        if champion is not None and misfit(champion, self._matching, self._today) is None:
            return _named(champion)
        earlier = self._ctx.models.of_run(MATCH, self._ctx.run.run_id)
        if earlier is None or misfit(earlier, self._matching, self._today) is not None:
            return None
        return _named(self._ctx.models.promote(MATCH, earlier.version))

    def keep(self, lesson: Lesson) -> NamedMatcher:
        """Registered, and champion from now on."""
        lesson = replace(lesson, matcher=replace(lesson.matcher, judged_count=self._today.judged_count))
        version = self._ctx.input_version(silver.CUSTOMER_RECORD)
        inputs = {} if version is None else {silver.CUSTOMER_RECORD.name: version}
        training = training_of(lesson, self._matching, inputs)
        self._tell_why_new()
        stored = self._ctx.models.register(MATCH, training, run_name=self._ctx.run.run_id)
        self._ctx.reached("registered")
        promoted: StoredModel = self._ctx.models.promote(MATCH, stored.version)
        self._ctx.say(f"{promoted.label} trained: {lesson.matcher.threshold:.1f} bits, {lesson.matcher.reason}")
        return _named(promoted)

    def _tell_why_new(self) -> None:
        """Why the champion, if there is one, is not used."""
        champion = self._ctx.models.champion(MATCH)
        reason = None if champion is None else misfit(champion, self._matching, self._today)
        if champion is not None and reason is not None:
            self._ctx.say(f"{champion.label} {reason}: a new one is trained")


def _named(stored: StoredModel) -> NamedMatcher:
    return NamedMatcher(Matcher.from_dict(stored.body), stored.label)


def training_of(lesson: Lesson, matching: Matching, inputs: dict[str, int]) -> Training:
    """What the registry keeps of a training: parameters, pattern counts, charts of m, u and weights, the threshold."""
    matcher, words = lesson.matcher, {entry.field: LEVELS[entry.kind] for entry in matching.comparisons}
    return Training(
        body=matcher.to_dict(),
        scorer=level_scorer(matcher.model),
        example=example_levels(lesson.evidence.candidates, matching.fields),
        parameters={
            "settings_hash": matcher.settings_hash,
            "judged_count": matcher.judged_count,
            "threshold_reason": matcher.reason,
            "false_pairs": matching.false_pairs,
            "blocking_rules": len(matching.blocking),
            "fields": ",".join(matching.fields),
        },
        metrics=_figures(lesson),
        inputs=inputs,
        documents={
            "matching.json": matching.model_dump(mode="json"),
            "learnt.json": {entry.field: _learnt(entry, words[entry.field]) for entry in matcher.model.fields},
            "blocking_rules.json": list(matcher.rules),
            "patterns_of_candidates.json": lesson.evidence.candidates.to_pylist(),
            "patterns_of_strangers.json": lesson.evidence.strangers.to_pylist(),
        },
        charts={
            "match_weights.png": weight_chart(matcher.model, words),
            "m_and_u.png": probability_chart(matcher.model, words),
        },
    )


def _figures(lesson: Lesson) -> dict[str, float]:
    model = lesson.matcher.model
    return {
        "threshold": lesson.matcher.threshold,
        "prior_probability": model.prior,
        "prior_weight": model.prior_weight,
        "em_rounds": model.rounds,
        "record_count": lesson.matcher.record_count,
        "candidate_pair_count": lesson.pair_count,
        "expected_match_count": model.prior * model.total_pairs,
        **{f"rival.{name}.prior_probability": rate for name, rate in model.rivals.items()},
    }


def _learnt(entry: FieldModel, words: Sequence[str]) -> dict[str, object]:
    return {
        "levels": words,
        "m": entry.m,
        "u": entry.u,
        "weights": entry.weights,
        "rare_value_adds": entry.rare,
        "frequent_values": len(entry.terms),
    }
