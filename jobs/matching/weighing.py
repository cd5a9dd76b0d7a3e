"""Every candidate pair of a set of records, compared and weighed; without a matcher, one is trained on them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, ExitStack
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, functions as F

from cdp_lib.contracts.matching import match_pair
from cdp_lib.io.caching import cached
from cdp_lib.io.local_rows import local_rows
from cdp_lib.models.identity.fellegi_sunter import Evidence, fit_model
from cdp_lib.models.identity.matcher import Matcher, rule_rows
from cdp_lib.models.identity.threshold import choose_threshold, Threshold
from cdp_lib.settings.matching import Matching
from cdp_lib.transforms.identity.blocking import choose_caps, with_block_keys
from cdp_lib.transforms.identity.comparable import comparable_records, known_bits
from cdp_lib.transforms.identity.grading import LEVELS
from cdp_lib.transforms.identity.scoring import pattern_counts, weight_counts
from jobs.matching.comparing import comparer
from jobs.matching.matchers import Lesson, Matchers, NamedMatcher

FEW_RECORDS, KEYS_SEEN = 100_000, 16
"""Above so many records, one key in so many tells how large the blocks are."""


@dataclass(frozen=True)
class Weighed:
    """Pairs worth keeping, by the matcher named: `pairs` has silver.match_pair's columns, its records as 16 bytes.

    Where no pair may be one person, nothing can be learnt: then there is no matcher, and no pair. `known` is
    `known_fields` of every record, `rules` rows of silver.match_key without the model's version.
    """

    named: NamedMatcher | None
    pairs: DataFrame
    known: DataFrame
    rules: Sequence[Mapping[str, Any]]


@contextmanager
def weigh_all(
    records: DataFrame, matching: Matching, matchers: Matchers, decisions: DataFrame | None = None
) -> Iterator[Weighed]:
    """All candidate pairs of the records, weighed; cached while the block runs.

    `decisions` (record_l, record_r, is_link) are pairs that people judged: enough of them decide on the threshold of a
    matcher that is trained here.
    """
    with ExitStack() as kept:
        record_count = records.count()
        width = int(str(records.sparkSession.conf.get("spark.sql.shuffle.partitions")))
        of_records = comparable_records(records, matching, partitions=width)
        comparable = kept.enter_context(cached(of_records.select("*", known_bits(matching).alias("known_fields"))))
        known = comparable.select("record_key", "known_fields")
        present = matchers.in_force()
        if present is None:
            with _learnt(comparable, record_count, matching, decisions) as learnt:
                if learnt.lesson is None:
                    yield Weighed(None, _no_kept_pairs(comparable, matching), known, learnt.rules)
                    return
                named = matchers.keep(learnt.lesson)
                yield Weighed(named, kept_pairs(learnt.scored, named), known, learnt.rules)
            return
        caps = present.matcher.caps
        compares = kept.enter_context(comparer(comparable, matching, record_count=record_count))
        blocks = kept.enter_context(compares.blocks(with_block_keys(comparable, matching, caps), drawn_from=None))
        scored = blocks.weighed(caps, present.matcher.model, above=present.matcher.least_weight)
        yield Weighed(present, kept.enter_context(cached(kept_pairs(scored, present))), known, present.matcher.rules)


def kept_pairs(scored: DataFrame, named: NamedMatcher) -> DataFrame:
    """The pairs that may link or part records: silver.match_pair's columns, record_l and record_r as 16 bytes."""
    levels = [name for name in scored.columns if name.endswith("_level")]
    return scored.where(F.col("match_weight") > named.matcher.least_weight).select(
        "record_l",
        "record_r",
        "blocking_rule",
        *levels,
        "match_weight",
        "match_probability",
        "is_vetoed",
        F.lit(named.label).alias("model_version"),
    )


def _no_kept_pairs(records: DataFrame, matching: Matching) -> DataFrame:
    """No pair, in the columns of `kept_pairs`."""
    table = match_pair(matching)
    binary = {"record_l": "binary", "record_r": "binary"}
    schema = ", ".join(f"`{column.name}` {binary.get(column.name, column.type)}" for column in table.columns)
    return local_rows(records.sparkSession, schema)


@dataclass(frozen=True)
class _Learnt:
    """What the blocks bring together, the matcher trained on it, and the pairs weighed by that.

    Without a lesson they are only compared: no two records share a block, or a veto parts all that do.
    """

    rules: tuple[dict[str, Any], ...]
    lesson: Lesson | None
    scored: DataFrame


@contextmanager
def _learnt(comparable: DataFrame, count: int, matching: Matching, decisions: DataFrame | None) -> Iterator[_Learnt]:
    """A matcher trained on these records, and their pairs weighed by it, cached while the block runs."""
    with ExitStack() as kept:
        compares = kept.enter_context(comparer(comparable, matching, record_count=count))
        blocks = kept.enter_context(compares.blocks(with_block_keys(comparable, matching), drawn_from=count))
        sizes = blocks.sizes(one_in=KEYS_SEEN if count > FEW_RECORDS else 1)
        caps = choose_caps(sizes, matching, record_count=count)
        rules = rule_rows(sizes, [rule.name for rule in matching.blocking], caps)
        with cached(blocks.compared(caps)) as compared:
            total = _total_pairs(comparable, count, matching)
            evidence = _evidence(compared, compares.term_counts(), total, matching, caps)
            if evidence.candidates.filter(pc.invert(evidence.candidates["is_vetoed"])).num_rows == 0:
                yield _Learnt(rules, None, compared)
                return
            model = fit_model(evidence)
            candidates = compared.where(F.col("rule").isNotNull())
            scored = kept.enter_context(cached(compares.weigh(candidates, model)))
            threshold = _threshold(scored, matching, decisions)
        matcher = Matcher(
            model=model,
            caps=caps,
            threshold=threshold.bits,
            reason=threshold.reason,
            settings_hash=matching.model_hash,
            record_count=count,
            rules=rules,
        )
        pair_count = int(sum(evidence.candidates["pair_count"].to_pylist()))
        yield _Learnt(rules, Lesson(matcher, evidence, pair_count), scored)


def _threshold(scored: DataFrame, matching: Matching, decisions: DataFrame | None) -> Threshold:
    bins = weight_counts(scored).toArrow()
    if matching.threshold is not None:
        return Threshold(matching.threshold, "given in the pack's identity.yml")
    labels = None if decisions is None else _judged(scored, decisions)
    return choose_threshold(bins, matching.false_pairs, labels)


def _judged(scored: DataFrame, decisions: DataFrame) -> pa.Table:
    """Weight and verdict of the pairs that people judged and a rule brought together: as many as people judged."""
    found = scored.join(F.broadcast(decisions), ["record_l", "record_r"], "inner")
    return found.select("match_weight", "is_link").toArrow()


def _total_pairs(comparable: DataFrame, count: int, matching: Matching) -> float:
    """How many pairs of records could be one person, at least 1: two of a source that lists everybody once cannot."""
    once = list(matching.one_record_per_source)
    of_once = comparable.where(F.col("source_system").isin(once)).groupBy("source_system")
    listed = of_once.count().collect() if once else []
    return max(float(_pairs_among(count) - sum(_pairs_among(row["count"]) for row in listed)), 1.0)


def _pairs_among(count: int) -> int:
    return count * (count - 1) // 2


def _evidence(
    compared: DataFrame, terms: pa.Table, total_pairs: float, matching: Matching, caps: Sequence[int]
) -> Evidence:
    patterns = _in_one_order(pattern_counts(compared, matching).toArrow())
    return Evidence(
        candidates=_counted(patterns, "pair_count"),
        strangers=_counted(patterns, "random_count"),
        terms=_in_one_order(terms),
        sizes={entry.field: len(LEVELS[entry.kind]) for entry in matching.comparisons},
        total_pairs=total_pairs,
        rivals={rival.name: rival.shared for rival in matching.rivals},
        caps={rule.on[0]: cap for rule, cap in zip(matching.blocking, caps, strict=True) if len(rule.on) == 1 and cap},
    )


def _in_one_order(counts: pa.Table) -> pa.Table:
    """The rows in an order of their own, so that sums over them are always the same to the last digit."""
    return counts.sort_by([(name, "ascending") for name in counts.column_names])


def _counted(patterns: pa.Table, count: str) -> pa.Table:
    """The patterns that this count found, with it as their pair_count."""
    found = patterns.filter(pc.greater(patterns[count], 0))
    others = found.drop_columns(["pair_count", "random_count"])
    return others.append_column("pair_count", found[count])
