"""Which records become one group: chains, contradictions, limits, and any order of the pairs."""

import numpy as np
import pyarrow as pa
import pytest

from cdp_lib.models.linkage import FORBIDDEN, Limits, link_records, partition_pairs, ScoredPairs

LIMITS = Limits(threshold=3.0, together=-2.0, absent=-4.0, max_component=100)


def _label(size, *pairs, owner=None, limits=LIMITS):
    left, right, weight = (np.array(column) for column in zip(*pairs, strict=True))
    owners = np.full(size, -1) if owner is None else np.array(owner)
    return partition_pairs(ScoredPairs(left, right, weight.astype(np.float64), owners), limits).tolist()


def _union_find(size, links):
    parent = list(range(size))

    def root(node):
        while parent[node] != node:
            node = parent[node]
        return node

    for left, right in links:
        low, high = sorted((root(left), root(right)))
        parent[high] = low
    return [root(node) for node in range(size)]


def test_linked_records_are_one_group_and_others_stand_alone():
    assert _label(4, (0, 1, 9.0), (2, 3, 1.0)) == [0, 0, 2, 3]


def test_a_strong_chain_holds_though_its_ends_were_never_compared():
    assert _label(3, (0, 1, 9.0), (1, 2, 9.0)) == [0, 0, 0]


def test_a_chain_whose_ends_contradict_each_other_breaks_at_its_weaker_link():
    assert _label(3, (0, 1, 9.0), (1, 2, 4.0), (0, 2, -15.0)) == [0, 0, 2]


def test_two_groups_that_one_weak_link_joins_stay_two():
    strong = [(a, b, 12.0) for a, b in ((0, 1), (0, 2), (1, 2), (3, 4), (3, 5), (4, 5))]

    assert _label(6, *strong, (2, 3, 3.5)) == [0, 0, 0, 3, 3, 3]


def test_a_forbidden_pair_never_unites_however_strong_the_others_are():
    label = _label(4, (0, 1, 60.0), (1, 2, 59.0), (0, 2, FORBIDDEN), (0, 3, 58.0), (1, 3, 58.0))

    assert label[0] != label[2]


def test_two_records_of_a_source_that_lists_everybody_once_stay_two():
    assert _label(3, (0, 1, 9.0), (1, 2, 8.0), owner=[5, -1, 5]) == [0, 0, 2]


@pytest.mark.parametrize("seed", range(20))
def test_without_contradictions_groups_are_the_connected_components(seed):
    draw = np.random.default_rng(seed)
    size, count = 60, int(draw.integers(10, 70))
    ends = draw.integers(0, size, (count, 2))
    links = sorted({(min(a, b), max(a, b)) for a, b in ends.tolist() if a != b})
    anything_goes = Limits(threshold=3.0, together=-10.0, absent=-4.0, max_component=100)

    label = _label(size, *((a, b, 5.0) for a, b in links), limits=anything_goes)

    assert label == _union_find(size, links)


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_the_pairs_changes_nothing(seed):
    draw = np.random.default_rng(seed)
    pairs = [(a, b, float(w)) for a in range(12) for b in range(a + 1, 12) for w in [draw.normal(1, 8)] if w > -12]
    shuffled = [pairs[place] for place in draw.permutation(len(pairs))]

    assert _label(12, *pairs) == _label(12, *shuffled)


def test_a_group_above_the_size_limit_falls_apart_where_its_links_are_weaker():
    chain = [(place, place + 1, 12.0 if place % 3 < 2 else 3.5) for place in range(8)]
    small = Limits(threshold=3.0, together=-10.0, absent=-4.0, max_component=4)

    assert _label(9, *chain, limits=small) == [0, 0, 0, 3, 3, 3, 6, 6, 6]


def _key(number):
    return number.to_bytes(16, "big")


def test_records_come_back_by_key_and_only_those_that_are_not_alone():
    pairs = pa.table(
        {
            "record_l": pa.array([_key(1), _key(300), _key(7)]),
            "record_r": pa.array([_key(300), _key(2**100), _key(8)]),
            "match_weight": [9.0, 9.0, 9.0],
            "is_vetoed": [False, False, True],
        }
    )
    nobody = pa.table({"record_key": pa.array([], pa.binary()), "source_system": pa.array([], pa.string())})

    found = link_records(pairs, nobody, LIMITS).to_pylist()

    assert sorted((row["record_key"], row["cluster_key"]) for row in found) == [
        (_key(1), _key(1)),
        (_key(300), _key(1)),
        (_key(2**100), _key(1)),
    ]
