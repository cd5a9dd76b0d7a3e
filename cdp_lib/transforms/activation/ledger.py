"""What ops.delivery knows: the last state of every intent, and what that means for a person and an activation."""

from pyspark.sql import Column, DataFrame, functions as F

from cdp_lib.contracts.activation import LAST_STATE_BY
from cdp_lib.settings.activation import CONTACT_CHANNELS

OPEN = ("planned", "sent", "unknown")
"""States that may still become something else: nothing new is planned for a member of a list meanwhile."""

REBUILD = "rebuild"
"""Begins the occasion of intents that take a whole list anew."""

EMPTYING = "emptying"
"""Begins the occasion of intents to remove all whom a list holds that cannot lose them one by one."""

_OF_INTENT = ("intent_id", "activation_id", "golden_id", "channel", "operation", "occasion")
_NEVER_SENT = ("expired", "failed")
_CONTACT = ("planned", "sent", "accepted", "unknown")
_DATED = r"^(?:entry|repeat):(\d{4}-\d{2}-\d{2})"
_AGAIN = r"#\d+$"


def order_of_states() -> Column:
    """Greatest is the state of an intent that is known: of the last try, an end before `sent` before `planned`."""
    return F.struct(*map(F.expr, LAST_STATE_BY))


def last_states(deliveries: DataFrame) -> DataFrame:
    """One row per intent: its last state with `sent_at`, when it was handed to the channel last (null: never).

    Of the last try an end outweighs `sent`, and that `planned`; of two ends the later one is known.
    """
    last = F.max_by(F.struct("status", "payload_hash", "recorded_at"), order_of_states())
    # Grouped by everything that an intent never changes: what is asked of that is asked of the files.
    per_intent = deliveries.groupBy(*_OF_INTENT).agg(
        last.alias("last"),
        F.max("planned_at").alias("planned_at"),
        F.max(F.when(F.col("status") == "sent", F.col("recorded_at"))).alias("sent_at"),
    )
    return per_intent.select(*_OF_INTENT, "last.*", "planned_at", "sent_at")


def open_tries(deliveries: DataFrame, under_way: DataFrame | None = None) -> DataFrame:
    """One row per intent whose last try is planned and was not handed to the channel: the planned row of ops.delivery.

    `under_way` (intent_id) are left out: a request for them was begun, and nobody knows yet what became of it.
    """
    is_planned = F.col("status") == "planned"
    begun = deliveries.where(~is_planned).select("intent_id", "attempt")
    still = deliveries.where(is_planned).join(begun, ["intent_id", "attempt"], "left_anti")
    waiting = still if under_way is None else still.join(under_way, "intent_id", "left_anti")
    newest = F.max_by(F.struct(*deliveries.columns), F.struct("attempt", "recorded_at"))
    return waiting.groupBy("intent_id").agg(newest.alias("newest")).select("newest.*")


def contacts_made(states: DataFrame) -> DataFrame:
    """golden_id, channel, contact_at of every intent that reached for a person, or may have."""
    is_message = (F.col("operation") == "send") & F.col("channel").isin(*CONTACT_CHANNELS)
    made = states.where(is_message & F.col("status").isin(*_CONTACT))
    return made.select("golden_id", "channel", F.coalesce("sent_at", "planned_at").alias("contact_at"))


def reached_before(states: DataFrame) -> DataFrame:
    """One row per activation_id and golden_id: on which occasions something was planned for that person.

    `occasions` and `dates` (of entries and repetitions) leave out what expired unsent; `expired` are the occasions of
    those, one entry for each intent. `last_planned_at` is null where everything expired.
    """
    has_expired = F.col("status") == "expired"
    base = F.regexp_replace("occasion", _AGAIN, "")
    date = F.to_date(F.nullif(F.regexp_extract("occasion", _DATED, 1), F.lit("")))
    return states.groupBy("activation_id", "golden_id").agg(
        F.collect_set(F.when(~has_expired, base)).alias("occasions"),
        F.max(F.when(~has_expired, date)).alias("last_date"),
        F.max(F.when(~has_expired, F.col("planned_at"))).alias("last_planned_at"),
        F.collect_list(F.when(has_expired, base)).alias("expired"),
    )


def list_states(states: DataFrame) -> DataFrame:
    """One row per activation_id and golden_id of what a list is believed to hold.

    `listed` is the newest accepted intent (null: none was accepted), `ended` the newest of those that are over, and
    `is_open` says whether one is not over yet. Both are structs of planned_at, recorded_at, intent_id, operation,
    payload_hash and status.
    """
    intent = F.struct("planned_at", "recorded_at", "intent_id", "operation", "payload_hash", "status")
    is_open = F.col("status").isin(*OPEN)
    return states.groupBy("activation_id", "golden_id").agg(
        F.max(F.when(F.col("status") == "accepted", intent)).alias("listed"),
        F.max(F.when(~is_open, intent)).alias("ended"),
        F.max(is_open).alias("is_open"),
    )


def last_rebuilds(states: DataFrame) -> DataFrame:
    """One row per activation_id: when its list was last taken anew, or emptied. What was accepted before is not in it.

    An emptying counts once the channel has accepted it: there is no other list then. Of a rebuild of which nothing was
    ever sent the channel knows nothing.
    """
    is_emptied = F.col("occasion").startswith(f"{EMPTYING}:") & (F.col("status") == "accepted")
    is_rebuilt = F.col("occasion").startswith(f"{REBUILD}:") & ~F.col("status").isin(*_NEVER_SENT)
    taken = states.where(is_rebuilt | is_emptied)
    return taken.groupBy("activation_id").agg(F.max("planned_at").alias("rebuilt_at"))
