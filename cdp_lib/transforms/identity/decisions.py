"""What people decided about two records, as matching takes it."""

from pyspark.sql import DataFrame, functions as F

from cdp_lib.contracts.silver import RECORD_KEY
from cdp_lib.transforms.identity.exact import record_key


def decisions_in_force(overrides: DataFrame) -> DataFrame:
    """One row per pair of records about which a decision holds: record_l < record_r (16 bytes of the hash), is_link.

    The pair's newest decision holds, whichever record it names first; of two at one instant the greater override_id.
    A pair whose newest decision withdraws an earlier one is absent. `overrides` is silver.identity_override.
    """
    left, right = (record_key(*(f"{name}_{side}" for name in RECORD_KEY)) for side in "lr")
    decided = overrides.select(
        F.least(left, right).alias("record_l"),
        F.greatest(left, right).alias("record_r"),
        F.struct("decided_at", "override_id", "decision").alias("newest"),
    )
    held = decided.where("record_l < record_r").groupBy("record_l", "record_r").agg(F.max("newest").alias("newest"))
    holds = F.col("newest.decision").isin("link", "unlink")
    return held.where(holds).select("record_l", "record_r", (F.col("newest.decision") == "link").alias("is_link"))


def records_decided_on(overrides: DataFrame) -> DataFrame:
    """One row per record that people ever decided about: record_key. A withdrawn decision counts: its end is news too.

    `overrides` is silver.identity_override.
    """
    ends = [record_key(*(f"{name}_{side}" for name in RECORD_KEY)) for side in "lr"]
    return overrides.select(F.explode(F.array(*ends)).alias("record_key")).distinct()
