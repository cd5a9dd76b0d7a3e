"""Parting any evidence: against the rules said in loops, and what must hold whatever the evidence is."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from cdp_lib.models.identity.components import partition_by_priority
from cdp_lib.models.identity.linkage import Limits
from tests.unit.models.identity.evidence import clusters, graph, identity_of, knowing, LIMITS, people, VETOED
from tests.unit.models.identity.plain_people import components, plain_people, Spec

RECORDS = st.integers(0, 9)
WEIGHTS = st.integers(-40, 100).map(lambda quarters: quarters / 4)
KEYS = st.lists(st.tuples(RECORDS, st.integers(0, 2), st.integers(0, 4)), max_size=20, unique_by=lambda key: key[:2])
MASKS = st.sampled_from([0, 1, 1, 2, 2, 3, 4, 6, 1 << 62])
ENDS = st.lists(st.tuples(RECORDS, RECORDS).filter(lambda ends: ends[0] != ends[1]), unique_by=frozenset, max_size=25)


@st.composite
def specs(draw):
    pairs = [(*ends, draw(WEIGHTS), *([VETOED] if draw(st.integers(0, 9)) == 0 else [])) for ends in draw(ENDS)]
    decided = draw(ENDS)[: draw(st.integers(0, 5))]
    cut = draw(st.integers(0, len(decided)))
    once = [(record, "crm" if record % 2 else "shop") for record in draw(st.lists(RECORDS, max_size=4, unique=True))]
    most = draw(st.tuples(*[st.sampled_from([None, None, 1, 2])] * 3))
    known = draw(st.none() | st.dictionaries(RECORDS, MASKS, max_size=10))
    return Spec(draw(KEYS), pairs, decided[:cut], decided[cut:], once, most, known)


def graph_of(spec):
    evidence = graph(spec.keys, spec.pairs, spec.links, spec.apart, spec.once)
    return evidence if spec.known is None else knowing(evidence, spec.known)


def parted(spec, limits=LIMITS):
    found = people(graph_of(spec), identity_of(*spec.max_values), limits)
    return {record: (component, cluster) for record, (component, cluster, _) in found.items()}


@settings(max_examples=400, deadline=None)
@given(specs())
def test_people_follow_the_rules_said_in_loops(spec):
    assert parted(spec) == plain_people(spec, LIMITS)


@settings(max_examples=100, deadline=None)
@given(specs())
def test_groups_above_the_size_limit_follow_the_rules_said_in_loops(spec):
    spec = replace(spec, links=spec.links[:1], apart=[])
    small = Limits(threshold=3.0, together=-2.0, absent=-4.0, max_component=4)

    assert parted(spec, small) == plain_people(spec, small)


@settings(max_examples=100, deadline=None)
@given(specs(), st.randoms(use_true_random=False))
def test_order_of_rows_and_of_the_two_records_changes_nothing(spec, random):
    def shuffled(rows):
        return random.sample(list(rows), len(rows))

    def turned(pairs):
        return [(b, a, *more) if random.random() < 0.5 else (a, b, *more) for a, b, *more in shuffled(pairs)]

    other = Spec(
        shuffled([*spec.keys, *spec.keys[:3]]),
        turned(spec.pairs),
        turned(spec.links),
        turned(spec.apart),
        shuffled(spec.once),
        spec.max_values,
        spec.known and dict(shuffled(spec.known.items())),
    )

    assert people(graph_of(other), identity_of(*spec.max_values)) == people(
        graph_of(spec), identity_of(*spec.max_values)
    )


@settings(max_examples=150, deadline=None)
@given(specs(), specs())
def test_what_happens_in_a_component_depends_on_nothing_outside_it(spec, other):
    other = Spec(
        [(record + 5, identifier, value + 3) for record, identifier, value in other.keys],
        [(a + 5, b + 5, *more) for a, b, *more in other.pairs],
        known={record + 5: mask for record, mask in (other.known or {}).items()},
    )
    both = Spec(
        [*{key[:2]: key for key in (*other.keys, *spec.keys)}.values()],
        [*{frozenset(pair[:2]): pair for pair in (*other.pairs, *spec.pairs)}.values()],
        spec.links,
        spec.apart,
        spec.once,
        spec.max_values,
        other.known | (spec.known or {}),
    )
    together = people(graph_of(both), identity_of(*spec.max_values))
    component = components(both, LIMITS)

    for one in set(component.values()):
        inside = {record for record in component if component[record] == one}
        alone = Spec(
            [key for key in both.keys if key[0] in inside],
            *([pair for pair in pairs if set(pair[:2]) <= inside] for pairs in (both.pairs, both.links, both.apart)),
            [row for row in both.once if row[0] in inside],
            both.max_values,
            {record: mask for record, mask in both.known.items() if record in inside},
        )
        found = people(graph_of(alone), identity_of(*spec.max_values))
        assert found == {record: row for record, row in together.items() if record in inside}


@settings(max_examples=200, deadline=None)
@given(specs())
def test_no_person_holds_two_records_that_people_parted(spec):
    found = clusters(graph_of(spec), identity_of(*spec.max_values))

    assert all(found.get(a, a) != found.get(b, b) for a, b in spec.apart)


@settings(max_examples=200, deadline=None)
@given(specs())
def test_without_link_decisions_no_person_holds_more_values_than_the_limit(spec):
    spec = replace(spec, links=[])
    found = clusters(graph_of(spec), identity_of(*spec.max_values))

    for place, most in enumerate(spec.max_values):
        held = {(found.get(record, record), value) for record, identifier, value in spec.keys if identifier == place}
        people_held = [cluster for cluster, _ in held]
        assert most is None or all(people_held.count(cluster) <= most for cluster in people_held)


@settings(max_examples=100, deadline=None)
@given(specs())
def test_without_pairs_and_decisions_people_are_the_cores(spec):
    spec = Spec(spec.keys, max_values=spec.max_values)
    columns = np.array(spec.keys, dtype=np.int64).reshape(-1, 3)
    cores = partition_by_priority(columns[:, 0], columns[:, 1], columns[:, 2], spec.max_values)
    found = clusters(graph_of(spec), identity_of(*spec.max_values))

    assert {record: found.get(record, record) for record in np.unique(columns[:, 0]).tolist()} == dict(
        zip(np.unique(columns[:, 0]).tolist(), cores.tolist(), strict=True)
    )


@pytest.mark.parametrize("seed", range(3))
def test_a_large_group_meets_the_same_rules_as_small_ones(seed):
    draw = np.random.default_rng(seed)
    size = 150
    near = [(a, b) for a in range(size) for b in range(a + 1, min(a + 6, size))]
    pairs = [(a, b, float(draw.normal(6, 6))) for a, b in near if draw.random() < 0.8]
    spec = Spec([], pairs, [], [(0, 3), (70, 73)], [(4, "crm"), (6, "crm")])
    limits = Limits(threshold=3.0, together=-2.0, absent=-4.0, max_component=1000)

    found = clusters(graph_of(spec), limits=limits)

    assert all(found[a] != found[b] for a, b in (*spec.apart, (4, 6)))
