"""Lists at a destination are kept in step with audiences: only the difference is told, and no chain is doubled."""

import pytest

from tests.unit.activation.conftest import consent, list_way, member, pack_of, World

EMAIL = {"golden_id": "g1", "email": "g1@example.com"}
TWO = (EMAIL, {"golden_id": "g2", "email": "g2@example.com"})
CLUB = (member("g1"), member("g2"))


def told(world: World, **way: object) -> dict[str, tuple[str, str]]:
    """Person: operation and decision."""
    return {row["golden_id"]: (row["operation"], row["decision"]) for row in world.planned(list_way(**way))}


def synced(world: World, status: str = "accepted", **way: object) -> World:
    """The world a day after its plan was carried out."""
    return world.after(world.planned(list_way(**way)), status, days=1)


def test_a_member_is_added_kept_updated_removed_and_added_again(world: World) -> None:
    added = synced(world)
    assert told(world) == {"g1": ("add", "to_send")}
    assert told(added) == {"g1": ("add", "sent_before")}

    moved = added.but(people=({**EMAIL, "email": "new@example.com"},))
    assert told(moved) == {"g1": ("update", "to_send")}
    updated = synced(moved)
    assert told(updated) == {"g1": ("add", "sent_before")}

    left = updated.but(members=(member("g1", status="exit"),))
    assert told(left) == {"g1": ("remove", "to_send")}
    removed = synced(left)
    assert told(removed) == {}

    back = removed.but(members=(member("g1", status="enter"),))
    assert told(back) == {"g1": ("add", "to_send")}
    ids = {row["intent_id"] for row in synced(back).deliveries}
    assert len(ids) == 4


@pytest.mark.parametrize("status", ["planned", "sent", "unknown", "rejected"])
def test_nothing_is_planned_while_an_intent_is_open_or_after_it_was_refused(world: World, status: str) -> None:
    assert told(synced(world, status)) == {"g1": ("add", "sent_before")}
    left = synced(world).but(members=())
    assert told(synced(left, status)) == {"g1": ("remove", "sent_before")}


def test_what_was_refused_is_tried_again_when_the_customer_changed(world: World) -> None:
    changed = synced(world, "rejected").but(people=({**EMAIL, "email": "new@example.com"},))
    assert told(changed) == {"g1": ("add", "to_send")}
    assert told(synced(changed)) == {"g1": ("add", "sent_before")}


def test_who_lost_consent_or_is_suppressed_is_removed_without_being_asked(world: World) -> None:
    way = {"needs_consent": True}
    given = consent("g1", "c1", "granted", 3, channel="ads")
    listed = synced(world.but(consents=(given,)), **way)
    assert told(listed, **way) == {"g1": ("add", "sent_before")}
    lost = listed.but(consents=(given, consent("g1", "c2", "withdrawn", 1, channel="ads")))
    assert told(lost, **way) == {"g1": ("remove", "to_send")}
    assert told(synced(lost, **way), **way) == {"g1": ("add", "no_consent")}
    suppressed = listed.but(suppressions=({"golden_id": "g1", "channel": "any"},))
    assert told(suppressed, **way) == {"g1": ("remove", "to_send")}


def test_who_is_held_out_is_noted_once_and_leaves_the_list(world: World) -> None:
    listed, way = synced(world), {"holdout_share": 0.999999}
    assert told(listed, **way) == {"g1": ("remove", "to_send")}
    held = synced(world, **way)
    assert told(world, **way) == {"g1": ("add", "held_out")}
    assert told(held, **way) == {"g1": ("add", "sent_before")}
    assert told(held) == {"g1": ("add", "to_send")}


def test_a_removal_waits_for_no_hour_cap_or_holdout(world: World) -> None:
    policy = {
        "kind": "contact_policy",
        "quiet_hours": {"start": "00:00", "end": "23:59"},
        "caps": [{"count": 1, "window": "7d"}],
        "holdout_share": 0.999999,
    }
    left = synced(world).but(members=(), pack=pack_of(policy))
    assert told(left) == {"g1": ("remove", "to_send")}


def test_without_an_address_nobody_can_be_taken_off_unless_the_list_was_told_what_finds_them(world: World) -> None:
    gone = synced(world).but(members=(), people=())
    assert told(gone) == {"g1": ("remove", "no_address")}
    entry = {"activation_id": "ads", "destination": "post", "golden_id": "g1"}
    others = ({**entry, "golden_id": "g2"}, {**entry, "destination": "wire"}, {**entry, "activation_id": "hello"})
    assert told(gone.but(entries=others)) == {"g1": ("remove", "no_address")}
    found = gone.but(entries=(entry, {**entry, "run_id": "another"}))
    assert told(found) == {"g1": ("remove", "to_send")}
    (removal,) = found.planned(list_way())
    removed = synced(found).but(entries=({**entry, "removal_id": removal["intent_id"]},))
    assert told(removed) == {}
    assert told(synced(found, "unknown")) == {"g1": ("remove", "sent_before")}


ENTRY = {"activation_id": "ads", "destination": "post", "golden_id": "g1", "intent_id": "the first"}


def test_a_member_who_has_no_address_any_more_is_taken_off_by_what_the_list_was_told(world: World) -> None:
    nameless = synced(world).but(people=({"golden_id": "g1"},))
    assert told(nameless) == {"g1": ("update", "no_address")}
    noted = nameless.but(entries=(ENTRY,))
    assert told(noted) == {"g1": ("remove", "to_send")}
    off = synced(noted).but(entries=())
    assert told(off) == {"g1": ("add", "no_address")}
    assert told(off.but(people=(EMAIL,))) == {"g1": ("add", "to_send")}


def test_whom_the_list_knows_by_more_than_one_entry_is_told_anew_once(world: World) -> None:
    two = (ENTRY, {**ENTRY, "entry_id": "another"})
    listed = synced(world)
    assert told(listed.but(entries=(ENTRY,))) == {"g1": ("add", "sent_before")}
    twice = listed.but(entries=two)
    (row,) = twice.planned(list_way())
    assert (row["operation"], row["decision"]) == ("update", "to_send")
    noted = (ENTRY, {**two[1], "removal_id": row["intent_id"]})
    assert told(synced(twice).but(entries=noted)) == {"g1": ("add", "sent_before")}
    for status in ("planned", "sent", "unknown", "rejected"):
        assert told(synced(twice, status).but(entries=noted)) == {"g1": ("update", "sent_before")}, status


def test_a_member_who_moved_again_after_a_refused_move_is_told_anew(world: World) -> None:
    moved = synced(world).but(people=({**EMAIL, "email": "new@example.com"},), entries=(ENTRY,))
    refused = synced(moved, "rejected")
    assert told(refused) == {"g1": ("update", "sent_before")}
    assert told(refused.but(people=({**EMAIL, "email": "newer@example.com"},))) == {"g1": ("update", "to_send")}
    assert told(refused.but(members=())) == {"g1": ("remove", "to_send")}


def test_of_merged_people_the_one_who_is_still_on_the_list_is_taken_off(world: World) -> None:
    """Both were added, g2 was taken off; today both are g1, of whom the ledger knows the removal as the last word."""
    both = synced(world.but(people=TWO, members=CLUB))
    parted = synced(both.but(members=CLUB[:1]))
    entry = {"activation_id": "ads", "destination": "post", "golden_id": "g1", "intent_id": "of g1"}
    as_one = parted.but(deliveries=tuple({**row, "golden_id": "g1"} for row in parted.deliveries), people=TWO[:1])
    assert told(as_one.but(members=())) == {}
    assert told(as_one.but(members=(), entries=(entry,))) == {"g1": ("remove", "to_send")}


def test_merged_people_are_on_a_list_once(world: World) -> None:
    """Both were added under their own ids; today both are g1."""
    both = synced(world.but(people=TWO, members=CLUB))
    merged = both.but(
        deliveries=tuple({**row, "golden_id": "g1"} for row in both.deliveries), people=TWO[:1], members=CLUB[:1]
    )
    assert list(told(merged)) == ["g1"]


def test_a_list_without_remove_is_taken_anew_when_somebody_leaves(world: World) -> None:
    way = {"operations": ("add",)}
    both = synced(world.but(people=TWO, members=CLUB), **way)
    assert told(both, **way) == {"g1": ("add", "sent_before"), "g2": ("add", "sent_before")}

    left = both.but(members=CLUB[:1])
    (row,) = left.planned(list_way(**way))
    assert (row["golden_id"], row["operation"], row["decision"]) == ("g1", "add", "to_send")
    assert row["occasion"].startswith("rebuild:2025-02-01:")
    anew = left.after([row], days=1)
    assert told(anew, **way) == {"g1": ("add", "sent_before")}
    assert told(anew.but(members=CLUB), **way) == {"g1": ("add", "sent_before"), "g2": ("add", "to_send")}


@pytest.mark.parametrize("status", ["expired", "failed"])
def test_a_list_taken_anew_of_which_nothing_was_sent_is_the_old_one_still(world: World, status: str) -> None:
    way = {"operations": ("add",)}
    both = synced(world.but(people=TWO, members=CLUB), **way)
    left = both.but(members=CLUB[:1])
    back = left.after(left.planned(list_way(**way)), status, days=1).but(members=CLUB)
    assert told(back, **way) == {"g1": ("add", "sent_before"), "g2": ("add", "sent_before")}
    (row,) = back.but(members=CLUB[:1]).planned(list_way(**way))
    assert (row["golden_id"], row["decision"], row["occasion"][:8]) == ("g1", "to_send", "rebuild:")


EMPTIED = {"operations": ("add", "remove")}
"""A list that is taken anew, and whose channel can empty it."""


def test_a_list_that_is_taken_anew_is_emptied_when_nobody_is_left(world: World) -> None:
    both = synced(world.but(people=TWO, members=CLUB), **EMPTIED)
    left = both.but(members=())
    found = left.planned(list_way(**EMPTIED))
    assert [(row["golden_id"], row["operation"], row["decision"]) for row in found] == [
        ("g1", "remove", "to_send"),
        ("g2", "remove", "to_send"),
    ]
    assert all(row["occasion"].startswith("emptying:2025-02-01:") for row in found)
    emptied = left.after(found, days=1)
    assert told(emptied, **EMPTIED) == {}

    back = emptied.but(members=CLUB[:1])
    (row,) = back.planned(list_way(**EMPTIED))
    assert (row["golden_id"], row["operation"], row["decision"]) == ("g1", "add", "to_send")
    assert row["occasion"] == found[0]["intent_id"]
    assert told(back.after([row], days=1).but(members=CLUB), **EMPTIED) == {
        "g1": ("add", "sent_before"),
        "g2": ("add", "to_send"),
    }


def test_a_list_is_taken_anew_as_long_as_anybody_is_left(world: World) -> None:
    left = synced(world.but(people=TWO, members=CLUB), **EMPTIED).but(members=CLUB[:1])
    (row,) = left.planned(list_way(**EMPTIED))
    assert (row["golden_id"], row["operation"], row["occasion"][:8]) == ("g1", "add", "rebuild:")


@pytest.mark.parametrize("status", ["planned", "sent", "unknown", "rejected"])
def test_an_emptying_is_asked_for_once_and_until_it_is_done_a_new_member_has_a_new_list(
    world: World, status: str
) -> None:
    left = synced(world, **EMPTIED).but(members=(), people=TWO)
    asked = left.after(left.planned(list_way(**EMPTIED)), status, days=1)
    assert told(asked, **EMPTIED) == {"g1": ("remove", "sent_before")}
    (row,) = asked.but(members=CLUB[1:]).planned(list_way(**EMPTIED))
    assert (row["golden_id"], row["decision"], row["occasion"][:8]) == ("g2", "to_send", "rebuild:")


def test_who_could_not_be_on_the_new_list_does_not_keep_the_old_one(world: World) -> None:
    """g2 is in the audience, but has no address any more, or was refused before."""
    both = synced(world.but(people=TWO, members=CLUB), **EMPTIED)
    unreached = both.but(members=CLUB[1:], people=(EMAIL, {"golden_id": "g2"}))
    assert told(unreached, **EMPTIED) == {"g1": ("remove", "to_send"), "g2": ("add", "no_address")}
    emptied = synced(unreached, **EMPTIED)
    assert told(emptied.but(people=TWO), **EMPTIED) == {"g2": ("add", "to_send")}

    first = synced(world, **EMPTIED).but(people=TWO, members=CLUB)
    refused = synced(first, "rejected", **EMPTIED).but(members=CLUB[1:])
    assert told(refused, **EMPTIED) == {"g1": ("remove", "to_send"), "g2": ("add", "sent_before")}


def test_who_left_without_an_address_is_emptied_out_too(world: World) -> None:
    gone = synced(world, **EMPTIED).but(members=(), people=())
    assert told(gone, **EMPTIED) == {"g1": ("remove", "to_send")}


def test_a_list_whose_last_member_is_held_out_is_emptied(world: World) -> None:
    held = synced(world, **EMPTIED)
    assert told(held, **EMPTIED, holdout_share=0.999999) == {"g1": ("remove", "to_send")}
