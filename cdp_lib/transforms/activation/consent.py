"""What people agreed to at an instant, and the decision that allows or forbids a channel. Unknown means no."""

from datetime import datetime

from pyspark.sql import Column, DataFrame, functions as F

ANY_CHANNEL = "any"
_GRANTED = "granted"


def consent_in_force(consents: DataFrame, *, at: datetime) -> DataFrame:
    """One row per golden_id, purpose and channel: its newest decision up to `at`, with `decided_at`.

    `consents` are rows of silver.consent with golden_id. `consent` names the decision: `source_system:consent_id`. Of
    decisions of one instant a withdrawal counts, then the last by name.
    """
    newest = F.max_by(F.struct("status", "decided_at", _name().alias("consent")), _order(_name()))
    known = consents.where((F.col("decided_at") <= F.lit(at)) & F.col("golden_id").isNotNull())
    per_channel = known.groupBy("golden_id", "purpose", "channel").agg(newest.alias("newest"))
    return per_channel.select("golden_id", "purpose", "channel", "newest.*")


def with_consent(candidates: DataFrame, in_force: DataFrame) -> DataFrame:
    """Every candidate (golden_id, purpose, channel, ...) with `allowed` and `consent`, the decision that allows it.

    Of the newest decision for the channel and the newest for `any`, the newer one counts; a tie is a withdrawal. Who
    decided nothing is not allowed. `consent` is null where it is not allowed. `in_force` is of `consent_in_force`.
    """
    decision = F.struct(
        F.col("channel").alias("of_channel"), _order(F.col("consent")).alias("order"), F.col("status").alias("status")
    )
    decided = in_force.groupBy("golden_id", "purpose").agg(F.collect_list(decision).alias("_decisions"))
    joined = candidates.join(decided, ["golden_id", "purpose"], "left")
    fitting = F.filter(
        "_decisions", lambda one: (one["of_channel"] == F.col("channel")) | (one["of_channel"] == ANY_CHANNEL)
    )
    deciding = F.array_max(F.transform(fitting, lambda one: one["order"]))
    is_allowed = F.coalesce(deciding["withdrawn"] == 0, F.lit(False))
    return joined.select(
        *candidates.columns,
        is_allowed.alias("allowed"),
        F.when(is_allowed, deciding["name"]).alias("consent"),
    )


def _name() -> Column:
    return F.concat_ws(":", "source_system", "consent_id")


def _order(name: Column) -> Column:
    """Greatest is the decision that counts: the newest, at a tie a withdrawal, then the last by name."""
    withdrawn = F.when(F.col("status") == _GRANTED, 0).otherwise(1)
    return F.struct(F.col("decided_at").alias("decided_at"), withdrawn.alias("withdrawn"), name.alias("name"))
