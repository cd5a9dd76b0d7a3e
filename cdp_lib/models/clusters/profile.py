"""What kind of customers a cluster holds, in words made from its figures."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

WORDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "frequency": ("frequent", "rare"),
        "recency_days": ("long away", "recent"),
        "tenure_days": ("old customer", "new customer"),
        "monetary_amount": ("high spend", "low spend"),
        "total_amount": ("high total", "low total"),
        "first_amount": ("big first order", "small first order"),
        "mean_gap_days": ("long gaps", "short gaps"),
        "largest_gap_days": ("long pauses", "no pauses"),
        "item_count": ("many items", "few items"),
    }
)
"""Feature: the words for those who have much of it, and for those who have little. A pack may give others."""
MOST_WORDS = 3
WORTH_A_WORD = 0.25
"""Units of the scale (about a standard deviation) from everybody's mean, from which a feature is worth a word."""
VERY = 1.5


@dataclass(frozen=True)
class Deviation:
    """One feature in which a cluster differs: its median, everybody's, and by how many units of the scale."""

    feature: str
    units: float
    median: float | None
    everybody: float | None


@dataclass(frozen=True)
class Profile:
    """The card of one cluster. Medians are None where no customer's value is known."""

    cluster: str
    name: str
    description: str
    customer_count: int
    share: float
    medians: dict[str, float | None]
    deviations: tuple[Deviation, ...]
    """The three features that differ most, the most different first."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self) | {"deviations": [asdict(deviation) for deviation in self.deviations]}

    @classmethod
    def from_dict(cls, body: Mapping[str, Any]) -> "Profile":
        """The card that `to_dict` wrote."""
        deviations = tuple(Deviation(**deviation) for deviation in body["deviations"])
        return cls(**{**body, "medians": dict(body["medians"]), "deviations": deviations})


@dataclass(frozen=True)
class Group:
    """The members of one cluster: raw figures and scaled ones, a row each."""

    cluster: str
    raw: Floats
    scaled: Floats


def describe_groups(
    groups: Sequence[Group], features: Sequence[str], words: Mapping[str, tuple[str, str]]
) -> tuple[Profile, ...]:
    """One card per group, in their order; no two names are the same."""
    raw, scaled = (np.vstack([getattr(group, part) for group in groups]) for part in ("raw", "scaled"))
    everybody = _medians(raw)
    middle = scaled.mean(axis=0) if len(scaled) else np.zeros(len(features))
    units = [group.scaled.mean(axis=0) - middle if len(group.scaled) else np.zeros(len(features)) for group in groups]
    names = _names([group.cluster for group in groups], units, features, words)
    cards = []
    for group, name, unit in zip(groups, names, units, strict=True):
        medians = _medians(group.raw)
        heaviest = np.argsort(-np.round(np.abs(unit), 9), kind="stable")[:MOST_WORDS]
        deviations = tuple(
            Deviation(features[place], float(unit[place]), medians[place], everybody[place]) for place in heaviest
        )
        share = len(group.raw) / max(len(raw), 1)
        cards.append(
            Profile(
                cluster=group.cluster,
                name=name,
                description=_sentence(len(group.raw), share, deviations),
                customer_count=len(group.raw),
                share=share,
                medians=dict(zip(features, medians, strict=True)),
                deviations=deviations,
            )
        )
    return tuple(cards)


def _medians(raw: Floats) -> list[float | None]:
    known = [column[~np.isnan(column)] for column in raw.T]
    return [float(np.median(column)) if column.size else None for column in known]


def _names(
    clusters: Sequence[str], units: Sequence[Floats], features: Sequence[str], words: Mapping[str, tuple[str, str]]
) -> list[str]:
    """Of three words each; of as many more as set it apart from another; at last with the cluster's own label."""
    said = [_words(unit, features, words) for unit in units]
    names = [", ".join(each[:MOST_WORDS]) or "average" for each in said]
    for length in range(MOST_WORDS + 1, len(features) + 1):
        twice = {name for name in names if names.count(name) > 1}
        names = [", ".join(each[:length]) if name in twice else name for name, each in zip(names, said, strict=True)]
        names = [name or "average" for name in names]
    twice = {name for name in names if names.count(name) > 1}
    return [f"{name} ({cluster})" if name in twice else name for name, cluster in zip(names, clusters, strict=True)]


def _words(unit: Floats, features: Sequence[str], words: Mapping[str, tuple[str, str]]) -> list[str]:
    told = []
    for place in np.argsort(-np.round(np.abs(unit), 9), kind="stable"):
        if abs(unit[place]) < WORTH_A_WORD:
            break
        plain = features[place].replace("_", " ")
        much, little = words.get(features[place], (f"high {plain}", f"low {plain}"))
        told.append(("very " if abs(unit[place]) >= VERY else "") + (much if unit[place] > 0 else little))
    return told


def _sentence(count: int, share: float, deviations: Sequence[Deviation]) -> str:
    differs = [deviation for deviation in deviations if abs(deviation.units) >= WORTH_A_WORD]
    figures = "; ".join(
        f"{deviation.feature.replace('_', ' ')} {_figure(deviation.median)}, everybody {_figure(deviation.everybody)}"
        for deviation in differs
    )
    return f"{count:,} customers ({share:.0%}), " + (f"by medians: {figures}." if figures else "like everybody.")


def _figure(value: float | None) -> str:
    if value is None:
        return "unknown"
    return f"{value:,.0f}" if abs(value) >= 100 or value == round(value) else f"{value:,.2f}"
