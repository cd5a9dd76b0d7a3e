"""Who was assigned to which arm, and what became of every intent to tell a channel about them."""

from pyspark.sql import Column, DataFrame, functions as F, Window as W

from cdp_lib.contracts.activation import SENT
from cdp_lib.settings.activation import EVERYBODY, HOLDOUT
from cdp_lib.transforms.activation.ledger import order_of_states
from cdp_lib.transforms.identity.history import resolve


def intents(deliveries: DataFrame) -> DataFrame:
    """One row per intent of ops.delivery, with what is known of it last.

    Columns: intent_id, activation_id, golden_id, channel, operation, arm, status, planned_at, is_sent.
    `status` is the last that is known: of the last try, where an end outweighs `sent` and that `planned`. `is_sent`:
    the last try was handed to the channel. `planned_at` is when the intent was planned first.
    """
    status = F.col("status")
    told = F.struct("activation_id", "golden_id", "channel", "operation", "arm", "status")
    last = F.max_by(told, order_of_states())
    sent_try = F.max(F.when(status == "sent", F.col("attempt")))
    known = deliveries.groupBy("intent_id").agg(
        last.alias("last"),
        F.min("planned_at").alias("planned_at"),
        sent_try.eqNullSafe(F.max("attempt")).alias("is_sent"),
    )
    return known.select("intent_id", "last.*", "planned_at", "is_sent")


def arm_and_all() -> Column:
    """For each row its arm, and once more `all` where the arm was written to; without arms all are `all` already."""
    arm = F.col("arm")
    return F.explode(F.when(arm.isin(HOLDOUT, EVERYBODY), F.array(arm)).otherwise(F.array(arm, F.lit(EVERYBODY))))


def delivery_accounts(known: DataFrame) -> DataFrame:
    """One row per activation and arm, `all` included: channel, and the counts of `intents` by what became of them.

    Those held out are nobody's intent to send: their row counts nothing. It takes all operations.
    """
    told = known.select("*", arm_and_all().alias("told_arm"))
    is_planned = F.col("arm") != HOLDOUT
    return told.groupBy("activation_id", F.col("told_arm").alias("arm")).agg(
        F.max_by("channel", F.struct("planned_at", "intent_id")).alias("channel"),
        F.count_if(is_planned).alias("planned_count"),
        F.count_if(is_planned & F.col("is_sent")).alias("sent_count"),
        *[F.count_if(is_planned & (F.col("status") == name)).alias(f"{name}_count") for name in SENT],
    )


def unbalanced(accounts: DataFrame) -> DataFrame:
    """The rows of `delivery_accounts` where sent is not accepted + rejected + unknown.

    Of an activation with arms each arm is asked, and not `all` of them, in whose sum two faults may cancel out.
    """
    ended = sum((F.col(f"{name}_count") for name in SENT), F.lit(0))
    arms = F.count_if(~F.col("arm").isin(HOLDOUT, EVERYBODY)).over(W.partitionBy("activation_id"))
    asked = accounts.withColumn("arm_count", arms).where((F.col("arm") != EVERYBODY) | (F.col("arm_count") == 0))
    return asked.where(F.col("sent_count") != ended).drop("arm_count")


def exposures(known: DataFrame, events: DataFrame) -> DataFrame:
    """One row per activation and today's golden_id: arm, assigned_at, is_crossed.

    `events` are rows of silver.identity_event: they lead old ids to today's; who was retired is left out. `assigned_at`
    is when the first intent was planned; taking somebody out of an audience assigns nobody. `is_crossed`: assigned
    under two ids that are one person now, or to two arms; the arm is then the first that was written to. That two ids
    of one arm count as crossed too keeps arms comparable: merged people would else stay in a large arm and leave a
    small one.
    """
    offered = _offered(known)
    today = resolve(events, offered.select("golden_id").distinct()).where(F.col("current_golden_id").isNotNull())
    written_to_first = F.struct(F.col("arm") == HOLDOUT, "planned_at", "intent_id")
    is_crossed = (F.count_distinct("golden_id") > 1) | (F.count_distinct("arm") > 1)
    named = offered.join(today, "golden_id", "inner")
    per_person = named.groupBy("activation_id", "current_golden_id").agg(
        F.min_by("arm", written_to_first).alias("arm"),
        F.min("planned_at").alias("assigned_at"),
        is_crossed.alias("is_crossed"),
    )
    return per_person.withColumnRenamed("current_golden_id", "golden_id")


def assigned_counts(known: DataFrame) -> DataFrame:
    """One row per activation and arm: `customer_count`, ids as they were when assigned, each in its first arm.

    What chance was asked to do: merges since then change how many people an arm holds, not how it was drawn.
    """
    first = (
        _offered(known)
        .groupBy("activation_id", "golden_id")
        .agg(F.min_by("arm", F.struct("planned_at", "intent_id")).alias("arm"))
    )
    return first.groupBy("activation_id", "arm").agg(F.count("*").alias("customer_count"))


def _offered(known: DataFrame) -> DataFrame:
    return known.where(F.col("operation") != "remove")
