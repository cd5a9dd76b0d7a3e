"""Who may be written to, for files that somebody else sends from: the same yes and no as for what the suite sends."""

from datetime import datetime

from pyspark.sql import DataFrame, functions as F

from cdp_lib.settings.export import MayReceive
from cdp_lib.transforms.activation.consent import consent_in_force, with_consent
from cdp_lib.transforms.activation.suppression import with_suppression


def receivers(
    customers: DataFrame, asked: MayReceive, consents: DataFrame, suppressions: DataFrame, *, at: datetime
) -> DataFrame:
    """The customers who agreed to the purpose on the channel by `at`, and whom no suppression keeps from it.

    `consents` are rows of silver.consent with golden_id, `suppressions` of silver.suppression.
    """
    candidates = customers.select(
        "golden_id", F.lit(asked.purpose).alias("purpose"), F.lit(asked.channel).alias("channel")
    )
    agreed = with_consent(candidates, consent_in_force(consents, at=at))
    free = with_suppression(agreed, suppressions).where(F.col("allowed") & ~F.col("is_suppressed"))
    return customers.join(free.select("golden_id"), "golden_id", "left_semi")
