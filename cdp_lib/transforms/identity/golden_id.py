"""Golden ids that stay: each cluster of this run gets the id that its records had, or founds a new one.

How an id lives:
- A cluster that no living id claims founds one: the first 32 hex digits of its founding record's hash. The founding
  record is the one with the smallest hash among those whose own id was never given out. If every such id was, the
  smallest record founds with its hash and the run's id hashed together, which no other run or record can repeat.
- An id stays with one part of its records: the part with most of them, then the part with its founding record, then
  the part with the smallest record hash.
- Where several ids stay with one cluster, the one that was founded first survives, then the smallest id. The others
  forward to it for ever.
- An id that was forwarded or retired never lives again. So forwards have no circles, and their order does not matter.
"""

from datetime import datetime

from pyspark.sql import Column, DataFrame, functions as F, Window as W

from cdp_lib.contracts.silver import RECORD_KEY
from cdp_lib.errors import IdentityError
from cdp_lib.transforms.identity.exact import ID_DIGITS, record_hash

ENDINGS = ("merge", "retire")
"""Events after which an id no longer lives."""


def assign_golden_ids(clusters: DataFrame, previous: DataFrame, events: DataFrame, *, run_id: str) -> DataFrame:
    """One row per record of this run or of the previous links: the id it had and the id it has.

    `clusters` is what `record_clusters` returns, one row per record; `previous` is silver.identity_link
    and `events` silver.identity_event before this run, both empty on the first. Links and events are made from these
    rows (`link_rows`, `event_rows`), so a job caches them. `golden_id` is null for a record that vanished,
    `former_golden_id` for one that is new. `is_keeper`: the record is in the part that its former id stayed
    with. `is_split`: the former id's records are now in several clusters. `is_gone`: in none. `speaks_for_id` marks
    one row per former id that is kept somewhere or gone. `founded_at` is null for an id that is founded now.
    """
    judged = _judge_parts(_claim_ids(_recall_links(clusters, previous), events))
    of_cluster = W.partitionBy(F.coalesce("cluster_id", "claim_id"))
    surviving = F.struct("id_founded_at", "former_golden_id", "former_founding_record")
    is_founder = ~F.col("is_used") & (F.col("is_probe") | F.col("former_golden_id").isNull())
    named = judged.where(~F.col("is_spent")).select(
        "*",
        F.min(F.when(F.col("is_keeper"), surviving)).over(of_cluster).alias("survivor"),
        F.min(F.when(is_founder, F.col("record_hash"))).over(of_cluster).alias("free_founder"),
        F.min("record_hash").over(of_cluster).alias("smallest"),
    )
    return named.where(~F.col("is_probe")).select(
        *RECORD_KEY,
        "cluster_id",
        "component_id",
        "matched_by",
        "former_golden_id",
        "former_linked_at",
        F.when(F.col("cluster_id").isNotNull(), _cluster_golden_id(run_id)).alias("golden_id"),
        F.coalesce("survivor.former_founding_record", "free_founder", "smallest").alias("founding_record"),
        F.col("survivor.id_founded_at").alias("founded_at"),
        "is_keeper",
        "is_split",
        "is_gone",
        "speaks_for_id",
    )


def link_rows(assigned: DataFrame, occurred_at: datetime) -> DataFrame:
    """One row per record of this run, as silver.identity_link has them but for `_run_id`, which the writer adds.

    A record that keeps its id keeps its `linked_at`; the others were linked at `occurred_at`. An id keeps its
    `founded_at`.
    """
    at = instant_of_run(occurred_at)
    is_kept = F.col("former_golden_id") == F.col("golden_id")
    return assigned.where(F.col("golden_id").isNotNull()).select(
        *RECORD_KEY,
        "golden_id",
        "cluster_id",
        "component_id",
        "matched_by",
        "founding_record",
        F.coalesce("founded_at", at).alias("founded_at"),
        F.when(is_kept, F.col("former_linked_at")).otherwise(at).alias("linked_at"),
    )


def touched_golden_ids(assigned: DataFrame) -> DataFrame:
    """One row per golden_id that gained or lost a record: the people to compute anew; ids that ended are among them."""
    is_changed = ~F.col("former_golden_id").eqNullSafe(F.col("golden_id"))
    both = assigned.where(is_changed).select(F.explode(F.array("former_golden_id", "golden_id")).alias("golden_id"))
    return both.where(F.col("golden_id").isNotNull()).distinct()


def instant_of_run(occurred_at: datetime) -> Column:
    """The instant as a literal; raises IdentityError for one without a zone: each machine would read it its own way."""
    if occurred_at.tzinfo is None:
        raise IdentityError(f"The run's instant {occurred_at.isoformat()} has no zone. Pass it in UTC.")
    return F.lit(occurred_at)


def _recall_links(clusters: DataFrame, previous: DataFrame) -> DataFrame:
    former = previous.select(
        *RECORD_KEY,
        F.col("golden_id").alias("former_golden_id"),
        F.col("founding_record").alias("former_founding_record"),
        F.col("linked_at").alias("former_linked_at"),
        F.coalesce("founded_at", "linked_at").alias("former_founded_at"),
    )
    now = clusters.select(*RECORD_KEY, "cluster_id", "component_id", "matched_by")
    return now.join(former, list(RECORD_KEY), "full").select("*", record_hash().alias("record_hash"))


def _claim_ids(recalled: DataFrame, events: DataFrame) -> DataFrame:
    """Rows under the id that they are about (`claim_id`), so that one shuffle answers every question about an id.

    A record stands under the id it had; a new one under the id it could found. A record whose id bears another
    record's name also probes, by a second row, whether its own is free: a split may need it. Ended ids stand under
    themselves, `is_spent`.
    """
    own_id = F.substring("record_hash", 1, ID_DIGITS)
    former_id = F.col("former_golden_id")
    standing = F.struct(F.coalesce(former_id, own_id).alias("claim_id"), F.lit(False).alias("is_probe"))
    probe = F.struct(own_id.alias("claim_id"), F.lit(True).alias("is_probe"))
    may_found = former_id.isNotNull() & (former_id != own_id) & F.col("cluster_id").isNotNull()
    claims = F.explode(F.when(may_found, F.array(standing, probe)).otherwise(F.array(standing)))
    claiming = recalled.select("*", claims.alias("claim")).select("*", "claim.*", F.lit(False).alias("is_spent"))
    spent = events.where(F.col("event_type").isin(*ENDINGS)).select(
        F.col("golden_id").alias("claim_id"), F.lit(False).alias("is_probe"), F.lit(True).alias("is_spent")
    )
    return claiming.drop("claim").unionByName(spent, allowMissingColumns=True)


def _judge_parts(claims: DataFrame) -> DataFrame:
    """Adds what the rows under one id say together: is it used, since when, who keeps it, is it split or gone."""
    of_id = W.partitionBy("claim_id")
    of_part = W.partitionBy("claim_id", "cluster_id")
    was_linked = F.col("former_golden_id").isNotNull() & ~F.col("is_probe")
    is_member = was_linked & F.col("cluster_id").isNotNull()
    member_cluster = F.when(is_member, F.col("cluster_id"))
    seen = claims.select(
        "*",
        is_member.alias("is_member"),
        F.max(F.col("is_spent") | was_linked).over(of_id).alias("is_used"),
        F.min(F.when(was_linked, F.col("former_founded_at"))).over(of_id).alias("id_founded_at"),
        F.min(F.when(was_linked, F.col("record_hash"))).over(of_id).alias("id_record_hash"),
        F.min(member_cluster).over(of_id).alias("first_cluster"),
        F.max(member_cluster).over(of_id).alias("last_cluster"),
    )
    is_founding = F.col("is_member") & (F.col("record_hash") == F.col("former_founding_record"))
    member_hash = F.when(F.col("is_member"), F.col("record_hash"))
    ranked = seen.select(
        "*",
        F.struct(
            (-F.count(member_hash).over(of_part)).alias("size_descending"),
            (~F.max(is_founding).over(of_part)).alias("lacks_founder"),
            F.min(member_hash).over(of_part).alias("record_hash"),
        ).alias("part"),
    )
    best = F.min(F.when(F.col("is_member"), F.col("part"))).over(of_id)
    kept = ranked.select("*", (F.col("is_member") & (F.col("part") == best)).alias("is_keeper"))
    is_gone = was_linked & F.col("first_cluster").isNull()
    speaker = F.when(F.col("is_keeper"), F.col("part.record_hash")).when(is_gone, F.col("id_record_hash"))
    is_split = F.col("is_member") & (F.col("first_cluster") != F.col("last_cluster"))
    return kept.select(
        "*",
        is_split.alias("is_split"),
        is_gone.alias("is_gone"),
        F.coalesce(F.col("record_hash") == speaker, F.lit(False)).alias("speaks_for_id"),
    )


def _cluster_golden_id(run_id: str) -> Column:
    """The surviving id, else that of the first free founder, else one that only this run can give."""
    unrepeatable = F.sha2(F.concat(F.col("smallest"), F.lit(f"#{run_id}")), 256)
    return F.coalesce(
        F.col("survivor.former_golden_id"),
        F.substring("free_founder", 1, ID_DIGITS),
        F.substring(unrepeatable, 1, ID_DIGITS),
    )
