"""Figures of churn scores: known answers, the same in any order of the rows, and errors that say what to do."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import brier_score_loss, log_loss as their_log_loss, roc_auc_score

from cdp_lib.errors import ModelError
from cdp_lib.models.churn.evaluation import (
    auc,
    auc_of_counts,
    brier,
    calibration_table,
    compare_auc,
    decile_table,
    evaluate_scores,
    expected_calibration_error,
    lift_at,
    log_loss,
)

RNG = np.random.default_rng(7)
CHANCE = np.round(RNG.uniform(size=500), 1)  # many ties
LABEL = (RNG.uniform(size=500) < CHANCE).astype(float)


def test_the_figures_are_those_of_scikit_learn_with_ties() -> None:
    kept = np.clip(CHANCE, 0.05, 0.95)
    assert auc(LABEL, CHANCE) == pytest.approx(roc_auc_score(LABEL, CHANCE))
    assert brier(LABEL, CHANCE) == pytest.approx(brier_score_loss(LABEL, CHANCE))
    assert log_loss(LABEL, kept) == pytest.approx(their_log_loss(LABEL, kept))


def test_a_wrong_certainty_costs_a_finite_log_loss() -> None:
    assert 30 < log_loss([1, 0], [0.0, 0.0]) * 2 < 40


def test_auc_of_one_class_is_unknown() -> None:
    assert np.isnan(auc([1, 1], [0.1, 0.2]))
    assert np.isnan(auc([0, 0], [0.1, 0.2]))


def test_lift_counts_the_churners_among_the_highest_scores() -> None:
    label = [1, 1, 0, 0, 0, 0, 0, 0, 0, 0]
    assert lift_at(label, np.arange(10, 0, -1), 0.1) == pytest.approx(5)
    assert lift_at(label, np.arange(10), 0.2) == 0
    assert lift_at(label, np.arange(10), 1.0) == pytest.approx(1)


def test_customers_of_one_score_share_their_places() -> None:
    assert lift_at([1, 0, 0, 0], [0.5, 0.5, 0.5, 0.5], 0.25) == pytest.approx(1)
    assert lift_at([1, 0, 0, 0], [0.5, 0.5, 0.1, 0.1], 0.25) == pytest.approx(2)


def test_deciles_tell_rate_lift_and_share_highest_scores_first() -> None:
    label = np.repeat([1.0, 0.0], [10, 30])
    table = decile_table(label, np.arange(40, 0, -1), parts=4)
    expected = pd.DataFrame(
        {
            "decile": [1, 2, 3, 4],
            "customer_count": [10.0] * 4,
            "mean_score": [35.5, 25.5, 15.5, 5.5],
            "churn_rate": [1.0, 0.0, 0.0, 0.0],
            "lift": [4.0, 0.0, 0.0, 0.0],
            "churn_share": [1.0] * 4,
        }
    )
    pd.testing.assert_frame_equal(table, expected)


def test_calibration_compares_what_was_foretold_with_what_came_true() -> None:
    table = calibration_table([0, 1, 1, 1], [0.1, 0.2, 0.9, 1.0], bins=2)
    expected = pd.DataFrame(
        {
            "from_probability": [0.0, 0.5],
            "to_probability": [0.5, 1.0],
            "customer_count": [2, 2],
            "mean_predicted": [0.15, 0.95],
            "observed_rate": [0.5, 1.0],
        }
    )
    pd.testing.assert_frame_equal(table, expected)
    assert expected_calibration_error([0, 1, 1, 1], [0.1, 0.2, 0.9, 1.0], bins=2) == pytest.approx(0.2)


def test_empty_bins_are_left_out_of_the_calibration() -> None:
    assert calibration_table([1], [1.0])["from_probability"].tolist() == [0.9]


def test_figures_do_not_depend_on_the_order_of_the_rows() -> None:
    order = np.random.default_rng(1).permutation(500)
    for table in (decile_table, calibration_table):
        pd.testing.assert_frame_equal(table(LABEL, CHANCE), table(LABEL[order], CHANCE[order]))
    assert evaluate_scores(LABEL, CHANCE) == pytest.approx(evaluate_scores(LABEL[order], CHANCE[order]), abs=1e-12)


def test_auc_of_counts_is_that_of_the_customers() -> None:
    scores = np.unique(CHANCE)
    counts = [np.array([np.sum((score == CHANCE) & (side == LABEL)) for score in scores], float) for side in (1, 0)]
    assert auc_of_counts(*counts) == pytest.approx(auc(LABEL, CHANCE))


def test_delong_agrees_with_the_bootstrap() -> None:
    rng = np.random.default_rng(3)
    label = (rng.uniform(size=2000) < 0.4).astype(float)
    good, poor = label + rng.normal(size=2000), label * 0.5 + rng.normal(size=2000)
    test = compare_auc(label, good, poor)
    drawn = [rng.integers(0, 2000, 2000) for _ in range(300)]
    differences = [auc(label[rows], good[rows]) - auc(label[rows], poor[rows]) for rows in drawn]
    assert test.auc == pytest.approx(auc(label, good))
    assert test.difference == pytest.approx(auc(label, good) - auc(label, poor))
    assert test.standard_error == pytest.approx(np.std(differences), rel=0.15)
    assert test.p_value < 0.01


def test_a_scorer_does_not_beat_itself_nor_its_own_ranks() -> None:
    assert compare_auc(LABEL, CHANCE, CHANCE).p_value == 1
    assert compare_auc(LABEL, CHANCE, CHANCE * 3).difference == 0


def test_errors_say_what_to_do() -> None:
    with pytest.raises(ModelError, match=r"labels of shape \(2,\), scores of shape \(1,\).*one of each per customer"):
        auc([0, 1], [0.5])
    with pytest.raises(ModelError, match="labels other than 0 and 1"):
        auc([0, 2], [0.5, 0.6])
    with pytest.raises(ModelError, match=r"1 of 2 scores are NaN\. Score every customer"):
        auc([0, 1], [0.5, np.nan])
    with pytest.raises(ModelError, match=r"probabilities from -1 to 2\. They lie between 0 and 1"):
        brier([0, 1], [-1, 2])
    with pytest.raises(ModelError, match=r"share 0 is not above 0"):
        lift_at([0, 1], [0.1, 0.2], 0)
    with pytest.raises(ModelError, match=r"1 churned, 1 stayed\. Each needs at least 2"):
        compare_auc([0, 1], [0.1, 0.2], [0.1, 0.2])
