"""Earlier days that models are trained as of: what came true after each of them is known by now."""

from dataclasses import dataclass
from datetime import date, timedelta

LEAST_STEP_DAYS = 14
_SHARES = (0.5, 0.65, 0.8)


@dataclass(frozen=True)
class Cut:
    """A day, and how many days after it are looked at."""

    day: date
    horizon_days: int


def spend_cuts(first_day: date, known_until: date, horizon_days: int, least_days: int) -> tuple[Cut, ...]:
    """Half, two thirds and four fifths into the history, or a horizon before its end where that is later; latest first.

    Each looks as far as what is known, at most a horizon; with `least_days` of history before it. That a horizon may be
    shorter than the one asked for lets a young business learn at all. The shares were chosen by forecasting the second
    half of what three public data sets know before their cuts from the first.
    """
    history = (known_until - first_day).days
    horizons = sorted({min(horizon_days, int(history * (1 - share))) for share in _SHARES})
    cuts = (Cut(known_until - timedelta(days=horizon), horizon) for horizon in horizons if horizon > 0)
    return tuple(cut for cut in cuts if (cut.day - first_day).days >= least_days)


def churn_cuts(first_day: date, known_until: date, horizon_days: int, *, most: int, least_days: int) -> tuple[Cut, ...]:
    """The latest day whose whole horizon is known, and up to `most - 1` before it, a third of a horizon apart."""
    step = max(horizon_days // 3, LEAST_STEP_DAYS)
    days = (known_until - timedelta(days=horizon_days + place * step) for place in range(most))
    return tuple(Cut(day, horizon_days) for day in days if (day - first_day).days >= least_days)


def late_churn_cuts(first_day: date, known_until: date, horizon_days: int, *, least_days: int) -> tuple[Cut, ...]:
    """Days since the latest cut with a whole horizon, a third of one apart: each looks as far as what is known.

    They tell what matters of late, while the labels of whole horizons are at least a horizon old.
    """
    step = max(horizon_days // 3, LEAST_STEP_DAYS)
    horizons = range(horizon_days - step, LEAST_STEP_DAYS - 1, -step)
    cuts = (Cut(known_until - timedelta(days=horizon), horizon) for horizon in horizons)
    return tuple(cut for cut in cuts if (cut.day - first_day).days >= least_days)


def all_churn_cuts(
    first_day: date, known_until: date, horizon_days: int, *, most: int, least_days: int
) -> tuple[Cut, ...]:
    """What churn is learnt on: `churn_cuts` and, where there is one, the `late_churn_cuts` since."""
    whole = churn_cuts(first_day, known_until, horizon_days, most=most, least_days=least_days)
    return (*whole, *late_churn_cuts(first_day, known_until, horizon_days, least_days=least_days)) if whole else ()
