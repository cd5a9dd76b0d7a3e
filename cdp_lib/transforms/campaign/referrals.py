"""Who is credited for bringing whom."""

from datetime import date

from pyspark.sql import DataFrame, functions as F, Window as W

from cdp_lib.contracts.results import CREDITED
from cdp_lib.transforms.customer.as_of import end_of_day


def referral_credits(referrals: DataFrame, links: DataFrame, *, as_of: date, time_zone: str) -> DataFrame:
    """The rows of gold.referral_credit but for `_run_id`: one per referral that names whom it brought.

    Referrals after the as-of day are left out. `links` are all rows of silver.identity_link: both sides are today's
    people, whichever of their memberships was used. Asked in this order: `self_referral` (one person or record on both
    sides), `unknown_referrer` (no record of who invited), `not_joined` (no record of who was invited, or the source
    gives another status than `joined`; without a status, the record tells). Of what is left, a person's earliest
    referral is `credited`, ties by key; any later one is `already_credited`.
    """
    is_past = F.col("referred_at") < F.lit(end_of_day(as_of, time_zone))
    named = referrals.where(F.col("referred_person_id").isNotNull() & is_past)
    sides = named
    for person, golden_id in (("person_id", "referrer_golden_id"), ("referred_person_id", "referred_golden_id")):
        people = links.select(
            "source_system", F.col("source_record_id").alias(person), F.col("golden_id").alias(golden_id)
        )  # one row per record: identity_link's key
        sides = sides.join(people, ["source_system", person], "left")
    referrer, referred = F.col("referrer_golden_id"), F.col("referred_golden_id")
    is_self = (referrer == referred) | (F.col("person_id") == F.col("referred_person_id"))
    is_joined = referred.isNotNull() & F.coalesce(F.col("status") == "joined", F.lit(True))
    standing = (
        F.when(is_self, "self_referral")
        .when(referrer.isNull(), "unknown_referrer")
        .when(~is_joined, "not_joined")
        .otherwise(CREDITED)
    )
    judged = sides.select("source_system", "referral_id", referrer, referred, "referred_at", standing.alias("standing"))
    in_order = W.partitionBy("referred_golden_id", "standing").orderBy("referred_at", "source_system", "referral_id")
    is_later = (F.col("standing") == CREDITED) & (F.row_number().over(in_order) > 1)
    status = F.when(is_later, "already_credited").otherwise(F.col("standing"))
    return judged.select(
        *[name for name in judged.columns if name != "standing"],
        status.alias("status"),
        F.lit(as_of).alias("as_of_date"),
    )
