"""A list that journeys put customers on has them as long as they are on a journey that did."""

from datetime import timedelta

from tests.unit.activation.conftest import AS_OF, delivery, list_way, World

WAY = list_way(audience=None)
LATER = AS_OF + timedelta(days=1)


def told(world: World) -> dict[str, tuple[str, str]]:
    """Person: operation and decision."""
    return {row["golden_id"]: (row["operation"], row["decision"]) for row in world.planned(WAY)}


def test_a_customer_is_on_the_list_from_the_step_to_the_end_of_the_journey(world: World) -> None:
    sends = (("ads", "g1", "journey:walk:1:follow:1", AS_OF),)
    coming = world.but(sends=sends, travellers=(("ads", "g1", LATER), ("other", "g1", AS_OF)))
    assert told(coming) == {}
    # Of two journeys, or of merged people, both may keep the customer on it.
    put_on = world.but(sends=sends, travellers=(("ads", "g1", AS_OF), ("ads", "g1", AS_OF)))
    assert told(put_on) == {"g1": ("add", "to_send")}
    listed = put_on.after(put_on.planned(WAY), days=1)
    assert told(listed) == {"g1": ("add", "sent_before")}
    changed = listed.but(people=({"golden_id": "g1", "email": "new@example.com"},))
    assert told(changed) == {"g1": ("update", "to_send")}

    over = listed.but(travellers=())
    assert told(over) == {"g1": ("remove", "to_send")}
    off = over.after(over.planned(WAY), days=1)
    assert told(off) == {}
    assert told(off.but(travellers=(("ads", "g1", LATER),))) == {"g1": ("add", "to_send")}


def test_whom_an_earlier_version_added_for_a_journey_is_taken_off_after_it(world: World) -> None:
    occasion = "journey:walk:1:follow:1"
    added = delivery("g1", activation_id="ads", channel="ads", operation="add", occasion=occasion)
    assert told(world.but(deliveries=(added,))) == {"g1": ("remove", "to_send")}


def test_an_audience_has_nobody_on_a_list_of_journeys_and_the_other_way_round(world: World) -> None:
    both = world.but(
        travellers=(("ads", "g2", AS_OF),), people=tuple({"golden_id": f"g{n}", "email": "x@x"} for n in (1, 2))
    )
    assert both.decisions(WAY, list_way("club")) == {("ads", "g2"): "to_send", ("club", "g1"): "to_send"}
