"""Whom journeys keep on lists: a customer is on the list from the step that sends to it until the entry ends."""

from collections.abc import Collection

from pyspark.sql import DataFrame, functions as F

from cdp_lib.settings.journey import Journey
from cdp_lib.transforms.journey.machine import SENT


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
