"""Who of the held records shares a block key, and the pairs that this makes: by numpy, without a shuffle.

The pairs are those of `blocking.candidate_pairs` and `candidate_and_random_pairs`. A pair that several rules bring
together is told only by the first of them: each worker sees in which blocks two records meet.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cdp_lib.transforms.identity.pairing import (
    caps_by_rule,
    Ints,
    NO_SOURCE,
    numbered_sources,
    RULE_BITS,
    rules_of_keys,
    runs_of,
    two_and_two,
)

Numbers = NDArray[np.int32]


@dataclass(frozen=True)
class Meeting:
    """Pairs of places: the rule that brings each together (-1: chance alone), and whether it was drawn at random."""

    one: Ints
    other: Ints
    rule: Numbers
    is_random: NDArray[np.bool_]


@dataclass(frozen=True)
class HeldBlocks:
    """Blocks of two records or more. `keys` and `sizes` are theirs, `members` the places of their records in turn.

    Once they are `up_to` the caps, all that is left of a key are the bits that name its rule. `record_count` is that of
    all records that are held. `sources` numbers, by place, the source of a record where that lists everybody once, and
    is NO_SOURCE for any other; None where no source does.
    """

    record_count: int
    keys: Ints
    sizes: Ints
    members: Numbers
    sources: Numbers | None

    @classmethod
    def of_keys(cls, keyed: pa.Table, places: Ints) -> "HeldBlocks":
        """The blocks of records, each once: `block_keys`, an array as long as any other, and `source` if need be.

        `places` are theirs.
        """
        keys = keyed["block_keys"].combine_chunks()
        width = len(keys[0]) if len(keys) else 0
        with ThreadPoolExecutor() as threads:  # numpy sorts outside of Python's lock
            found = list(threads.map(lambda place: _shared(pc.list_element(keys, place), places), range(width)))
        nothing = np.zeros(0, dtype=np.int64)
        return cls(
            record_count=keyed.num_rows,
            keys=np.concatenate([nothing, *(own for own, _, _ in found)]),
            sizes=np.concatenate([nothing, *(sizes for _, sizes, _ in found)]),
            members=np.concatenate([nothing.astype(np.int32), *(members for _, _, members in found)]),
            sources=_by_place(keyed, places) if "source" in keyed.column_names else None,
        )

    def counted(self, rule_count: int, one_in: int) -> pa.Table:
        """What `blocking.block_sizes` says of the first rules."""
        rules = rules_of_keys(self.keys)
        is_seen = (rules < rule_count) & ((self.keys >> RULE_BITS) % one_in == 0)
        kinds, counts = np.unique(np.stack([rules[is_seen], self.sizes[is_seen]]), axis=1, return_counts=True)
        return pa.table(
            {
                "rule": pa.array(kinds[0], pa.int32()),
                "record_count": pa.array(kinds[1], pa.int64()),
                "block_count": pa.array(counts * one_in, pa.int64()),
            }
        )

    def up_to(self, caps: Sequence[int]) -> "HeldBlocks":
        """The blocks that are not above their rule's cap."""
        rules = rules_of_keys(self.keys)
        is_kept = self.sizes <= caps_by_rule(caps)[rules]
        members = self.members[np.repeat(is_kept, self.sizes)]
        return replace(self, keys=rules[is_kept].astype(np.int8), sizes=self.sizes[is_kept], members=members)

    @property
    def pair_count(self) -> int:
        """How many pairs the blocks make, each as often as rules do."""
        return int(self._pairs_until[-1]) if len(self.sizes) else 0

    def meetings(self, part: int, parts: int, strangers: int) -> Iterator[Meeting]:
        """One of the parts, about alike in size, that all pairs fall into; each pair is in one of them and once.

        A block is not parted: one whose pairs are more than a part's makes others empty.
        `strangers` is the place of the rule that draws at random.
        """
        bounds = [self.pair_count * end // parts for end in (part, part + 1)]
        first, last = np.searchsorted(self._pairs_until, bounds, side="right")
        rules = rules_of_keys(self.keys[first:last])
        starts, sizes = self._starts[first:last], self.sizes[first:last]
        for rule in np.unique(rules):
            own = rules == rule
            ends = zip(*two_and_two(starts[own], sizes[own]), strict=True)
            one, other = (self.members[np.concatenate(rows)] for rows in ends)
            yield self._met(one, other, int(rule), strangers)

    def _met(self, one: Numbers, other: Numbers, rule: int, strangers: int) -> Meeting:
        """The pairs that no earlier rule brings together, but for two of a source that lists everybody once."""
        is_own = np.ones(len(one), dtype=bool)
        if self.sources is not None:
            is_own = (self.sources[one] == NO_SOURCE) | (self.sources[one] != self.sources[other])
        for earlier in self._rules[self._rules < rule]:
            is_own &= ~self._are_together(int(earlier), one, other)
        one, other = one[is_own], other[is_own]
        order = np.argsort(one)
        one, other = one[order], other[order]
        is_random = np.full(len(one), rule == strangers)
        if rule < strangers and strangers in self._rules:
            is_random = self._are_together(strangers, one, other)
        named = rule if rule < strangers else -1
        return Meeting(one.astype(np.int64), other.astype(np.int64), np.full(len(one), named, np.int32), is_random)

    def _are_together(self, rule: int, one: Numbers, other: Numbers) -> NDArray[np.bool_]:
        blocks = self._block_of[rule]
        block = blocks[one]
        together: NDArray[np.bool_] = (block >= 0) & (block == blocks[other])
        return together

    @cached_property
    def _rules(self) -> Ints:
        """Those that have blocks, in order."""
        return np.unique(rules_of_keys(self.keys))

    @cached_property
    def _starts(self) -> Ints:
        starts: Ints = np.cumsum(self.sizes) - self.sizes
        return starts

    @cached_property
    def _pairs_until(self) -> Ints:
        """How many pairs each block and all before it make."""
        until: Ints = np.cumsum(self.sizes * (self.sizes - 1) // 2)
        return until

    @cached_property
    def _block_of(self) -> dict[int, Numbers]:
        """Rule: the block that each record is in, by its place; -1 where it is in none."""
        rules = rules_of_keys(self.keys)
        found = {}
        for rule in self._rules:
            own = np.flatnonzero(rules == rule)
            sizes = self.sizes[own]
            blocks = np.full(self.record_count, -1, dtype=np.int32)
            blocks[self.members[np.repeat(rules == rule, self.sizes)]] = np.repeat(own.astype(np.int32), sizes)
            found[int(rule)] = blocks
        return found


def _shared(key: pa.Array, places: Ints) -> tuple[Ints, Ints, Numbers]:
    """The keys that two records or more have, how many have each, and their places, key by key."""
    own = places[key.is_valid().to_numpy(zero_copy_only=False)]
    keys = key.drop_null().to_numpy()
    order = np.argsort(keys)
    ordered = keys[order]
    starts, sizes = runs_of(ordered)
    is_shared = sizes > 1
    return ordered[starts[is_shared]], sizes[is_shared], own[order[np.repeat(is_shared, sizes)]].astype(np.int32)


def _by_place(keyed: pa.Table, places: Ints) -> Numbers:
    sources = np.empty(len(places), dtype=np.int32)
    sources[places] = numbered_sources(keyed["source"])
    return sources
