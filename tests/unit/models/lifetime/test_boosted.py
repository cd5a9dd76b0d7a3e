"""Boosters on top of the closed form: what they learn, that they carry over, and that they repeat themselves."""

import json

import numpy as np
import pandas as pd
import pytest

from cdp_lib.errors import ModelError
from cdp_lib.models.lifetime.boosted import Boosted, design_frame
from cdp_lib.models.lifetime.closed_form import ClosedForm
from tests.unit.models.lifetime.simulated_purchases import bought_days, features_at

CUSTOMERS = 3_000


@pytest.fixture(scope="module")
def design() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    return pd.DataFrame({"known": rng.integers(0, 2, CUSTOMERS).astype(float), "noise": rng.random(CUSTOMERS)})


def said(customers: int) -> ClosedForm:
    """Everybody is expected to buy once, with one in two buying nothing, for 20."""
    return ClosedForm(np.ones(customers), np.full(customers, 20.0), np.full(customers, 0.5), np.ones(customers))


def spent(design: pd.DataFrame, seed: int = 2) -> np.ndarray:
    """Those known spend three times what the others do, half of each nothing."""
    rng = np.random.default_rng(seed)
    amounts = rng.gamma(4.0, 0.25, len(design)) * np.where(design["known"] > 0, 60.0, 20.0)
    return np.where(rng.random(len(design)) < 0.5, amounts, 0.0)


def test_both_ways_learn_what_the_closed_form_gets_wrong(design):
    closed = said(CUSTOMERS)
    boosted = Boosted.fit(design, closed, spent(design))
    known = design["known"].to_numpy() > 0

    for spend in (boosted.two_stage(design, closed), boosted.any_spend(design, closed)):
        assert spend[known].mean() == pytest.approx(30.0, rel=0.15)
        assert spend[~known].mean() == pytest.approx(10.0, rel=0.2)
    assert boosted.probability_buys(design, closed) == pytest.approx(0.5, abs=0.12)


def test_a_factor_carries_over_to_another_horizon(design):
    closed = said(CUSTOMERS)
    longer = ClosedForm(closed.purchases * 3, closed.amount, closed.silent, closed.alive)
    boosted = Boosted.fit(design, closed, spent(design))

    np.testing.assert_allclose(boosted.any_spend(design, longer), 3 * boosted.any_spend(design, closed))


def test_rows_in_another_order_give_the_same_trees(design):
    order = np.random.default_rng(3).permutation(CUSTOMERS)
    truth, closed = spent(design), said(CUSTOMERS)

    assert Boosted.fit(design.iloc[order], closed.taken(order), truth[order]) == Boosted.fit(design, closed, truth)


def test_the_body_brings_the_boosters_back(design):
    closed = said(CUSTOMERS)
    boosted = Boosted.fit(design, closed, spent(design))
    back = Boosted.from_dict(json.loads(json.dumps(boosted.to_dict())))

    np.testing.assert_array_equal(back.expected_spend(design, closed), boosted.expected_spend(design, closed))


def test_nothing_to_learn_from_is_refused(design):
    with pytest.raises(ModelError, match=r"0 of 3000 customers spend after the earlier cut.*earlier cut"):
        Boosted.fit(design, said(CUSTOMERS), np.zeros(CUSTOMERS))
    with pytest.raises(ModelError, match="3000 of 3000"):
        Boosted.fit(design, said(CUSTOMERS), np.ones(CUSTOMERS))


def test_the_design_knows_no_days():
    frame = features_at(bought_days(200, 300, 4), 300)
    days = [name for name in frame.columns if name.endswith("_days")]
    twice = frame.assign(**{name: frame[name] * 2 for name in days})
    closed = said(len(frame))
    timeless = [name for name in design_frame(frame, closed, 90) if not name.startswith(("pace", "spend_pace"))]

    pd.testing.assert_frame_equal(design_frame(frame, closed, 90)[timeless], design_frame(twice, closed, 180)[timeless])


def test_a_customer_of_one_day_without_spend_has_a_design():
    frame = features_at(bought_days(200, 300, 4), 300).head(1)
    empty = frame.assign(
        tenure_days=0.0, recency_days=0.0, frequency=0.0, monetary_amount=np.nan, total_amount=0.0, first_amount=0.0
    )
    design = design_frame(empty, said(1), 90)

    assert not np.isinf(design.to_numpy()).any()
    assert design["mean_amount"].isna().all()
