"""A yes that a profile repeats whenever it changes is as old as the profile: it must not outlive a later opt-out."""

from datetime import datetime, UTC
from pathlib import Path

import pytest
from pyspark.sql import functions as F, SparkSession

from cdp_lib.io.yaml_files import load_pack

PACKS = Path(__file__).parents[2] / "conf" / "packs"
OPENED, CHANGED = datetime(2024, 5, 1, tzinfo=UTC), datetime(2025, 3, 1, tzinfo=UTC)


Profile = tuple[str, str, str, str]
"""Pack, source, the column that says yes or no, the column that tells since when the profile is there."""


@pytest.mark.parametrize(
    "profile",
    [
        ("coffee_shop", "app_profile", "marketing_consent", "registered_at"),
        ("fashion_shop", "eshop_account", "newsletter", "created_at"),
    ],
    ids=lambda profile: profile[1],
)
@pytest.mark.parametrize(
    ("answer", "opened", "decided"),
    [(True, OPENED, OPENED), (True, None, CHANGED), (False, OPENED, CHANGED)],
)
def test_only_a_no_counts_from_the_change_of_a_profile(
    spark: SparkSession, profile: Profile, answer: bool, opened: datetime | None, decided: datetime
) -> None:
    pack, source, says, opened_at = profile
    declared = next(one for one in load_pack(pack, PACKS).sources if one.id == source)
    feed = next(feed for feed in declared.feeds if feed.to == "consent")
    row = spark.createDataFrame(
        [(answer, opened, CHANGED)], f"{says} boolean, {opened_at} timestamp, updated_at timestamp"
    )
    found = row.select(F.expr(feed.map["decided_at"]).cast("long")).first()
    assert found is not None
    assert found[0] == int(decided.timestamp())
