"""What agreement is worth: a Fellegi-Sunter model learned from the counts of comparison patterns.

Fellegi and Sunter (1969), "A Theory for Record Linkage"; the EM estimate is Winkler's (1988) and Jaro's (1989). For
each field and level, m is the probability of the level among pairs of one person, u among pairs of strangers, and
log2(m / u) its weight in bits. The model is of *all* pairs of records: candidates are those pairs that agree enough to
be worth a look, the others are taken for strangers.

A third kind of pair is told from both: two people of one household, who agree on what a household shares (name,
address, often phone or mailbox) and on the rest no more than strangers do. Without it such pairs look like one person,
since the fields' agreements are not independent there. Its parameters, h for each shared field's levels and how many
such pairs there are, come from the same EM; to tell them from chance it takes three shared fields.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cdp_lib.errors import IdentityError
from cdp_lib.models.match_model import FieldModel, Floats, Model

Ints = NDArray[np.int64]

ROUNDS = 100
TOLERANCE = 1e-5
"""EM stops once no probability moves by more; it takes some dozen rounds on real data."""

_CORRECTIONS = 12
_LEAST_SHARE_OF_STRANGERS = 0.05
"""Random pairs hold pairs of one person; at least so much of an agreement's frequency is left to strangers."""

_PSEUDO_PAIRS = 2.0
"""Pairs of one person seen beforehand, spread over a field's levels: an unseen level gets no infinite weight."""

_PSEUDO_STRANGERS = 0.5
_FEWEST_PAIRS = 1e-12


@dataclass(frozen=True)
class Evidence:
    """What a model is learned from, as Spark counted it.

    `candidates` and `strangers` are `pattern_counts` of candidate and of random pairs, `terms` is `term_counts`,
    `sizes` the number of levels of each field, `total_pairs` how many pairs of records may be one person at all,
    `household` the fields that a household shares.
    """

    candidates: pa.Table
    strangers: pa.Table
    terms: pa.Table
    sizes: Mapping[str, int]
    total_pairs: float
    household: tuple[str, ...] = ()


def fit_model(evidence: Evidence) -> Model:
    """The model that makes the counts likeliest: m and the prior by EM, u from random pairs and value counts.

    Raises IdentityError when there is not one candidate pair.
    """
    levels, counts = _patterns(evidence.candidates, evidence.sizes)
    if counts.size == 0:
        raise IdentityError("No two records share a block: nothing can be learned. Check the pack's blocking rules.")
    seen = _stranger_shares(evidence)
    shared = [field in evidence.household for field in evidence.sizes]
    first = [_first_guess(size) for size in evidence.sizes.values()]
    rate = min(0.25, counts.sum() / 4 / evidence.total_pairs)
    kinds = _Kinds(rate, rate if any(shared) else _FEWEST_PAIRS, first, seen, _shared(shared, first, seen))
    rounds = 0
    for _ in range(_CORRECTIONS):
        kinds, taken = _maximise(levels, counts, kinds, shared, evidence.total_pairs)
        rounds += taken
        u = [_of_strangers(share, place, kinds) for place, share in enumerate(seen)]
        kinds = replace(kinds, u=u, h=_shared(shared, kinds.h, u))
    statistics = _term_statistics(evidence.terms)
    fields = tuple(
        _field_model(field, kinds, place, statistics.get(field), kinds.prior * evidence.total_pairs)
        for place, field in enumerate(evidence.sizes)
    )
    return Model(kinds.prior, kinds.household, fields, evidence.total_pairs, rounds)


@dataclass(frozen=True)
class _Kinds:
    """The three kinds of pairs: how frequent the first two are, and the levels' probabilities by field in each."""

    prior: float
    household: float
    m: list[Floats]
    u: list[Floats]
    h: list[Floats]


def _shared(is_shared: Sequence[bool], of_household: list[Floats], of_strangers: list[Floats]) -> list[Floats]:
    """h: a household's own where the field is shared, else the strangers'."""
    choices = zip(is_shared, of_household, of_strangers, strict=True)
    return [own if shared else other for shared, own, other in choices]


def _maximise(
    levels: Ints, counts: Floats, kinds: _Kinds, is_shared: Sequence[bool], total_pairs: float
) -> tuple[_Kinds, int]:
    """EM with u held: the likeliest kinds, and the rounds taken."""
    taken = 0
    for _ in range(ROUNDS):
        taken += 1
        of_match, of_household = (counts * share for share in _posterior(levels, kinds))
        m = [_expected(levels[:, place], of_match, share.size) for place, share in enumerate(kinds.m)]
        h = [_expected(levels[:, place], of_household, share.size) for place, share in enumerate(kinds.h)]
        change = max(float(np.abs(new - old).max()) for new, old in zip(m, kinds.m, strict=True))
        prior, household = (
            float(np.clip(weight.sum() / total_pairs, _FEWEST_PAIRS, 0.4)) for weight in (of_match, of_household)
        )
        kinds = _Kinds(
            prior, household if any(is_shared) else _FEWEST_PAIRS, m, kinds.u, _shared(is_shared, h, kinds.u)
        )
        if change < TOLERANCE:
            break
    return kinds, taken


def _posterior(levels: Ints, kinds: _Kinds) -> tuple[Floats, Floats]:
    """The probabilities that pairs of each pattern are one person, or one household; a missing level says nothing."""
    rest = 1 - kinds.prior - kinds.household
    match = np.full(levels.shape[0], np.log2(kinds.prior / rest))
    household = np.full(levels.shape[0], np.log2(kinds.household / rest))
    for place, u in enumerate(kinds.u):
        match += np.append(np.log2(kinds.m[place] / u), 0.0)[levels[:, place]]
        household += np.append(np.log2(kinds.h[place] / u), 0.0)[levels[:, place]]
    whole = np.logaddexp2(np.logaddexp2(match, household), 0.0)
    return np.exp2(match - whole), np.exp2(household - whole)


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


def _stranger_shares(evidence: Evidence) -> list[Floats]:
    """Each field's levels among random pairs; the highest one's share is counted over all pairs where values are."""
    levels, counts = _patterns(evidence.strangers, evidence.sizes, with_vetoed=True)
    statistics = _term_statistics(evidence.terms)
    shares = []
    for place, (field, size) in enumerate(evidence.sizes.items()):
        is_known = levels[:, place] >= 0
        held = np.bincount(levels[is_known, place], weights=counts[is_known], minlength=size) + _PSEUDO_STRANGERS
        share = held / held.sum()
        known = statistics.get(field)
        if known is not None and known.records > 1:
            same = max(known.squares - known.records, 1.0) / (known.records * (known.records - 1))
            share = np.append(share[:-1] / share[:-1].sum() * (1 - same), same)
        shares.append(share)
    return shares


def _of_strangers(share: Floats, place: int, kinds: _Kinds) -> Floats:
    """The levels of strangers: what random pairs show, less the pairs of one person or household among them."""
    others = kinds.prior * kinds.m[place] + kinds.household * kinds.h[place]
    rest = np.maximum(share - others, _LEAST_SHARE_OF_STRANGERS * share)
    u: Floats = rest / rest.sum()
    return u


@dataclass(frozen=True)
class _Terms:
    """Of one field: records that have a value, the sum of squared counts, frequent values, and the rest."""

    records: float
    squares: float
    frequent: Mapping[int, float]
    rest_records: float
    rest_values: float


def _term_statistics(terms: pa.Table) -> dict[str, _Terms]:
    found: dict[str, _Terms] = {}
    rows = terms.to_pylist()
    for field in dict.fromkeys(row["field"] for row in rows):
        own = [row for row in rows if row["field"] == field]
        rest = [row for row in own if row["term"] is None]
        found[field] = _Terms(
            records=float(sum(row["record_count"] for row in own)),
            squares=float(sum(row["square_sum"] for row in own)),
            frequent={row["term"]: float(row["record_count"]) for row in own if row["term"] is not None},
            rest_records=float(sum(row["record_count"] for row in rest)),
            rest_values=float(sum(row["value_count"] for row in rest)),
        )
    return found


def _field_model(field: str, kinds: _Kinds, place: int, terms: _Terms | None, matches: float) -> FieldModel:
    m, u, h = kinds.m[place], kinds.u[place], kinds.h[place]

    def added(record_count: float) -> float:
        """Bits from u's average to the chance of meeting this very value in a stranger."""
        own = 2 * matches * float(m[-1]) / max(terms.records, 1.0) if terms else 0.0
        strangers = max(record_count - 1 - own, 0.0) + 1.0
        return float(np.log2(float(u[-1]) * max(terms.records, 1.0) / strangers)) if terms else 0.0

    frequent = {term: added(count) for term, count in terms.frequent.items()} if terms else {}
    rare = added(terms.rest_records / terms.rest_values) if terms and terms.rest_values else 0.0
    return FieldModel(field, tuple(m.tolist()), tuple(u.tolist()), tuple(h.tolist()), frequent, rare)


def _patterns(table: pa.Table, sizes: Mapping[str, int], *, with_vetoed: bool = False) -> tuple[Ints, Floats]:
    """Levels (one row a pattern, -1 for missing) and counts; patterns under a veto are no candidates."""
    columns: Sequence[NDArray[np.int64]] = [
        table[f"{field}_level"].cast(pa.int64()).fill_null(-1).to_numpy() for field in sizes
    ]
    levels = np.stack(columns, axis=1) if columns else np.zeros((table.num_rows, 0), dtype=np.int64)
    counts = table["pair_count"].to_numpy().astype(np.float64)
    kept = np.ones(counts.size, dtype=bool) if with_vetoed else ~table["is_vetoed"].to_numpy().astype(bool)
    return levels[kept], counts[kept]
