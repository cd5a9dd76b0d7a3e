"""How customers reacted to what they were sent, the redemption of their codes included."""

from datetime import date

from pyspark.sql import Column, DataFrame, functions as F

from cdp_lib.transforms.campaign.intents import arm_and_all
from cdp_lib.transforms.customer.as_of import end_of_day
from cdp_lib.transforms.identity.history import resolve

REACTIONS = ("opened", "clicked", "bounced", "unsubscribed", "redeemed")
_REDEEMED = "redeemed"


def code_uses(responses: DataFrame, orders: DataFrame) -> DataFrame:
    """One row per use of an offer code: golden_id, offer_code, used_at.

    `responses` and `orders` are rows of silver.campaign_response and silver.order with golden_id. A response uses a
    code where it says `redeemed`: one that says `sent` or `opened` repeats it. An order does in its attribute
    `offer_code`.
    """
    told = responses.where(F.col("response_type") == _REDEEMED)
    in_orders = orders.select(
        "golden_id", _code(F.try_element_at("attributes", F.lit("offer_code"))), F.col("ordered_at").alias("used_at")
    )
    in_responses = told.select("golden_id", _code(F.col("offer_code")), F.col("responded_at").alias("used_at"))
    return in_orders.unionByName(in_responses).where(F.col("offer_code").isNotNull())


def redemptions(uses: DataFrame, issued: DataFrame, events: DataFrame) -> DataFrame:
    """One row per use of a code by a customer who was given it, for each activation that gave it before.

    Columns: activation_id, golden_id, reacted_at. `issued` are rows of ops.offer_code; `events`, of
    silver.identity_event, lead their ids to today's. Whoever was not given the code did not redeem the offer.
    """
    today = resolve(events, issued.select("golden_id").distinct())
    named = issued.join(today, "golden_id", "inner").select(
        "activation_id", F.col("current_golden_id").alias("golden_id"), _code(F.col("offer_code")), "issued_at"
    )
    # A code is given again when its message is planned anew.
    given = named.groupBy("activation_id", "golden_id", "offer_code").agg(F.min("issued_at").alias("issued_at"))
    used = uses.join(given, ["golden_id", "offer_code"], "inner").where(F.col("used_at") >= F.col("issued_at"))
    return used.select("activation_id", "golden_id", F.col("used_at").alias("reacted_at"))


def reaction_counts(
    people: DataFrame, responses: DataFrame, redeemed: DataFrame, *, as_of: date, time_zone: str
) -> DataFrame:
    """One row per activation and arm, `all` included, with a reaction: `<reaction>_count`, customers each counted once.

    `people` are rows of `exposures`, `responses` of silver.campaign_response with golden_id, whose campaign_id is the
    activation's id; `redeemed` come from `redemptions`. Only what followed the assignment counts, up to the end of the
    as-of day; what others did with a forwarded message does not.
    """
    told = responses.select(
        F.col("campaign_id").alias("activation_id"),
        "golden_id",
        F.col("response_type").alias("reaction"),
        F.col("responded_at").alias("reacted_at"),
    )
    every = told.unionByName(redeemed.withColumn("reaction", F.lit(_REDEEMED)))
    at = F.col("reacted_at")
    is_after = (at >= F.col("assigned_at")) & (at < F.lit(end_of_day(as_of, time_zone)))
    theirs = every.where(F.col("reaction").isin(*REACTIONS)).join(people, ["activation_id", "golden_id"], "inner")
    counted = theirs.where(is_after).select("activation_id", "golden_id", "reaction", arm_and_all().alias("arm"))
    return counted.groupBy("activation_id", "arm").agg(
        *[
            F.count_distinct(F.when(F.col("reaction") == name, F.col("golden_id"))).alias(f"{name}_count")
            for name in REACTIONS
        ]
    )


def _code(code: Column) -> Column:
    """A code as people type it: case and blanks around it mean nothing; null where it is empty."""
    return F.nullif(F.upper(F.trim(code)), F.lit("")).alias("offer_code")
