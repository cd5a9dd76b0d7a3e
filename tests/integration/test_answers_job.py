"""Answers of channels from the file to the figures: by the message that they name, or by the mailbox."""

from datetime import date, datetime, timedelta, UTC
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from cdp_lib.contracts import activation, identity, results, silver
from cdp_lib.settings.settings import MlflowSettings
from tests.integration.shop import Shop, shop
from tests.integration.test_campaign_job import publish, states

pytestmark = pytest.mark.slow

SENT_AT = datetime(2024, 6, 1, 9, tzinfo=UTC)
AS_OF = date(2024, 6, 5)
FAMILY = "home@example.com"
PEOPLE = """
---
kind: source
id: {name}
read: {{format: csv, path: "{name}/*.csv"}}
key: [id]
columns: {{id: {{type: string}}, mailbox: {{type: string}}, at: {{type: timestamp, format: yyyy-MM-dd}}}}
feeds:
  - {{to: customer_record, map: {{source_record_id: id, email: mailbox, source_updated_at: at}}}}
"""
"""A list of people by that name."""
DOCUMENTS = """
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
destination: folder
needs_consent: false
holdout_share: 0
kpis:
  - {id: clicks, from: campaign_response, where: response_type = 'clicked', window: 1d}
---
kind: source
id: post
read: {format: csv, path: "post/*.csv"}
key: [id]
columns:
  id: {type: string}
  message: {type: string, optional: true}
  mailbox: {type: string}
  what: {type: string}
  at: {type: timestamp, format: yyyy-MM-dd}
feeds:
  - to: campaign_response
    map:
      response_id: id
      person_id: mailbox
      campaign_id: "'unknown'"
      response_type: what
      responded_at: at
      channel: "'email'"
      message_id: message
      sent_to: mailbox
      source_updated_at: at
  - to: customer_record
    where: message IS NULL
    map: {source_record_id: mailbox, email: mailbox, source_updated_at: at}
"""


@pytest.fixture
def open_shop(spark: SparkSession, tmp_path: Path, mlflow_store: MlflowSettings) -> Shop:
    """Ann and ben share a mailbox, cat has her own; all three were written to, and are in two lists."""
    lists = "".join(PEOPLE.format(name=name) for name in ("book", "club"))
    one = shop(spark, tmp_path / "corner", tmp_path / "lake", mlflow_store, DOCUMENTS + lists)
    held = {"ann": FAMILY, "ben": FAMILY, "cat": "cat@example.com"}
    golden, links = [], []
    for who, mailbox in held.items():
        records = [{"source_system": name, "source_record_id": f"{who}-1"} for name in ("book", "club")]
        golden.append({"golden_id": who, "email": mailbox, **records[0], "field_sources": {"email": f"book:{who}-1"}})
        links += [{"golden_id": who, **record} for record in records]
    publish(one, identity.GOLDEN_RECORD, 1, *golden)
    publish(one, identity.IDENTITY_LINK, 1, *links)
    for name in ("book", "club"):
        listed = [f"{who}-1,{mailbox},2024-05-01" for who, mailbox in held.items()]
        land(one, f"{name}/list.csv", "id,mailbox,at", *listed)
    one.suite.ledger.append(activation.DELIVERY, [row for who in held for row in mail_to(who)])
    return one


def intent_of(who: str) -> str:
    return who.encode().hex().rjust(64, "0")


def mail_to(who: str) -> list[dict[str, Any]]:
    """Planned, sent and accepted under the relay's own name."""
    told = {"channel": "email", "planned_at": SENT_AT, "recorded_at": SENT_AT, "intent_id": intent_of(who)}
    mail = [{**row, **told} for row in states(who, "all", "planned", "sent", "accepted")]
    return [*mail[:2], {**mail[2], "provider_id": f"relay-{who}"}]


def arrive(one: Shop, name: str, *rows: str) -> None:
    """A file of the mail tool."""
    land(one, f"post/{name}", "id,message,mailbox,what,at", *rows)


def land(one: Shop, name: str, *lines: str) -> None:
    file = Path(one.suite.landing) / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join([*lines, ""]), encoding="utf-8")


def run(one: Shop, *jobs: str) -> None:
    one.run(*jobs, as_of=AS_OF)


def suppressed(one: Shop) -> set[tuple[str, str, str]]:
    found = one.collected(activation.SUPPRESSION)
    return {(row["golden_id"], row["reason"], row["campaign_id"]) for row in found}


def test_what_names_a_message_is_its_customers_and_a_dead_mailbox_everybodys_who_holds_it(open_shop: Shop) -> None:
    one = open_shop
    arrive(
        one,
        "1.csv",
        f"1,<{intent_of('ann')}@cafe.example.com>,{FAMILY},opened,2024-06-02",
        f"2,relay-ann,{FAMILY},clicked,2024-06-02",
        f"3,relay-ann,{FAMILY},complained,2024-06-02",
        "4,relay-cat,,opened,2024-06-02",
        f"5,relay-cat,{FAMILY},opened,2024-06-03",
    )
    run(one, "bronze_ingest", "silver_conform", "silver_suppression", "gold_campaign")
    # The mailbox is ben's as well; but the letter was ann's.
    assert suppressed(one) == {("ann", "complained", "hello")}
    figures = next(row for row in one.collected(results.CAMPAIGN_RESULT) if row["arm"] == "all")
    assert (figures["opened_count"], figures["clicked_count"], figures["kpi_mean"]) == (2, 1, pytest.approx(1 / 3))

    arrive(one, "2.csv", f"6,,{FAMILY.upper()},bounced,2024-06-03", f"7,another-tools,{FAMILY},opened,2024-06-02")
    run(one, "bronze_ingest", "silver_conform", "silver_suppression")
    of_mailbox = {(who, "bounced", "unknown") for who in ("ann", "ben")}
    assert suppressed(one) == {("ann", "complained", "hello"), *of_mailbox}
    known = {
        row["response_id"]: (row["person_source"], row["person_id"]) for row in one.collected(silver.CAMPAIGN_RESPONSE)
    }
    assert known["1"] == known["3"] == ("book", "ann-1")
    assert (known["6"], known["7"]) == ((None, FAMILY.upper()), (None, FAMILY))

    # Somebody reads what was sent to ben: the mailbox lives again for him; ann's own mail was read before it died.
    arrive(one, "3.csv", f"8,relay-ben,{FAMILY},opened,2024-06-04")
    run(one, "bronze_ingest", "silver_conform", "silver_suppression")
    assert suppressed(one) == {("ann", "complained", "hello"), ("ann", "bounced", "unknown")}


def test_all_is_tied_alike_when_silver_starts_over(open_shop: Shop) -> None:
    one = open_shop
    arrive(one, "1.csv", f"1,relay-ann,{FAMILY},opened,2024-06-02", f"2,,{FAMILY},bounced,2024-06-02")
    run(one, "bronze_ingest", "silver_conform", "silver_suppression")
    first = [one.collected(table) for table in (silver.CAMPAIGN_RESPONSE, activation.SUPPRESSION)]
    one.run("silver_conform", "silver_suppression", as_of=AS_OF + timedelta(days=1))
    assert [one.collected(table) for table in (silver.CAMPAIGN_RESPONSE, activation.SUPPRESSION)] == first
    assert {row["golden_id"] for row in first[1]} == {"ann", "ben"}


def test_an_answer_outlives_the_source_whose_record_said_it(
    open_shop: Shop, spark: SparkSession, tmp_path: Path, mlflow_store: MlflowSettings
) -> None:
    arrive(open_shop, "1.csv", f"1,relay-ann,{FAMILY},unsubscribed,2024-06-02")
    run(open_shop, "bronze_ingest", "silver_conform", "silver_suppression")
    assert suppressed(open_shop) == {("ann", "unsubscribed", "hello")}
    without_book = DOCUMENTS + PEOPLE.format(name="club")
    later = shop(spark, tmp_path / "corner", tmp_path / "lake", mlflow_store, without_book)
    run(later, "bronze_ingest", "silver_conform", "silver_suppression")
    (answer,) = later.collected(silver.CAMPAIGN_RESPONSE)
    assert (answer["person_source"], answer["person_id"]) == ("club", "ann-1")
    assert suppressed(later) == {("ann", "unsubscribed", "hello")}
