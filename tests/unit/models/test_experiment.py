"""Arms compared: Welch against SciPy, CUPED against a simulation, sample ratios, verdicts and power."""

from decimal import Decimal

import numpy as np
import pytest
from scipy import stats

from cdp_lib.models.experiment import (
    compare,
    Experiment,
    intended_shares,
    Lift,
    pooled_theta,
    power_preview,
    Sample,
    sample_ratio_p_value,
    verdict,
)
from cdp_lib.settings.activation import Activation


def activation(*arms: tuple[str, float], holdout: float = 0.5) -> Activation:
    said = [{"id": name, "share": share} for name, share in arms]
    body = {"kind": "activation", "id": "hello", "destination": "letters", "holdout_share": holdout, "arms": said}
    return Activation.model_validate(body)


def sample(value: np.ndarray, before: np.ndarray | None = None) -> Sample:
    """What Spark would hand over of these customers."""
    earlier = np.zeros_like(value) if before is None else before
    sums = {"value_sum": value, "value_square_sum": value**2, "before_sum": earlier, "before_square_sum": earlier**2}
    totals = {
        name: Decimal(float(figures.sum())) for name, figures in (sums | {"product_sum": value * earlier}).items()
    }
    return Sample.of_sums(totals | {"customer_count": len(value)})


def experiment(treated: Sample, held_out: Sample, *, is_money: bool = False, **more: object) -> Experiment:
    counts = {"a": treated.customer_count, "holdout": held_out.customer_count}
    return Experiment(activation(), {"a": treated, "holdout": held_out}, counts, 0, is_money, **more)


def test_comparison_is_welchs_test_of_unequal_arms() -> None:
    rng = np.random.default_rng(1)
    one, other = rng.gamma(2.0, 3.0, 400), rng.gamma(2.0, 2.5, 60)
    found = compare(sample(one), sample(other))
    oracle = stats.ttest_ind_from_stats(
        one.mean(), one.std(ddof=1), len(one), other.mean(), other.std(ddof=1), len(other), equal_var=False
    )
    interval = stats.ttest_ind(one, other, equal_var=False).confidence_interval(0.95)
    assert found.p_value == pytest.approx(oracle.pvalue)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.lift == pytest.approx(one.mean() - other.mean())


def test_sums_of_large_amounts_lose_no_digit() -> None:
    big = 10**11
    sums = {
        "customer_count": 3,
        "value_sum": Decimal(3 * big + 3),
        "value_square_sum": Decimal(3 * big**2 + 6 * big + 5),
    }
    found = Sample.of_sums(sums | dict.fromkeys(("before_sum", "before_square_sum", "product_sum"), Decimal(0)))
    assert (found.mean, found.variance) == (big + 1, 1.0)


def test_cuped_cuts_the_variance_by_the_squared_correlation_and_keeps_the_interval_true() -> None:
    rng = np.random.default_rng(20)
    rho, size, times, lift = 0.7, 200, 600, 0.3
    kept, covered, plain = [], 0, 0
    for _ in range(times):
        before = rng.normal(size=(2, size))
        value = rho * before + np.sqrt(1 - rho**2) * rng.normal(size=(2, size)) + [[lift], [0.0]]
        row = experiment(sample(value[0], before[0]), sample(value[1], before[1])).rows()[0]
        kept.append(row["variance_kept"])
        covered += row["lift_low"] <= lift <= row["lift_high"]
        raw = compare(sample(value[0]), sample(value[1]))
        plain += raw.low <= lift <= raw.high
    assert np.mean(kept) == pytest.approx(1 - rho**2, abs=0.02)
    assert 0.93 <= covered / times <= 0.97
    assert 0.93 <= plain / times <= 0.97


def test_a_past_that_foretells_nothing_changes_nothing() -> None:
    rng = np.random.default_rng(3)
    value = rng.normal(size=(2, 100))
    row = experiment(sample(value[0]), sample(value[1])).rows()[0]
    raw = compare(sample(value[0]), sample(value[1]))
    assert (row["variance_kept"], row["lift"], row["p_value"]) == (1.0, raw.lift, raw.p_value)


def test_theta_is_pooled_within_arms_and_needs_enough_customers() -> None:
    rng = np.random.default_rng(4)
    before = rng.normal(size=500)
    steep, flat = sample(3 * before + 100, before), sample(before, before)
    assert pooled_theta({"a": steep, "b": flat}) == pytest.approx(2.0)
    assert pooled_theta({"a": steep, "b": sample(before[:29], before[:29])}) == 0.0


def test_sample_ratio_is_the_chi_square_of_the_intended_shares() -> None:
    # 821,588 and 815,482 users of a 50/50 split: a difference that no eye sees and chance does not make.
    counts, even = {"a": 821_588, "holdout": 815_482}, {"a": 0.5, "holdout": 0.5}
    found = sample_ratio_p_value(counts, even)
    assert found == pytest.approx(stats.chisquare([821_588, 815_482]).pvalue)
    assert found < 0.001
    assert sample_ratio_p_value({"a": 905, "holdout": 95}, {"a": 0.9, "holdout": 0.1}) == pytest.approx(0.598, abs=1e-3)
    assert sample_ratio_p_value({"a": 100}, {"a": 0.5, "holdout": 0.5}) < 1e-20


@pytest.mark.parametrize(
    ("counts", "shares"),
    [
        ({}, {"a": 0.5, "holdout": 0.5}),
        ({"a": 45, "holdout": 4}, {"a": 0.91, "holdout": 0.09}),
        ({"a": 100}, {"a": 1.0, "holdout": 0.0}),
        ({"a": 50, "former": 50}, {"a": 0.5, "holdout": 0.5}),
    ],
)
def test_sample_ratio_is_unknown_of_too_few_or_of_arms_that_nobody_asked_for(counts: dict, shares: dict) -> None:
    assert sample_ratio_p_value(counts, shares) is None


def test_arms_share_what_the_holdout_leaves() -> None:
    shares = intended_shares(activation(("long", 0.25), ("short", 0.75), holdout=0.2), {})
    assert shares == pytest.approx({"holdout": 0.2, "long": 0.2, "short": 0.6})
    assert intended_shares(activation(holdout=0.1), {"holdout": 3, "message": 5}) == {"holdout": 0.1, "message": 0.9}


def test_arms_are_compared_with_the_holdout_or_else_with_the_first_of_the_pack() -> None:
    samples = {name: sample(np.arange(40.0)) for name in ("short", "long", "holdout")}
    held_out = Experiment(activation(("short", 0.5), ("long", 0.5)), samples, dict.fromkeys(samples, 40), 2, False)
    assert [(row["arm"], row["against"], row["crossed_count"]) for row in held_out.rows()] == [
        ("long", "holdout", 2),
        ("short", "holdout", 2),
    ]
    alone = Experiment(
        activation(("short", 0.5), ("long", 0.5), holdout=0), samples, {"short": 40, "long": 40}, 0, False
    )
    assert [(row["arm"], row["against"]) for row in alone.rows()] == [("long", "short")]
    assert Experiment(activation(), {}, {}, 0, False).rows() == []


def test_revenue_is_the_lift_of_all_customers_of_the_arm_and_only_of_money() -> None:
    treated, held_out = sample(np.tile([12.0, 14.0], 50)), sample(np.tile([9.0, 11.0], 40))
    money, figure = (experiment(treated, held_out, is_money=is_money).rows()[0] for is_money in (True, False))
    assert money["incremental_amount"] == Decimal("300.00")
    assert (money["relative_lift"], money["verdict"]) == (pytest.approx(0.3), "better")
    assert figure["incremental_amount"] is None


@pytest.mark.parametrize(
    ("found", "least_count", "ratio", "said"),
    [
        (Lift(1.0, p_value=0.01), 30, None, "better"),
        (Lift(-1.0, p_value=0.049), 30, 0.5, "worse"),
        (Lift(1.0, p_value=0.05), 30, 0.5, "no difference seen"),
        (Lift(1.0, p_value=0.01), 29, 0.5, "too early"),
        (Lift(0.0), 30, 0.5, "too early"),
        (Lift(1.0, p_value=0.01), 30, 0.0009, "arms are skewed"),
        (Lift(1.0, p_value=0.01), 30, 0.001, "better"),
    ],
)
def test_verdict_in_words(found: Lift, least_count: int, ratio: float | None, said: str) -> None:
    assert verdict(found, least_count, ratio) == said


def test_nobody_one_and_all_alike_have_no_interval() -> None:
    alike = sample(np.full(50, 2.0))
    assert compare(Sample(), alike) == Lift()
    assert compare(sample(np.array([3.0])), alike) == Lift(1.0)
    assert compare(alike, alike) == Lift(0.0, 0.0, 0.0, None, 0.0)
    assert compare(sample(np.full(50, 3.0)), alike) == Lift(1.0, 1.0, 1.0, 0.0, 0.0)
    row = Experiment(activation(), {"a": alike}, {"a": 50, "holdout": 50}, 0, True).rows()[0]
    assert (row["mean"], row["against_mean"], row["lift"], row["incremental_amount"]) == (2.0, None, None, None)
    assert (row["against_count"], row["variance_kept"], row["verdict"]) == (0, None, "too early")


def test_the_detectable_lift_is_seen_four_times_in_five() -> None:
    rng = np.random.default_rng(5)
    preview = power_preview(500, 0.2, 10.0, 4.0)
    assert (preview.treated_count, preview.held_out_count) == (400, 100)
    treated = rng.normal(10.0 + preview.detectable_lift, 4.0, (4_000, 400))
    held_out = rng.normal(10.0, 4.0, (4_000, 100))
    seen = stats.ttest_ind(treated, held_out, axis=1, equal_var=False).pvalue < 0.05
    assert seen.mean() == pytest.approx(0.8, abs=0.02)
    assert preview.relative_lift == pytest.approx(preview.detectable_lift / 10)
    assert preview.text.startswith("400 get it, 100 are held out: a lift of 1.26")


@pytest.mark.parametrize(
    ("share", "deviation", "said"),
    [(0.0, 4.0, "too few on one side"), (0.002, 4.0, "too few on one side"), (0.2, None, "is not known yet")],
)
def test_without_two_groups_or_a_known_spread_no_lift_is_promised(
    share: float, deviation: float | None, said: str
) -> None:
    preview = power_preview(500, share, 10.0, deviation)
    assert preview.detectable_lift is None
    assert said in preview.text
