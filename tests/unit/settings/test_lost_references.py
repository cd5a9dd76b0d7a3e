"""What no value, fact or person can ever answer is a fault, for nobody would notice that it finds nobody."""

import pytest

from cdp_lib.io.yaml_files import load_pack
from tests.unit.settings.conftest import LoadFaults, SOURCES, TRAITS, WritePack
from tests.unit.settings.test_activation import documents
from tests.unit.settings.test_audience import rule, SCORES
from tests.unit.settings.test_faults import spoiled
from tests.unit.settings.test_journey import ACTIVATIONS, AUDIENCES, JOURNEY

NO_REVIEW = "no source feeds review. Add a feed `to: review`."
PEOPLE = SOURCES[SOURCES.index("  - to: customer_record") :]


@pytest.mark.parametrize(
    ("where", "fault"),
    [
        ("{score: churn_band, is: hihg}", ".is: score 'churn_band' is never 'hihg'. Did you mean 'high'?"),
        ("{score: churn_band, in: [high, lost]}",
         ".in[1]: score 'churn_band' is never 'lost'. Choices: high, low, medium."),
        ("{segment: rfm, is: champion}", ".is: segment 'rfm' is never 'champion'. Did you mean 'champions'?"),
        ("{segment: rfm, not_in: [zzz]}", ".not_in[0]: segment 'rfm' is never 'zzz'. Choices: champions, loyal,"),
        ("{trait: gender, is_not: F}", ".is_not: trait 'gender' is never 'F'. Choices: female, male, other."),
        ("{did: review, gte: 1}", f".did: {NO_REVIEW}"),
    ],
)  # fmt: skip
def test_a_rule_that_finds_nobody_is_told(faults_of: LoadFaults, where: str, fault: str) -> None:
    (found,) = faults_of(models=SCORES, audiences=rule(where))
    assert found.startswith(f"audiences.yml: audiences[0].where{fault}")


def test_segments_that_are_found_and_names_that_people_use_are_open(write_pack: WritePack) -> None:
    clusters = f"{SCORES}---\nkind: segmentation\nid: habits\nmethod: clusters\nfeatures: [visit_count]\n"
    where = "{all: [{segment: habits, is: c1}, {segment: rfm, is: At risk}, {trait: gender, in: [female, other]}]}"
    folder = write_pack(models=clusters, audiences=rule(where))
    assert load_pack(str(folder), folder.parent).audiences[0].id == "vips"


def test_a_cap_of_a_channel_that_does_not_exist_is_told(faults_of: LoadFaults) -> None:
    caps = [{"channel": "mail", "count": 1, "window": "7d"}]
    (found,) = faults_of(campaigns=documents(policy={"caps": caps}))
    assert found == "campaigns.yml: contact_policy.caps[0].channel: unknown value 'mail'. Did you mean 'email'?"


def test_facts_that_no_source_feeds_are_told_wherever_they_are_counted(faults_of: LoadFaults) -> None:
    reviews = "kind: trait\nname: stars\nfrom: review\nselect: avg(rating)\n"
    waiting = spoiled(JOURNEY, "did: order, where: paid_amount > 5", "did: review")
    judged = {"kpis": [{"id": "reviews", "from": "review"}]}
    assert faults_of(
        traits=f"{TRAITS}---\n{reviews}",
        campaigns=documents(activation={**judged, "id": "thanks_all"}),
        journeys=f"{AUDIENCES}---\n{ACTIVATIONS}---\n{waiting}",
    ) == [
        f"campaigns.yml: activations[0].kpis[0].from: {NO_REVIEW}",
        f"journeys.yml: journeys[0].steps.hope.wait_until.did: {NO_REVIEW}",
        f"traits.yml: traits[3].from: {NO_REVIEW}",
    ]


def test_what_a_faulty_source_may_feed_is_not_called_missing(faults_of: LoadFaults) -> None:
    misspelt = spoiled(SOURCES, "key: [swipe_id]", "keys: [swipe_id]")
    assert faults_of(sources=misspelt, models=SCORES, audiences=rule("{did: order, gte: 1}")) == [
        "sources.yml: sources[0].keys: unknown key 'keys'. Did you mean 'key'?"
    ]


def test_a_source_whose_facts_belong_to_nobody_is_told(faults_of: LoadFaults) -> None:
    assert faults_of(sources=SOURCES.removesuffix(PEOPLE), identity="kind: identity\n") == [
        "sources.yml: sources[0].feeds[0].map.person_id: 'door' feeds no customer_record, so nobody is known by it. "
        "Add a feed `to: customer_record` whose source_record_id is the same expression"
    ]


@pytest.mark.parametrize(
    "feeds",
    [
        SOURCES.removesuffix(PEOPLE).replace("person_id: card", "person_id: card, source_system: \"'desk'\""),
        SOURCES[: SOURCES.index("  - to: order")]
        + "  - to: campaign_response\n"
        + "    map: {response_id: swipe_id, person_id: card, message_id: card}\n",
    ],
)
def test_a_fact_whose_person_another_source_knows_or_a_message_tells_is_none(faults_of: LoadFaults, feeds: str) -> None:
    found = faults_of(sources=feeds, identity="kind: identity\nidentifiers: [{field: crad}]\n")
    assert not [line for line in found if "person_id" in line]
