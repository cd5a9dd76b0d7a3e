"""Figures of a forecast worked out by hand, ties whose order must not matter, and a difference beyond chance."""

import numpy as np
import pytest

from cdp_lib.errors import ModelError
from cdp_lib.models.lifetime.evaluation import (
    decile_table,
    normalised_gini,
    paired_difference,
    spend_scores,
    top_share,
)


def test_error_and_level_are_those_of_the_forecast():
    scores = spend_scores(np.array([10.0, 0.0, 5.0]), np.array([20.0, 0.0, 0.0]))

    assert scores.mae == pytest.approx(5.0)
    assert scores.aggregate_error == pytest.approx(-0.25)


def test_the_true_order_scores_one_its_reverse_minus_one_and_no_order_nothing():
    truth = np.array([0.0, 1.0, 2.0, 7.0])

    assert normalised_gini(truth * 3 + 1, truth) == pytest.approx(1.0)
    assert normalised_gini(-truth, truth) == pytest.approx(-1.0)
    assert normalised_gini(np.ones(4), truth) == pytest.approx(0.0)


def test_gini_is_the_area_by_hand():
    # By prediction: 6, 0, 2, 0. Cumulated shares .75 .75 1 1; area above the diagonal .25; the best order's .3125.
    assert normalised_gini(np.array([4.0, 3.0, 2.0, 1.0]), np.array([6.0, 0.0, 2.0, 0.0])) == pytest.approx(
        0.25 / 0.3125
    )


def test_ties_do_not_depend_on_the_rows_order():
    rng = np.random.default_rng(1)
    predicted, truth = rng.integers(0, 4, 500).astype(float), rng.gamma(0.3, 10.0, 500)
    order = rng.permutation(500)

    assert normalised_gini(predicted[order], truth[order]) == pytest.approx(
        normalised_gini(predicted, truth), abs=1e-12
    )
    assert top_share(predicted[order], truth[order]) == pytest.approx(top_share(predicted, truth), abs=1e-12)
    np.testing.assert_allclose(decile_table(predicted[order], truth[order]), decile_table(predicted, truth))


def test_the_top_decile_takes_its_part_of_a_tie():
    predicted = np.array([9.0] + [5.0] * 4 + [0.0] * 10)
    truth = np.array([50.0] + [10.0] * 4 + [1.0] * 10)

    # One and a half of fifteen customers: the first, and half of one of those tied behind.
    assert top_share(predicted, truth) == pytest.approx(55 / 100)


def test_deciles_run_from_the_highest_forecast_down():
    table = decile_table(np.arange(20.0), np.arange(20.0) * 2)

    assert table["decile"].tolist() == list(range(1, 11))
    assert table["customer_count"].tolist() == [2] * 10
    assert table["predicted_amount"].iloc[0] == pytest.approx(18.5)
    assert table["actual_amount"].iloc[0] == pytest.approx(37.0)


def test_fewer_customers_than_deciles_make_fewer_rows():
    assert len(decile_table(np.arange(3.0), np.arange(3.0))) == 3


def test_nothing_true_leaves_shares_undefined():
    scores = spend_scores(np.array([1.0, 2.0]), np.zeros(2))

    assert np.isnan([scores.aggregate_error, scores.gini, scores.top_decile_share]).all()
    assert scores.mae == 1.5


def test_a_better_model_is_told_from_luck():
    rng = np.random.default_rng(3)
    loss = rng.gamma(0.5, 20.0, 5_000)
    noise = rng.normal(0.0, 1.0, 5_000)

    assert paired_difference(loss, loss + 0.2 + noise, seed=1).is_better
    assert not paired_difference(loss, loss + noise, seed=1).is_better
    assert not paired_difference(loss + 0.2 + noise, loss, seed=1).is_better


def test_the_interval_is_that_of_the_mean():
    rng = np.random.default_rng(4)
    difference = rng.normal(0.3, 2.0, 20_000)
    found = paired_difference(difference, np.zeros(20_000), seed=2)
    error = difference.std() / np.sqrt(20_000)

    assert found.mean == pytest.approx(difference.mean())
    assert found.low == pytest.approx(found.mean - 1.96 * error, abs=0.3 * error)
    assert found.high == pytest.approx(found.mean + 1.96 * error, abs=0.3 * error)


def test_customers_in_another_order_give_the_same_interval():
    rng = np.random.default_rng(5)
    left, right = rng.gamma(1.0, 1.0, 300), rng.gamma(1.0, 1.0, 300)
    order = rng.permutation(300)

    assert paired_difference(left[order], right[order], seed=7) == paired_difference(left, right, seed=7)


def test_numbers_that_do_not_pair_up_are_refused():
    with pytest.raises(ModelError, match="2 numbers beside 3"):
        spend_scores(np.ones(2), np.ones(3))
    with pytest.raises(ModelError, match="0 numbers beside 0"):
        paired_difference(np.ones(0), np.ones(0))
    with pytest.raises(ModelError, match="1 and 0 numbers are missing"):
        normalised_gini(np.array([np.nan, 1.0]), np.ones(2))
