"""Earlier days to learn from: their horizons have passed."""

from datetime import date, timedelta

from cdp_lib.models.cuts import all_churn_cuts, churn_cuts, Cut, late_churn_cuts, spend_cuts

FIRST, UNTIL = date(2024, 1, 1), date(2024, 12, 26)


def test_spend_is_learnt_a_horizon_ago_and_on_shorter_horizons_in_a_short_history() -> None:
    assert (UNTIL - FIRST).days == 360
    assert spend_cuts(FIRST, UNTIL, 60, 28) == (Cut(UNTIL - timedelta(days=60), 60),)
    assert [cut.horizon_days for cut in spend_cuts(FIRST, UNTIL, 200, 28)] == [71, 125, 180]
    assert [cut.horizon_days for cut in spend_cuts(FIRST, UNTIL, 200, 200)] == [71, 125]
    assert spend_cuts(FIRST, FIRST, 60, 0) == ()


def test_churn_is_learnt_on_whole_horizons_a_third_apart() -> None:
    cuts = churn_cuts(FIRST, UNTIL, 90, most=3, least_days=28)
    assert [(UNTIL - cut.day).days for cut in cuts] == [90, 120, 150]
    assert [(UNTIL - cut.day).days for cut in churn_cuts(FIRST, UNTIL, 30, most=2, least_days=28)] == [30, 44]
    assert churn_cuts(FIRST, FIRST + timedelta(days=100), 90, most=3, least_days=28) == ()


def test_since_the_last_whole_horizon_churn_is_learnt_on_what_is_known_of_one() -> None:
    cuts = late_churn_cuts(FIRST, UNTIL, 90, least_days=28)
    assert cuts == (Cut(UNTIL - timedelta(days=60), 60), Cut(UNTIL - timedelta(days=30), 30))
    assert [cut.horizon_days for cut in late_churn_cuts(FIRST, UNTIL, 30, least_days=28)] == [16]
    assert late_churn_cuts(FIRST, UNTIL, 20, least_days=28) == ()
    assert late_churn_cuts(FIRST, FIRST + timedelta(days=70), 90, least_days=28) == (Cut(date(2024, 2, 10), 30),)


def test_without_a_whole_horizon_there_is_nothing_to_learn_churn_on() -> None:
    cuts = all_churn_cuts(FIRST, UNTIL, 90, most=3, least_days=28)
    assert [cut.horizon_days for cut in cuts] == [90, 90, 90, 60, 30]
    assert all_churn_cuts(FIRST, FIRST + timedelta(days=70), 90, most=3, least_days=28) == ()
