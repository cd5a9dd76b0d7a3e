"""The retail pack's journey from the first purchase to the second (R2), as daily runs lead people through it."""

from pyspark.sql import DataFrame, Row, SparkSession

from cdp_lib.contracts.activation import AUDIENCE_MEMBER
from cdp_lib.contracts.gold import customer
from cdp_lib.contracts.identity import IDENTITY_EVENT
from cdp_lib.io.yaml_files import load_pack
from cdp_lib.settings.pack import Pack
from cdp_lib.transforms.journey.states import Known
from jobs.compose import conf_folder
from tests.builders import rows
from tests.unit.customer.shop import facts
from tests.unit.journey.travellers import after, day, order, states

ORDERS = [
    order("once", "05"),
    order("again", "05"),
    order("again", "07"),
    order("returned", "05"),
    order("returned", "07", "-1.00"),
    order("twice", "05 12:00"),
    order("twice", "05 13:00"),
]


def as_of(spark: SparkSession, pack: Pack, today: int) -> Known:
    """What a run of that day knows: orders up to it, and everybody as somebody who bought for the first time."""
    names = sorted({one["golden_id"] for one in ORDERS})
    totals = {"order_count": 1, "total_amount": "1.00"}
    members = [{"audience_id": "first_time_buyers", "golden_id": name, "status": "stay"} for name in names]
    return Known(
        customers=rows(spark, customer(pack), *[{"golden_id": name, **totals} for name in names]),
        facts={"order": facts(spark, "order", *[one for one in ORDERS if one["ordered_at"].day <= today])},
        members=rows(spark, AUDIENCE_MEMBER, *members),
        events=rows(spark, IDENTITY_EVENT),
    )


def test_who_does_not_buy_again_gets_the_offer_after_a_week_and_who_does_leaves(spark: SparkSession) -> None:
    pack = load_pack("retail", conf_folder() / "packs")
    now: DataFrame = states(spark, pack)
    ended: list[tuple[str, str | None, list[str]]] = []
    for today in (5, 6, 7, 12):
        now = after(now, as_of(spark, pack, today), pack, day(today)).localCheckpoint()
        ended += [told(row) for row in now.where("step IS NULL").collect()]
        now = now.where("step IS NOT NULL")
    assert sorted(ended) == [("again", "exit_when", ["welcome"])]
    inside = sorted((name, sends) for name, _, sends in map(told, now.collect()))
    both = ["welcome", "second_purchase_offer"]
    assert inside == [("once", both), ("returned", both)]


def told(row: Row) -> tuple[str, str | None, list[str]]:
    """Who, why the entry ended, and the messages asked for."""
    return row["golden_id"], row["exit_reason"], [one["activation_id"] for one in row["sends"]]
