"""Campaigns and referrals, from what the ledger and the sources tell to the tables that people read."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta, UTC
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from cdp_lib.contracts import activation, identity, results, silver
from cdp_lib.contracts.table import Table
from cdp_lib.errors import AccountError
from cdp_lib.io.conform import fit_to_table
from cdp_lib.io.store import Stamp
from cdp_lib.settings.settings import MlflowSettings
from tests.builders import rows
from tests.integration.shop import Purchase, Shop, shop

pytestmark = pytest.mark.slow

SENT_ON = date(2024, 6, 1)
AS_OF = SENT_ON + timedelta(days=30)
CAMPAIGN = """
kind: destination
id: folder
connector: drop
settings: {path: out}
---
kind: audience
id: everybody
---
kind: activation
id: hello
audience: everybody
use_case: C2
destination: folder
needs_consent: false
holdout_share: 0.5
kpis:
  - {id: spend, from: order, select: sum(paid_amount), window: 14d}
"""
TREATED = tuple(f"t{number:02}" for number in range(40))
HELD_OUT = tuple(f"h{number:02}" for number in range(40))
CLUB = """
kind: source
id: club
read: {format: csv, path: "club/*.csv"}
key: [id]
columns:
  id: {type: string}
  at: {type: timestamp, format: yyyy-MM-dd}
feeds:
  - {to: referral, map: {referral_id: id, person_id: id, referred_at: at, source_updated_at: at}}
  - {to: customer_record, map: {source_record_id: id, source_updated_at: at}}
"""


def at(day: date, hour: int = 9) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


def publish(one: Shop, table: Table, number: int, *given: Mapping[str, Any]) -> None:
    """Rows as another job would leave them."""
    frame = rows(one.suite.session(), table, *given)
    fitted = fit_to_table(frame.drop("_run_id", "_record_hash"), table, run_id=f"given-{number}")
    with one.suite.store.batch(table, fitted) as batch:
        one.suite.store.write(batch, Stamp("given", f"given-{number}", number))


def states(golden_id: str, arm: str, *names: str) -> list[dict[str, Any]]:
    """Rows of ops.delivery of one intent."""
    intent = {
        "intent_id": f"hello-{golden_id}",
        "run_id": "given-1",
        "activation_id": "hello",
        "destination": "folder",
        "channel": "drop",
        "golden_id": golden_id,
        "operation": "send",
        "occasion": "entry",
        "arm": arm,
        "attempt": 1,
        "planned_at": at(SENT_ON),
        "recorded_at": at(SENT_ON, 10),
    }
    return [{**intent, "status": name} for name in names]


def purchases() -> list[Purchase]:
    """All buy before; those who were written to spend 6.00 more after it than those held out, and than before."""
    after = SENT_ON + timedelta(days=3)
    return [
        Purchase(customer, day, f"{10 + place % 5 + (6 if day == after and customer in TREATED else 0)}.00")
        for group in (TREATED, HELD_OUT)
        for place, customer in enumerate(group)
        for day in (SENT_ON - timedelta(days=3), after)
    ]


def planned() -> list[dict[str, Any]]:
    ends = {TREATED[0]: "rejected", TREATED[1]: "unknown"}
    written_to = [states(who, "message", "planned", "sent", ends.get(who, "accepted")) for who in TREATED]
    left = [states(who, "holdout", "held_out") for who in HELD_OUT]
    return [row for of_intent in (*written_to, *left) for row in of_intent]


@pytest.fixture
def open_shop(spark: SparkSession, tmp_path: Path, mlflow_store: MlflowSettings) -> Shop:
    return shop(spark, tmp_path / "corner", tmp_path / "lake", mlflow_store, CAMPAIGN)


def test_a_campaign_is_measured_from_delivery_to_revenue(open_shop: Shop) -> None:
    one = open_shop
    one.publish(purchases())
    one.suite.ledger.append(activation.DELIVERY, planned())
    reaction = {"source_system": "till", "campaign_id": "hello", "responded_at": at(SENT_ON + timedelta(days=1))}
    answers = [(TREATED[2], "opened"), (TREATED[2], "clicked"), (TREATED[3], "opened"), ("t99", "opened")]
    told = [{**reaction, "person_id": who, "response_type": kind} for who, kind in answers]
    used = {**reaction, "campaign_id": "till", "response_type": "redeemed", "offer_code": "hello-4"}
    publish(
        one, silver.CAMPAIGN_RESPONSE, 1, *told, {**used, "person_id": TREATED[4]}, {**used, "person_id": HELD_OUT[0]}
    )
    given = {"offer_id": "free", "activation_id": "hello", "golden_id": TREATED[4], "occasion": "entry"}
    code = {**given, "offer_code": "HELLO-4", "issued_at": at(SENT_ON), "run_id": "given-1"}
    one.suite.ledger.append(activation.OFFER_CODE, [code])

    one.run("gold_campaign", as_of=AS_OF)

    campaign = {row["arm"]: row for row in one.collected(results.CAMPAIGN_RESULT)}
    assert set(campaign) == {"all", "holdout", "message"}
    assert campaign["all"] == campaign["message"] | {"arm": "all"}
    assert campaign["message"] == {
        "activation_id": "hello",
        "arm": "message",
        "use_case": "C2",
        "channel": "drop",
        "as_of_date": AS_OF,
        "planned_count": 40,
        "sent_count": 40,
        "accepted_count": 38,
        "rejected_count": 1,
        "unknown_count": 1,
        "opened_count": 2,
        "clicked_count": 1,
        "bounced_count": 0,
        "unsubscribed_count": 0,
        "redeemed_count": 1,
        "kpi": "spend",
        "kpi_mean": 18.0,
        "kpi_customer_count": 40,
    }
    held_out = campaign["holdout"]
    assert (held_out["planned_count"], held_out["sent_count"], held_out["redeemed_count"]) == (0, 0, 0)
    assert (held_out["kpi_mean"], held_out["kpi_customer_count"]) == (12.0, 40)

    (row,) = one.collected(results.EXPERIMENT_RESULT)
    assert (row["arm"], row["against"], row["customer_count"], row["against_count"]) == ("message", "holdout", 40, 40)
    # What a customer spent before foretells all that is not the message: CUPED leaves no noise.
    assert (row["mean"], row["against_mean"], row["lift"]) == (18.0, 12.0, pytest.approx(6.0))
    assert row["variance_kept"] == pytest.approx(0.0, abs=1e-9)
    assert (row["srm_p_value"], row["incremental_amount"], row["verdict"]) == (1.0, Decimal("240.00"), "better")
    assert row["relative_lift"] == pytest.approx(0.5)
    assert one.run("gold_campaign", as_of=AS_OF).outcomes[0].status == "nothing new"


def test_a_merge_after_the_draw_leaves_the_person_out_and_a_young_window_is_too_early(open_shop: Shop) -> None:
    one = open_shop
    one.publish(purchases())
    one.suite.ledger.append(activation.DELIVERY, planned())
    one.run("gold_campaign", as_of=SENT_ON + timedelta(days=13))
    (young,) = one.collected(results.EXPERIMENT_RESULT)
    assert (young["customer_count"], young["mean"], young["verdict"]) == (0, None, "too early")

    merge = {"event_type": "merge", "golden_id": HELD_OUT[0], "into_golden_id": TREATED[0]}
    publish(one, identity.IDENTITY_EVENT, 2, merge)
    one.run("gold_campaign", as_of=SENT_ON + timedelta(days=14))
    (row,) = one.collected(results.EXPERIMENT_RESULT)
    assert (row["customer_count"], row["against_count"], row["crossed_count"]) == (39, 39, 1)
    assert (row["srm_p_value"], row["verdict"]) == (1.0, "better")


def test_deliveries_that_do_not_add_up_stop_the_job_and_publish_nothing(open_shop: Shop) -> None:
    one = open_shop
    one.publish([Purchase("t00", SENT_ON, "1.00")])
    one.suite.ledger.append(activation.DELIVERY, states("t00", "message", "planned", "sent"))
    with pytest.raises(AccountError, match="activation hello, arm message: 1 sent, but 0 accepted"):
        one.run("gold_campaign", as_of=AS_OF)
    assert one.suite.store.version(results.CAMPAIGN_RESULT) is None


def test_before_the_first_delivery_there_is_nothing_to_measure(open_shop: Shop) -> None:
    open_shop.publish([Purchase("t00", SENT_ON, "1.00")])
    report = open_shop.run("gold_campaign", as_of=AS_OF)
    assert [(outcome.status, outcome.published) for outcome in report.outcomes] == [("succeeded", {})]


def test_who_brought_somebody_is_credited_where_a_source_tells_of_it(
    spark: SparkSession, tmp_path: Path, mlflow_store: MlflowSettings
) -> None:
    asking = CAMPAIGN.replace("{id: spend, from: order, select: sum(paid_amount),", "{id: brought, from: referral,")
    one = shop(spark, tmp_path / "friends", tmp_path / "lake", mlflow_store, f"{asking}---{CLUB}")
    one.publish([Purchase(name, SENT_ON, "1.00") for name in ("ann", "ben")])
    joined = {"source_system": "till", "referred_at": at(SENT_ON, 12), "status": "joined"}
    pairs = [("r1", "ann", "ben"), ("r2", "ben", "ben")]
    given = [{**joined, "referral_id": n, "person_id": by, "referred_person_id": whom} for n, by, whom in pairs]
    publish(one, silver.REFERRAL, 1, *given)

    told = [row for who in ("ann", "ben") for row in states(who, "all", "planned", "sent", "accepted")]
    one.suite.ledger.append(activation.DELIVERY, told)

    one.run("gold_referral", "gold_campaign", as_of=AS_OF)

    found = one.collected(results.REFERRAL_CREDIT)
    assert [(row["referral_id"], row["referrer_golden_id"], row["status"]) for row in found] == [
        ("r1", "ann", "credited"),
        ("r2", "ben", "self_referral"),
    ]
    # Who names himself has brought nobody.
    figures = next(row for row in one.collected(results.CAMPAIGN_RESULT) if row["arm"] == "all")
    assert (figures["kpi"], figures["kpi_mean"], figures["kpi_customer_count"]) == ("brought", 0.5, 2)
