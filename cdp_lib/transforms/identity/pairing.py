"""Every two records of a block, by numpy on Arrow columns."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

RULE_BITS = 6
"""Bits of a key that name its rule: the settings allow 32, and random groups of strangers count as one more."""

ROWS_AT_ONCE, PAIRS_AT_ONCE = 500_000, 1_000_000
"""Some 100 MB of a worker's memory."""

_KEY_BYTES = 16

NO_SOURCE = -1
"""In place of a source's number, where a source may list somebody twice."""

Ints = NDArray[np.int64]
Halves = NDArray[np.uint64]


def pairs_of_blocks(caps: Sequence[int], batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """One row per two records of a block of at most its rule's cap: record_l < record_r, and the rule's place.

    `batches` (record, key; and `source` where some sources list everybody once) are sorted by key, and hold each block
    whole. Two records of one such source, which is null for any other, are not paired.
    """
    cap_of = caps_by_rule(caps)
    for rows in _whole_blocks(batches, int(cap_of.max()) + 1):
        members = _Members(rows)
        keys = rows["key"].to_numpy()
        starts, sizes = runs_of(keys)
        is_kept = (sizes > 1) & (sizes <= cap_of[rules_of_keys(keys[starts])])
        for one, other in two_and_two(starts[is_kept], sizes[is_kept]):
            yield members.paired(one, other)


def runs_of(keys: Ints) -> tuple[Ints, Ints]:
    """Where each block begins in sorted keys, and how many rows it has."""
    is_first = np.ones(len(keys), dtype=bool)
    is_first[1:] = keys[1:] != keys[:-1]
    starts = np.flatnonzero(is_first)
    return starts, np.diff(starts, append=len(keys))


def two_and_two(starts: Ints, sizes: Ints) -> Iterator[tuple[Ints, Ints]]:
    """The rows of every two members of each block, PAIRS_AT_ONCE or so; blocks are given by first row and size.

    Blocks of one size are paired together: numpy does that for all of them in one go.
    """
    for size in np.unique(sizes):
        one, other = np.triu_indices(size, 1)
        blocks = starts[sizes == size][:, np.newaxis]
        step = max(PAIRS_AT_ONCE // len(one), 1)
        for first in range(0, len(blocks), step):
            some = blocks[first : first + step]
            yield (some + one).ravel(), (some + other).ravel()


def _whole_blocks(batches: Iterable[pa.RecordBatch], most: int) -> Iterator[pa.Table]:
    """The rows in tables of some ROWS_AT_ONCE that no block reaches across; of a larger block than `most` not all."""
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        waiting.append(batch)
        if sum(one.num_rows for one in waiting) >= ROWS_AT_ONCE:
            rows = pa.Table.from_batches(waiting)
            keys = rows["key"].to_numpy()
            last = int(np.searchsorted(keys, keys[-1]))
            if last:
                yield rows.slice(0, last)
            waiting = rows.slice(last, most).to_batches()
    if waiting:
        yield pa.Table.from_batches(waiting)


class _Members:
    """Records by their row, to be named in pairs."""

    def __init__(self, rows: pa.Table) -> None:
        self._records = rows["record"].combine_chunks()
        self._parts = halves(self._records)
        self._rules = rules_of_keys(rows["key"].to_numpy()).astype(np.int32)
        self._sources = numbered_sources(rows["source"]) if "source" in rows.column_names else None

    def paired(self, one: Ints, other: Ints) -> pa.RecordBatch:
        """The records in these rows, two and two."""
        if self._sources is not None:
            source = self._sources[one]
            are_apart = (source == NO_SOURCE) | (source != self._sources[other])
            one, other = one[are_apart], other[are_apart]
        left, right = in_order(self._parts, one, other)
        sides = {"record_l": self._records.take(pa.array(left)), "record_r": self._records.take(pa.array(right))}
        return pa.RecordBatch.from_pydict({**sides, "rule": pa.array(self._rules[one])})


def in_order(parts: Sequence[Halves], one: Ints, other: Ints) -> tuple[Ints, Ints]:
    """The rows two and two, that of the lesser name on the left; `parts` of each row's name, the first matters most."""
    is_left = np.zeros(len(one), dtype=bool)
    for part in reversed(parts):
        is_left = (part[one] < part[other]) | ((part[one] == part[other]) & is_left)
    return np.where(is_left, one, other), np.where(is_left, other, one)


def halves(keys: pa.Array) -> tuple[Halves, Halves]:
    """The first and the last half of each key of 16 bytes, as numbers that order as the bytes do."""
    whole = keys.cast(pa.binary(_KEY_BYTES))
    both = np.frombuffer(whole.buffers()[1], dtype=">u8", count=2 * len(whole), offset=whole.offset * _KEY_BYTES)
    first, last = both.reshape(-1, 2).astype(np.uint64).T
    return first, last


def rules_of_keys(keys: Ints) -> Ints:
    """The places of the rules that the keys belong to."""
    places: Ints = keys & (2**RULE_BITS - 1)
    return places


def caps_by_rule(caps: Sequence[int]) -> Ints:
    """The cap of each place that a key can name: 0 where there is no such rule."""
    cap_of = np.zeros(2**RULE_BITS, dtype=np.int64)
    cap_of[: len(caps)] = caps
    return cap_of


def numbered_sources(sources: pa.ChunkedArray) -> NDArray[np.int32]:
    """A number for each row's source, NO_SOURCE for a null."""
    numbers = sources.combine_chunks().dictionary_encode().indices
    found: NDArray[np.int32] = pc.fill_null(numbers, NO_SOURCE).to_numpy()
    return found
