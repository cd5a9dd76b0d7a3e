"""Answers find whom they are about: by the message that they name, or by the mailbox that they are about."""

from typing import Any

import pytest
from chispa import assert_df_equality
from pyspark.sql import DataFrame, functions as F, SparkSession

from cdp_lib.contracts import identity, silver
from cdp_lib.transforms.campaign.answers import answers_of_holders, with_recipients, without_former_addresses
from cdp_lib.transforms.customer.traits import facts_of_people
from tests.builders import rows
from tests.unit.campaign.scene import deliveries, merges, states

INTENT = "a1" * 32
ANN = ("crm", "ann-1", "hello")
NOBODY = (None, None, "news")
FOUND = "response_id string, person_source string, person_id string, campaign_id string"


def answers(spark: SparkSession, *given: dict[str, Any]) -> DataFrame:
    """Answers as a mail tool tells them, r0, r1, ...: it knows neither persons nor our activations."""
    told = {"source_system": "post", "campaign_id": "news", "channel": "email", "response_type": "opened"}
    numbered = [{**told, "response_id": f"r{place}", **one} for place, one in enumerate(given)]
    return rows(spark, silver.CAMPAIGN_RESPONSE, *numbered).drop("person_source")


def records(spark: SparkSession, *given: dict[str, Any]) -> DataFrame:
    """Golden records: ann's and ben's surviving records are theirs in the CRM."""
    known = [{"golden_id": who, "source_system": "crm", "source_record_id": f"{who}-1"} for who in ("ann", "ben")]
    return rows(spark, identity.GOLDEN_RECORD, *(given or known))


def links(spark: SparkSession, *given: tuple[str, str, str]) -> DataFrame:
    """Records of people as (source, id, golden_id): the surviving ones, if none is told."""
    names = ("source_system", "source_record_id", "golden_id")
    known = given or (("crm", "ann-1", "ann"), ("crm", "ben-1", "ben"))
    return rows(spark, identity.IDENTITY_LINK, *[dict(zip(names, one, strict=True)) for one in known])


def tied(asked: DataFrame, *known: DataFrame) -> list[tuple[Any, ...]]:
    """What each answer is about; `known` are deliveries, events and golden records, and links if not `links()`."""
    given = known if len(known) == 4 else (*known, links(asked.sparkSession))
    return found(with_recipients(asked, *given))


def sent(spark: SparkSession, *more: list[dict[str, Any]]) -> DataFrame:
    """Ann got a mail that the channel calls <M-1@relay>; and what else was sent."""
    mail = states("ann", "all", "planned", "sent", intent_id=INTENT)
    return deliveries(spark, mail, states("ann", "all", "accepted", intent_id=INTENT, provider_id="M-1@relay"), *more)


def found(responses: DataFrame) -> list[tuple[Any, ...]]:
    kept = responses.select("response_id", "person_source", "person_id", "campaign_id").orderBy("response_id")
    return [tuple(row)[1:] for row in kept.collect()]


@pytest.mark.parametrize(
    ("message_id", "expected"),
    [
        (INTENT, ANN),
        (f"{INTENT}@cafe.example.com", ANN),
        (f" <{INTENT.upper()}@cafe.example.com> ", ANN),
        ("M-1@relay", ANN),
        ("<M-1@relay>", ANN),
        ("<m-1@relay>", NOBODY),
        ("b2" * 32, NOBODY),
        (f"{INTENT}0@cafe.example.com", NOBODY),
        ("<>", NOBODY),
        (None, NOBODY),
    ],
)
def test_a_message_is_known_by_our_name_or_by_the_channels(
    spark: SparkSession, message_id: str | None, expected: tuple[Any, ...]
) -> None:
    given = answers(spark, {"message_id": message_id})
    assert tied(given, sent(spark), merges(spark), records(spark)) == [expected]


def test_a_channels_own_name_names_nothing_on_another_channel(spark: SparkSession) -> None:
    asked = [
        {"message_id": name, "channel": channel} for name in ("M-1@relay", INTENT) for channel in ("sms", None, "email")
    ]
    told = tied(answers(spark, *asked), sent(spark), merges(spark), records(spark))
    assert told == [NOBODY, NOBODY, ANN, ANN, ANN, ANN]


def test_a_name_that_several_customers_messages_bear_names_none_of_them(spark: SparkSession) -> None:
    request = [
        states(who, "all", "accepted", intent_id=who * 8, provider_id="request-7", channel="line")
        for who in ("ann", "ben")
    ]
    twice = [
        states("ann", "all", "accepted", number=place, provider_id="request-8", channel="line") for place in (1, 2)
    ]
    asked = answers(
        spark, *[{"message_id": name, "channel": "line", "person_id": "u"} for name in ("request-7", "request-8")]
    )
    told = tied(asked, sent(spark, *request, *twice), merges(spark), records(spark))
    assert told == [(None, "u", "news"), ANN]


def test_lists_and_tools_send_no_message_that_could_be_answered(spark: SparkSession) -> None:
    added = states("ann", "all", "accepted", intent_id="c3" * 32, operation="add", provider_id="session-1")
    asked = answers(spark, {"message_id": "c3" * 32}, {"message_id": "session-1"})
    told = tied(asked, sent(spark, added), merges(spark), records(spark))
    assert told == [NOBODY, NOBODY]


def test_who_was_merged_is_found_under_todays_id_and_who_is_gone_is_nobody(spark: SparkSession) -> None:
    asked = answers(spark, {"message_id": INTENT, "person_id": "p"})
    assert tied(asked, sent(spark), merges(spark, ("ann", "ben")), records(spark)) == [("crm", "ben-1", "hello")]
    left = records(spark, {"golden_id": "ben"})
    assert tied(asked, sent(spark), merges(spark), left) == [(None, "p", "news")]
    retired = rows(spark, identity.IDENTITY_EVENT, {"event_type": "retire", "golden_id": "ann"})
    assert tied(asked, sent(spark), retired, records(spark)) == [(None, "p", "news")]


def test_an_answer_is_said_by_the_record_that_the_address_is_from(spark: SparkSession) -> None:
    """An unlink parts records: what was said by a mailbox goes with it. A record that is gone says nothing."""
    texts = states("ann", "all", "sent", intent_id="d4" * 32, channel="sms")
    pushed = states("ann", "all", "sent", intent_id="e5" * 32, channel="push")
    asked = answers(
        spark, {"message_id": INTENT}, {"message_id": "d4" * 32, "channel": "sms"}, {"message_id": "e5" * 32}
    )
    won = {"email": "web:w:1", "phone": "crm:ann-1"}
    known = records(
        spark, {"golden_id": "ann", "source_system": "crm", "source_record_id": "ann-1", "field_sources": won}
    )
    parts = (("crm", "ann-1", "ann"), ("web", "w:1", "ann"), ("app", "a-1", "ann"))
    sends = sent(spark, texts, pushed)
    whole = tied(asked, sends, merges(spark), known, links(spark, *parts))
    assert whole == [("web", "w:1", "hello"), ANN, ANN]
    without_web = tied(asked, sends, merges(spark), known, links(spark, *parts[:1], *parts[2:]))
    assert without_web == [ANN, ANN, ANN]
    neither = tied(asked, sends, merges(spark), known, links(spark, parts[2]))
    assert neither == [("app", "a-1", "hello")] * 3


def test_people_who_are_parted_keep_what_was_sent_to_their_own_mailbox(spark: SparkSession) -> None:
    """Ben was taken for Ann, and is another again: his old id stays hers, and one mail went to his mailbox as hers."""
    given_up = states("ben", "all", "expired", intent_id="b1" * 32, address_record="crm:ann-1")
    before = states("ben", "all", "sent", intent_id="b1" * 32, address_record="web:ben:1", attempt=2)
    while_one = states("ann", "all", "sent", intent_id="b2" * 32, address_record="web:ben:1")
    hers = states("ann", "all", "sent", intent_id="b3" * 32, address_record="crm:ann-1")
    asked = answers(spark, *[{"message_id": name * 32} for name in ("b1", "b2", "b3")])
    parted = links(spark, ("crm", "ann-1", "ann"), ("web", "ben:1", "ben2"))
    known = records(
        spark,
        {"golden_id": "ann", "source_system": "crm", "source_record_id": "ann-1"},
        {"golden_id": "ben2", "source_system": "web", "source_record_id": "ben:1"},
    )
    given = (deliveries(spark, given_up, before, while_one, hers), merges(spark, ("ben", "ann")), known)
    assert tied(asked, *given, parted) == [("web", "ben:1", "hello"), ("web", "ben:1", "hello"), ANN]
    without_ben = links(spark, ("crm", "ann-1", "ann"))
    assert tied(asked, *given, without_ben) == [ANN, ANN, ANN]


def test_every_answer_stays_once_whatever_is_known_of_it(spark: SparkSession) -> None:
    asked = answers(spark, *[{"message_id": INTENT}] * 3, {"channel": None}, {"person_id": "p", "message_id": ""})
    wanted = spark.createDataFrame(
        [(f"r{place}", *ANN) for place in range(3)] + [("r3", *NOBODY), ("r4", None, "p", "news")], FOUND
    )
    for parts in (1, 5):
        told = with_recipients(asked.repartition(parts), sent(spark), merges(spark), records(spark), links(spark))
        assert told.columns == [*asked.columns, "person_source"]
        kept = told.select(*wanted.columns)
        assert_df_equality(kept, wanted, ignore_row_order=True, ignore_nullable=True)
    assert tied(asked, deliveries(spark), merges(spark), records(spark)) == [*[NOBODY] * 4, (None, "p", "news")]


def test_a_tied_answer_is_a_fact_of_the_customer_and_no_other_record_of_that_name(spark: SparkSession) -> None:
    asked = answers(spark, {"message_id": INTENT}, {"person_id": "ann-1"})
    held = links(spark, ("crm", "ann-1", "ann"), ("post", "ann-1", "namesake"))
    given = with_recipients(asked, sent(spark), merges(spark), records(spark), held)
    told = facts_of_people(given, held)
    assert told.columns == [*given.columns, "golden_id"]
    assert {(row["response_id"], row["golden_id"]) for row in told.collect()} == {("r0", "ann"), ("r1", "namesake")}


def test_a_mailbox_or_number_is_everybodys_who_holds_it(spark: SparkSession) -> None:
    held = records(
        spark,
        {"golden_id": "ann", "email": "home@example.com", "phone": "+66800000001"},
        {"golden_id": "ben", "email": "home@example.com"},
        {"golden_id": "cat", "email": "cat@example.com"},
    )
    given = answers(
        spark,
        {"sent_to": " Home@Example.com "},
        {"sent_to": "+66800000001", "channel": "sms"},
        {"sent_to": "nobody@example.com"},
        {"sent_to": None},
        {"sent_to": "cat@example.com"},
    ).withColumn("person_source", F.when(F.col("response_id") == "r4", F.lit("crm")))
    told = answers_of_holders(given, held)
    assert told.columns == [*given.columns, "golden_id"]
    assert {(row["response_id"], row["golden_id"]) for row in told.collect()} == {
        ("r0", "ann"),
        ("r0", "ben"),
        ("r1", "ann"),
    }


def test_a_bounce_of_a_former_address_is_nobodys_and_all_else_stays(spark: SparkSession) -> None:
    held = records(spark, {"golden_id": "ann", "email": "new@example.com", "phone": "+66800000001"})
    bounced = {"response_type": "bounced"}
    given = answers(
        spark,
        {**bounced, "sent_to": "old@example.com"},
        {**bounced, "sent_to": " New@Example.com "},
        {**bounced, "sent_to": "+66800000001", "channel": "sms"},
        {**bounced, "sent_to": "+66800000002", "channel": "sms"},
        {**bounced, "sent_to": None},
        {**bounced, "sent_to": "token", "channel": "push"},
        {"response_type": "complained", "sent_to": "old@example.com"},
        {**bounced, "sent_to": "old@example.com", "channel": None},
    ).withColumn("golden_id", F.lit("ann"))
    told = without_former_addresses(given, held)
    assert told.columns == given.columns
    assert {row["response_id"] for row in told.collect()} == {"r1", "r2", "r4", "r5", "r6"}
    gone = without_former_addresses(given, held.limit(0))
    assert {row["response_id"] for row in gone.collect()} == {"r4", "r5", "r6"}
