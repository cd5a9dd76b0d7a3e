"""Customer clusters that keep their labels from run to run, each with a card that says who is in it.

k-means (Lloyd, 1982) on features that a pack chooses, scaled by median and quartiles, skewed ones by their logarithm,
tails cut off.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cdp_lib.errors import ModelError
from cdp_lib.models.clusters.kmeans import (
    choose_centres,
    ClusterSettings,
    keep_numbers,
    nearest,
    number_anew,
    ONE_CLUSTER,
)
from cdp_lib.models.clusters.profile import describe_groups, Group, Profile, WORDS
from cdp_lib.models.clusters.scaling import fit_scaling, raw_features, Scaling

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]

MOST_ROWS = 50_000
"""Customers, drawn by golden_id, from which centres do not move any more; cards count everybody."""
EVERYBODY = "everybody"
"""The label where there are no groups: that of none, so that no campaign of a group reaches all the others."""


@dataclass(frozen=True)
class ClusterModel:
    """Fitted clusters: centres in the scaling, the number in each one's label, and its card.

    Where everybody is one cluster, scaling, centres and numbers are those of the last groups there were, to know them
    again by.
    """

    scaling: Scaling
    centres: Floats
    numbers: Numbers
    next_number: int
    """The first that no cluster ever had: numbers of groups that are gone are not given again."""
    profiles: tuple[Profile, ...]
    """In the order of the labels."""
    form: str
    """k_means or one_cluster."""
    reason: str
    silhouettes: dict[int, float]
    """Number of clusters tried: mean silhouette."""

    @classmethod
    def fit(
        cls,
        frame: pd.DataFrame,
        features: Sequence[str],
        *,
        settings: ClusterSettings | None = None,
        previous: "ClusterModel | None" = None,
        words: Mapping[str, tuple[str, str]] = WORDS,
    ) -> "ClusterModel":
        """Clusters of the customers in `frame` (one row per golden_id) by `features`.

        A group of `previous` that is found again keeps its label; others get numbers that were never used. So do all
        when the features are others than then. Raises ModelError for no or missing features, words among them, and
        doubled customers.
        """
        raw = _ordered(frame, features)
        scaling = fit_scaling(raw[:MOST_ROWS], features)
        scaled = scaling.forward(raw)
        comparable = previous if previous is not None and previous.scaling.features == scaling.features else None
        former = None if comparable is None else scaling.forward(comparable.scaling.backward(comparable.centres))
        choice = choose_centres(scaled[:MOST_ROWS], settings or ClusterSettings(), former)
        first = 1 if previous is None else previous.next_number
        if choice.form == ONE_CLUSTER:
            last = comparable or cls(scaling, choice.centres, np.empty(0, np.int64), first, (), ONE_CLUSTER, "", {})
            profiles = describe_groups([Group(EVERYBODY, raw, scaled)], features, words)
            return replace(last, profiles=profiles, form=ONE_CLUSTER, reason=choice.reason, silhouettes={})
        place = nearest(scaled, choice.centres)
        sizes = np.bincount(place, minlength=len(choice.centres))
        numbers = number_anew(choice.centres, sizes, first)
        if comparable is not None:
            numbers = comparable._recognise(scaling.backward(choice.centres), numbers)
        order = np.argsort(numbers)
        groups = [Group(_label(numbers[at]), raw[place == at], scaled[place == at]) for at in order]
        return cls(
            scaling=scaling,
            centres=choice.centres[order],
            numbers=numbers[order],
            next_number=max(first, int(numbers.max()) + 1),
            profiles=describe_groups(groups, features, words),
            form=choice.form,
            reason=choice.reason,
            silhouettes=choice.silhouettes,
        )

    def _recognise(self, raw_centres: Floats, fresh: Numbers) -> Numbers:
        """This model's number for each centre that is one of its groups, else the next ones free."""
        kept = keep_numbers(self.scaling.forward(raw_centres), self.centres, self.numbers, fresh)
        is_new = kept >= self.next_number
        kept[is_new] = self.next_number + np.argsort(np.argsort(kept[is_new]))
        return kept

    @property
    def labels(self) -> tuple[str, ...]:
        """cluster_<number>, in the order of the centres; `everybody` alone where there are no groups."""
        return (EVERYBODY,) if self.form == ONE_CLUSTER else tuple(_label(number) for number in self.numbers)

    def score(self, frame: pd.DataFrame) -> pd.DataFrame:
        """One row per row of `frame`: golden_id, cluster (its label), cluster_name (its card's).

        Unknown values count as the median. Raises ModelError naming features that are missing.
        """
        raw = raw_features(frame, self.scaling.features)
        is_one = self.form == ONE_CLUSTER
        place = np.zeros(len(raw), np.int64) if is_one else nearest(self.scaling.forward(raw), self.centres)
        names = np.array([profile.name for profile in self.profiles], dtype=object)
        return pd.DataFrame(
            {
                "golden_id": frame["golden_id"].to_numpy(dtype=object),
                "cluster": np.array(self.labels, dtype=object)[place],
                "cluster_name": names[place],
            }
        )

    def to_dict(self) -> dict[str, Any]:
        """The body for JSON."""
        return {
            "scaling": self.scaling.to_dict(),
            "centres": self.centres.tolist(),
            "numbers": self.numbers.tolist(),
            "next_number": self.next_number,
            "profiles": [profile.to_dict() for profile in self.profiles],
            "form": self.form,
            "reason": self.reason,
            "silhouettes": {str(k): value for k, value in self.silhouettes.items()},
        }

    @classmethod
    def from_dict(cls, body: Mapping[str, Any]) -> "ClusterModel":
        """The model that `to_dict` wrote. Raises ModelError where parts of it are missing."""
        missing = sorted(set(cls.__dataclass_fields__) - set(body))
        if missing:
            raise ModelError(f"clusters: the model's body lacks {missing}. Load one that ClusterModel.to_dict wrote.")
        return cls(
            scaling=Scaling.from_dict(body["scaling"]),
            centres=np.array(body["centres"], dtype=np.float64).reshape(-1, len(body["scaling"]["features"])),
            numbers=np.array(body["numbers"], dtype=np.int64),
            next_number=int(body["next_number"]),
            profiles=tuple(Profile.from_dict(profile) for profile in body["profiles"]),
            form=str(body["form"]),
            reason=str(body["reason"]),
            silhouettes={int(k): float(value) for k, value in body["silhouettes"].items()},
        )


def _label(number: int) -> str:
    return f"cluster_{number}"


def _ordered(frame: pd.DataFrame, features: Sequence[str]) -> Floats:
    """Raw features in an order drawn from golden_id: the first rows are a fair sample, the same ones each run."""
    if not features or len(set(features)) < len(features):
        raise ModelError(f"clusters: features {list(features)}. Give at least one, and each once.")
    raw = raw_features(frame, features)
    doubled = int(frame["golden_id"].duplicated().sum())
    if doubled:
        raise ModelError(f"clusters: {doubled} rows repeat a golden_id. Give one row a customer.")
    golden_id = frame["golden_id"].to_numpy(dtype=object)
    spread = pd.util.hash_array(golden_id)
    order = np.lexsort((golden_id.astype(str), spread))
    return raw[order]
