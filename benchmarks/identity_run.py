"""The matcher from a Parquet file of records to a written cluster of each, as a job calls it."""

import time
from pathlib import Path

import numpy as np
from pyspark.sql import DataFrame, functions as F, SparkSession

from cdp_lib.io.caching import cached
from cdp_lib.models.fellegi_sunter import Evidence, fit_model
from cdp_lib.models.linkage import Limits
from cdp_lib.models.match_model import Model
from cdp_lib.models.people import IdentityGraph, part_records
from cdp_lib.models.threshold import choose_threshold
from cdp_lib.settings.identity import Identity
from cdp_lib.settings.matching import Matching
from cdp_lib.transforms.identity.blocking import block_keys, block_sizes, candidate_pairs, choose_caps, random_pairs
from cdp_lib.transforms.identity.comparable import comparable_records
from cdp_lib.transforms.identity.comparison import compare_pairs, LEVELS
from cdp_lib.transforms.identity.exact import record_clusters
from cdp_lib.transforms.identity.scoring import pattern_counts, score_pairs, term_counts, weight_counts, Weights

FEW_RECORDS, KEYS_SEEN = 100_000, 16
"""Above so many records, one key in so many tells how large the blocks are."""


def match_records(spark: SparkSession, file: Path, answer: Path, matching: Matching) -> str:
    """Trains on the records, scores, parts, and writes source_system, source_record_id and cluster_id as Parquet."""
    started, said = time.monotonic(), []

    def step(what: str) -> None:
        said.append(f"{what} {time.monotonic() - started:.0f}s")

    records = spark.read.parquet(str(file))
    with cached(comparable_records(records, matching)) as comparable:
        sources = _source_counts(comparable)
        count = sum(sources.values())
        keys = block_keys(comparable, matching)
        sizes = block_sizes(keys, one_in=KEYS_SEEN if count > FEW_RECORDS else 1).toArrow()
        caps = choose_caps(sizes, matching, record_count=count)
        step(f"caps {caps}")
        pairs = candidate_pairs(block_keys(comparable, matching, caps), matching, caps)
        with cached(compare_pairs(pairs, comparable, matching)) as compared:
            evidence = _evidence(comparable, compared, sources, matching)
            step("counted")
            model = fit_model(evidence)
            step("model")
            scored = score_pairs(compared, spark.createDataFrame(model.term_weights()), weights_of(model), matching)
            found = scored.select("record_l", "record_r", "match_weight", "match_probability", "is_vetoed")
            with cached(found) as decided:
                chosen = matching.threshold
                if chosen is None:
                    chosen = choose_threshold(weight_counts(decided).toArrow(), matching.false_pairs).bits
                candidates = decided.where(F.col("match_weight") > chosen - 30).drop("match_probability").toArrow()
            step(f"threshold {chosen} pairs {candidates.num_rows}")
            once = F.col("source_system").isin(list(matching.one_record_per_source))
            owners = comparable.where(once).select("record_key", "source_system").toArrow()
            limits = Limits(chosen, matching.together, matching.absent_weight, matching.max_component)
            graph = IdentityGraph(pairs=candidates, sources=owners)
            members = part_records(graph, Identity(kind="identity"), limits)
            step("parted")
        memberships = spark.createDataFrame(members)
        clusters = record_clusters(records, memberships).drop("matched_by", "component_id")
        clusters.write.format("parquet").save(str(answer))
        step("written")
    return ", ".join(said)


def weights_of(model: Model) -> Weights:
    """The model as scoring takes it."""
    return Weights(
        prior=model.prior_weight,
        levels=model.levels,
        rare=model.rare,
        rival_priors=model.rival_priors,
        rival_levels=model.rival_levels,
    )


def _source_counts(comparable: DataFrame) -> dict[str, int]:
    return {row["source_system"]: row["count"] for row in comparable.groupBy("source_system").count().collect()}


def _evidence(comparable: DataFrame, compared: DataFrame, sources: dict[str, int], matching: Matching) -> Evidence:
    count = sum(sources.values())
    total = count * (count - 1) / 2
    total -= sum(sources[name] * (sources[name] - 1) / 2 for name in matching.one_record_per_source if name in sources)
    strangers = random_pairs(comparable, matching, record_count=count).withColumn("rule", F.lit(-1))
    return Evidence(
        candidates=pattern_counts(compared, matching).toArrow(),
        strangers=pattern_counts(compare_pairs(strangers, comparable, matching), matching).toArrow(),
        terms=term_counts(comparable, matching).toArrow(),
        sizes={entry.field: len(LEVELS[entry.kind]) for entry in matching.comparisons},
        total_pairs=float(np.maximum(total, 1)),
        rivals={rival.name: rival.shared for rival in matching.rivals},
    )
