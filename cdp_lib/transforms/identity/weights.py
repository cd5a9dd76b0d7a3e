"""What agreement is worth in bits, for many pairs at once: on Arrow columns, by numpy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cdp_lib.settings.matching import Matching

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Weights:
    """A model as scoring needs it, all in bits.

    `prior` is the weight of two random records, `levels` those of each field's levels from 0, `rare` what a value that
    is not among the frequent ones adds to its field's highest level. `rival_priors` and `rival_levels` say the same of
    each rival, for the fields that it shares.
    """

    prior: float
    levels: Mapping[str, Sequence[float]]
    rare: Mapping[str, float]
    rival_priors: Mapping[str, float]
    rival_levels: Mapping[str, Mapping[str, Sequence[float]]]


class PairWeigher:
    """Weighs pairs by a model."""

    def __init__(self, term_weights: pa.Table, weights: Weights, matching: Matching) -> None:
        """`term_weights` (field, term, weight; unique) is what agreeing on a frequent value adds to its level."""
        self.matching = matching
        self._weights = weights
        self._fields = matching.fields
        self._with_terms = tuple(entry.field for entry in matching.comparisons if entry.term_frequency)
        self._by_chance = {rival.name for rival in matching.rivals if rival.by_chance}
        self._terms = {
            field: term_weights.filter(pc.equal(term_weights["field"], field)).combine_chunks()
            for field in self._with_terms
        }

    @property
    def inputs(self) -> list[str]:
        """Columns of compared pairs, as `weigh` takes them."""
        return [*(f"{field}_level" for field in self._fields), *(f"{field}_term" for field in self._with_terms)]

    @property
    def outputs(self) -> list[str]:
        """What `weigh` returns of each pair, all in bits."""
        return [*(f"{field}_weight" for field in self._fields), "rival_weight", "match_weight"]

    def weigh(self, *inputs: pa.Array) -> pa.Array:
        """A struct of the `outputs` for each pair; see `score_pairs`."""
        levels = dict(zip(self._fields, inputs, strict=False))
        terms = dict(zip(self._with_terms, inputs[len(self._fields) :], strict=True))
        rarity = {field: self._rarity(field, term, levels[field]) for field, term in terms.items()}
        parts = [_bits(levels[field], self._weights.levels[field]) + rarity.get(field, 0.0) for field in self._fields]
        rival = self._rival_weight(levels, rarity)
        total = np.sum([np.full_like(rival, self._weights.prior), *parts, rival], axis=0)
        return pa.StructArray.from_arrays([pa.array(bits) for bits in (*parts, rival, total)], names=self.outputs)

    def _rarity(self, field: str, terms: pa.Array, levels: pa.Array) -> Floats:
        """The bits that the values agreed on add, 0 below the highest level: there `terms` mean nothing."""
        known = self._terms[field]
        added = known["weight"].take(pc.index_in(terms, value_set=known["term"])).combine_chunks()
        bits = pc.coalesce(added, pa.scalar(float(self._weights.rare[field])))
        are_same = pc.fill_null(pc.equal(levels, len(self._weights.levels[field]) - 1), False)
        of_agreement: Floats = pc.if_else(are_same, bits, 0.0).to_numpy(zero_copy_only=False)
        return of_agreement

    def _rival_weight(self, levels: Mapping[str, pa.Array], rarity: Mapping[str, Floats]) -> Floats:
        odds = np.ones(len(levels[self._fields[0]]))
        for rival, of_fields in self._weights.rival_levels.items():
            bits = np.full_like(odds, self._weights.rival_priors[rival])
            for field, of_levels in of_fields.items():
                bits += _bits(levels[field], of_levels)
                if rival not in self._by_chance:
                    bits += rarity.get(field, 0.0)
            odds += np.exp2(bits)
        return -np.log2(odds)


def _bits(levels: pa.Array, of_levels: Sequence[float]) -> Floats:
    """The bits of each level; 0 where a record says nothing."""
    places = pc.fill_null(levels, len(of_levels)).to_numpy(zero_copy_only=False)
    bits: Floats = np.array([*of_levels, 0.0])[places]
    return bits
