"""Clusters are found anew where their settings, or what their features mean, changed: not where words did."""

from typing import Any

import pytest

from cdp_lib.settings.segmentation import Segmentation
from jobs.forecasts.champions import Fit
from jobs.forecasts.clusters import cluster_fit
from tests.unit.customer.shop import pack_of, trait

SETTINGS = {"kind": "segmentation", "id": "x", "method": "clusters", "features": ["frequency", "order_count"]}


def fit_of(bought: dict[str, str] | None = None, **more: Any) -> Fit:
    """What is asked of the clusters of a shop whose feature is computed from a trait over facts."""
    facts = {"name": "bought", "select": "count(*)", "where": "paid_amount > 0", "description": "Bought."}
    named = {**facts, **(bought or {})}
    traits = [
        trait(named.pop("name"), named.pop("select"), **named),
        trait("frequency", "ratio(bought, order_count)", "customer", description="How often."),
        trait("unread", "count(*)"),
    ]
    return cluster_fit(pack_of(*traits), Segmentation.model_validate(SETTINGS | more), 5)


@pytest.mark.parametrize(
    "changed",
    [
        {"least_share": 0.1},
        {"clusters": {"least": 3}},
        {"features": ["frequency"]},
        {"bought": {"where": "paid_amount >= 0"}},
        {"bought": {"window": "90d"}},
    ],
)
def test_settings_and_the_meaning_of_a_feature_ask_for_another_training(changed: dict[str, Any]) -> None:
    assert fit_of(**changed).settings_hash != fit_of().settings_hash


def test_descriptions_ask_for_none() -> None:
    assert fit_of(description="Groups.", bought={"description": "Paid."}) == fit_of()
