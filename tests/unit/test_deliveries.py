"""The last state of each intent, asked of the ledger without Spark, and what people may decide about it."""

from datetime import datetime, timedelta, UTC
from pathlib import Path
from typing import Any

import pytest

from cdp_lib.contracts.activation import DELIVERY
from cdp_lib.errors import DeliveryError
from jobs.compose import build_suite, Place, Suite
from jobs.deliveries import count_states, last_states, plan_again, settle_unknown

NOON = datetime(2025, 2, 1, 12, tzinfo=UTC)
MAIL, SMS = "c01_reward_regulars", "c06_app_adoption"


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    return build_suite(Place("coffee_shop", None, str(tmp_path)))


def state(intent: str, status: str, minute: int = 0, **fields: Any) -> dict[str, Any]:
    named = {"activation_id": MAIL, "destination": "cafe_mail", "channel": "email", "golden_id": f"of-{intent}"}
    fixed = {"run_id": "r1", "operation": "send", "occasion": "entry:2025-02-01", "arm": "message", "attempt": 1}
    at = NOON + timedelta(minutes=minute)
    return {"intent_id": intent, "status": status, **named, **fixed, "planned_at": NOON, "recorded_at": at, **fields}


def found(suite: Suite, **where: set[str]) -> dict[str, tuple[str, int]]:
    return {row["intent_id"]: (row["status"], row["attempt"]) for row in last_states(suite, where)}


def test_nothing_is_known_before_anything_was_planned(suite: Suite) -> None:
    assert last_states(suite) == count_states(suite) == []
    assert plan_again(suite, None, None) == 0


def test_of_the_last_try_an_end_outweighs_what_was_noted_after_it(suite: Suite) -> None:
    suite.ledger.append(DELIVERY, [state("a", "planned"), state("b", "planned"), state("c", "unknown", 1)])
    suite.ledger.append(DELIVERY, [state("a", "accepted", 1), state("b", "sent", 2), state("c", "accepted", 5)])
    suite.ledger.append(DELIVERY, [state("a", "sent", 9), state("c", "planned", 0, attempt=2)])
    assert found(suite) == {"a": ("accepted", 1), "b": ("sent", 1), "c": ("planned", 2)}
    assert found(suite, status={"accepted", "rejected"}) == {"a": ("accepted", 1)}
    assert found(suite, activation_id={SMS}) == {}
    counted = {(row["activation_id"], row["status"]): row["row_count"] for row in count_states(suite)}
    assert counted == {(MAIL, "accepted"): 1, (MAIL, "sent"): 1, (MAIL, "planned"): 1}


def test_only_what_was_rejected_for_that_reason_is_planned_again(suite: Suite) -> None:
    refused = [state(name, "rejected", reason=reason) for name, reason in (("a", "full: 1"), ("b", "bad"), ("c", None))]
    suite.ledger.append(DELIVERY, [*refused, state("d", "failed", activation_id=SMS), state("e", "unknown")])
    assert plan_again(suite, None, "full") == 1
    assert found(suite)["a"] == ("planned", 2)
    assert plan_again(suite, MAIL, None) == 2
    assert found(suite) == {
        "a": ("planned", 2),
        "b": ("planned", 2),
        "c": ("planned", 2),
        "d": ("failed", 1),
        "e": ("unknown", 1),
    }
    again = next(row for row in last_states(suite) if row["intent_id"] == "b")
    assert (again["reason"], again["golden_id"], again["planned_at"]) == (None, "of-b", NOON)


def test_unknown_intents_are_settled_alone_or_all_at_once(suite: Suite) -> None:
    suite.ledger.append(DELIVERY, [state(name, "unknown") for name in "abc"] + [state("d", "accepted")])
    with pytest.raises(DeliveryError, match="d: accepted, not unknown"):
        settle_unknown(suite, "rejected", "log", None, ["a", "d"])
    assert settle_unknown(suite, "rejected", "log", None, ["a"]) == 1
    assert settle_unknown(suite, "accepted", "log", MAIL, []) == 2
    assert found(suite) == {"a": ("rejected", 1), "b": ("accepted", 1), "c": ("accepted", 1), "d": ("accepted", 1)}
    assert {row["reason"] for row in last_states(suite)} == {"reconciled: log", None}
