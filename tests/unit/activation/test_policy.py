"""Quiet hours in each customer's zone, and contact caps across channels and priorities."""

from datetime import datetime, timedelta, UTC
from typing import Any

import pytest
from pyspark.sql import functions as F, SparkSession

from cdp_lib.settings.activation import ContactCap, QuietHours
from cdp_lib.transforms.activation.policy import is_quiet, next_quiet_start, with_caps
from tests.unit.activation.conftest import AT

NIGHT = QuietHours(start="21:00", end="08:00")
NOON = QuietHours(start="12:00", end="14:00")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("quiet", "at", "zone", "expected"),
    [
        (NIGHT, "2025-01-31 20:59", "UTC", False),
        (NIGHT, "2025-01-31 21:00", "UTC", True),
        (NIGHT, "2025-02-01 07:59", "UTC", True),
        (NIGHT, "2025-02-01 08:00", "UTC", False),
        (NOON, "2025-01-31 12:00", "UTC", True),
        (NOON, "2025-01-31 14:00", "UTC", False),
        (QuietHours(start="12:00", end="12:00"), "2025-01-31 12:00", "UTC", False),
        (NIGHT, "2025-01-31 13:59", "Asia/Bangkok", False),  # 20:59 there
        (NIGHT, "2025-01-31 14:00", "Asia/Bangkok", True),
        (NIGHT, "2025-03-30 05:59", "Europe/Berlin", True),  # clocks went ahead at 01:00 UTC: 07:59
        (NIGHT, "2025-03-30 06:00", "Europe/Berlin", False),
        (NIGHT, "2025-03-29 06:00", "Europe/Berlin", True),
        (NIGHT, "2025-01-31 12:00", "Moon/Base", True),  # unknown: the pack's, Auckland, 01:00
        (NIGHT, "2025-01-31 12:00", None, True),
        (NIGHT, "2025-01-31 12:00", "UTC", False),
        (None, "2025-01-31 23:00", "UTC", False),
    ],
)
def test_quiet_hours_are_those_of_the_customers_wall_clock(
    spark: SparkSession, quiet: QuietHours | None, at: str, zone: str | None, expected: bool
) -> None:
    column = is_quiet(quiet, F.lit(zone).cast("string"), at=utc(at), pack_zone="Pacific/Auckland")
    (row,) = spark.range(1).select(column).collect()
    assert row[0] is expected


@pytest.mark.parametrize(
    ("quiet", "at", "zone", "expected"),
    [
        (NIGHT, "2025-01-31 12:00", "UTC", "2025-01-31 21:00"),
        (NIGHT, "2025-01-31 21:00", "UTC", "2025-02-01 21:00"),
        (NOON, "2025-01-31 11:59", "UTC", "2025-01-31 12:00"),
        (NIGHT, "2025-01-31 12:00", "Asia/Bangkok", "2025-01-31 14:00"),
        (NIGHT, "2025-01-31 16:00", "Asia/Bangkok", "2025-02-01 14:00"),
        (NIGHT, "2025-03-29 22:00", "Europe/Berlin", "2025-03-30 19:00"),  # clocks go ahead in between
        (NIGHT, "2025-01-31 07:00", "Moon/Base", "2025-01-31 08:00"),  # unknown: the pack's, Auckland
        (NIGHT, "2025-01-31 07:00", None, "2025-01-31 08:00"),
        (QuietHours(start="12:00", end="12:00"), "2025-01-31 11:00", "UTC", None),
        (None, "2025-01-31 11:00", "UTC", None),
    ],
)
def test_the_next_quiet_hours_begin_by_the_customers_wall_clock(
    spark: SparkSession, quiet: QuietHours | None, at: str, zone: str | None, expected: str | None
) -> None:
    column = next_quiet_start(quiet, F.lit(zone).cast("string"), at=utc(at), pack_zone="Pacific/Auckland")
    (row,) = spark.range(1).select(F.date_format(column, "yyyy-MM-dd HH:mm")).collect()
    assert row[0] == expected


def capped(spark: SparkSession, candidates: list[Any], contacts: list[Any], *caps: ContactCap) -> set[str]:
    """Intents that a cap holds back. A candidate: person, channel, priority, intent, is_contact, takes_place."""
    schema = "golden_id string, channel string, priority int, intent_id string, is_contact boolean, takes_place boolean"
    frame = spark.createDataFrame(candidates, schema)
    earlier = spark.createDataFrame(contacts, "golden_id string, channel string, contact_at timestamp")
    found = with_caps(frame, earlier, caps, at=AT)
    assert found.columns == [*frame.columns, "is_capped"]
    kept = found.collect()
    assert len(kept) == len(candidates)
    return {row["intent_id"] for row in kept if row["is_capped"]}


def test_a_channels_caps_come_first_by_priority_then_by_intent(spark: SparkSession) -> None:
    candidates = [
        ("g1", "email", 10, "c", True, True),
        ("g1", "email", 10, "b", True, True),
        ("g1", "email", 5, "z", True, True),
        ("g1", "sms", 1, "s", True, True),
        ("g2", "email", 10, "d", True, True),
    ]
    assert capped(spark, candidates, [], ContactCap(channel="email", count=2, window="1d")) == {"c"}


def test_a_cap_of_any_channel_sees_only_what_the_channels_left(spark: SparkSession) -> None:
    candidates = [
        ("g1", "email", 1, "a", True, True),
        ("g1", "email", 2, "b", True, True),
        ("g1", "sms", 3, "c", True, True),
        ("g1", "push", 4, "d", True, True),
    ]
    caps = (ContactCap(count=2, window="7d"), ContactCap(channel="email", count=1, window="7d"))
    assert capped(spark, candidates, [], *caps) == {"b", "d"}


def test_earlier_contacts_count_while_their_window_lasts(spark: SparkSession) -> None:
    candidates = [(person, "email", 1, person, True, True) for person in ("g1", "g2", "g3")]
    day = timedelta(days=1)
    contacts = [
        ("g1", "email", AT - day + timedelta(seconds=1)),
        ("g2", "email", AT - day),
        ("g3", "sms", AT - timedelta(hours=1)),
        (None, "email", AT),
    ]
    assert capped(spark, candidates, contacts, ContactCap(channel="email", count=1, window="1d")) == {"g1"}
    assert capped(spark, candidates, contacts, ContactCap(count=1, window="1d")) == {"g1", "g3"}


def test_who_is_held_out_takes_no_place_and_is_capped_like_others(spark: SparkSession) -> None:
    candidates = [
        ("g1", "email", 1, "held", True, False),
        ("g1", "email", 2, "first", True, True),
        ("g1", "email", 3, "late", True, False),
        ("g1", "crm", 4, "record", False, True),
    ]
    assert capped(spark, candidates, [], ContactCap(count=1, window="1d")) == {"late"}


def test_without_caps_nothing_is_held_back(spark: SparkSession) -> None:
    assert capped(spark, [("g1", "email", 1, "a", True, True)], [("g1", "email", AT)]) == set()
