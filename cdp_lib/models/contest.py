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
    champion_saw: int = 0
    """Days of the back-test that it was trained on."""


@dataclass(frozen=True)
class Verdict:
    """Whether the challenger is promoted, and why, in words; `figures` are for the training's record."""

    is_promoted: bool
    loses_to_naive: bool
    """It does not beat the naive figure beyond chance: then that is registered in the challenger's place."""
    reason: str
    figures: dict[str, float]
    is_worse: bool = False
    """What would be promoted is worse than a champion that had not seen the days either, beyond chance."""


def judge(losses: Losses, *, naive_name: str, is_naive: bool = False, seed: int = 0) -> Verdict:
    """Promoted: its loss is lower than the naive figure's and than the champion's, each beyond chance (paired, 95%).

    What *is* the naive figure, because there was too little for a model (`is_naive`) or because the model did not beat
    it, cannot be better than itself: it is compared with the champion alone.
    A champion that was trained on days of the back-test has seen them, which makes it harder to beat, never easier.
    """
    against_naive = paired_difference(losses.challenger, losses.naive, seed)
    loses = not against_naive.is_better and not is_naive
    stands_as_naive = is_naive or loses
    said = [f"it is {naive_name}"] if is_naive else [_told(against_naive, naive_name)]
    figures = _figures("naive", against_naive, losses.naive) | {"challenger.loss": float(losses.challenger.mean())}
    is_promoted, is_worse = True, False
    if losses.champion is not None:
        candidate = losses.naive if stands_as_naive else losses.challenger
        against_champion = paired_difference(candidate, losses.champion, seed)
        said.append(f"{f'{naive_name} is ' if loses else ''}{_told(against_champion, _champion_name(losses))}")
        figures |= _figures("champion", against_champion, losses.champion)
        figures["champion.days_seen"] = float(losses.champion_saw)
        is_promoted = against_champion.is_better
        is_worse = against_champion.low > 0 and not losses.champion_saw
    return Verdict(is_promoted, loses, "; ".join(said), figures, is_worse)


def _champion_name(losses: Losses) -> str:
    return "the champion" + (f" (which has seen {losses.champion_saw} of these days)" if losses.champion_saw else "")


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
