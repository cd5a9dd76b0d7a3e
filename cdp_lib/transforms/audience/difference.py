"""Audiences against the run before: who entered, who stayed, who left."""

from datetime import date

from pyspark.sql import DataFrame, functions as F

from cdp_lib.contracts.activation import AUDIENCE_MEMBER

_KEY = list(AUDIENCE_MEMBER.key)
_KEPT = ("score", "why", "input_versions", "config_hash")


def against_yesterday(members: DataFrame, former: DataFrame, as_of: date) -> DataFrame:
    """The rows of gold.audience_member (but for `_run_id`): members as `enter` or `stay`, and who left as `exit`.

    `members` has audience_id, golden_id, score, why, input_versions and config_hash; `former` are the rows of the run
    before. A day that is computed again says what it said: it enters those who were not there before the day, and keeps
    its exits. A later day drops them. An exit keeps the why, input versions and rules by which it had been a member.
    """
    day = F.lit(as_of)
    is_of_today = F.col("as_of_date") == day
    known = former.where((F.col("status") != "exit") | is_of_today)
    since = known.select(*_KEY, F.col("entered_date").alias("since"))  # one row per key: the table's
    entered = F.least(F.coalesce("since", day), day)
    present = members.join(since, _KEY, "left").select(
        *_KEY,
        day.alias("as_of_date"),
        F.when(entered == day, "enter").otherwise("stay").alias("status"),
        entered.alias("entered_date"),
        *_KEPT,
    )
    left = known.join(members.select(*_KEY), _KEY, "left_anti").select(
        *_KEY, day.alias("as_of_date"), F.lit("exit").alias("status"), "entered_date", *_KEPT
    )
    return present.unionByName(left)
