"""Referral credit: once for each person, to the first who invited, never to oneself."""

from datetime import date
from typing import Any

from chispa import assert_df_equality
from pyspark.sql import SparkSession

from cdp_lib.contracts import identity, silver
from cdp_lib.transforms.campaign.referrals import referral_credits
from tests.builders import rows
from tests.unit.campaign.scene import day

AS_OF = date(2025, 1, 31)
FIFTH = day(5)
CREDITS = (
    "source_system string, referral_id string, referrer_golden_id string, referred_golden_id string, "
    "referred_at timestamp, status string, as_of_date date"
)
PEOPLE = {"ann1": "ANN", "ann2": "ANN", "ben": "BEN", "cleo": "CLEO", "cleo2": "CLEO", "dan": "DAN"}


def referral(number: str, by: str | None, whom: str | None, at: Any = FIFTH, **more: Any) -> dict[str, Any]:
    said = {"source_system": "club", "status": "joined", **more}
    return said | {"referral_id": number, "person_id": by, "referred_person_id": whom, "referred_at": at}


def credits(spark: SparkSession, *given: dict[str, Any], partitions: int = 1) -> list[tuple[str, str]]:
    """(referral_id, status), in order."""
    links = [
        {"source_system": source, "source_record_id": record, "golden_id": golden_id}
        for source in ("club", "app")
        for record, golden_id in PEOPLE.items()
    ]
    found = referral_credits(
        rows(spark, silver.REFERRAL, *given).repartition(partitions),
        rows(spark, identity.IDENTITY_LINK, *links),
        as_of=AS_OF,
        time_zone="UTC",
    )
    return sorted((row["referral_id"], row["status"]) for row in found.collect())


def test_each_referral_that_names_whom_it_brought_has_a_row_with_todays_people(spark: SparkSession) -> None:
    given = rows(spark, silver.REFERRAL, referral("r1", "ann2", "ben"), referral("r2", "ann1", None))
    links = rows(
        spark,
        identity.IDENTITY_LINK,
        {"source_system": "club", "source_record_id": "ann2", "golden_id": "ANN"},
        {"source_system": "club", "source_record_id": "ben", "golden_id": "BEN"},
        {"source_system": "app", "source_record_id": "ben", "golden_id": "ANOTHER"},
    )
    found = referral_credits(given, links, as_of=AS_OF, time_zone="UTC")
    wanted = spark.createDataFrame([("club", "r1", "ANN", "BEN", day(5), "credited", AS_OF)], CREDITS)
    assert_df_equality(found, wanted, ignore_nullable=True)


def test_a_person_credits_the_first_who_invited_whichever_membership_was_used(spark: SparkSession) -> None:
    given = [
        referral("r1", "ben", "cleo", day(6)),
        referral("r2", "ann1", "cleo2", day(5)),
        referral("r3", "ann1", "cleo", day(7)),
        referral("r4", "ann1", "dan", day(9)),
    ]
    wanted = [("r1", "already_credited"), ("r2", "credited"), ("r3", "already_credited"), ("r4", "credited")]
    assert credits(spark, *given) == wanted
    assert credits(spark, *given[::-1], partitions=3) == wanted


def test_a_tie_is_broken_by_source_and_id(spark: SparkSession) -> None:
    given = [
        referral("r2", "ann1", "ben"),
        referral("r1", "dan", "ben"),
        referral("r3", "cleo", "ben", source_system="app"),
    ]
    assert credits(spark, *given) == [
        ("r1", "already_credited"),
        ("r2", "already_credited"),
        ("r3", "credited"),
    ]


def test_nobody_brings_themself_by_whatever_account_and_it_takes_no_credit_away(spark: SparkSession) -> None:
    given = [
        referral("r1", "ann1", "ann2", day(1)),
        referral("r2", "ann2", "ann2", day(1), status="refused"),
        referral("r3", "ghost", "ghost", day(1)),
        referral("r4", "ben", "ann1", day(2)),
    ]
    assert credits(spark, *given) == [
        ("r1", "self_referral"),
        ("r2", "self_referral"),
        ("r3", "self_referral"),
        ("r4", "credited"),
    ]


def test_unknown_referrers_and_people_who_did_not_join_credit_nobody(spark: SparkSession) -> None:
    given = [
        referral("r1", None, "ben", day(1)),
        referral("r2", "ghost", "ben", day(1)),
        referral("r3", "ann1", "ben", day(2), status="invited"),
        referral("r4", "ann1", "ghost", day(2)),
        referral("r5", "dan", "ben", day(3), status=None),
        referral("r6", "ann1", "other_ghost", day(2)),
    ]
    assert credits(spark, *given) == [
        ("r1", "unknown_referrer"),
        ("r2", "unknown_referrer"),
        ("r3", "not_joined"),
        ("r4", "not_joined"),
        ("r5", "credited"),
        ("r6", "not_joined"),
    ]


def test_what_comes_after_the_as_of_day_is_not_known_yet(spark: SparkSession) -> None:
    given = [referral("r1", "ann1", "ben", day(31, 23)), referral("r2", "ann1", "dan", day(32))]
    assert credits(spark, *given) == [("r1", "credited")]
    assert credits(spark) == []
