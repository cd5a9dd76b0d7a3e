"""Who scores tomorrow, and whether today's scores may be published."""

import re
from dataclasses import replace

import numpy as np
import pytest

from cdp_lib.errors import ModelError
from cdp_lib.models.contest import judge, Losses
from cdp_lib.models.sanity import as_alike, bucket_shares, doubts, Outlook, score_edges, stability_index
from cdp_lib.settings.forecast import Sanity

RNG = np.random.default_rng(1)
NOISE = RNG.normal(0, 1, 2000)
CALM = Outlook("spend", 100.0, 90.0, False, 1.0, 0.1, 1000, 1, 3)


def test_a_challenger_must_beat_both_beyond_chance() -> None:
    good, bad = np.abs(NOISE), np.abs(NOISE) + 0.5
    assert judge(Losses(good, bad, bad), naive_name="naive").is_promoted
    assert judge(Losses(good, bad, None), naive_name="naive").is_promoted
    beaten = judge(Losses(bad, bad + 1, good), naive_name="naive")
    assert not beaten.is_promoted
    assert "better than naive" in beaten.reason
    assert "worse than the champion" in beaten.reason


def test_a_difference_that_chance_could_make_leaves_the_place_to_the_naive_figure() -> None:
    one, other = np.abs(NOISE), np.abs(RNG.permutation(NOISE))
    verdict = judge(Losses(one, other, None), naive_name="naive")
    assert verdict.loses_to_naive
    assert "no better or worse than naive" in verdict.reason


def test_a_model_that_loses_to_the_naive_figure_says_so() -> None:
    verdict = judge(Losses(np.abs(NOISE) + 1, np.abs(NOISE), None), naive_name="naive")
    assert verdict.loses_to_naive
    assert verdict.figures["naive.difference"] == pytest.approx(1.0)


@pytest.mark.parametrize(("off", "is_naive"), [(1.0, False), (0.0, True)])
def test_what_is_the_naive_figure_need_not_beat_itself_but_the_champion(off: float, is_naive: bool) -> None:
    # A model that lost to the naive figure gives way to it: that is what would take the champion's place.
    naive = np.abs(NOISE)
    better = judge(Losses(naive + off, naive, naive + 0.5), naive_name="naive", is_naive=is_naive)
    assert better.is_promoted
    assert better.loses_to_naive != is_naive
    assert "better than the champion" in better.reason
    assert ("it is naive" in better.reason) == is_naive
    same = judge(Losses(naive + off, naive, naive), naive_name="naive", is_naive=is_naive)
    assert not same.is_promoted
    assert not same.is_worse
    worse = Losses(naive + off, naive + off, naive)
    assert judge(worse, naive_name="naive", is_naive=is_naive).is_worse == (off > 0)
    # What had seen the answers says nothing of who is worse.
    assert not judge(replace(worse, champion_saw=90), naive_name="naive", is_naive=is_naive).is_worse


def test_of_a_model_as_good_as_the_naive_figure_that_figure_competes_with_the_champion() -> None:
    loss = np.abs(NOISE)
    better = judge(Losses(loss, loss, loss + 1), naive_name="naive")
    assert (better.is_promoted, better.loses_to_naive) == (True, True)
    # What the model itself might have been is not asked: it has not shown it.
    worse = judge(Losses(loss, loss + 0.001 * NOISE, loss - 1), naive_name="naive")
    assert (worse.is_promoted, worse.is_worse, worse.loses_to_naive) == (False, True, True)


def test_how_many_days_of_the_trial_the_champion_has_seen_is_told() -> None:
    loss = np.abs(NOISE)
    verdict = judge(Losses(loss, loss + 1, loss, champion_saw=83), naive_name="naive")
    assert "no better or worse than the champion (which has seen 83 of these days)" in verdict.reason
    assert verdict.figures["champion.days_seen"] == 83
    assert "has seen" not in judge(Losses(loss, loss + 1, loss), naive_name="naive").reason


def test_calm_scores_raise_no_doubt() -> None:
    assert doubts(CALM, Sanity()) == {}


@pytest.mark.parametrize(
    ("changed", "check", "told"),
    [
        # The coffee cards: a forecast 147% too high.
        ({"expected": 247.0, "naive": 100.0}, "forecast_is_near_the_last_period", "247, as in the last period 100"),
        (
            {"expected": 20.0},
            "forecast_is_near_the_last_period",
            r"more than 2 times apart \(sanity.most_times_naive\)",
        ),
        ({"expected": 30.0, "naive": 0.0}, "forecast_is_near_the_last_period", "forecast 30, as in the last period 0"),
        (
            {"expected": 30.0, "naive": -9.0},
            "forecast_is_near_the_last_period",
            "forecast 30, as in the last period -9",
        ),
        ({"drift": 0.8}, "scores_are_spread_as_in_training", r"index 0\.80, at most 0\.5"),
        (
            {"silent_days": 8},
            "orders_still_arrive",
            "nobody has bought for 8 days, 3 at most before: does the order feed",
        ),
    ],
)
def test_each_doubt_is_told_in_figures(changed: dict, check: str, told: str) -> None:
    found = doubts(replace(CALM, **changed), Sanity())
    assert list(found) == [check]
    assert re.search(told, found[check])


@pytest.mark.parametrize(
    "changed",
    [
        {"customer_count": 499, "expected": 900.0, "drift": 9.0},
        # Too few were known a horizon ago, or they were seen for less than one, when they were new and bought most.
        {"naive": None, "expected": 900.0},
        {"naive": 400.0, "is_bound": True},
        # One buyer in a hundred is no doubt, whatever was seen.
        {"naive": 0.0, "expected": 1.0},
        # A week without a purchase, and a shop that is closed for ten days every summer.
        {"silent_days": 7},
        {"silent_days": 19, "longest_silence_days": 10},
    ],
)
def test_what_is_no_doubt(changed: dict) -> None:
    assert doubts(replace(CALM, **changed), Sanity()) == {}


def test_a_feed_that_stopped_is_told_of_few_customers_too() -> None:
    few = replace(CALM, customer_count=3, expected=900.0, drift=9.0, silent_days=8)
    assert list(doubts(few, Sanity())) == ["orders_still_arrive"]


def test_an_upper_bound_still_stops_what_is_far_above_it() -> None:
    found = doubts(replace(CALM, expected=247.0, naive=100.0, is_bound=True), Sanity())
    assert list(found) == ["forecast_is_near_the_last_period"]


def test_todays_customers_are_taken_to_do_as_others_who_stood_as_they_do() -> None:
    # A stable shop with a campaign: ten thousand lapsed customers of whom 5% buy, and as many new ones, of whom 40% do.
    then, bought = np.array([[500.0, 9_500.0], [0.0, 0.0]]), np.array([[200.0, 475.0], [0.0, 0.0]])
    now = np.array([[10_000.0, 10_000.0], [0.0, 0.0]])
    assert as_alike(then, bought, now) == pytest.approx(4_500, rel=0.03)
    # One of two who stood so spent a fortune: it is not what everybody there will do.
    assert as_alike(np.array([[100.0, 2.0]]), np.array([[100.0, 1000.0]]), np.array([[0.0, 3.0]])) < 300
    with pytest.raises(ModelError, match="Nobody was known a while ago: there is nothing to hold a forecast against"):
        as_alike(np.zeros((2, 2)), np.zeros((2, 2)), now)


def test_stability_is_nothing_for_the_same_scores_and_much_for_shifted_ones() -> None:
    scores = RNG.normal(0, 1, 5000)
    edges = score_edges(scores)
    before = bucket_shares(scores, edges)
    assert sum(before) == pytest.approx(1.0)
    assert stability_index(before, bucket_shares(scores, edges)) == pytest.approx(0.0)
    assert stability_index(before, bucket_shares(scores + 2, edges)) > 1


def test_equal_scores_share_a_bucket() -> None:
    edges = score_edges(np.array([0.0] * 95 + [1.0] * 5))
    assert edges == (0.0,)
    assert bucket_shares(np.array([0.0, 0.0, -1.0, 1.0]), edges) == (0.25, 0.75)
    assert score_edges(np.array([])) == ()
