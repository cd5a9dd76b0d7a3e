"""What is wrong with a pack's models and segmentations is told with place and near miss."""

import pytest

from cdp_lib.io.yaml_files import load_pack
from tests.unit.settings.conftest import LoadFaults, SOURCES, WritePack

CLUSTERS = "kind: segmentation\nid: habits\nmethod: clusters\nfeatures: [visit_count, spend_90d]\n"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            CLUSTERS.replace("spend_90d", "spend_9d"),
            "segmentations[0].features[1]: unknown column 'spend_9d' of gold.customer. Did you mean 'spend_90d'?",
        ),
        (
            CLUSTERS.replace("spend_90d", "city"),
            "segmentations[0].features[1]: 'city' is no number but string: clusters compare numbers",
        ),
        (
            "kind: segmentation\nid: habits\nmethod: clusters\n",
            "segmentations[0]: method clusters needs features: numeric columns of gold.customer, e.g. [order_count]",
        ),
        (
            "kind: segmentation\nid: rfm\nmethod: rfm\nfeatures: [visit_count]\n",
            "segmentations[0]: method rfm has its own features: remove features, or write method: clusters",
        ),
        (
            CLUSTERS + "clusters: {least: 6, most: 3}\n",
            "segmentations[0].clusters: least 6 is above most 3: swap them",
        ),
        (
            "kind: churn\nbands: {high: 0.3, medium: 0.6}\n",
            "churn.bands: medium 0.6 is not below high 0.3: swap them",
        ),
        ("kind: churn\nhorizon: 30\n", "churn.horizon: unknown key 'horizon'. Did you mean 'horizon_days'?"),
        (
            "kind: recommendation\n",
            "recommendation: nothing to compute from: no source feeds order_line. Add a feed `to: order_line`.",
        ),
        (
            "kind: review_topics\ntopics:\n"
            "  - {id: a, title: A, praise: [a, b, c], complaint: [d, e, f]}\n"
            "  - {id: b, title: B, praise: [g, h, i], complaint: [j, k, l]}\n",
            "review_topics: nothing to compute from: no source feeds review. Add a feed `to: review`.",
        ),
    ],
)
def test_one_fault_gives_one_message(faults_of: LoadFaults, text: str, fault: str) -> None:
    (found,) = faults_of(models=text)
    assert found.endswith(f"models.yml: {fault}")


def test_a_pack_without_orders_has_nothing_to_forecast(faults_of: LoadFaults) -> None:
    people_only = SOURCES[: SOURCES.index("  - to: order")] + SOURCES[SOURCES.index("  - to: customer_record") :]
    faults = faults_of(sources=people_only, models="kind: lifetime_value\n")
    assert any("lifetime_value: nothing to compute from: no source feeds order." in fault for fault in faults)


def test_a_pack_has_what_it_writes_down(write_pack: WritePack) -> None:
    folder = write_pack(models=f"kind: churn\n---\n{CLUSTERS}")
    pack = load_pack(str(folder), folder.parent)
    assert [kind for kind in ("churn", "lifetime_value", "segmentation", "recommendation") if pack.has(kind)] == [
        "churn",
        "segmentation",
    ]
    without = load_pack(str(write_pack(models="kind: churn\nhorizon_days: 30\n")), folder.parent)
    assert pack.hash_of("churn") != without.hash_of("churn")
