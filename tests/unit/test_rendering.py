"""What a connector is told besides the text: which rebuilding of a list a member belongs to."""

from datetime import datetime, UTC
from typing import Any

from jobs.activation.rendering import writer_of
from tests.unit.activation.conftest import pack_of

NOON = datetime(2025, 2, 1, 12, tzinfo=UTC)
PACK = pack_of(
    {"kind": "audience", "id": "club", "where": {"trait": "order_count", "gte": 1}},
    {"kind": "destination", "id": "out", "connector": "line_audience", "settings": {}},
    {"kind": "activation", "id": "ads", "audience": "club", "destination": "out"},
)


def rebuild_of(occasion: str, planned_at: datetime = NOON) -> str | None:
    row: dict[str, Any] = {"intent_id": "1", "activation_id": "ads", "golden_id": "g1", "operation": "add"}
    told = {
        "occasion": occasion,
        "planned_at": planned_at,
        "arm": "everybody",
        "channel": "line",
        "expires_at": None,
        "attempt": 1,
        "told_before": None,
    }
    return writer_of(PACK, "key").item({**row, **told, "address": None, "person": {}}).person.get("rebuild")


def test_members_of_one_rebuilding_go_into_one_list_whatever_was_told_of_each_before() -> None:
    told_before = rebuild_of(f"rebuild:2025-01-31:{'a' * 64}")
    assert told_before == rebuild_of("rebuild:2025-01-31:first") == "2025-02-01 12:00:00"


def test_a_later_rebuilding_on_the_same_data_is_another() -> None:
    one = "rebuild:2025-01-31:first"
    assert rebuild_of(one, NOON.replace(minute=5)) == "2025-02-01 12:05:00"


def test_an_emptying_is_of_its_own_moment_too() -> None:
    assert rebuild_of(f"emptying:2025-01-31:{'a' * 64}") == "2025-02-01 12:00:00"


def test_a_member_who_is_only_added_belongs_to_none() -> None:
    assert rebuild_of("first") is None
