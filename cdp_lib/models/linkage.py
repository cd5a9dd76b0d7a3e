"""Scored pairs into people: groups whose records belong together on average, not merely by a chain of links."""

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage  # type: ignore[import-untyped]  # scipy ships no types
from scipy.sparse import coo_array  # type: ignore[import-untyped]
from scipy.sparse.csgraph import connected_components  # type: ignore[import-untyped]

from cdp_lib.errors import IdentityError

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

FORBIDDEN = -1e6
"""Weight of two records that must not be one person: no average outweighs it."""

MOST_BITS = 20.0
"""A pair weighs no more in a mean: certainty about one pair is not certainty about its neighbours."""

MAX_PAIRS = 30_000_000
"""Scored pairs that one machine parts: about 100 bytes each while their records are numbered."""

STEP_BITS = 2.0
"""How much the threshold rises at a time inside a group that is too large to look at as a whole."""


@dataclass(frozen=True)
class ScoredPairs:
    """Pairs of records in dense codes from 0, left < right, each pair once; weights in bits.

    `owner` is a code of the source where a source lists everybody once, -1 for the other records.
    """

    left: Ints
    right: Ints
    weight: Floats
    owner: Ints


@dataclass(frozen=True)
class Limits:
    """Bits: from which a pair is linked, which two parts of a group have on average, of a pair never compared.

    `max_component` is the largest group that is looked at as a whole.
    """

    threshold: float
    together: float
    absent: float
    max_component: int


def partition_pairs(pairs: ScoredPairs, limits: Limits) -> Ints:
    """One label per record: the smallest record of its group.

    Records linked by pairs at or above the threshold form components. One in which all pairs are linked is a group.
    Any other is parted by average linkage (Sokal and Michener, 1958): the two parts with the highest mean weight over
    *all* pairs between them unite as long as that mean reaches `together`; pairs that no rule brought together count as
    `absent`, so a chain of links breaks at its weakest. Forbidden pairs and two records of a source that lists
    everybody once never unite. The order of the pairs changes nothing.
    """
    size = pairs.owner.size
    label = _components(pairs.left, pairs.right, pairs.weight >= limits.threshold, size)
    inner = np.flatnonzero(label[pairs.left] == label[pairs.right])
    inner = inner[np.lexsort((pairs.right[inner], pairs.left[inner], label[pairs.left[inner]]))]
    members = np.argsort(label, kind="stable")
    first_member = np.searchsorted(label[members], np.arange(size), side="left")
    group_size = np.bincount(label, minlength=size)
    linked = np.bincount(label[pairs.left[inner]], weights=pairs.weight[inner] >= limits.threshold, minlength=size)
    to_part = (group_size > 1) & (linked < group_size * (group_size - 1) // 2)
    to_part |= _has_two_of_a_source(label, pairs.owner, size)
    group_of_pair = label[pairs.left[inner]]
    starts = np.searchsorted(group_of_pair, np.arange(size), side="left")
    ends = np.searchsorted(group_of_pair, np.arange(size), side="right")
    for group in np.flatnonzero(to_part):
        records = members[first_member[group] : first_member[group] + group_size[group]]
        own = inner[starts[group] : ends[group]]
        label[records] = records[_part(records, own, pairs, limits)]
    return label


def _part(records: Ints, own: Ints, pairs: ScoredPairs, limits: Limits) -> Ints:
    """The position, within `records` (ascending), of the first record of each record's part."""
    left, right = np.searchsorted(records, pairs.left[own]), np.searchsorted(records, pairs.right[own])
    if records.size > limits.max_component:
        return _cut_and_part(records, own, pairs, limits)
    size = records.size
    matrix = np.full((size, size), limits.absent)
    matrix[left, right] = matrix[right, left] = np.minimum(pairs.weight[own], MOST_BITS)
    owner = pairs.owner[records]
    matrix[(owner[:, None] == owner[None, :]) & (owner[:, None] >= 0)] = FORBIDDEN
    return _first_of_each(average_linkage(matrix, limits.together))


def _cut_and_part(records: Ints, own: Ints, pairs: ScoredPairs, limits: Limits) -> Ints:
    """A group too large for a matrix falls apart at a higher threshold first; its pieces are parted each."""
    threshold = limits.threshold + STEP_BITS
    left, right = np.searchsorted(records, pairs.left[own]), np.searchsorted(records, pairs.right[own])
    piece = ScoredPairs(left, right, pairs.weight[own], pairs.owner[records])
    return partition_pairs(piece, replace(limits, threshold=threshold))


def average_linkage(weights: Floats, threshold: float) -> Ints:
    """A label from 1 per row of the symmetric matrix of weights: parts united while their mean weight reaches it."""
    size = weights.shape[0]
    distance = -weights[np.triu_indices(size, 1)]
    tree = linkage(distance - distance.min(), method="average")
    labels: Ints = fcluster(tree, -threshold - distance.min(), criterion="distance").astype(np.int64)
    return labels


def _first_of_each(label: Ints) -> Ints:
    _, first, place = np.unique(label, return_index=True, return_inverse=True)
    earliest: Ints = first[place].astype(np.int64)
    return earliest


def _components(left: Ints, right: Ints, is_linked: Flags, size: int) -> Ints:
    """The smallest record of each record's connected component."""
    kept_left, kept_right = left[is_linked], right[is_linked]
    edges = coo_array((np.ones(kept_left.size, dtype=np.int8), (kept_left, kept_right)), shape=(size, size))
    _, component = connected_components(edges, directed=False)
    return _first_of_each(component)


def _has_two_of_a_source(label: Ints, owner: Ints, size: int) -> Flags:
    owned = np.flatnonzero(owner >= 0)
    found = np.zeros(size, dtype=bool)
    if owned.size:
        keys, counts = np.unique(label[owned] * (int(owner.max()) + 1) + owner[owned], return_counts=True)
        found[keys[counts > 1] // (int(owner.max()) + 1)] = True
    return found


def link_records(pairs: pa.Table, sources: pa.Table, limits: Limits) -> pa.Table:
    """One row per record that is not alone: record_key, cluster_key (the smallest record_key of its group).

    `pairs` holds record_l and record_r (16 bytes each), match_weight and is_vetoed; `sources` the record_key and
    source_system of records whose source lists everybody once, and may be empty. Pairs far below the threshold may be
    left out: they then count as never compared. Raises IdentityError above MAX_PAIRS.
    """
    if pairs.num_rows > MAX_PAIRS:
        raise IdentityError(
            f"{pairs.num_rows} scored pairs are more than the {MAX_PAIRS} that one machine parts. Lower "
            "pairs_per_record or tighten the loosest blocking rules in the pack's identity.yml."
        )
    keys = np.concatenate([_halves(pairs["record_l"]), _halves(pairs["record_r"]), _halves(sources["record_key"])])
    known, code = np.unique(keys, return_inverse=True)
    count = pairs.num_rows
    owner = np.full(known.size, -1, dtype=np.int64)
    systems = sources["source_system"].combine_chunks().dictionary_encode()
    owner[code[2 * count :]] = systems.indices.to_numpy().astype(np.int64)
    weight = np.where(pairs["is_vetoed"].to_numpy(), FORBIDDEN, pairs["match_weight"].to_numpy())
    label = partition_pairs(ScoredPairs(code[:count], code[count : 2 * count], weight, owner), limits)
    together = np.flatnonzero(np.bincount(label, minlength=label.size)[label] > 1)
    return pa.table({"record_key": _binary(known[together]), "cluster_key": _binary(known[label[together]])})


def _halves(column: pa.ChunkedArray) -> NDArray[np.bytes_]:
    """The keys as fixed-width bytes, which sort as the keys do."""
    fixed = column.cast(pa.binary(16)).combine_chunks()
    return np.frombuffer(fixed.buffers()[1], dtype="V16", count=len(fixed) + fixed.offset)[fixed.offset :]


def _binary(keys: NDArray[np.bytes_]) -> pa.Array:
    return pa.Array.from_buffers(pa.binary(16), keys.size, [None, pa.py_buffer(np.ascontiguousarray(keys))])
