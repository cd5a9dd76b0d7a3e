"""Components against a plain union-find, and against the rules said in loops."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from cdp_lib.errors import IdentityError
from cdp_lib.models.identity import components
from cdp_lib.models.identity.components import MAX_KEYS, partition_by_priority, tied_by

KEYS = st.lists(st.tuples(st.integers(-9, 9), st.integers(0, 2), st.integers(-4, 4)), max_size=50)
LIMITS = st.lists(st.one_of(st.none(), st.integers(1, 3)), min_size=3, max_size=3)


def _arrays(keys):
    columns = np.array(keys, dtype=np.int64).reshape(-1, 3)
    return columns[:, 0], columns[:, 1], columns[:, 2]


def _labels(keys, limits):
    labels = partition_by_priority(*_arrays(keys), limits)
    return dict(zip(sorted({key[0] for key in keys}), labels.tolist(), strict=True))


def _union_find(keys):
    parent = {record: record for record, _, _ in keys}

    def root(record):
        while parent[record] != record:
            record = parent[record]
        return record

    holder = {}
    for record, identifier, value in keys:
        other = root(holder.setdefault((identifier, value), record))
        low, high = sorted((root(record), other))
        parent[high] = low
    return {record: root(record) for record in parent}


def _by_the_rules(keys, limits):
    label = {record: record for record, _, _ in keys}
    for level in range(len(limits)):
        joined = _union_find(
            [(label[record], 0, ("value", value)) for record, identifier, value in keys if identifier == level]
            + [(part, 1, part) for part in label.values()]
        )
        held = defaultdict(set)
        for record, identifier, value in keys:
            held[joined[label[record]], identifier].add(value)
        broken = {part for (part, identifier), values in held.items() if len(values) > (limits[identifier] or 99)}
        label = {record: part if joined[part] in broken else joined[part] for record, part in label.items()}
    return label


@settings(deadline=None)
@given(KEYS)
def test_without_limits_components_are_those_of_a_union_find(keys):
    assert _labels(keys, [None, None, None]) == _union_find(keys)


@settings(deadline=None)
@given(KEYS, LIMITS)
def test_with_limits_components_follow_the_rules_said_in_loops(keys, limits):
    assert _labels(keys, limits) == _by_the_rules(keys, limits)


@settings(deadline=None)
@given(KEYS, LIMITS, st.randoms(use_true_random=False))
def test_order_and_repetition_of_keys_change_nothing(keys, limits, random):
    shuffled = [*keys, *keys[:5]]
    random.shuffle(shuffled)

    assert _labels(shuffled, limits) == _labels(keys, limits)


@settings(deadline=None)
@given(KEYS, LIMITS)
def test_partition_of_the_components_themselves_changes_nothing(keys, limits):
    label = _labels(keys, limits)

    again = _labels([(label[record], identifier, value) for record, identifier, value in keys], limits)

    assert {record: again[part] for record, part in label.items()} == label


@settings(deadline=None)
@given(KEYS, LIMITS)
def test_identifier_ties_a_record_that_shares_its_value_inside_the_component(keys, limits):
    labels = partition_by_priority(*_arrays(keys), limits)
    label = _labels(keys, limits)
    expected = {
        (record, identifier)
        for record, identifier, value in keys
        for other, same_identifier, same_value in keys
        if (identifier, value) == (same_identifier, same_value) and record != other and label[record] == label[other]
    }

    tied = tied_by(*_arrays(keys), labels)

    records = sorted(label)
    assert {(records[row], column) for row, column in np.argwhere(tied).tolist()} == expected


def test_twins_who_share_a_phone_but_have_two_member_ids_stay_two_people():
    member_id, phone = 0, 1
    keys = [(1, member_id, 11), (2, member_id, 11), (3, member_id, 12), (2, phone, 7), (3, phone, 7)]

    assert _labels(keys, [1, None]) == {1: 1, 2: 1, 3: 3}


def test_join_by_a_stronger_identifier_is_refused_for_the_limit_of_a_weaker_one():
    phone, member_id = 0, 1

    assert _labels([(1, phone, 7), (2, phone, 7), (1, member_id, 11), (2, member_id, 12)], [None, 1]) == {1: 1, 2: 2}


def test_joins_elsewhere_on_the_same_level_survive_a_refused_one():
    member_id, phone = 0, 1
    keys = [(1, member_id, 11), (2, member_id, 12), (1, phone, 7), (2, phone, 7), (3, phone, 8), (4, phone, 8)]

    assert _labels(keys, [1, None]) == {1: 1, 2: 2, 3: 3, 4: 3}


def test_no_keys_give_no_labels():
    assert partition_by_priority(*_arrays([]), [None]).tolist() == []
    assert partition_by_priority(*_arrays([]), []).tolist() == []


def test_more_keys_than_one_machine_takes_are_refused():
    many = np.lib.stride_tricks.as_strided(np.zeros(1, dtype=np.int64), shape=(MAX_KEYS + 1,), strides=(0,))

    with pytest.raises(IdentityError, match=f"{MAX_KEYS + 1} identifier keys are more than the {MAX_KEYS}"):
        partition_by_priority(many, many, many, [None])


def test_more_identifiers_than_the_mask_has_bits_are_refused():
    with pytest.raises(IdentityError, match="63 identifiers are more than 62"):
        partition_by_priority(*_arrays([]), [None] * (components.MAX_IDENTIFIERS + 1))


def test_keys_of_an_identifier_without_a_place_in_the_limits_are_refused():
    with pytest.raises(IdentityError, match="identifiers run from 0 to 2, but there are 2 limits"):
        partition_by_priority(*_arrays([(1, 0, 1), (1, 2, 1)]), [None, 1])


def test_arrays_of_different_length_are_refused():
    one, two = np.zeros(1, dtype=np.int64), np.zeros(2, dtype=np.int64)

    with pytest.raises(IdentityError, match="2 records, 1 identifiers and 2 values"):
        partition_by_priority(two, one, two, [None])
