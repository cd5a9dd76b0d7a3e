"""The matcher from a Parquet file of records to a written cluster of each, by the functions that the job calls."""

import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pyspark.sql import functions as F, SparkSession

from cdp_lib.contracts.silver import RECORD_KEY
from cdp_lib.io.checkpoints import checkpoints
from cdp_lib.models.identity.matcher import Matcher
from cdp_lib.models.identity.people import DECISION_SCHEMA
from cdp_lib.settings.identity import Identity
from cdp_lib.settings.matching import Matching
from cdp_lib.transforms.identity.exact import identifier_keys, record_clusters, record_key
from jobs.matching.matchers import Unkept
from jobs.matching.people import Evidence, group_records
from jobs.matching.weighing import weigh_all


@dataclass(frozen=True)
class Matched:
    """The matcher used, and what the run says of itself."""

    matcher: Matcher
    said: str


def match_records(
    spark: SparkSession, file: Path, answer: Path, matching: Matching, known: Matcher | None = None
) -> Matched:
    """Trains on the records (or uses `known`), weighs, parts, and writes each record's cluster_id."""
    started = time.monotonic()
    records = spark.read.parquet(str(file))
    identity = Identity(kind="identity", matching=matching)
    with ExitStack() as kept:
        weighed = kept.enter_context(weigh_all(records, matching, Unkept(known)))
        trained = time.monotonic() - started
        keep = kept.enter_context(checkpoints(spark, str(answer.with_name("checkpoints"))))
        undecided = spark.createDataFrame(DECISION_SCHEMA.empty_table())
        evidence = Evidence(identifier_keys(records, identity), weighed.pairs, undecided, records, weighed.known)
        members = kept.enter_context(group_records(evidence, identity, weighed.named, keep))
        parted = time.monotonic() - started
        clusters = record_clusters(records, members).drop("matched_by", "component_id")
        clusters.write.format("parquet").save(str(answer))
        if weighed.named is None:
            raise SystemExit("no two records share a block")
        matcher = weighed.named.matcher
        steps = f"trained {trained:.0f}s, parted {parted:.0f}s, written {time.monotonic() - started:.0f}s"
        return Matched(matcher, f"{steps}; caps {matcher.caps}, threshold {matcher.threshold}: {matcher.reason}")


def linked_pairs(spark: SparkSession, file: Path, matching: Matching, matcher: Matcher) -> pa.Table:
    """The pairs that the matcher links before any grouping: source and id of the left, then of the right record."""
    records = spark.read.parquet(str(file))
    with weigh_all(records, matching, Unkept(matcher)) as weighed:
        is_link = (F.col("match_weight") >= matcher.threshold) & ~F.col("is_vetoed")
        pairs = weighed.pairs.where(is_link)
        for side in ("l", "r"):
            names = records.select(
                record_key().alias(f"record_{side}"), *(F.col(name).alias(f"{name}_{side}") for name in RECORD_KEY)
            )
            pairs = pairs.join(names, f"record_{side}", "inner")
        return pairs.select(*(f"{name}_{side}" for side in "lr" for name in RECORD_KEY)).toArrow()
