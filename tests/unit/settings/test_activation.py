"""What is wrong with a pack's activations and messages is told with place and near miss."""

from typing import Any

import pytest
import yaml

from cdp_lib.io.yaml_files import load_pack
from tests.unit.settings.conftest import LoadFaults, WritePack

GOOD: dict[str, dict[str, Any]] = {
    "audience": {"kind": "audience", "id": "regulars", "where": {"trait": "visit_count", "gte": 3}},
    "destination": {"kind": "destination", "id": "post", "connector": "email", "settings": {"host": "localhost"}},
    "offer": {"kind": "offer", "id": "gift", "title": "A gift"},
    "message": {"kind": "message", "id": "thanks", "texts": {"en": {"text": "Hi {{ customer.first_name }}"}}},
    "policy": {"kind": "contact_policy", "unsubscribe_url": "https://example.com/u?t={token}"},
    "activation": {
        "kind": "activation",
        "id": "hello",
        "audience": "regulars",
        "destination": "post",
        "message": "thanks",
        "offer": "gift",
        "kpis": [{"id": "spend", "from": "order", "select": "sum(paid_amount)", "where": "paid_amount > 0"}],
    },
}


def documents(*more: dict[str, Any], **changed: dict[str, Any]) -> str:
    """The good documents with some keys changed; a key that is changed to None is left out."""
    whole = [{**body, **changed.get(name, {})} for name, body in GOOD.items()]
    bodies = [{key: value for key, value in body.items() if value is not None} for body in whole]
    return "---\n".join(yaml.safe_dump(body) for body in [*bodies, *more])


def says(text: str, **more: Any) -> dict[str, Any]:
    return {"texts": {"en": {"text": text}}, **more}


def test_a_pack_without_a_fault_loads(write_pack: WritePack) -> None:
    everything = (
        "{{ offer.code }} {{ unsubscribe_url }} {% for p in [1] %}{{ loop.index }}{% endfor %} {{ customer.city }}"
    )
    folder = write_pack(campaigns=documents(message=says(everything, language="city"), policy={"time_zone": "city"}))
    assert load_pack(str(folder), folder.parent).activations[0].id == "hello"


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        (
            {"activation": {"audience": "regular"}},
            "activations[0].audience: unknown audience 'regular'. Did you mean 'regulars'?",
        ),
        (
            {"activation": {"destination": "pots"}},
            "activations[0].destination: unknown destination 'pots'. Did you mean 'post'?",
        ),
        (
            {"activation": {"message": "thank"}},
            "activations[0].message: unknown message 'thank'. Did you mean 'thanks'?",
        ),
        ({"activation": {"offer": "gifts"}}, "activations[0].offer: unknown offer 'gifts'. Did you mean 'gift'?"),
        (
            {"activation": {"arms": [{"id": "a", "share": 0.5}, {"id": "b", "share": 0.5, "message": "thank"}]}},
            "activations[0].arms[1].message: unknown message 'thank'. Did you mean 'thanks'?",
        ),
        (
            {"activation": {"arms": [{"id": "a", "share": 1, "offer": "gifts"}]}},
            "activations[0].arms[0].offer: unknown offer 'gifts'. Did you mean 'gift'?",
        ),
        (
            {"activation": {"address": "emial"}},
            "activations[0].address: unknown column 'emial' in 'emial'. Did you mean 'email'?",
        ),
        (
            {"activation": {"fields": {"visits": "max(visit_count)"}}},
            "activations[0].fields.visits: 'max(visit_count)' aggregates rows, but only one row is looked at here",
        ),
        (
            {"activation": {"products": 2}},
            "activations[0].products: nothing is recommended: add a document `kind: recommendation`",
        ),
        (
            {"activation": {"kpis": [{"id": "x", "from": "orders"}]}},
            "activations[0].kpis[0].from: unknown entity 'orders'. Did you mean 'order'?",
        ),
        (
            {"activation": {"kpis": [{"id": "x", "from": "order", "select": "avg(paid_amount)"}]}},
            "activations[0].kpis[0].select: 'avg(paid_amount)' is not one of count, count_distinct, sum around one",
        ),
        (
            {"activation": {"kpis": [{"id": "x", "from": "order", "select": "sum(*)"}]}},
            "activations[0].kpis[0].select: only count takes *, not sum",
        ),
        (
            {"activation": {"kpis": [{"id": "x", "from": "order", "select": "sum(paid)"}]}},
            "activations[0].kpis[0].select: unknown column 'paid' in 'paid'.",
        ),
        (
            {"activation": {"kpis": [{"id": "x", "from": "order", "where": "statu = 'paid'"}]}},
            "activations[0].kpis[0].where: unknown column 'statu' in \"statu = 'paid'\". Did you mean 'status'?",
        ),
        (
            {"message": says("{{ customer.frist_name }}")},
            "messages[0].texts: unknown field 'customer.frist_name'. Did you mean 'first_name'?",
        ),
        (
            {"message": says("{{ custmer.city }}")},
            "messages[0].texts: templates know no 'custmer'. Did you mean 'customer'?",
        ),
        ({"message": says("{{ offer.cod }}")}, "messages[0].texts: unknown field 'offer.cod'. Did you mean 'code'?"),
        (
            {"message": says("{{ offer.code }}"), "activation": {"offer": None}},
            "activations[0].message: message 'thanks' reads offer, but no offer is made: name one",
        ),
        (
            {"message": says("{% for p in products %}{{ p.name }}{% endfor %}")},
            "activations[0].message: message 'thanks' reads products: say how many, e.g. products: 3",
        ),
        (
            {"message": says("{{ unsubscribe_url }}"), "policy": {"unsubscribe_url": None}},
            "messages[0].texts: unsubscribe_url is read, but contact_policy names none: say `unsubscribe_url`",
        ),
        ({"message": {"language": "citi"}}, "messages[0].language: unknown column 'citi'. Did you mean 'city'?"),
        ({"policy": {"time_zone": "citi"}}, "contact_policy.time_zone: unknown column 'citi'. Did you mean 'city'?"),
        ({"activation": {"send_within": "0d"}}, "activations[0].send_within: send_within is one day at least"),
        (
            {"activation": {"audience": None}},
            "activations[0]: nobody gets it: name an audience, or let a step of a journey send it",
        ),
    ],
)
def test_one_fault_gives_one_message(faults_of: LoadFaults, changed: dict[str, Any], fault: str) -> None:
    (found,) = faults_of(campaigns=documents(**changed))
    assert found.startswith(f"campaigns.yml: {fault}")


def test_what_a_journey_sends_needs_no_audience_of_its_own(write_pack: WritePack) -> None:
    journey = {"kind": "journey", "id": "walk", "entry": "regulars", "steps": {"hi": {"send": "hello"}}}
    folder = write_pack(campaigns=documents(journey, activation={"audience": None}))
    assert load_pack(str(folder), folder.parent).activations[0].audience is None


@pytest.mark.parametrize(
    ("times", "starts_at", "ends_at"),
    [
        (("2025-02-14", "2025-02-14"), "2025-02-14T00:00:00", "2025-02-14T23:59:59.999999"),
        (("2025-02-14 09:00", "2025-02-14T18:00:00"), "2025-02-14T09:00:00", "2025-02-14T18:00:00"),
        (("2025-02-14T00:00Z", "2025-02-14T00:00-01:00"), "2025-02-14T00:00:00+00:00", "2025-02-14T00:00:00-01:00"),
    ],
)
def test_an_offers_last_day_is_over_at_its_end(
    write_pack: WritePack, times: tuple[str, str], starts_at: str, ends_at: str
) -> None:
    folder = write_pack(campaigns=documents(offer=dict(zip(("starts_at", "ends_at"), times, strict=True))))
    (offer,) = load_pack(str(folder), folder.parent).offers
    assert offer.starts_at is not None
    assert offer.ends_at is not None
    assert (offer.starts_at.isoformat(), offer.ends_at.isoformat()) == (starts_at, ends_at)


@pytest.mark.parametrize(
    ("times", "fault"),
    [
        (
            {"starts_at": "2025-02-01T00:00", "ends_at": "2025-02-14T00:00Z"},
            ": one of starts_at and ends_at names a zone: write both with one, or both without",
        ),
        (
            {"ends_at": 20250214},
            ".ends_at: 20250214 is not a time such as 2025-01-31T18:00, or a day such as 2025-01-31",
        ),
        ({"ends_at": "20250214"}, ".ends_at: '20250214' is not a time such as"),
        ({"starts_at": "14/02/2025"}, ".starts_at: '14/02/2025' is not a time such as"),
        ({"starts_at": "2025-02-15", "ends_at": "2025-02-14"}, ": ends_at 2025-02-14 23:59:59.999999 is not after"),
    ],
)
def test_an_offers_times_that_cannot_be_meant_are_told(
    faults_of: LoadFaults, times: dict[str, Any], fault: str
) -> None:
    (found,) = faults_of(campaigns=documents(offer=times))
    assert found.startswith(f"campaigns.yml: offers[0]{fault}")
