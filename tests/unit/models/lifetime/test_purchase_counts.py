"""Purchase histories: what a feature frame becomes, and what cannot be."""

import numpy as np
import pandas as pd
import pytest

from cdp_lib.errors import ModelError
from cdp_lib.models.lifetime.purchase_counts import purchase_counts, PurchaseCounts

FRAME = pd.DataFrame(
    {"frequency": [2.0, 0.0, 2.0, 0.0], "recency_days": [5.0, 40.0, 5.0, 30.0], "tenure_days": [40.0, 40.0, 40.0, 30.0]}
)


def test_last_purchase_is_counted_from_the_first():
    counts = purchase_counts(FRAME)

    assert counts.last_purchase.tolist() == [35.0, 0.0, 35.0, 0.0]
    assert counts.customers.tolist() == [1.0] * 4


def test_customers_of_one_history_become_one_place_with_their_number():
    unique = purchase_counts(FRAME).collapsed()

    assert unique.frequency.tolist() == [0.0, 0.0, 2.0]
    assert unique.tenure.tolist() == [30.0, 40.0, 40.0]
    assert unique.customers.tolist() == [1.0, 1.0, 2.0]
    assert unique.total == 4


def test_weights_add_up_and_parts_of_days_stay_apart():
    weighted = PurchaseCounts(np.array([1.0, 1.0]), np.array([3.0, 3.0]), np.array([9.0, 9.0]), np.array([2.0, 5.0]))
    parts = PurchaseCounts(np.array([1.0, 1.0]), np.array([3.0, 3.25]), np.array([9.0, 9.0]), np.ones(2))

    assert weighted.collapsed().customers.tolist() == [7.0]
    assert parts.collapsed().last_purchase.tolist() == [3.0, 3.25]


def test_a_collapsed_frame_brings_its_weights():
    collapsed = FRAME.iloc[1:3].assign(customer_count=[7, 3])

    assert purchase_counts(collapsed).customers.tolist() == [7.0, 3.0]


def test_an_empty_frame_has_no_customers():
    assert purchase_counts(FRAME.iloc[:0]).total == 0


def test_a_missing_column_is_named():
    with pytest.raises(ModelError, match=r"lacks recency_days; it has frequency, tenure_days"):
        purchase_counts(FRAME.drop(columns="recency_days"))


@pytest.mark.parametrize(
    ("history", "fault"),
    [
        ((-1.0, 0.0, 9.0, 1.0), "negative frequency"),
        ((1.5, 3.0, 9.0, 1.0), "no whole number"),
        ((1.0, -2.0, 9.0, 1.0), "last purchase before the first"),
        ((1.0, 10.0, 9.0, 1.0), "last purchase after the cut"),
        ((0.0, 4.0, 9.0, 1.0), "one purchase day whose last is not the first"),
        ((3.0, 0.0, 9.0, 1.0), "several purchase days whose last is the first"),
        ((1.0, 3.0, 9.0, 0.0), "weight that is not above 0"),
        ((1.0, np.nan, 9.0, 1.0), "missing or infinite"),
    ],
)
def test_a_history_that_cannot_be_is_refused(history, fault):
    with pytest.raises(ModelError, match=fault):
        PurchaseCounts(*(np.array([value]) for value in history))


def test_arrays_that_do_not_pair_up_are_refused():
    with pytest.raises(ModelError, match=r"different lengths \[2, 1, 1, 1\]"):
        PurchaseCounts(np.zeros(2), np.zeros(1), np.ones(1), np.ones(1))
