"""What journeys ask of activations: messages, and whom they keep on lists: from the step that sends to it until the
entry ends."""

from collections.abc import Collection

from pyspark.sql import DataFrame, functions as F, Window as W

from cdp_lib.settings.journey import EXIT_WHEN, Journey
from cdp_lib.transforms.journey.machine import SENT
from cdp_lib.transforms.journey.people import JOURNEY_REMOVED, MERGED, RETIRED

_CALLED_OFF = (EXIT_WHEN, RETIRED, JOURNEY_REMOVED)
"""Ends of an entry after which none of its messages is wanted any more."""


def sends_of_journeys(states: DataFrame) -> DataFrame:
    """activation_id, golden_id, occasion, due_date of every message that entries asked for and did not call off.

    `states` are rows of ops.journey_state by today's ids. What was sent before is called off with the rest:
    ops.delivery knows it. Who was merged gets what the old id's entry asked for, until the entry that goes on from that
    day is called off.
    """
    of_person = W.partitionBy("journey_id", "golden_id")
    is_called_off = F.coalesce(F.col("exit_reason").isin(*_CALLED_OFF), F.lit(False))
    ended = F.col("step_since_date")
    called_off = F.collect_list(F.when(is_called_off, F.struct("entered_date", ended.alias("ended_date")))).over(
        of_person
    )
    told = states.select("*", is_called_off.alias("_is_over"), called_off.alias("_called_off"))
    goes_with_another = F.coalesce(F.col("exit_reason") == MERGED, F.lit(False)) & F.exists(
        "_called_off", lambda one: ended.between(one["entered_date"], one["ended_date"])
    )
    wanted = told.where(~F.col("_is_over") & ~goes_with_another)
    sends = wanted.select("golden_id", F.explode("sends").alias("send"))
    return sends.select("send.activation_id", "golden_id", "send.occasion", "send.due_date")


def members_by_journeys(states: DataFrame, journeys: Collection[Journey]) -> DataFrame:
    """activation_id, golden_id, due_date of everybody on one of the journeys, for each step passed that sends that.

    `states` are rows of ops.journey_state. Nobody is told of whose entry is over, or whose journey or step is gone. The
    path tells, not the messages asked for: those of an id that was merged away stay in its old row.
    """
    sent = F.lit(None).cast("string")
    for journey in journeys:
        for name, step in journey.steps.items():
            if step.send is not None:
                is_it = (F.col("journey_id") == journey.id) & (F.col("at.step") == name)
                sent = F.when(is_it, F.lit(step.send)).otherwise(sent)
    inside = states.where(F.col("step").isNotNull()).select("journey_id", "golden_id", F.explode("path").alias("at"))
    passed = inside.where(F.col("at.outcome") == SENT)
    told = passed.select(sent.alias("activation_id"), "golden_id", F.col("at.reached_date").alias("due_date"))
    return told.where(F.col("activation_id").isNotNull())
