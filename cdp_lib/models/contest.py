"""Whether a newly trained model takes the champion's place, decided on days that it has not seen."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cdp_lib.models.lifetime.evaluation import paired_difference, PairedDifference

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Losses:
    """Per customer of the back-test, in one order: how far off each side was."""

    challenger: Floats
    naive: Floats
    champion: Floats | None
    """None: there is no champion yet."""


@dataclass(frozen=True)
class Verdict:
    """Whether the challenger is promoted, and why, in words; `figures` are for the training's record."""

    is_promoted: bool
    loses_to_naive: bool
    """The naive figure is better beyond chance: then it is what a first model gives way to."""
    reason: str
    figures: dict[str, float]


def judge(losses: Losses, *, naive_name: str, seed: int = 0) -> Verdict:
    """Promoted: its loss is lower than the naive figure's and than the champion's, each beyond chance (paired, 95%).

    A champion that was trained on days of the back-test has seen them, which makes it harder to beat, never easier.
    """
    against_naive = paired_difference(losses.challenger, losses.naive, seed)
    said = [_told(against_naive, naive_name)]
    figures = _figures("naive", against_naive, losses.naive) | {"challenger.loss": float(losses.challenger.mean())}
    is_promoted = against_naive.is_better
    if losses.champion is not None:
        against_champion = paired_difference(losses.challenger, losses.champion, seed)
        said.append(_told(against_champion, "the champion"))
        figures |= _figures("champion", against_champion, losses.champion)
        is_promoted = is_promoted and against_champion.is_better
    return Verdict(is_promoted, against_naive.low > 0, "; ".join(said), figures)


def _told(difference: PairedDifference, other: str) -> str:
    how = "better than" if difference.is_better else "worse than" if difference.low > 0 else "no better or worse than"
    return (
        f"{how} {other}: loss {difference.mean:+.4g} per customer "
        f"({difference.confidence:.0%}: {difference.low:+.4g} to {difference.high:+.4g})"
    )


def _figures(name: str, difference: PairedDifference, loss: Floats) -> dict[str, float]:
    return {
        f"{name}.loss": float(loss.mean()),
        f"{name}.difference": difference.mean,
        f"{name}.difference_low": difference.low,
        f"{name}.difference_high": difference.high,
    }
