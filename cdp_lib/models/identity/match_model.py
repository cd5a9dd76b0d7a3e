"""A learned match model as a value: what agreement is worth in bits, as plain data."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FieldModel:
    """One field: m and u of each level from 0, and what frequent values add to the highest level, in bits.

    `rivals` holds the levels' probabilities among pairs of each rival kind that shares the field. `terms` names values
    by hash. `rare` is added for every other value.
    """

    field: str
    m: tuple[float, ...]
    u: tuple[float, ...]
    rivals: Mapping[str, tuple[float, ...]]
    terms: Mapping[int, float]
    rare: float

    @property
    def weights(self) -> tuple[float, ...]:
        """The bits of each level."""
        return tuple(float(bits) for bits in np.log2(np.array(self.m) / np.array(self.u)))

    @property
    def rival_weights(self) -> dict[str, tuple[float, ...]]:
        """Rival: the bits by which each level speaks for it rather than for strangers."""
        return {
            name: tuple(float(bits) for bits in np.log2(np.array(share) / np.array(self.u)))
            for name, share in self.rivals.items()
        }


@dataclass(frozen=True)
class Model:
    """What was learned: `prior` is the probability that two random records are one person, `rivals` of other kinds."""

    prior: float
    rivals: Mapping[str, float]
    fields: tuple[FieldModel, ...]
    total_pairs: float
    rounds: int

    @property
    def prior_weight(self) -> float:
        """The bits of two records about which nothing is known."""
        return float(np.log2(self.prior / self._strangers))

    @property
    def rival_priors(self) -> dict[str, float]:
        """Rival: the bits of two records about which nothing is known, for it rather than for strangers."""
        return {name: float(np.log2(rate / self._strangers)) for name, rate in self.rivals.items()}

    @property
    def _strangers(self) -> float:
        return 1 - self.prior - sum(self.rivals.values())

    @property
    def levels(self) -> dict[str, tuple[float, ...]]:
        """Field: bits of its levels."""
        return {field.field: field.weights for field in self.fields}

    @property
    def rival_levels(self) -> dict[str, dict[str, tuple[float, ...]]]:
        """Rival: field that it shares: bits of its levels."""
        return {
            name: {field.field: field.rival_weights[name] for field in self.fields if name in field.rivals}
            for name in self.rivals
        }

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
                rivals={name: tuple(share) for name, share in entry["rivals"].items()},
                terms={int(term): float(bits) for term, bits in entry["terms"].items()},
                rare=float(entry["rare"]),
            )
            for entry in body["fields"]
        )
        rivals = {name: float(rate) for name, rate in body["rivals"].items()}
        return Model(float(body["prior"]), rivals, fields, float(body["total_pairs"]), int(body["rounds"]))
