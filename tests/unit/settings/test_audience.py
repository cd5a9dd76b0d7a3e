"""What is wrong with an audience is told with place and near miss, all at once."""

import pytest

from cdp_lib.io.yaml_files import load_pack
from cdp_lib.settings.audience import Audience
from tests.unit.settings.conftest import LoadFaults, TRAITS, WritePack

MORE_TRAITS = (
    TRAITS
    + """---
kind: trait
name: visits_90d
from: order
select: count(*)
window: 90d
---
kind: trait
name: shops
from: order
select: distinct(store_id)
---
kind: trait
name: is_adult
from: golden_record
select: birth_date < date'2005-01-01'
type: boolean
"""
)
SCORES = "kind: churn\n---\nkind: segmentation\nid: rfm\nmethod: rfm\n"
NUMBERED = "orders numbers, days and times; write `is` or `in`"


def rule(where: str, **more: str) -> str:
    lines = [f"kind: audience\nid: vips\nwhere: {where}", *[f"{name}: {text}" for name, text in more.items()]]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("where", "fault"),
    [
        ("{trait: visit_90d, gte: 1}", ".trait: unknown trait 'visit_90d'. Did you mean 'visits_90d'?"),
        ("{score: churn_probabilty, gte: 1}",
         ".score: unknown score 'churn_probabilty'. Did you mean 'churn_probability'?"),
        ("{segment: rmf, is: lost}", ".segment: unknown segment 'rmf'. Did you mean 'rfm'?"),
        ("{audience: vip}", ".audience: unknown audience 'vip'. Did you mean 'vips'?"),
        ("{did: ordr, gte: 1}", ".did: unknown entity 'ordr'. Did you mean 'order'?"),
        ("{did: order, where: chanel = 'app', gte: 1}",
         ".where: unknown column 'chanel' in \"chanel = 'app'\". Did you mean 'channel'?"),
        ("{did: order, select: sum(paid_amont), gte: 1}",
         ".select: unknown column 'paid_amont' in 'paid_amont'. Did you mean 'paid_amount'?"),
        ("{did: order, select: sum(*), gte: 1}", ".select: only count takes *, not sum"),
        ("{did: order, select: sum(paid_amount * 2), gte: 1}",
         ".select: the type of 'sum(paid_amount * 2)' cannot be told here: make it a trait with `type:`"),
        ("{did: order, select: last(channel), gte: 1}", f".gte: 'last(channel)' is of type string: `gte` {NUMBERED}"),
        ("{did: order, select: paid_amount, gte: 1}",
         ": select 'paid_amount' is not one of count, count_distinct, sum, "
         "min, max, avg, first, last, most_frequent, list, distinct around one expression"),
        ("{did: order, window: 0d, gte: 1}", ": window '0d' is not a number of days such as 90d"),
        ("{trait: city, is: A, until: 2025-01-31}", ": select, where, window and until belong to did, not to trait"),
        ("{trait: city, gte: A}", f".gte: 'city' is of type string: `gte` {NUMBERED}"),
        ("{trait: is_adult, lt: true}", f".lt: 'is_adult' is of type boolean: `lt` {NUMBERED}"),
        ("{trait: city, contains: A}", ".contains: 'city' is of type string: only a list contains something; "
         "write `is` or `in`"),
        ("{trait: shops, is: A}", ".is: 'shops' is a list: write `contains` or `is_known`"),
        ("{trait: shops, contains: 5}", ".contains: 'shops' is a list, which 5 cannot be compared with: "
         "write a text, in quotes where it looks like a number"),
        ("{trait: visits_90d, gte: many}",
         ".gte: 'visits_90d' is a number, which 'many' cannot be compared with: write a number"),
        ("{trait: visits_90d, in: [1, true]}",
         ".in[1]: 'visits_90d' is a number, which True cannot be compared with: write a number"),
        ("{trait: is_adult, is: 1}",
         ".is: 'is_adult' is of type boolean, which 1 cannot be compared with: write true or false"),
        ("{trait: birth_date, gte: 31.1.2000}",
         ".gte: 'birth_date' is of type date, which '31.1.2000' cannot be compared with: "
         "write a day such as 2025-01-31"),
        ("{segment: rfm, is: 5}", ".is: segment 'rfm' is of type string, which 5 cannot be compared with: "
         "write a text, in quotes where it looks like a number"),
    ],
)  # fmt: skip
def test_one_fault_in_a_rule_gives_one_message(faults_of: LoadFaults, where: str, fault: str) -> None:
    (found,) = faults_of(traits=MORE_TRAITS, models=SCORES, audiences=rule(where))
    assert found.endswith(f"audiences.yml: audiences[0].where{fault}")


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({"exclude": "[supression]"}, ".exclude[0]: unknown audience 'supression'. Did you mean 'suppression'?"),
        ({"cap": "{count: 5, by: visit_count_}"},
         ".cap.by: unknown column 'visit_count_' of the single view and its scores. "
         "Did you mean 'visit_count'?"),
        ({"cap": "{count: 5, by: city}"}, ".cap.by: 'city' is of type string; a number is needed"),
        ({"lookalike": "{seed: vipp, count: 5, features: [visit_count]}"},
         ".lookalike.seed: unknown audience 'vipp'. Did you mean 'vips'?"),
        ({"lookalike": "{seed: base, count: 5, features: [visit_count, joined, birth_date]}"},
         ".lookalike.features[1]: unknown column 'joined' of the single view and its scores."),
    ],
)  # fmt: skip
def test_one_fault_beside_the_rule_gives_one_message(faults_of: LoadFaults, more: dict[str, str], fault: str) -> None:
    base = "---\nkind: audience\nid: base\n"
    found = faults_of(traits=MORE_TRAITS, models=SCORES, audiences=rule("{trait: visits_90d, gte: 1}", **more) + base)
    assert found[0].endswith(f"audiences.yml: audiences[0]{fault}")
    assert len(found) == (2 if "birth_date" in str(more) else 1)


@pytest.mark.parametrize("until", ["", "until: 2025-02-16, "])
def test_a_draw_asks_for_what_was_done_before_it_closed(faults_of: LoadFaults, until: str) -> None:
    asked, draw = rule(f"{{did: order, {until}gte: 1}}"), {"count": 1, "seed": "spring", "closes_on": "2025-02-15"}
    (found,) = faults_of(traits=MORE_TRAITS, audiences=f"{asked}draw: {draw}\n")
    assert found.endswith("a draw asks what was done in time: say `until: 2025-02-15` in each `did`")
    in_time = {"did": "order", "until": "2025-02-15", "gte": 1}
    assert Audience.model_validate({"kind": "audience", "id": "vips", "where": in_time, "draw": draw})


def test_the_place_in_a_nested_rule_is_the_key_path(faults_of: LoadFaults) -> None:
    others = "".join(f"kind: audience\nid: one_{number}\n---\n" for number in range(3))
    faults = faults_of(
        traits=MORE_TRAITS,
        audiences=others + rule("{all: [{trait: visit_90d, gte: 6}, {not: {any: [{trait: nme, is: A}]}}]}"),
    )
    place = "audiences[3].where.all[0].trait"
    assert faults[0] == f"audiences.yml: {place}: unknown trait 'visit_90d'. Did you mean 'visits_90d'?"
    assert len(faults) == 2
    assert "audiences[3].where.all[1].not.any[0].trait: unknown trait 'nme'." in faults[1]


def test_audiences_that_wait_for_each_other_are_told_with_the_circle(faults_of: LoadFaults) -> None:
    circle = (
        "kind: audience\nid: a\nwhere: {audience: b}\n---\nkind: audience\nid: b\nexclude: [c]\n---\n"
        "kind: audience\nid: c\nlookalike: {seed: a, count: 5, features: [visit_count]}\n---\n"
        "kind: audience\nid: d\nwhere: {audience: a}\n"
    )
    assert [fault.split("audiences.yml: ")[1] for fault in faults_of(audiences=circle)] == [
        "audiences[0]: 'a' waits for itself: a -> b -> c -> a",
        "audiences[1]: 'b' waits for itself: b -> c -> a -> b",
        "audiences[2]: 'c' waits for itself: c -> a -> b -> c",
    ]


def test_a_priority_list_that_turns_round_a_rule_is_a_circle(faults_of: LoadFaults) -> None:
    listed = (
        "kind: audience\nid: first\npriority_list: offers\npriority: 1\nwhere: {audience: second}\n---\n"
        "kind: audience\nid: second\npriority_list: offers\npriority: 2\n"
    )
    assert [fault.split("audiences.yml: ")[1] for fault in faults_of(audiences=listed)] == [
        "audiences[0]: 'first' waits for itself: first -> second -> first",
        "audiences[1]: 'second' waits for itself (by its priority list): second -> first -> second",
    ]


def test_two_audiences_of_a_list_with_one_number_leave_it_open_who_is_in_which(faults_of: LoadFaults) -> None:
    same = "---\n".join(f"kind: audience\nid: {name}\npriority_list: offers\n" for name in "ab")
    first, _ = faults_of(audiences=same)
    assert first.endswith(
        "audiences[0].priority: 100 is also that of 'b' in list 'offers': who is in both belongs to the one with the "
        "least number"
    )


def test_a_sound_pack_of_audiences_loads(write_pack: WritePack) -> None:
    sound = rule(
        "{all: [{trait: visits_90d, gte: 1}, {trait: last_order_at, gte: '2025-01-31 10:00'}, "
        "{segment: rfm, in: [at_risk, Champions]}, {trait: shops, contains: north}, "
        "{did: order, select: avg(paid_amount), window: 7d, lt: 2.5}, "
        "{any: [{birthday_within: 0d}, {score: churn_probability, lt: 0.5}]}, "
        "{trait: source_systems, is_known: true}]}",
        cap="{count: 5, by: last_order_at}",
        exclude="[suppression]",
    )
    folder = write_pack(traits=MORE_TRAITS, models=SCORES, audiences=sound)
    pack = load_pack(str(folder), folder.parent)
    assert [one.id for one in pack.audiences] == ["vips"]


def test_names_in_a_faulty_document_are_not_called_unknown(faults_of: LoadFaults) -> None:
    faults = faults_of(audiences="kind: audience\nid: base\nwhere: {}\n---\n" + rule("{audience: base}"))
    assert len(faults) == 1
    assert "audiences[0].where: a condition says one of" in faults[0]
