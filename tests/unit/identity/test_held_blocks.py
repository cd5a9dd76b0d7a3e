"""Pairs of held blocks: those of a plain double loop, each told once, however the work is parted."""

from collections import defaultdict
from itertools import combinations
from random import Random
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pytest

from cdp_lib.transforms.identity import pairing
from cdp_lib.transforms.identity.held_blocks import HeldBlocks
from cdp_lib.transforms.identity.pairing import RULE_BITS

RULES = 3
CAPS = (5, 4, 0, 6)
"""The third rule is not used; behind it comes the one that draws at random."""

Key = int | None


class Crowd(NamedTuple):
    """Records in the order in which their keys were read: keys by rule, source, place."""

    keys: list[list[Key]]
    sources: list[str | None]
    places: list[int]


def key(block: int, rule: int) -> int:
    return (block << RULE_BITS) | rule


def crowd(random: Random, count: int) -> Crowd:
    def drawn(rule: int) -> Key:
        return None if random.random() < 0.2 else key(random.randrange(-count // 6, count // 6), rule)

    places = list(range(count))
    random.shuffle(places)
    sources = [random.choice([None, "crm", "till"]) for _ in range(count)]
    return Crowd([[drawn(rule) for rule in range(RULES + 1)] for _ in range(count)], sources, places)


def blocks_of(people: Crowd, *, with_source: bool = False) -> HeldBlocks:
    columns = {"block_keys": pa.array(people.keys, pa.list_(pa.int64()))}
    if with_source:
        columns["source"] = pa.array(people.sources, pa.string())
    return HeldBlocks.of_keys(pa.table(columns), np.array(people.places, dtype=np.int64))


Pairs = dict[tuple[int, int], tuple[int, bool]]


def found(blocks: HeldBlocks, parts: int) -> Pairs:
    pairs: Pairs = {}
    for part in range(parts):
        for meeting in blocks.meetings(part, parts, RULES):
            for one, other, rule, is_random in zip(*vars(meeting).values(), strict=True):
                pair = min(one, other), max(one, other)
                assert pair not in pairs
                pairs[pair] = int(rule), bool(is_random)
    return pairs


def expected(people: Crowd, *, with_source: bool = False) -> Pairs:
    members = defaultdict(list)
    for row, keys in enumerate(people.keys):
        for rule, own in enumerate(keys):
            if own is not None:
                members[rule, own].append(row)
    rules = defaultdict(set)
    for (rule, _), rows in members.items():
        for one, other in combinations(rows if len(rows) <= CAPS[rule] else [], 2):
            if not (with_source and people.sources[one] is not None and people.sources[one] == people.sources[other]):
                places = people.places[one], people.places[other]
                rules[min(places), max(places)].add(rule)
    return {pair: (min((own - {RULES}) or {-1}), RULES in own) for pair, own in rules.items()}


@pytest.mark.parametrize(("parts", "pairs_at_once"), [(1, 1_000_000), (7, 1_000_000), (3, 2), (500, 1)])
@pytest.mark.parametrize("with_source", [False, True])
def test_each_pair_is_told_once_by_its_first_rule_however_the_work_is_parted(
    monkeypatch: pytest.MonkeyPatch, parts: int, pairs_at_once: int, with_source: bool
) -> None:
    monkeypatch.setattr(pairing, "PAIRS_AT_ONCE", pairs_at_once)
    seen = set()
    for seed in range(10):
        people = crowd(Random(seed), 90)
        pairs = expected(people, with_source=with_source)
        seen.update(pairs.values())
        assert found(blocks_of(people, with_source=with_source).up_to(CAPS), parts) == pairs
    assert seen == {(-1, True), (0, False), (0, True), (1, False), (1, True)}


def test_parts_are_about_alike() -> None:
    blocks = blocks_of(crowd(Random(3), 2_000)).up_to((50, 50, 50, 50))
    sizes = [sum(len(meeting.one) for meeting in blocks.meetings(part, 8, RULES)) for part in range(8)]
    assert max(sizes) < 1.2 * min(sizes)


def test_blocks_are_counted_by_rule_and_size() -> None:
    keys = [
        [key(1, 0), key(5, 1)],
        [key(1, 0), None],
        [key(2, 0), key(5, 1)],
        [key(2, 0), key(6, 1)],
        [None, key(5, 1)],
    ]
    blocks = blocks_of(Crowd(keys, [], list(range(5))))
    counted = blocks.counted(2, one_in=1).to_pylist()
    assert [tuple(row.values()) for row in counted] == [(0, 2, 2), (1, 3, 1)]
    assert blocks.counted(1, one_in=1).num_rows == 1


def test_of_some_keys_all_blocks_are_estimated() -> None:
    keys = [[key(place // 2, 0)] for place in range(-400, 400)]
    (row,) = blocks_of(Crowd(keys, [], list(range(800)))).counted(1, one_in=4).to_pylist()
    assert row == {"rule": 0, "record_count": 2, "block_count": 400}


def test_keys_may_come_in_parts_of_a_longer_table() -> None:
    people = crowd(Random(5), 90)
    table = pa.table({"block_keys": pa.array([[None] * 4, *people.keys], pa.list_(pa.int64()))})
    parted = pa.concat_tables([table.slice(1, 40), table.slice(41)])
    blocks = HeldBlocks.of_keys(parted, np.array(people.places, dtype=np.int64)).up_to(CAPS)
    assert found(blocks, 2) == expected(people)


@pytest.mark.parametrize("keys", [[], [[], []], [[None], [None]], [[key(1, 0)], [key(2, 0)]]])
def test_nobody_who_shares_a_key_makes_no_pair(keys: list[list[Key]]) -> None:
    blocks = blocks_of(Crowd(keys, [], list(range(len(keys)))))
    assert blocks.counted(RULES, one_in=1).num_rows == 0
    assert blocks.pair_count == 0
    assert found(blocks.up_to(CAPS), 3) == {}
