"""Audiences against the run before: who entered, who stayed, who left."""

from datetime import date

from pyspark.sql import DataFrame, functions as F

from cdp_lib.contracts.activation import AUDIENCE_MEMBER
from cdp_lib.transforms.identity.history import resolve

_KEY = list(AUDIENCE_MEMBER.key)
_KEPT = ("score", "why", "input_versions", "config_hash")


def by_todays_ids(former: DataFrame, events: DataFrame) -> DataFrame:
    """Rows of gold.audience_member by the ids that stand for people today, one per audience and person.

    `events` are rows of silver.identity_event; who was retired keeps the last id. Of merged people who were members
    both, the older membership counts, and one that lasts before one that is over.
    """
    today = resolve(events, former.select("golden_id").distinct())
    named = former.join(today, "golden_id", "left")  # one row per golden_id
    person = F.coalesce("current_golden_id", "golden_id")
    counts = F.struct(F.col("status") == "exit", "entered_date", F.col("golden_id") != person, "golden_id")
    others = [name for name in former.columns if name not in _KEY]
    per_person = named.groupBy("audience_id", person.alias("person")).agg(
        F.min_by(F.struct(*others), counts).alias("kept")
    )
    told = per_person.select("audience_id", F.col("person").alias("golden_id"), "kept.*")
    return told.select(*former.columns)


def against_yesterday(members: DataFrame, former: DataFrame, as_of: date) -> DataFrame:
    """The rows of gold.audience_member (but for `_run_id`): members as `enter` or `stay`, and who left as `exit`.

    `members` has audience_id, golden_id, score, why, input_versions and config_hash; `former` are the rows of the run
    before, by today's ids (`by_todays_ids`). A day that is computed again says what it said: it enters those who were
    not there before the day, and keeps its exits. A later day drops them. An exit keeps the why, input versions and
    rules by which it had been a member.
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
