"""Whom no message may reach: who unsubscribed, complained or whose address bounced, and did not come back since."""

from pyspark.sql import Column, DataFrame, functions as F

from cdp_lib.contracts.activation import SUPPRESSION_REASONS
from cdp_lib.transforms.activation.consent import ANY_CHANNEL

_SEEN = ("opened", "clicked")
_LIFTING_PURPOSE = "marketing"


def suppressed_customers(responses: DataFrame, consents: DataFrame) -> DataFrame:
    """One row per golden_id, channel and reason, the newest reaction: silver.suppression without `_run_id`.

    `responses` and `consents` are silver.campaign_response and silver.consent with golden_id. A reaction without a
    channel is about all of them (`any`). A later grant of marketing for the channel, or for `any`, lifts an unsubscribe
    and a complaint; grants of other purposes do not, for what people left were campaigns. A bounce is lifted by a later
    opened or clicked on that channel. At the same instant nothing is lifted.
    """
    reaction = F.struct("responded_at", "source_system", "response_id", "campaign_id")
    told = responses.where(F.col("response_type").isin(*SUPPRESSION_REASONS) & F.col("golden_id").isNotNull())
    newest = told.groupBy("golden_id", _channel(), F.col("response_type").alias("reason")).agg(
        F.max(reaction).alias("newest")
    )
    lifted_at = F.when(F.col("reason") == "bounced", F.col("seen_at")).otherwise(
        F.greatest("granted_at", "granted_any_at")
    )
    judged = newest.join(_seen(responses), ["golden_id", "channel"], "left")
    judged = judged.join(_granted(consents), ["golden_id", "channel"], "left")
    judged = judged.join(_granted_for_any(consents), "golden_id", "left")
    is_lifted = F.coalesce(lifted_at > F.col("newest.responded_at"), F.lit(False))
    return judged.where(~is_lifted).select(
        "golden_id",
        "channel",
        "reason",
        F.col("newest.responded_at").alias("suppressed_at"),
        F.col("newest.source_system").alias("source_system"),
        F.col("newest.campaign_id").alias("campaign_id"),
    )


def with_suppression(candidates: DataFrame, suppressions: DataFrame) -> DataFrame:
    """Every candidate (golden_id, channel, ...) with `is_suppressed`: on a list for its channel or for `any`."""
    listed = suppressions.groupBy("golden_id").agg(F.collect_set("channel").alias("_listed"))
    is_listed = F.array_contains("_listed", F.col("channel")) | F.array_contains("_listed", F.lit(ANY_CHANNEL))
    joined = candidates.join(listed, "golden_id", "left")
    return joined.select(*candidates.columns, F.coalesce(is_listed, F.lit(False)).alias("is_suppressed"))


def _channel() -> Column:
    return F.coalesce("channel", F.lit(ANY_CHANNEL)).alias("channel")


def _seen(responses: DataFrame) -> DataFrame:
    seen = responses.where(F.col("response_type").isin(*_SEEN))
    return seen.groupBy("golden_id", _channel()).agg(F.max("responded_at").alias("seen_at"))


def _granted(consents: DataFrame) -> DataFrame:
    return _grants(consents).groupBy("golden_id", "channel").agg(F.max("decided_at").alias("granted_at"))


def _granted_for_any(consents: DataFrame) -> DataFrame:
    for_any = _grants(consents).where(F.col("channel") == ANY_CHANNEL)
    return for_any.groupBy("golden_id").agg(F.max("decided_at").alias("granted_any_at"))


def _grants(consents: DataFrame) -> DataFrame:
    return consents.where((F.col("status") == "granted") & (F.col("purpose") == _LIFTING_PURPOSE))
