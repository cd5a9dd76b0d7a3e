"""The campaigns of a pack as it is shipped, from its landing files through its channels to what came of them."""

import csv
import io
import json
import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import date, datetime
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pyspark.sql import SparkSession
from rich.console import Console

from cdp_lib.contracts import activation, identity, results
from cdp_lib.io.selection import select_rows
from cdp_lib.settings.settings import MlflowSettings
from jobs.deliveries import last_states
from jobs.unsubscribes import unsubscribe
from tests.integration.campaign_town import Town, town

pytestmark = pytest.mark.slow

FIRST, SECOND = date(2025, 2, 20), date(2025, 3, 8)
MORNING = datetime(2025, 2, 21, 10, tzinfo=ZoneInfo("Asia/Bangkok"))
LATER = datetime(2025, 3, 9, 10, tzinfo=ZoneInfo("Asia/Bangkok"))
MEASURING = (
    "bronze_ingest",
    "silver_conform",
    "silver_identity",
    "gold_customer",
    "silver_suppression",
    "gold_campaign",
)
"""What answers pass on their way into the results; nobody is forecast anew or planned for."""


def guests(waiting: Path) -> None:
    """People whom chance may not bring: birthdays on the day, unhappy guests, and friends of a contest."""
    profiles, reviews, deeds = [], [], []
    for number in range(9):
        name = f"GUEST{number}"
        profile = {"profile_id": name, "first_name": f"Guest{number}", "last_name": f"Family{number}"}
        profile |= {"email": f"guest{number}@post.example.net", "social_handle": f"guest_{number}"}
        profile |= {"birthday": "1990-02-20" if number < 2 else "1990-02-21" if number < 4 else "1980-07-01"}
        profile |= {"app_installed": False, "marketing_consent": True}
        profile |= {"registered_at": "2025-01-05T10:00:00+07:00", "updated_at": "2025-01-05T10:00:00+07:00"}
        profiles.append(profile)
        if number in (4, 5):
            review = {
                "review_id": f"rv-{name}",
                "profile_id": name,
                "branch": "Ari",
                "rating": 1,
                "text": "Cold coffee.",
            }
            reviews.append({**review, "at": "2025-02-19T12:00:00+07:00"})
        if number > 4:
            for place, deed in enumerate(("photo", "share", "comment", "share", "like", "share")):
                tag = "#mycupmyday" if deed == "photo" else None
                one = {"engagement_id": f"{name}-{place}", "handle": f"guest_{number}", "action": deed, "hashtag": tag}
                deeds.append({**one, "post_id": "post-1", "at": f"2025-02-{10 + place}T05:00:00Z"})
    for place, rows in (
        ("crm/profiles_2025-01-05_guests.jsonl", profiles),
        ("reviews/2025-02-19_guests.jsonl", reviews),
        ("social/2025-02-19_guests.jsonl", deeds),
    ):
        (waiting / place).write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")


def test_the_coffee_shops_twelve_use_cases_run_from_files_to_results(
    spark: SparkSession, mlflow_store: MlflowSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with town("coffee_shop", tmp_path, (spark, mlflow_store), guests, customers=300, days=67, seed=1) as shop:
        for name, value in shop.secrets.items():
            monkeypatch.setenv(name, value)
        shop.arrive(FIRST)
        shop.run(FIRST, MORNING, sends=True)
        check_what_was_sent(shop)
        opened = profiles_of(shop, "c04_online_engagement")
        answer(shop, "c04_online_engagement", opened)
        shop.arrive(SECOND)
        shop.run(SECOND, LATER, sends=False, only=MEASURING)
        check_what_came_of_it(shop, opened)


def check_what_was_sent(shop: Town) -> None:
    """Every use case reached somebody, the channels took what the ledger says, and offers have their ends."""
    states, pack = states_of(shop), shop.suite.pack
    assert set(states) == {one.id for one in pack.activations}
    assert {one.use_case for one in pack.activations} == {f"C{number}" for number in range(1, 13)}
    assert {name for name, counts in states.items() if not counts["accepted"]} == set()
    assert set().union(*states.values()) <= {"accepted", "held_out"}
    taken = {"cafe_mail": len(shop.mailbox.messages)}
    taken |= {name: len(server.fake.taken) for name, server in shop.channels.items()}
    accepted = Counter(row["destination"] for row in last_states(shop.suite) if row["status"] == "accepted")
    assert accepted == taken
    mails = mailed(shop)
    assert mails["You have won"] == 3
    assert states["c03_unhappy_guest"]["accepted"] == 2
    # The mail goes on the 21st: to those whose birthday that is, and not to those of the 20th.
    birthday = guests_of(shop, "c02_birthday")
    assert set(birthday) == {"GUEST2", "GUEST3"}
    greeted = {who for who, status in birthday.values() if status == "accepted"}
    assert sum(mails[f"Happy birthday, Guest{number}!"] for number in range(9)) == len(greeted) > 0
    assert any(subject.startswith("Until 18:0") for subject in mails)
    areas = shop.suite.store.read(results.IMPROVEMENT_AREA).orderBy("rank").collect()
    assert [row["rank"] for row in areas] == list(range(1, len(areas) + 1))


def check_what_came_of_it(shop: Town, opened: Mapping[str, str]) -> None:
    """Answers count once although they came twice, who may not be written to is listed, and KPIs are measured."""
    found, sent = figures(shop), states_of(shop)
    of_fans = found["c04_online_engagement", "all"]
    reactions = {name: of_fans[f"{name}_count"] for name in ("opened", "clicked", "bounced", "unsubscribed")}
    assert reactions == {"opened": len(opened), "clicked": 1, "bounced": 1, "unsubscribed": 2}
    # Whose mail bounced also opened it: such a mailbox is there. One died later: all who hold it are listed.
    listed = shop.suite.store.read(activation.SUPPRESSION).collect()
    assert {(row["channel"], row["reason"]) for row in listed} == {("email", "unsubscribed"), ("email", "bounced")}
    people = sorted(opened)
    assert {row["golden_id"] for row in listed if row["reason"] == "unsubscribed"} == {people[1], people[3]}
    assert people[2] in {row["golden_id"] for row in listed if row["reason"] == "bounced"}
    assert people[0] not in {row["golden_id"] for row in listed}
    for one in shop.suite.pack.activations:
        row = found[one.id, "all"]
        assert row["sent_count"] == row["accepted_count"] + row["rejected_count"] + row["unknown_count"]
        assert row["accepted_count"] == sent[one.id]["accepted"]
        has_passed = int(one.kpis[0].window.removesuffix("d")) <= (SECOND - FIRST).days - 1
        assert (row["kpi_mean"] is not None) == has_passed, one.id
        assert row["kpi_customer_count"] == (row["accepted_count"] if has_passed else 0), one.id


def states_of(shop: Town) -> dict[str, Counter[str]]:
    """Activation: how many intents are in which state."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for row in last_states(shop.suite):
        found[row["activation_id"]][row["status"]] += 1
    return found


def guests_of(shop: Town, campaign: str) -> dict[str, tuple[str, str]]:
    """Profile of each of the `guests` who are in the campaign: their id, which two may share, and what became of it."""
    wanted = {"source_system": {"app_profile"}, "source_record_id": {f"GUEST{number}" for number in range(9)}}
    links = select_rows(shop.suite.store.path(identity.IDENTITY_LINK), ("golden_id", "source_record_id"), wanted)
    ids = {row["golden_id"] for row in links}
    states = last_states(shop.suite, {"activation_id": {campaign}, "golden_id": ids})
    became = {row["golden_id"]: row["status"] for row in states}
    known = [(row["source_record_id"], row["golden_id"]) for row in links if row["golden_id"] in became]
    return {profile: (who, became[who]) for profile, who in known}


def figures(shop: Town) -> dict[tuple[str, str], dict[str, Any]]:
    """Rows of gold.campaign_result by activation and arm."""
    table = results.CAMPAIGN_RESULT
    rows = shop.suite.store.head(table, table.column_names, order_by="planned_count", count=1_000)
    return {(row["activation_id"], row["arm"]): row for row in rows}


def messages_of(shop: Town, campaign: str) -> dict[str, tuple[str, str, str]]:
    """Customer: the mailbox, the Message-ID and the unsubscribe link of the mail, as they stand in it."""
    whose = {row["intent_id"]: row["golden_id"] for row in last_states(shop.suite, {"activation_id": {campaign}})}
    mails = [message_from_bytes(message, policy=policy.default) for message in shop.mailbox.messages]
    named = {mail["Message-ID"].strip("<>").split("@")[0]: mail for mail in mails}
    told = ("To", "Message-ID", "List-Unsubscribe")
    return {whose[name]: tuple(mail[one] for one in told) for name, mail in named.items() if name in whose}


def profiles_of(shop: Town, campaign: str) -> dict[str, str]:
    """Each customer who was written to and has a profile: one of the profiles."""
    written = {
        row["golden_id"] for row in last_states(shop.suite, {"activation_id": {campaign}, "status": {"accepted"}})
    }
    wanted = {"golden_id": written, "source_system": {"app_profile"}}
    links = select_rows(shop.suite.store.path(identity.IDENTITY_LINK), ("golden_id", "source_record_id"), wanted)
    found = {row["golden_id"]: row["source_record_id"] for row in links}
    assert len(found) > 5
    return found


def answer(shop: Town, campaign: str, profiles: Mapping[str, str]) -> None:
    """The mail tool's file of what it saw, delivered twice: all open, one bounces, one signs off, one clicks.

    The one who signs off is told by profile, all others by the message alone: the tool does not know our customers.
    Another signs off by the link of the mail, which the tool knows nothing of.
    """
    head = ["response_id", "campaign", "profile_id", "email", "message_id", "action", "at"]
    mails = messages_of(shop, campaign)
    people = sorted(profiles)
    deeds = [(one, "opened") for one in people]
    deeds += [(people[0], "bounced"), (people[1], "unsubscribed"), (people[2], "clicked")]
    named = [
        (profiles[one], "", "", action) if action == "unsubscribed" else ("", *mails[one][:2], action)
        for one, action in deeds
    ]
    rows = [
        [f"r{place}", campaign if profile else "all our mail", profile, mailbox, name, action, "2025-02-22 12:00:00"]
        for place, (profile, mailbox, name, action) in enumerate(named)
    ]
    # A mailbox that died, without a word of which mail it was: the third one's, who opened nothing since.
    rows.append(["dead", "all our mail", "", mails[people[2]][0], "", "bounced", "2025-02-23 12:00:00"])
    for name in ("2025-02-22_callback.csv", "2025-02-22_callback_again.csv"):
        with (Path(shop.suite.landing) / "email" / name).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([head, *rows, rows[0]])
    token = re.search(r"[?]t=([^>]+)", mails[people[3]][2])
    assert token is not None
    used = [f"2025-02-22T12:00:00+07:00 {token[1]}"]
    assert unsubscribe(Console(file=io.StringIO()), shop.suite, used) is not None


def mailed(shop: Town) -> Counter[str]:
    """Subject: how many mails bore it."""
    return Counter(message_from_bytes(message, policy=policy.default)["Subject"] for message in shop.mailbox.messages)
