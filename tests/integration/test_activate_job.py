"""From audience to channel through the job: rendered by default, sent when asked, once, and to be stopped at once."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from cdp_lib.connectors.kit import meta_audience, sms
from cdp_lib.connectors.kit.server import Request, Response, serving
from cdp_lib.contracts import activation, identity
from cdp_lib.errors import ConfigError, DeliveryError
from cdp_lib.settings.settings import MlflowSettings
from jobs.deliveries import folder_of, last_states, plan_again, settle_unknown
from tests.integration.mailing import DAY, Mailing, mailing, NOON, phones

pytestmark = pytest.mark.slow

IN_FLIGHT = 7
"""Other lanes whose request was under way when sending was stopped."""

LANDLINE = "+66299999001"
"""The fake refuses it alone."""


@pytest.fixture
def shop(
    spark: SparkSession, tmp_path: Path, mlflow_store: MlflowSettings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Mailing]:
    with serving(sms.BENCH.fake()) as texts, serving(meta_audience.BENCH.fake()) as network:
        found, secrets = mailing(spark, tmp_path, mlflow_store, (texts, network))
        for name, value in secrets.items():
            monkeypatch.setenv(name, value)
        yield found


def test_everything_is_rendered_and_nothing_leaves_unless_it_is_asked_for(
    shop: Mailing, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.publish({**phones(2), "nameless": {"phone": "+66800000009"}, "silent": {"first_name": "No"}}, ["c001"])
    shop.run(sends=False)
    said = capsys.readouterr().err
    assert "greet: 1 no consent, 1 no address, 2 to send" in said
    assert "greet: 1 failed, 1 ready" in said
    assert (shop.texts.requests, shop.network.requests, shop.states()) == ([], [], [])
    (outbox,) = (folder_of(shop.suite).path / "outbox").iterdir()
    texts = [json.loads(line) for line in (outbox / "greet.jsonl").read_text().splitlines()]
    ready = next(one for one in texts if "parts" in one)
    assert ready["parts"]["text"].startswith("Hello Name0: A treat, T-")
    assert "customer.first_name is not known" in next(one["failed"] for one in texts if "failed" in one)
    assert (outbox / "greet.jsonl").stat().st_mode & 0o077 == 0
    assert {one.stat().st_mode & 0o777 for one in (outbox, outbox.parent)} == {0o700}
    account = shop.suite.ledger.rows(activation.ACTIVATION_ACCOUNT)
    assert sum(row["customer_count"] for row in account if row["activation_id"] == "greet") == 4
    assert all(row["is_dry_run"] for row in account)


def test_what_is_sent_is_sent_once_and_what_was_refused_can_be_tried_again(shop: Mailing) -> None:
    shop.publish({**phones(3), "land": {"first_name": "Land", "phone": LANDLINE}})
    shop.run(sends=True)
    assert shop.texted == {f"+6680{number:07d}": 1 for number in range(3)}
    assert shop.statuses("greet") == {"planned": 4, "sent": 4, "accepted": 3, "rejected": 1}
    assert shop.statuses("follow") == {"planned": 4, "sent": 4, "accepted": 4}
    codes = {row["offer_code"] for row in shop.suite.ledger.rows(activation.OFFER_CODE)}
    assert len(codes) == 4
    shop.run(sends=True)
    assert (len(shop.texts.requests), shop.statuses("greet")["planned"]) == (4, 4)

    assert plan_again(shop.suite, "greet", "another reason") == 0
    assert plan_again(shop.suite, "greet", None) == 1
    assert plan_again(shop.suite, "greet", None) == 0
    shop.run(sends=True)
    assert len(shop.texts.requests) == 5
    # The try that `retry` planned was judged anew, and another took its place.
    assert shop.statuses("greet") == {"planned": 6, "expired": 1, "sent": 5, "accepted": 3, "rejected": 2}


def test_a_list_follows_its_audience_and_only_the_difference_is_told(shop: Mailing) -> None:
    shop.publish(phones(5))
    shop.run(sends=True)
    shop.publish(phones(5, start=1))
    shop.run(sends=True)
    follow = [row for row in shop.states() if row["activation_id"] == "follow" and row["status"] == "accepted"]
    in_order = sorted(follow, key=lambda row: row["recorded_at"])
    changes = [(row["operation"], row["golden_id"]) for row in in_order]
    assert sorted(changes[:5]) == [("add", f"c00{number}") for number in range(5)]
    assert sorted(changes[5:]) == [("add", "c005"), ("remove", "c000")]
    assert ("remove", "c000") in shop.network.fake.taken


def test_who_is_merged_into_another_id_is_not_told_again(shop: Mailing) -> None:
    people = phones(2)
    shop.publish(people)
    shop.run(sends=True)
    merge = {"identity_event_id": "e1", "event_type": "merge", "golden_id": "c000", "into_golden_id": "new"}
    shop.write(identity.IDENTITY_EVENT, [merge])
    shop.publish({"new": people["c000"], "c001": people["c001"]})
    shop.run(sends=True, at=NOON + timedelta(days=1), day=DAY + timedelta(days=1))
    assert shop.texted == {"+66800000000": 1, "+66800000001": 1}
    members = {row["golden_id"]: row for row in shop.suite.ledger.rows(activation.AUDIENCE_MEMBER)}
    assert set(members) == {"new", "c001"}
    assert (members["new"]["status"], members["new"]["entered_date"]) == ("stay", DAY)


def test_a_stop_in_the_middle_leaves_the_rest_for_later_and_loses_nobody(shop: Mailing) -> None:
    shop.publish(phones(9))
    _after(shop, 3, lambda: folder_of(shop.suite).stop("a wrong price"))
    with pytest.raises(DeliveryError, match=r"destination texts: .*stopped: a wrong price"):
        shop.run(sends=True)
    assert 3 <= len(shop.texted) <= 3 + IN_FLIGHT
    with pytest.raises(DeliveryError, match=r"sending is stopped: a wrong price.*deliveries allow"):
        shop.run(sends=True, resume=True)
    assert folder_of(shop.suite).allow()
    shop.run(sends=True, resume=True)
    assert shop.texted == {f"+6680{number:07d}": 1 for number in range(9)}
    found = shop.statuses("greet")
    # Who was left was judged anew: one try has ended so, another took its place.
    left = found["expired"]
    assert 9 - 3 - IN_FLIGHT <= left <= 9 - 3
    assert found == {"planned": 9 + left, "expired": left, "sent": 9, "accepted": 9}
    assert Counter(row["status"] for row in last_states(shop.suite)) == {"accepted": 9 + 9}


def test_what_nobody_knows_is_held_until_a_person_says_what_became_of_it(shop: Mailing) -> None:
    shop.publish(phones(2))
    shop.texts.will("cut_after")
    shop.run(sends=True)
    shop.run(sends=True)
    assert len(shop.texts.requests) == 2
    assert shop.statuses("greet") == {"planned": 2, "sent": 2, "accepted": 1, "unknown": 1}
    unknown = next(row["intent_id"] for row in last_states(shop.suite) if row["status"] == "unknown")
    with pytest.raises(DeliveryError, match="no such intent, not unknown"):
        settle_unknown(shop.suite, "accepted", "seen in the console", None, ["f" * 64])
    assert settle_unknown(shop.suite, "accepted", "seen in the console", "greet", [unknown]) == 1
    assert {row["status"] for row in last_states(shop.suite)} == {"accepted"}
    with pytest.raises(DeliveryError, match=r"unknown activation 'gret'\. Did you mean 'greet'"):
        plan_again(shop.suite, "gret", None)


def test_a_secret_that_is_not_set_stops_the_run_before_anything_leaves(
    shop: Mailing, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.publish(phones(1))
    monkeypatch.delenv("TEXTS_AUTH_TOKEN")
    with pytest.raises(ConfigError, match="destination texts: secret TEXTS_AUTH_TOKEN not set"):
        shop.run(sends=True)
    assert (shop.texts.requests, shop.network.requests) == ([], [])


def _after(shop: Mailing, count: int, deed: Callable[[], None]) -> None:
    """Do something when the channel has taken so many."""
    answer = shop.texts.fake.answer

    def counted(request: Request) -> Response:
        response = answer(request)
        if len(shop.texts.fake.taken) == count:
            deed()
        return response

    shop.texts.fake.answer = counted  # type: ignore[method-assign]  # the fake is the test's own
