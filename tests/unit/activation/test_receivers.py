"""A file that leads to a message holds whom an activation might write to, and nobody else."""

from datetime import datetime, UTC

from pyspark.sql import functions as F, SparkSession

from cdp_lib.contracts import activation, silver
from cdp_lib.settings.export import MayReceive
from cdp_lib.transforms.activation.receivers import receivers
from tests.builders import rows

EMAIL = MayReceive(channel="email")
EARLY, LATE = datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 2, 1, tzinfo=UTC)


def decision(who: str, status: str, at: datetime = EARLY, **more: str) -> dict[str, object]:
    shared = {"consent_id": f"{who} {status}", "person_id": who, "status": status, "decided_at": at}
    return {"purpose": "marketing", "channel": "email", **shared, **more}


def test_who_agreed_and_did_not_turn_away_may_receive(spark: SparkSession) -> None:
    names = ("agreed", "never asked", "unsubscribed", "left all", "no texts", "changed mind", "both at once", "later")
    agreed = [decision(who, "granted") for who in names if who != "never asked"]
    withdrawn = [decision("changed mind", "withdrawn", LATE, channel="any"), decision("both at once", "withdrawn")]
    other = [decision("never asked", "granted", purpose="analytics"), decision("later", "withdrawn", LATE)]
    consents = rows(spark, silver.CONSENT, *agreed, *withdrawn, *other).withColumnRenamed("person_id", "golden_id")
    # An answer to a mail of ours names the mail alone: it is no consent of anybody, but it suppresses its customer.
    left = {"unsubscribed": "email", "left all": "any", "no texts": "sms"}
    listed = [{"golden_id": who, "channel": channel} for who, channel in left.items()]
    customers = spark.createDataFrame([(who,) for who in names], "golden_id string").select("*", F.lit(1).alias("n"))

    found = receivers(customers, EMAIL, consents, rows(spark, activation.SUPPRESSION, *listed), at=EARLY)
    assert {row["golden_id"] for row in found.collect()} == {"agreed", "changed mind", "later", "no texts"}
    assert found.columns == customers.columns
