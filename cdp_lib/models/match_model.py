"""A learned match model as a value: what agreement is worth in bits, as plain data, and the threshold that follows."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FieldModel:
    """One field: m, u and h of each level from 0, and what frequent values add to the highest level, in bits.

    `terms` names values by hash. `rare` is added for every other value. h is u where a household does not share the
    field.
    """

    field: str
    m: tuple[float, ...]
    u: tuple[float, ...]
    h: tuple[float, ...]
    terms: Mapping[int, float]
    rare: float

    @property
    def weights(self) -> tuple[float, ...]:
        """The bits of each level."""
        return tuple(float(bits) for bits in np.log2(np.array(self.m) / np.array(self.u)))

    @property
    def household_weights(self) -> tuple[float, ...]:
        """The bits by which each level speaks for a household rather than for strangers."""
        return tuple(float(bits) for bits in np.log2(np.array(self.h) / np.array(self.u)))


@dataclass(frozen=True)
class Model:
    """What was learned: `prior` and `household` are the probabilities that two random records are one person, or two
    people of one household."""

    prior: float
    household: float
    fields: tuple[FieldModel, ...]
    total_pairs: float
    rounds: int

    @property
    def prior_weight(self) -> float:
        """The bits of two records about which nothing is known."""
        return float(np.log2(self.prior / (1 - self.prior - self.household)))

    @property
    def household_weight(self) -> float:
        """The bits of two records about which nothing is known, for a household rather than for strangers."""
        return float(np.log2(self.household / (1 - self.prior - self.household)))

    @property
    def levels(self) -> dict[str, tuple[float, ...]]:
        """Field: bits of its levels."""
        return {field.field: field.weights for field in self.fields}

    @property
    def household_levels(self) -> dict[str, tuple[float, ...]]:
        """Field: bits of its levels for a household."""
        return {field.field: field.household_weights for field in self.fields}

    @property
    def rare(self) -> dict[str, float]:
        """Field: bits that a value adds which is not frequent."""
        return {field.field: field.rare for field in self.fields}

    def term_weights(self) -> pa.Table:
        """One row per field and frequent value: field, term, weight (bits added to the highest level)."""
        rows = [(field.field, term, bits) for field in self.fields for term, bits in field.terms.items()]
        names, terms, weights = zip(*rows, strict=True) if rows else ((), (), ())
        return pa.table(
            {
                "field": pa.array(names, pa.string()),
                "term": pa.array(terms, pa.int64()),
                "weight": pa.array(weights, pa.float64()),
            }
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; `from_dict` gives an equal model."""
        body = asdict(self)
        for field in body["fields"]:
            field["terms"] = {str(term): bits for term, bits in field["terms"].items()}
        return body

    @staticmethod
    def from_dict(body: Mapping[str, Any]) -> "Model":
        """The model that `to_dict` wrote."""
        fields = tuple(
            FieldModel(
                field=entry["field"],
                m=tuple(entry["m"]),
                u=tuple(entry["u"]),
                h=tuple(entry["h"]),
                terms={int(term): float(bits) for term, bits in entry["terms"].items()},
                rare=float(entry["rare"]),
            )
            for entry in body["fields"]
        )
        return Model(
            float(body["prior"]), float(body["household"]), fields, float(body["total_pairs"]), int(body["rounds"])
        )


def choose_threshold(bins: pa.Table, false_pairs: float) -> float:
    """The lowest weight, 0 or more, from which the pairs' expected share of wrong ones is at most `false_pairs`.

    `bins` is `weight_counts`: what the model expects of the pairs at hand, so the same share asks for more bits among
    more records. Infinity when no bin is good enough.
    """
    weight = bins["match_weight"].to_numpy().astype(np.float64)
    order = np.argsort(-weight)
    pairs = np.cumsum(bins["pair_count"].to_numpy().astype(np.float64)[order])
    wrong = np.cumsum(bins["false_pairs"].to_numpy().astype(np.float64)[order])
    good = np.flatnonzero(wrong <= false_pairs * pairs)
    return max(float(weight[order][good[-1]]), 0.0) if good.size else float("inf")
