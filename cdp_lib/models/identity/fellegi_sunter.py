"""What agreement is worth: a Fellegi-Sunter model learned from the counts of comparison patterns.

Fellegi and Sunter (1969), "A Theory for Record Linkage"; the EM estimate is Winkler's (1988) and Jaro's (1989). For
each field and level, m is the probability of the level among pairs of one person, u among pairs of strangers, and
log2(m / u) its weight in bits. The model is of *all* pairs of records: candidates are those pairs that agree enough to
be worth a look, the others are taken for strangers.

Other kinds of pairs are told from both: rivals such as two people of one household, who agree on what a household
shares, or namesakes, whose mailboxes are alike because their names are. Without them such pairs look like one person,
since fields do not agree independently there. On fields that a rival does not share its pairs are strangers. How many
there are, and the levels' probabilities on what they share, come from the same EM; to tell a rival from chance it
takes three shared fields.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cdp_lib.errors import IdentityError
from cdp_lib.models.identity.match_model import FieldModel, Floats, Model

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

ROUNDS = 100
TOLERANCE = 1e-5
"""EM stops once no probability moves by more; it takes some dozen rounds on real data."""

_CORRECTIONS = 12
_LEAST_SHARE_OF_STRANGERS = 0.05
"""Random pairs hold pairs of one person; at least so much of an agreement's frequency is left to strangers."""

_PSEUDO_PAIRS = 2.0
"""Pairs of one person seen beforehand, spread over a field's levels: an unseen level gets no infinite weight."""

_PSEUDO_STRANGERS = 0.5
_TELLING_FIELDS, _ENOUGH_TELLING_PAIRS = 2, 30.0
"""Other fields that both records must know for a pair to tell who agrees on a field; and how many such pairs."""

_FEWEST_PAIRS = 1e-12


@dataclass(frozen=True)
class Evidence:
    """What a model is learned from, as Spark counted it.

    `candidates` and `strangers` are the patterns (`<field>_level`, is_vetoed, pair_count) of candidate and of random
    pairs, `terms` is `term_counts`, `sizes` the number of levels of each field, `total_pairs` how many pairs of records
    may be one person at all, `rivals` the fields that each rival kind of pair shares. `caps` names fields of which a
    rule compares every two records that agree, up to so many records a value: what more records share says nothing of
    the others.
    """

    candidates: pa.Table
    strangers: pa.Table
    terms: pa.Table
    sizes: Mapping[str, int]
    total_pairs: float
    rivals: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    caps: Mapping[str, int] = field(default_factory=dict)


def fit_model(evidence: Evidence) -> Model:
    """The model that makes the counts likeliest: m and the prior by EM, u from random pairs and value counts.

    Raises IdentityError when there is not one candidate pair.
    """
    levels, counts = _patterns(evidence.candidates, evidence.sizes)
    if counts.size == 0:
        raise IdentityError("No two records share a block: nothing can be learned. Check the pack's blocking rules.")
    statistics = _term_statistics(evidence.terms)
    seen = _stranger_shares(evidence, statistics)
    known_pairs = [_known_pairs(statistics.get(name), evidence.total_pairs) for name in evidence.sizes]
    first = [_first_guess(size) for size in evidence.sizes.values()]
    shared = [np.array([name in own for name in evidence.sizes]) for own in evidence.rivals.values()]
    rate = min(0.25, counts.sum() / 4 / evidence.total_pairs) / max(len(shared), 1)
    kinds = _Kinds(
        prior=rate, m=first, u=seen, rates=[rate] * len(shared), rivals=[_shared(own, first, seen) for own in shared]
    )
    rounds = 0
    judged: set[str] = set()
    for _ in range(_CORRECTIONS):
        kinds, taken = _maximise(levels, counts, kinds, shared, evidence.total_pairs)
        rounds += taken
        of_kind = [counts * share for share in _posterior(levels, kinds)]
        u = [
            _of_strangers(share, place, kinds, [weight[levels[:, place] >= 0].sum() / known for weight in of_kind])
            for place, (share, known) in enumerate(zip(seen, known_pairs, strict=True))
        ]
        for place, name in enumerate(evidence.sizes):
            share = _strangers_among_same(levels, counts, counts - sum(of_kind), place)
            if name in evidence.caps and share is not None:
                judged.add(name)
                u[place] = _with_highest(u[place], share * seen[place][-1])
        # Strangers agree no more than a person's records: else the first other value would speak for one person.
        u = [_with_highest(own, min(float(own[-1]), float(m[-1]))) for own, m in zip(u, kinds.m, strict=True)]
        moved = [_shared(own, rival, u) for own, rival in zip(shared, kinds.rivals, strict=True)]
        kinds = replace(kinds, u=u, rivals=moved)
    fields = tuple(
        _field_model(name, kinds, place, _Rarity(statistics.get(name), evidence, name in judged))
        for place, name in enumerate(evidence.sizes)
    )
    rates = dict(zip(evidence.rivals, kinds.rates, strict=True))
    return Model(kinds.prior, rates, fields, evidence.total_pairs, rounds)


@dataclass(frozen=True)
class _Kinds:
    """The kinds of pairs: how frequent each but strangers is, and the levels' probabilities by field in each."""

    prior: float
    m: list[Floats]
    u: list[Floats]
    rates: list[float]
    rivals: list[list[Floats]]


def _shared(is_shared: Flags, of_rival: list[Floats], of_strangers: list[Floats]) -> list[Floats]:
    """A rival's own probabilities where it shares the field, else the strangers'."""
    choices = zip(is_shared.tolist(), of_rival, of_strangers, strict=True)
    return [own if shared else other for shared, own, other in choices]


def _maximise(
    levels: Ints, counts: Floats, kinds: _Kinds, shared: Sequence[Flags], total_pairs: float
) -> tuple[_Kinds, int]:
    """EM with u held: the likeliest kinds, and the rounds taken."""
    taken = 0
    for _ in range(ROUNDS):
        taken += 1
        of_kind = [counts * share for share in _posterior(levels, kinds)]
        rates = [float(np.clip(weight.sum() / total_pairs, _FEWEST_PAIRS, 0.4)) for weight in of_kind]
        seen = [[_expected(levels[:, place], weight, u.size) for place, u in enumerate(kinds.u)] for weight in of_kind]
        change = max(float(np.abs(new - old).max()) for new, old in zip(seen[0], kinds.m, strict=True))
        rivals = [_shared(own, rival, kinds.u) for own, rival in zip(shared, seen[1:], strict=True)]
        kinds = _Kinds(rates[0], seen[0], kinds.u, rates[1:], rivals)
        if change < TOLERANCE:
            break
    return kinds, taken


def _posterior(levels: Ints, kinds: _Kinds) -> list[Floats]:
    """The probabilities that pairs of each pattern are one person, or of each rival; a missing level says nothing."""
    rest = 1 - kinds.prior - sum(kinds.rates)
    bits = [
        np.full(levels.shape[0], np.log2(rate / rest))
        + sum(np.append(np.log2(share[place] / u), 0.0)[levels[:, place]] for place, u in enumerate(kinds.u))
        for rate, share in zip([kinds.prior, *kinds.rates], [kinds.m, *kinds.rivals], strict=True)
    ]
    whole = np.logaddexp2.reduce([*bits, np.zeros(levels.shape[0])])
    return [np.exp2(own - whole) for own in bits]


def _expected(level: Ints, weight: Floats, size: int) -> Floats:
    is_known = level >= 0
    held: Floats = np.bincount(level[is_known], weights=weight[is_known], minlength=size).astype(np.float64)
    held += _PSEUDO_PAIRS * _first_guess(size)
    share: Floats = held / held.sum()
    return share


def _first_guess(size: int) -> Floats:
    """Pairs of one person mostly agree: nine in ten wholly, and ever fewer the less they agree."""
    rest = 0.5 ** np.arange(size - 1)
    return np.append(0.1 * rest[::-1] / rest.sum(), 0.9)


def _known_pairs(terms: "_Terms | None", total_pairs: float) -> float:
    """How many pairs of records both say something of the field."""
    return total_pairs if terms is None else min(max(terms.records * (terms.records - 1) / 2, 1.0), total_pairs)


def _stranger_shares(evidence: Evidence, statistics: "Mapping[str, _Terms]") -> list[Floats]:
    """Each field's levels among random pairs; the highest one's share is counted over all pairs where values are."""
    levels, counts = _patterns(evidence.strangers, evidence.sizes, with_vetoed=True)
    shares = []
    for place, (name, size) in enumerate(evidence.sizes.items()):
        is_known = levels[:, place] >= 0
        held = np.bincount(levels[is_known, place], weights=counts[is_known], minlength=size) + _PSEUDO_STRANGERS
        share = held / held.sum()
        known = statistics.get(name)
        if known is not None and known.records > 1:
            ordered_pairs = known.records * (known.records - 1)
            # Also of a field with one value so far: the next record may have another, and would weigh infinitely.
            most = 1 - _PSEUDO_STRANGERS / (ordered_pairs / 2 + 1)
            share = _with_highest(share, min(known.pairs_within(evidence.caps.get(name)) / ordered_pairs, most))
        shares.append(share)
    return shares


def _of_strangers(share: Floats, place: int, kinds: _Kinds, rates: Sequence[float]) -> Floats:
    """The levels of strangers: what random pairs show, less the pairs of one person or household among them.

    `rates` says how frequent those are among the pairs that know the field, matches first: records that say much are
    more often of somebody who has several.
    """
    others = np.zeros_like(share)
    for rate, kind in zip(rates, [kinds.m, *kinds.rivals], strict=True):
        others = others + rate * kind[place]
    rest = np.maximum(share - others, _LEAST_SHARE_OF_STRANGERS * share)
    u: Floats = rest / rest.sum()
    return u


def _strangers_among_same(levels: Ints, counts: Floats, strangers: Floats, place: int) -> float | None:
    """Of the pairs that agree on the field, the share that are strangers, by those of which more is known.

    Where records often say nothing else, pairs that agree on this alone would be taken for what they were taken for
    before; so they are left out here, and believed to be like the others. None where too few are known better.
    """
    is_telling = (levels[:, place] == levels[:, place].max()) & ((levels >= 0).sum(axis=1) > _TELLING_FIELDS)
    known = float(counts[is_telling].sum())
    if known < _ENOUGH_TELLING_PAIRS:
        return None
    return float((strangers[is_telling].sum() + _PSEUDO_STRANGERS) / (known + 2 * _PSEUDO_STRANGERS))


def _with_highest(u: Floats, highest: float) -> Floats:
    """The levels' probabilities with another one for the highest."""
    rest = u[:-1] / u[:-1].sum() * (1 - highest)
    return np.append(rest, highest)


@dataclass(frozen=True)
class _Terms:
    """Of one field: records that have a value, the sum of squared counts, frequent values, and the rest."""

    records: float
    frequent: Mapping[int, float]
    rest_records: float
    rest_squares: float
    rest_values: float

    def pairs_within(self, cap: int | None) -> float:
        """Ordered pairs of records that share a value which at most `cap` records hold; at least 1."""
        counts = np.array([count for count in self.frequent.values() if cap is None or count <= cap])
        return max(float((counts * (counts - 1)).sum()) + self.rest_squares - self.rest_records, 1.0)


def _term_statistics(terms: pa.Table) -> dict[str, _Terms]:
    found: dict[str, _Terms] = {}
    rows = terms.to_pylist()
    for name in dict.fromkeys(row["field"] for row in rows):
        own = [row for row in rows if row["field"] == name]
        rest = [row for row in own if row["term"] is None]
        found[name] = _Terms(
            records=float(sum(row["record_count"] for row in own)),
            frequent={row["term"]: float(row["record_count"]) for row in own if row["term"] is not None},
            rest_records=float(sum(row["record_count"] for row in rest)),
            rest_squares=float(sum(row["square_sum"] for row in rest)),
            rest_values=float(sum(row["value_count"] for row in rest)),
        )
    return found


@dataclass(frozen=True)
class _Rarity:
    """What a field's values are judged by."""

    terms: _Terms | None
    evidence: Evidence
    is_judged: bool

    def strangers(self, record_count: float, own: float, usual: float) -> float:
        """How many strangers somebody meets with a value that so many records hold, `own` of them the person's own.

        A value that no stranger was seen with may still be some stranger's: one, or as few as is `usual` for any value
        where that was judged by pairs that tell.
        """
        return max(record_count - 1 - own, 0.0) + (min(usual, 1.0) if self.is_judged else 1.0)


def _field_model(name: str, kinds: _Kinds, place: int, rarity: _Rarity) -> FieldModel:
    m, u, terms = kinds.m[place], kinds.u[place], rarity.terms
    matches = kinds.prior * rarity.evidence.total_pairs

    def added(record_count: float) -> float:
        """Bits from u's average to the chance of meeting this very value in a stranger."""
        if terms is None:
            return 0.0
        held = max(terms.records, 1.0)
        strangers = rarity.strangers(record_count, 2 * matches * float(m[-1]) / held, float(u[-1]) * held)
        return float(np.log2(float(u[-1]) * held / strangers))

    frequent = {term: added(count) for term, count in terms.frequent.items()} if terms else {}
    rare = added(terms.rest_records / terms.rest_values) if terms and terms.rest_values else 0.0
    rivals = {
        rival: tuple(share[place].tolist())
        for (rival, fields), share in zip(rarity.evidence.rivals.items(), kinds.rivals, strict=True)
        if name in fields
    }
    return FieldModel(name, tuple(m.tolist()), tuple(u.tolist()), rivals, frequent, rare)


def _patterns(table: pa.Table, sizes: Mapping[str, int], *, with_vetoed: bool = False) -> tuple[Ints, Floats]:
    """Levels (one row a pattern, -1 for missing) and counts; patterns under a veto are no candidates."""
    columns: Sequence[NDArray[np.int64]] = [
        table[f"{name}_level"].cast(pa.int64()).fill_null(-1).to_numpy() for name in sizes
    ]
    levels = np.stack(columns, axis=1) if columns else np.zeros((table.num_rows, 0), dtype=np.int64)
    counts = table["pair_count"].to_numpy().astype(np.float64)
    kept = np.ones(counts.size, dtype=bool) if with_vetoed else ~table["is_vetoed"].to_numpy().astype(bool)
    return levels[kept], counts[kept]
