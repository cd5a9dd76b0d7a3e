"""Evidence about records into people where many know so little that nothing of them can be compared."""

from cdp_lib.models.identity.linkage import Limits
from tests.unit.models.identity.evidence import clusters, graph, identity_of, knowing

PLAIN = identity_of(None, None)
STRICT = Limits(threshold=3.0, together=0.0, absent=-4.0, max_component=100)


def test_records_that_know_no_field_in_common_count_neither_for_nor_against():
    chain = [(0, 1, 4.0), (1, 2, 4.0), (2, 3, 4.0)]

    assert clusters(graph(pairs=chain), limits=STRICT) == {0: 0, 1: 0, 2: 2, 3: 2}
    assert clusters(knowing(graph(pairs=chain), {0: 1, 1: 3, 2: 6, 3: 4}), limits=STRICT) == dict.fromkeys(range(4), 0)
    assert clusters(knowing(graph(pairs=chain), {0: 1, 1: 3, 2: 6, 3: 5}), limits=STRICT)[3] == 3


def test_core_whose_records_know_no_common_field_is_joined_by_the_one_pair_that_says_something():
    keys = [(record, 0, 1) for record in range(8)]
    known = {9: 2} | dict.fromkeys(range(8), 1) | {0: 2}

    assert clusters(knowing(graph(keys, [(0, 9, 3.5)]), known), PLAIN)[9] == 0
    assert clusters(knowing(graph(keys, [(0, 9, 3.5)]), known | {7: 3, 6: 2, 5: 2}), PLAIN)[9] == 9


def test_records_of_which_no_compared_field_is_known_meet_nobody_but_by_what_ties_them():
    keys = [(0, 0, 1), (1, 0, 1), (2, 0, 2), (3, 0, 2)]

    assert clusters(knowing(graph(keys), {}), PLAIN) == {0: 0, 1: 0, 2: 2, 3: 2}
    assert clusters(knowing(graph(keys, links=[(1, 2)]), {}), PLAIN) == dict.fromkeys(range(4), 0)
    assert clusters(knowing(graph(keys, apart=[(0, 1)]), {}), PLAIN) == {0: 0, 1: 1, 2: 2, 3: 2}


def test_a_scored_pair_counts_though_no_field_is_told_to_be_known():
    assert clusters(knowing(graph(pairs=[(0, 1, 9.0), (1, 2, 9.0)]), {})) == {0: 0, 1: 0, 2: 0}
    assert clusters(knowing(graph(pairs=[(0, 1, 9.0), (1, 2, 4.0), (0, 2, -15.0)]), {})) == {0: 0, 1: 0, 2: 2}


def test_a_forbidden_pair_parts_records_that_know_no_field_in_common():
    evidence = knowing(graph(pairs=[(0, 1, 9.0), (1, 2, 8.0)], once=[(0, "crm"), (2, "crm")]), {0: 1, 1: 3, 2: 2})

    assert clusters(evidence) == {0: 0, 1: 0, 2: 2}
