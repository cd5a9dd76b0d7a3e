"""What the model learns from counts, and what a value's rarity adds."""

import json
from dataclasses import replace
from itertools import product

import numpy as np
import pyarrow as pa
import pytest

from cdp_lib.errors import IdentityError
from cdp_lib.models.identity.fellegi_sunter import Evidence, fit_model
from cdp_lib.models.identity.match_model import Model

SIZES = {"name": 3, "born": 2, "mail": 2, "home": 2, "family": 2}
M = {"name": (0.05, 0.15, 0.8), "born": (0.1, 0.9), "mail": (0.2, 0.8), "home": (0.3, 0.7), "family": (0.1, 0.9)}
U = {
    "name": (0.94, 0.05, 0.01),
    "born": (0.99, 0.01),
    "mail": (0.995, 0.005),
    "home": (0.9999, 0.0001),
    "family": (0.995, 0.005),
}
H = U | {"mail": (0.6, 0.4), "home": (0.05, 0.95), "family": (0.2, 0.8)}
TOTAL, MATCHES, NEIGHBOURS = 1e8, 40_000.0, 20_000.0
NO_TERMS = pa.table({"field": [], "term": [], "record_count": [], "square_sum": [], "value_count": []})


def _patterns(shares, total):
    """Expected counts of every pattern of levels among `total` pairs of one kind."""
    rows = list(product(*(range(size) for size in SIZES.values())))
    counts = [
        total * float(np.prod([shares[field][level] for field, level in zip(SIZES, row, strict=True)])) for row in rows
    ]
    return rows, np.array(counts)


def _table(rows, counts, *, vetoed=()):
    columns = {f"{field}_level": pa.array([row[place] for row in rows]) for place, field in enumerate(SIZES)}
    flags = pa.array([row in vetoed for row in rows])
    return pa.table(columns | {"is_vetoed": flags, "pair_count": pa.array(counts)})


def _evidence(**changes):
    rows, matched = _patterns(M, MATCHES)
    _, neighbours = _patterns(H, NEIGHBOURS)
    _, strangers = _patterns(U, TOTAL - MATCHES - NEIGHBOURS)
    # Blocking finds the pairs that agree on anything at all, as a union of rules does.
    agrees = np.array([any(level > 0 for level in row) for row in rows])
    found = (matched + neighbours + strangers)[agrees]
    kept = [row for row, is_kept in zip(rows, agrees, strict=True) if is_kept]
    random = (matched + neighbours + strangers) / TOTAL * 1e6
    return Evidence(
        **{
            "candidates": _table(kept, found),
            "strangers": _table(rows, random),
            "terms": NO_TERMS,
            "sizes": SIZES,
            "total_pairs": TOTAL,
            "rivals": {"household": ("mail", "home", "family")},
        }
        | changes
    )


def test_em_recovers_the_parameters_that_made_the_counts():
    model = fit_model(_evidence())

    assert model.prior * TOTAL == pytest.approx(MATCHES, rel=0.02)
    assert model.rivals["household"] * TOTAL == pytest.approx(NEIGHBOURS, rel=0.1)
    for field in model.fields:
        assert field.m == pytest.approx(M[field.field], abs=0.01)
        assert field.u == pytest.approx(U[field.field], abs=0.002)
    assert model.fields[3].rivals["household"] == pytest.approx(H["home"], abs=0.06)


def test_the_order_of_the_patterns_changes_nothing_to_speak_of():
    evidence = _evidence()
    backwards = evidence.candidates.take(list(range(evidence.candidates.num_rows))[::-1])

    straight, turned = fit_model(evidence), fit_model(_evidence(candidates=backwards))

    assert turned.prior == pytest.approx(straight.prior, rel=1e-9)


def test_a_missing_level_says_nothing():
    evidence = _evidence()
    blank = evidence.candidates.set_column(2, "mail_level", pa.nulls(evidence.candidates.num_rows, pa.int64()))

    model = fit_model(_evidence(candidates=blank))

    # Only what was believed beforehand is left of the field: nine in ten agree.
    assert model.fields[2].m == pytest.approx((0.1, 0.9))


def test_patterns_under_a_veto_are_no_evidence_of_matches():
    evidence = _evidence()
    rows = list(zip(*(evidence.candidates[f"{field}_level"].to_pylist() for field in SIZES), strict=True))
    counts = evidence.candidates["pair_count"].to_numpy()
    vetoed = {row for row in rows if row[0] == 0}

    model = fit_model(_evidence(candidates=_table(rows, counts, vetoed=vetoed)))

    assert model.fields[0].m[0] < 0.001


def test_a_model_survives_json_unchanged():
    terms = pa.table(
        {
            "field": ["name", "name"],
            "term": pa.array([17, None], pa.int64()),
            "record_count": [500, 9_500],
            "square_sum": [250_000, 9_500],
            "value_count": [1, 9_500],
        }
    )
    model = fit_model(_evidence(terms=terms))

    assert Model.from_dict(json.loads(json.dumps(model.to_dict()))) == model


def test_agreeing_on_a_frequent_value_weighs_less_than_on_a_rare_one():
    terms = pa.table(
        {
            "field": ["name", "name", "name"],
            "term": pa.array([17, 18, None], pa.int64()),
            "record_count": [2_000, 10, 7_990],
            "square_sum": [4_000_000, 100, 7_990],
            "value_count": [1, 1, 7_990],
        }
    )
    model = fit_model(_evidence(terms=terms, rivals={}))

    added = {row["term"]: row["weight"] for row in model.term_weights().to_pylist()}
    assert added[17] < added[18] <= model.rare["name"]


def _terms_of(field, *counts):
    """Values of a field by how many records hold them; those of five and more are named."""
    rest = [count for count in counts if count < 5]
    named = [(field, place, count, count**2, 1) for place, count in enumerate(counts) if count >= 5]
    others = [(field, None, sum(rest), sum(count**2 for count in rest), len(rest))] if rest else []
    columns = zip(*(named + others), strict=True)
    return pa.table(
        {
            name: pa.array(column, pa.string() if name == "field" else pa.int64())
            for name, column in zip(NO_TERMS.column_names, columns, strict=True)
        }
    )


def _numbers(model):
    weights = [weight for field in model.fields for weight in (*field.weights, field.rare)]
    return [model.prior_weight, *model.rival_priors.values(), *weights]


def test_a_field_with_one_value_so_far_says_nothing_either_way():
    """All 20,000 records name the same home: neither agreeing on it nor the first other home is evidence."""
    sames = {"home": (0.0, 1.0)}
    rows, matched = _patterns(M | sames, MATCHES)
    _, strangers = _patterns(U | sames, TOTAL - MATCHES)
    is_there = [row[3] == 1 for row in rows]
    kept = [row for row in rows if row[3] == 1]
    random = (matched + strangers)[is_there] / TOTAL * 1e6
    found = (matched + strangers)[is_there] * np.array([sum(row) > 1 for row in kept])

    model = fit_model(
        _evidence(
            candidates=_table(kept, found),
            strangers=_table(kept, random),
            terms=_terms_of("home", 20_000),
            rivals={},
        )
    )

    home = next(field for field in model.fields if field.field == "home")
    assert np.abs(home.weights).max() < 0.1
    assert np.isfinite(_numbers(model)).all()


@pytest.mark.parametrize("counts", [(2,), (2, 1), (1, 1), (3,)])
def test_a_field_that_hardly_anybody_fills_breaks_no_model(counts):
    """Two records name a home, the same one: all pairs that know it agree."""
    evidence = _evidence(terms=_terms_of("home", *counts))
    rows = [
        tuple(None if place == 3 else level for place, level in enumerate(row))
        for row in product(*map(range, SIZES.values()))
        if row[3] == 1
    ]
    alone = _table([*rows, (2, 1, 1, 1, 1)], np.append(np.full(len(rows), 50.0), 1.0))

    model = fit_model(_evidence(candidates=alone, strangers=alone, terms=evidence.terms))

    assert np.isfinite(_numbers(model)).all()
    home = next(field for field in model.fields if field.field == "home")
    assert home.weights[0] <= 0.0 <= home.weights[-1]


def test_no_candidate_pair_is_an_error_that_names_the_cure():
    with pytest.raises(IdentityError, match=r"No two records share a block.*blocking rules"):
        fit_model(_evidence(candidates=_table([], np.zeros(0))))


def test_records_that_know_a_mailbox_alone_are_believed_to_be_like_those_that_know_more():
    """Nine in ten pairs that share a mailbox know nothing else; of the others nearly all are one person."""
    telling = {"name_level": [2, 2, 0], "born_level": [1, 1, 0], "mail_level": [1, 0, 1]}
    silent = {"name_level": [None], "born_level": [None], "mail_level": [1]}
    counts, share = [196, 50, 4], [1_800]
    candidates = pa.table(
        {
            **{name: pa.array([*telling[name], *silent[name]], pa.int8()) for name in telling},
            "pair_count": [*counts, *share],
            "is_vetoed": [False] * 4,
        }
    )
    strangers = pa.table(
        {
            "name_level": pa.array([0] * 99 + [1], pa.int8()),
            "born_level": pa.array([0] * 99 + [1], pa.int8()),
            "mail_level": pa.array([0] * 100, pa.int8()),
            "pair_count": [100] * 100,
            "is_vetoed": [False] * 100,
        }
    )
    terms = pa.table(
        {
            "field": ["mail"],
            "term": pa.array([None], pa.int64()),
            "record_count": [4_000],
            "square_sum": [8_000],
            "value_count": [2_000],
        }
    )
    sizes = {"name": 3, "born": 2, "mail": 2}
    evidence = Evidence(candidates, strangers, terms, sizes, total_pairs=5e7)

    assumed = fit_model(evidence)
    judged = fit_model(replace(evidence, caps={"mail": 10}))

    def belief(model: Model) -> float:
        (mail,) = [entry for entry in model.fields if entry.field == "mail"]
        return model.prior_weight + mail.weights[-1] + mail.rare

    assert belief(judged) > belief(assumed) + 2
