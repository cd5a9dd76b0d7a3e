"""What a message did: two arms compared by their sums alone, less noisily by what customers did before.

Welch's test compares the means of arms of different size and spread. CUPED (Deng, Xu, Kohavi and Walker 2013, Improving
the Sensitivity of Online Controlled Experiments by Utilizing Pre-Experiment Data) takes from each customer's figure
what the figure before the assignment foretells: theta times its difference from the mean. What was before cannot depend
on the arm, so the lift keeps its expectation and loses variance, about the square of the correlation. An interval holds
for one look; whoever looks every day and stops at the first good one is wrong more often than 1 in 20.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, ROUND_HALF_UP
from fractions import Fraction
from typing import Any

import numpy as np
from scipy.stats import chi2, t as student_t  # type: ignore[import-untyped]  # SciPy ships no types

from cdp_lib.settings.activation import Activation, HOLDOUT

SIGNIFICANCE, POWER = 0.05, 0.8
SKEWED_BELOW = 0.001
"""Of the sample-ratio test: Fabijan et al. 2019 (Diagnosing Sample Ratio Mismatch in Online Controlled Experiments)."""
LEAST_CUSTOMERS = 30
"""Of each arm, before a verdict is given or a theta is believed."""
_LEAST_EXPECTED = 5
"""Of each arm, or chi-square's tail is not what its formula says."""

Number = int | float | Decimal


@dataclass(frozen=True)
class Sample:
    """Customers of one arm: mean and variance of the measure, of the same before the assignment, and their covariance.

    Means are None of nobody, variances of fewer than two.
    """

    customer_count: int = 0
    mean: float | None = None
    variance: float | None = None
    before_mean: float | None = None
    before_variance: float | None = None
    covariance: float | None = None

    @classmethod
    def of_sums(cls, sums: Mapping[str, Any]) -> "Sample":
        """From `transforms.campaign.measures.sufficient_statistics`: exact, so that large means cost no digits."""
        count = int(sums["customer_count"])
        if count == 0:
            return cls()
        value, before = Fraction(sums["value_sum"]), Fraction(sums["before_sum"])
        means = float(value / count), float(before / count)
        if count == 1:
            return cls(count, means[0], None, means[1])

        def spread(products: Number, left: Fraction, right: Fraction) -> float:
            return float((Fraction(products) - left * right / count) / (count - 1))

        return cls(
            count,
            means[0],
            spread(sums["value_square_sum"], value, value),
            means[1],
            spread(sums["before_square_sum"], before, before),
            spread(sums["product_sum"], value, before),
        )

    def adjusted(self, theta: float) -> "Sample":
        """As if each customer's figure were less theta times the one before."""
        if self.mean is None or self.before_mean is None:
            return self
        mean = self.mean - theta * self.before_mean
        if self.variance is None or self.before_variance is None or self.covariance is None:
            return Sample(self.customer_count, mean)
        variance = self.variance - 2 * theta * self.covariance + theta**2 * self.before_variance
        return Sample(self.customer_count, mean, max(variance, 0.0))

    @property
    def squared_error(self) -> float:
        """Of the mean; nan of fewer than two."""
        return math.nan if self.variance is None else self.variance / self.customer_count


@dataclass(frozen=True)
class Lift:
    """How much more one arm has than another; ends and p-value are None of too few, or where nobody differs."""

    lift: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    detectable: float | None = None


def pooled_theta(samples: Mapping[str, Sample]) -> float:
    """CUPED's slope within arms, one for all of them; 0 where the figures before do not vary or an arm is too small."""
    if any(sample.customer_count < LEAST_CUSTOMERS for sample in samples.values()):
        return 0.0
    weighed = [(one.customer_count - 1, one.covariance or 0.0, one.before_variance or 0.0) for one in samples.values()]
    varied = sum(weight * variance for weight, _, variance in weighed)
    return sum(weight * covariance for weight, covariance, _ in weighed) / varied if varied > 0 else 0.0


def compare(arm: Sample, against: Sample) -> Lift:
    """Welch's comparison of the means, and the least lift that would be seen with power 0.8."""
    if arm.mean is None or against.mean is None:
        return Lift()
    lift = arm.mean - against.mean
    squares = np.array([arm.squared_error, against.squared_error])
    error = float(np.sqrt(squares.sum()))
    if math.isnan(error):
        return Lift(lift)
    if error == 0:
        return Lift(lift, lift, lift, 0.0 if lift else None, 0.0)
    freedom = squares.sum() ** 2 / float((squares**2 / [arm.customer_count - 1, against.customer_count - 1]).sum())
    reach = float(student_t.ppf(1 - SIGNIFICANCE / 2, freedom))
    p_value = float(2 * student_t.sf(abs(lift) / error, freedom))
    detectable = (reach + float(student_t.ppf(POWER, freedom))) * error
    return Lift(lift, lift - reach * error, lift + reach * error, p_value, detectable)


def sample_ratio_p_value(counts: Mapping[str, int], shares: Mapping[str, float]) -> float | None:
    """Chi-square that arms drawn by these shares are so large; None: too few, one arm, or an arm without a share."""
    total = sum(counts.values())
    expected = {arm: share * total for arm, share in shares.items() if share > 0}
    if set(counts) - set(expected) or len(expected) < 2 or min(expected.values()) < _LEAST_EXPECTED:
        return None
    far = sum((counts.get(arm, 0) - wanted) ** 2 / wanted for arm, wanted in expected.items())
    return float(chi2.sf(far, len(expected) - 1))


def intended_shares(activation: Activation, seen: Mapping[str, int]) -> dict[str, float]:
    """Arm: the share of customers that the activation asks for, the holdout first, then in the order of the pack.

    Without arms of its own an activation has one, by whatever name it was `seen`.
    """
    written_to = 1 - activation.holdout_share
    arms = {arm.id: arm.share for arm in activation.arms} or {arm: 1.0 for arm in sorted(seen) if arm != HOLDOUT}
    return {HOLDOUT: activation.holdout_share} | {arm: written_to * share for arm, share in arms.items()}


@dataclass(frozen=True)
class Experiment:
    """One activation, judged by one measure: customers by arm whose window has passed, and how they were assigned."""

    activation: Activation
    samples: Mapping[str, Sample]
    assigned: Mapping[str, int]
    """Arm: customers who were assigned to it."""
    crossed_count: int
    is_money: bool

    @property
    def baseline(self) -> str | None:
        """What arms are compared with: the holdout, or the first arm where nobody is held out; None: nobody at all."""
        shares = intended_shares(self.activation, self.assigned)
        known = [arm for arm in shares if self.assigned.get(arm)]
        return next(iter([*known, *sorted(self.assigned)]), None)

    def rows(self) -> list[dict[str, Any]]:
        """Columns of gold.experiment_result, one row per arm that is compared; what names and dates it is the job's."""
        baseline = self.baseline
        if baseline is None:
            return []
        theta = pooled_theta({arm: self.samples.get(arm, Sample()) for arm in self.assigned})
        ratio = sample_ratio_p_value(self.assigned, intended_shares(self.activation, self.assigned))
        return [self._row(arm, baseline, theta, ratio) for arm in sorted(self.assigned) if arm != baseline]

    def _row(self, name: str, baseline: str, theta: float, ratio: float | None) -> dict[str, Any]:
        arm, against = self.samples.get(name, Sample()), self.samples.get(baseline, Sample())
        before, after = (compare(arm.adjusted(slope), against.adjusted(slope)) for slope in (0.0, theta))
        kept = _variance_kept(before, after)
        found = before if kept is None or kept >= 1 else after
        return {
            "arm": name,
            "against": baseline,
            "customer_count": arm.customer_count,
            "against_count": against.customer_count,
            "crossed_count": self.crossed_count,
            "mean": arm.mean,
            "against_mean": against.mean,
            "lift": found.lift,
            "lift_low": found.low,
            "lift_high": found.high,
            "relative_lift": found.lift / against.mean if found.lift is not None and against.mean else None,
            "p_value": found.p_value,
            "variance_kept": None if kept is None else min(kept, 1.0),
            "srm_p_value": ratio,
            "detectable_lift": found.detectable,
            "incremental_amount": _amount(found.lift, arm.customer_count) if self.is_money else None,
            "verdict": verdict(found, min(arm.customer_count, against.customer_count), ratio),
        }


def verdict(found: Lift, least_count: int, ratio: float | None) -> str:
    """In words; more of a measure counts as better. Arms that are skewed spoil whatever the figures say."""
    if ratio is not None and ratio < SKEWED_BELOW:
        return "arms are skewed"
    if least_count < LEAST_CUSTOMERS or found.p_value is None or found.lift is None:
        return "too early"
    if found.p_value >= SIGNIFICANCE:
        return "no difference seen"
    return "better" if found.lift > 0 else "worse"


@dataclass(frozen=True)
class PowerPreview:
    """What an experiment of that size could show, before anything is sent; lifts are None where it can show none."""

    treated_count: int
    held_out_count: int
    detectable_lift: float | None
    relative_lift: float | None

    @property
    def text(self) -> str:
        """For people."""
        groups = f"{self.treated_count:,} get it, {self.held_out_count:,} are held out"
        if min(self.treated_count, self.held_out_count) < 2:
            return f"{groups}: too few on one side to measure a lift; change holdout_share or the audience"
        if self.detectable_lift is None:
            return f"{groups}: how much customers differ in the measure is not known yet, nor what lift would be seen"
        relative = "" if self.relative_lift is None else f" ({self.relative_lift:.1%} of the mean)"
        return f"{groups}: a lift of {self.detectable_lift:,.4g}{relative} or more is seen 4 times in 5"


def power_preview(
    customers: int, holdout_share: float, mean: float | None, standard_deviation: float | None
) -> PowerPreview:
    """The least lift that so many customers show with power 0.8, by the measure's present mean and spread.

    CUPED will do better by as much as the past foretells. An unknown spread shows nothing.
    """
    held_out = round(customers * holdout_share)
    treated = customers - held_out
    if min(held_out, treated) < 2 or mean is None or standard_deviation is None:
        return PowerPreview(treated, held_out, None, None)
    variance = standard_deviation**2
    lift = compare(Sample(treated, mean, variance), Sample(held_out, mean, variance)).detectable
    return PowerPreview(treated, held_out, lift, lift / abs(mean) if lift is not None and mean else None)


def _variance_kept(before: Lift, after: Lift) -> float | None:
    """Of the lift, after CUPED; 1 where there was none to lose, None where it is unknown."""
    if before.high is None or before.low is None or after.high is None or after.low is None:
        return None
    return ((after.high - after.low) / (before.high - before.low)) ** 2 if before.high > before.low else 1.0


def _amount(lift: float | None, customers: int) -> Decimal | None:
    return None if lift is None else Decimal(lift * customers).quantize(Decimal("0.01"), ROUND_HALF_UP)
