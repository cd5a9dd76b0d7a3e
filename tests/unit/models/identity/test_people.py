"""Evidence about records into people: what is stronger than what, and what becomes of contradictions."""

import pyarrow as pa
import pytest

from cdp_lib.errors import IdentityError
from cdp_lib.models.identity import people as people_module
from cdp_lib.models.identity.linkage import Limits, NODES_AT_ONCE
from cdp_lib.models.identity.people import (
    fits_one_machine,
    IdentityGraph,
    MAX_KEYS,
    MAX_PAIRS,
    part_records,
    PERSON_SCHEMA,
)
from tests.unit.models.identity.evidence import clusters, graph, identity_of, key, LIMITS, people, VETOED

PLAIN = identity_of(None, None)
SMALL = Limits(threshold=3.0, together=-10.0, absent=-4.0, max_component=4)


def test_linked_records_are_one_person_and_others_are_not_listed():
    assert clusters(graph(pairs=[(0, 1, 9.0), (2, 3, 1.0)])) == {0: 0, 1: 0}


def test_a_strong_chain_holds_though_its_ends_were_never_compared():
    assert clusters(graph(pairs=[(0, 1, 9.0), (1, 2, 9.0)])) == {0: 0, 1: 0, 2: 0}


def test_a_chain_whose_ends_contradict_each_other_breaks_at_its_weaker_link():
    evidence = graph(pairs=[(0, 1, 9.0), (1, 2, 4.0), (0, 2, -15.0)])

    assert people(evidence) == {0: (0, 0, "match"), 1: (0, 0, "match"), 2: (0, 2, None)}


def test_two_groups_that_one_weak_link_joins_stay_two():
    strong = [(a, b, 12.0) for a, b in ((0, 1), (0, 2), (1, 2), (3, 4), (3, 5), (4, 5))]

    assert clusters(graph(pairs=[*strong, (2, 3, 3.5)])) == {0: 0, 1: 0, 2: 0, 3: 3, 4: 3, 5: 3}


def test_a_veto_parts_two_records_however_strong_the_others_are():
    pairs = [(0, 1, 60.0), (1, 2, 59.0), (0, 2, 50.0, VETOED), (0, 3, 58.0), (1, 3, 58.0)]

    found = clusters(graph(pairs=pairs))

    assert found[0] != found[2]


def test_a_vetoed_pair_alone_makes_no_component():
    assert people(graph(pairs=[(0, 1, 60.0, VETOED)])) == {}


def test_two_records_of_a_source_that_lists_everybody_once_stay_two():
    evidence = graph(pairs=[(0, 1, 9.0), (1, 2, 8.0)], once=[(0, "crm"), (2, "crm"), (1, "shop"), (9, "crm")])

    assert clusters(evidence) == {0: 0, 1: 0, 2: 2}


def test_pair_of_a_source_that_lists_everybody_once_stays_two_though_all_is_linked():
    assert clusters(graph(pairs=[(0, 1, 9.0)], once=[(0, "crm"), (1, "crm")])) == {0: 0, 1: 1}


def test_exact_identifiers_hold_against_pairs_vetoes_and_sources():
    evidence = graph(
        keys=[(0, 0, 1), (1, 0, 1), (2, 0, 1)],
        pairs=[(0, 1, -30.0), (0, 2, 5.0, VETOED)],
        once=[(0, "crm"), (1, "crm")],
    )

    assert people(evidence, PLAIN) == {record: (0, 0, "id0") for record in range(3)}


def test_a_veto_between_two_cores_parts_them_whole():
    keys = [(0, 0, 1), (1, 0, 1), (2, 0, 2), (3, 0, 2)]
    pairs = [(0, 2, 20.0), (0, 3, 20.0), (1, 2, 20.0), (1, 3, 20.0, VETOED)]

    assert clusters(graph(keys, pairs), PLAIN) == {0: 0, 1: 0, 2: 2, 3: 2}


def test_cores_count_by_their_records_in_a_mean():
    keys = [(0, 0, 1), (1, 0, 1), (2, 0, 1), (3, 0, 1)]

    # One link of 4 bits among four pairs, three of them never compared: -2 on average.
    assert clusters(graph(keys, [(0, 9, 4.0)]), PLAIN)[9] == 0
    assert clusters(graph(keys, [(0, 9, 3.5)]), PLAIN)[9] == 9


def test_two_values_of_a_unique_identifier_stay_two_though_a_match_joins_them():
    keys = [(0, 0, 1), (1, 0, 2), (2, 1, 5)]

    assert clusters(graph(keys, [(0, 1, 30.0)]), identity_of(1, None)) == {0: 0, 1: 1}


def test_record_without_the_unique_identifier_joins_one_of_its_holders():
    keys = [(0, 0, 1), (1, 0, 2)]

    assert clusters(graph(keys, [(0, 2, 8.0), (1, 2, 9.0)]), identity_of(1)) == {0: 0, 1: 1, 2: 1}


def test_cluster_with_too_many_values_is_parted_where_its_means_are_lower():
    keys = [(0, 0, 1), (1, 0, 2), (2, 0, 3)]
    pairs = [(0, 1, 9.0), (1, 2, 5.0), (0, 2, 5.0)]

    assert clusters(graph(keys, pairs), identity_of(3)) == {0: 0, 1: 0, 2: 0}
    assert clusters(graph(keys, pairs), identity_of(2)) == {0: 0, 1: 0, 2: 2}


def test_cluster_with_too_many_values_falls_apart_down_to_its_cores():
    keys = [(record, place, record // 2) for record in range(6) for place in (0, 1)]
    pairs = [(a, b, 9.0) for a in range(6) for b in range(a + 1, 6) if a // 2 != b // 2]

    assert clusters(graph(keys, pairs), identity_of(2, None)) == {0: 0, 1: 0, 2: 2, 3: 2, 4: 4, 5: 4}


def test_link_decision_joins_what_no_rule_brought_together():
    assert people(graph(links=[(5, 3)])) == {3: (3, 3, "decision"), 5: (3, 3, "decision")}


def test_link_decision_holds_against_limits_vetoes_and_sources():
    evidence = graph(
        keys=[(0, 0, 1), (1, 0, 2), (0, 1, 1), (1, 1, 2)],
        pairs=[(0, 1, -9.0, VETOED)],
        links=[(0, 1)],
        once=[(0, "crm"), (1, "crm")],
    )

    assert clusters(evidence, identity_of(1, 1)) == {0: 0, 1: 0}


def test_person_that_a_decision_gave_two_values_is_still_joined_by_a_record_without_one():
    keys = [(0, 0, 1), (1, 0, 2), (2, 0, 3)]
    pairs = [(0, 9, 9.0), (1, 9, 9.0), (2, 9, 9.0)]

    assert clusters(graph(keys, pairs, links=[(0, 1), (1, 2)]), identity_of(2)) == dict.fromkeys((0, 1, 2, 9), 0)


def test_unlink_decision_parts_a_core_of_two():
    evidence = graph(keys=[(0, 0, 1), (1, 0, 1)], apart=[(1, 0)])

    assert people(evidence, PLAIN) == {0: (0, 0, None), 1: (0, 1, None)}


def test_unlink_decision_beats_a_chain_of_identifiers_and_link_decisions():
    keys = [(0, 0, 1), (1, 0, 1), (2, 0, 2), (3, 0, 2)]

    found = clusters(graph(keys, links=[(1, 2)], apart=[(0, 3)]), PLAIN)

    # Neither core holds a contradiction: the link between them gives way.
    assert found == {0: 0, 1: 0, 2: 2, 3: 2}


def test_unlink_decision_beats_a_link_decision_on_the_same_pair():
    assert clusters(graph(links=[(0, 1)], apart=[(0, 1)])) == {0: 0, 1: 1}


def test_unlink_decision_beats_a_match_though_all_is_linked():
    assert clusters(graph(pairs=[(0, 1, 40.0)], apart=[(0, 1)])) == {0: 0, 1: 1}


def test_rest_of_a_contested_core_goes_where_it_has_most_ties():
    everybodys = [(record, 0, 1) for record in range(5)]

    found = clusters(graph([*everybodys, (1, 1, 5), (3, 1, 5), (0, 1, 6), (4, 1, 6)], apart=[(0, 1)]), PLAIN)

    assert found[3] == found[1]
    assert found[4] == found[0]


def test_scored_pairs_decide_between_equal_ties_of_a_contested_core():
    keys = [(0, 0, 1), (1, 0, 1), (2, 0, 1)]
    pairs = [(0, 2, -3.0), (1, 2, 6.0)]

    assert clusters(graph(keys, pairs, apart=[(0, 1)]), PLAIN) == {0: 0, 1: 1, 2: 1}


def test_vetoes_and_sources_part_nothing_of_a_contested_core():
    keys = [(0, 0, 1), (1, 0, 1), (2, 0, 1), (3, 0, 1), (2, 1, 2), (3, 1, 2)]
    evidence = graph(keys, [(2, 3, 1.0, VETOED)], apart=[(0, 1)], once=[(2, "crm"), (3, "crm")])

    found = clusters(evidence, PLAIN)

    assert found[2] == found[3]


@pytest.mark.parametrize("size", [200, 1500])
def test_chain_with_an_unlink_decision_between_its_ends_becomes_two(size):
    keys = [(place + end, 0, place) for place in range(size - 1) for end in (0, 1)]
    limits = Limits(threshold=3.0, together=-2.0, absent=-4.0, max_component=2000)

    found = clusters(graph(keys, apart=[(0, size - 1)]), PLAIN, limits)

    assert len(set(found.values())) == 2
    assert found[0] != found[size - 1]


def test_contested_core_too_large_to_look_at_loses_only_the_records_decided_on():
    keys = [(record, 0, 1) for record in range(5000)]

    found = clusters(graph(keys, apart=[(7, 4000)]), PLAIN)

    assert set(found.values()) == {0, 4000}
    assert [record for record, cluster in found.items() if cluster == 4000] == [4000]


def test_record_that_leaves_a_large_core_goes_where_all_are_tied_to_it():
    keys = [*((record, 0, 1) for record in (0, 2, 3, 4)), (0, 1, 2), (5, 1, 2), (1, 0, 3), (5, 0, 3)]
    limits = Limits(threshold=3.0, together=-2.0, absent=-4.0, max_component=4)

    found = clusters(graph(keys, apart=[(0, 1)]), PLAIN, limits)

    assert found == {0: 0, 2: 0, 3: 0, 4: 0, 1: 1, 5: 1}


def test_refused_identifier_makes_a_component_but_no_person():
    keys = [(0, 0, 1), (1, 0, 2), (0, 1, 7), (1, 1, 7)]

    assert people(graph(keys), identity_of(1, None)) == {0: (0, 0, None), 1: (0, 1, None)}


def test_refused_identifier_says_nothing_even_where_strangers_are_thought_alike():
    keys = [(0, 0, 1), (1, 0, 2), (0, 1, 7), (1, 1, 7), (2, 1, 7)]
    trusting = Limits(threshold=3.0, together=-2.0, absent=0.0, max_component=100)

    assert clusters(graph(keys), identity_of(1, None), trusting) == {0: 0, 1: 1, 2: 2}


def test_matched_by_lists_identifiers_in_priority_order_then_match_then_decision():
    evidence = graph(
        keys=[(0, 1, 1), (1, 1, 1), (0, 0, 2), (1, 0, 2), (2, 0, 3)], pairs=[(0, 1, 5.0), (1, 2, 9.0)], links=[(1, 2)]
    )

    assert people(evidence, PLAIN) == {
        0: (0, 0, "id0,id1,match"),
        1: (0, 0, "id0,id1,match,decision"),
        2: (0, 0, "match,decision"),
    }


def test_group_above_the_size_limit_falls_apart_where_its_links_are_weaker():
    chain = [(place, place + 1, 12.0 if place % 3 < 2 else 3.5) for place in range(8)]

    assert clusters(graph(pairs=chain), limits=SMALL) == {place: place // 3 * 3 for place in range(9)}


def test_records_that_must_stay_together_count_as_one_of_a_large_group():
    keys = [(record, 0, record // 2000) for record in range(5000)]
    strong = [(record, 2000 + record, 9.0) for record in range(2000)]
    limits = Limits(threshold=3.0, together=-3.999, absent=-4.0, max_component=2000)

    found = clusters(graph(keys, [*strong, (4000, 0, 4.0)]), PLAIN, limits)

    assert set(found.values()) == {0, 4000}


def _tied(first, size):
    """Two ways to unite the first five have the same mean; the others hang on in a chain."""
    a = range(first, first + size)
    near = [(a[0], a[3], 10), (a[1], a[2], 20), (a[2], a[3], 20), (a[3], a[4], 20)]
    apart = [(a[1], a[3], -5, VETOED), (a[2], a[4], -5, VETOED), (a[1], a[4], -5, VETOED)]
    return [*near, *apart, (a[0], a[5], 6), *((left, left + 1, 6) for left in a[5:-1])]


@pytest.mark.parametrize("size", [NODES_AT_ONCE - 4, NODES_AT_ONCE, NODES_AT_ONCE + 1])
def test_a_group_with_equal_means_does_not_ask_how_large_the_group_beside_it_is(size):
    alone = clusters(graph(pairs=_tied(0, size)))
    beside_others = clusters(graph(pairs=[*_tied(0, size), *_tied(1000, NODES_AT_ONCE + 2)]))

    assert {record: beside_others[record] for record in alone} == alone


def test_infinite_threshold_links_no_pair_and_keeps_identifiers():
    never = Limits(threshold=float("inf"), together=-2.0, absent=-4.0, max_component=100)
    keys = [(0, 0, 1), (1, 0, 1), (2, 0, 1), (3, 0, 1)]

    assert clusters(graph(keys, [(0, 9, 50.0)]), PLAIN, never) == dict.fromkeys(range(4), 0)
    assert len(set(clusters(graph(keys, apart=[(0, 1)]), PLAIN, never).values())) == 2


def test_no_evidence_gives_nobody():
    found = part_records(IdentityGraph(), PLAIN, LIMITS)

    assert found.num_rows == 0
    assert found.schema == PERSON_SCHEMA


def test_keys_of_any_bytes_come_back_in_their_order():
    pairs = graph(pairs=[(1, 300, 9.0), (300, 2**100, 9.0)]).pairs

    found = part_records(IdentityGraph(pairs=pairs), PLAIN, LIMITS)

    assert found["record_key"].to_pylist() == [key(1), key(300), key(2**100)]
    assert found["cluster_key"].to_pylist() == [key(1)] * 3


def test_more_pairs_than_one_machine_parts_are_refused(monkeypatch):
    monkeypatch.setattr(people_module, "MAX_PAIRS", 1)

    with pytest.raises(IdentityError, match=r"2 scored pairs are more than the 1 .*part_records_on_spark"):
        part_records(graph(pairs=[(0, 1, 9.0), (1, 2, 9.0)]), PLAIN, LIMITS)


def test_more_keys_than_one_machine_takes_are_refused():
    many = pa.table({"record_key": pa.nulls(MAX_KEYS + 1)})

    with pytest.raises(IdentityError, match=f"{MAX_KEYS + 1} identifier keys are more than the {MAX_KEYS}"):
        part_records(IdentityGraph(keys=many), PLAIN, LIMITS)


def test_one_machine_takes_keys_and_pairs_up_to_its_limits():
    assert fits_one_machine(MAX_KEYS, MAX_PAIRS)
    assert not fits_one_machine(MAX_KEYS + 1, 0)
    assert not fits_one_machine(0, MAX_PAIRS + 1)
