"""Groups of records that share exact identifiers, taken in by priority and held to limits, on arrays of one machine."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import coo_array  # type: ignore[import-untyped]  # scipy ships no type information
from scipy.sparse.csgraph import connected_components  # type: ignore[import-untyped]

from cdp_lib.errors import IdentityError
from cdp_lib.settings.identity import Identity

MAX_KEYS = 20_000_000
"""Keys (record x identifier x value) that one machine takes; measured 18 to 35 s and up to 240 bytes a key."""

MAX_IDENTIFIERS = 62
"""Bits of the mask that says which identifiers tie a record."""

_KEY_BYTES = 16

Codes = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class _Keys:
    """Distinct keys in dense codes: record `row[i]` holds node `node[i]`, which is a value of `identifier[i]`."""

    records: Codes
    row: Codes
    node: Codes
    identifier: Codes
    node_count: int


def cluster_records(keys: pa.Table, identity: Identity) -> pa.Table:
    """One row per record that is not alone: record_key, cluster_key, matched_by.

    `keys` holds record_key and value_key (16 bytes each) and identifier, as `identifier_keys` returns them.
    `cluster_key` is the smallest record_key of the cluster. `matched_by` lists the identifiers, in priority order and
    parted by commas, whose value another record of the same cluster holds too. Raises IdentityError above MAX_KEYS.
    """
    _check_size(keys.num_rows, len(identity.identifiers))
    record, record_keys = _sorted_codes(keys["record_key"])
    value = _codes(keys["value_key"])[0]
    identifier = keys["identifier"].to_numpy().astype(np.int64)
    coded = _code_keys(record, identifier, value, len(identity.identifiers))
    label = _partition(coded, [entry.max_values for entry in identity.identifiers])
    ties = _tied_by(coded, label, len(identity.identifiers))
    size = np.bincount(label, minlength=label.size)
    together = np.flatnonzero(size[label] > 1)
    fields = [entry.field for entry in identity.identifiers]
    return pa.table(
        {
            "record_key": record_keys.take(pa.array(together)),
            "cluster_key": record_keys.take(pa.array(label[together])),
            "matched_by": _field_lists(ties[together], fields),
        }
    )


def partition_by_priority(record: Codes, identifier: Codes, value: Codes, max_values: Sequence[int | None]) -> Codes:
    """One label per distinct record, the records ascending: the smallest record of its component.

    Key i says that `record[i]` holds `value[i]` of `identifier[i]` (0 = first priority); `max_values[k]` is how many
    values of identifier k one component may hold, None for any number. Level by level, in order of priority, the
    components so far are joined through the level's values. Where a joined component would hold more values of *any*
    limited identifier (earlier, this, or later in priority) than its limit, all joins of that level inside it are
    dropped and its parts stay as they were before the level: so twins who share a phone but have two member ids stay
    two people. Which of several joins is the wrong one is not guessed here; therefore neither the order of the keys nor
    their repetition changes anything. Raises IdentityError above MAX_KEYS or for keys that do not fit `max_values`.
    """
    _check_size(record.size, len(max_values))
    keys = _code_keys(record, identifier, value, len(max_values))
    return keys.records[_partition(keys, max_values)]


def tied_by(record: Codes, identifier: Codes, value: Codes, labels: Codes) -> Flags:
    """One row per distinct record, the records ascending, and one column per identifier: does it tie the record?

    An identifier ties a record when another record with the same label holds the same value of it. `labels` are those
    of `partition_by_priority` for the same keys.
    """
    identifier_count = int(identifier.max()) + 1 if identifier.size else 0
    keys = _code_keys(record, identifier, value, identifier_count)
    return _tied_by(keys, np.searchsorted(keys.records, labels), identifier_count)


def _check_size(key_count: int, identifier_count: int) -> None:
    if key_count > MAX_KEYS:
        raise IdentityError(
            f"{key_count} identifier keys are more than the {MAX_KEYS} that one machine partitions. Lower max_records, "
            "block placeholder values, or drop an identifier in the pack's identity.yml."
        )
    if identifier_count > MAX_IDENTIFIERS:
        raise IdentityError(f"{identifier_count} identifiers are more than {MAX_IDENTIFIERS}. Keep the strongest.")


def _code_keys(record: Codes, identifier: Codes, value: Codes, identifier_count: int) -> _Keys:
    if not record.size == identifier.size == value.size:
        raise IdentityError(
            f"{record.size} records, {identifier.size} identifiers and {value.size} values: one of each makes a key."
        )
    if identifier.size and not 0 <= identifier.min() <= identifier.max() < identifier_count:
        raise IdentityError(
            f"identifiers run from {identifier.min()} to {identifier.max()}, but there are {identifier_count} limits."
        )
    records, row = np.unique(record, return_inverse=True)
    values, code = np.unique(value, return_inverse=True)
    node_count = values.size * identifier_count
    pairs = _distinct(row.astype(np.int64) * node_count + identifier * values.size + code)
    row, node = np.divmod(pairs, max(node_count, 1))
    return _Keys(records, row, node, node // max(values.size, 1), node_count)


def _partition(keys: _Keys, max_values: Sequence[int | None]) -> Codes:
    """The position of the smallest record of each record's component."""
    limits = np.array([limit or 0 for limit in max_values], dtype=np.int64)
    is_limited = limits[keys.identifier] > 0 if keys.row.size else np.zeros(0, dtype=bool)
    label = np.arange(keys.records.size, dtype=np.int64)
    for level in range(len(max_values)):
        of_level = keys.identifier == level
        joined = _join_through(label, keys.row[of_level], keys.node[of_level])
        moved = np.zeros(label.size, dtype=bool)
        moved[joined[joined != label]] = True
        to_check = is_limited & moved[joined[keys.row]]
        breaks = _too_many(joined[keys.row[to_check]], keys, to_check, limits)
        broken = np.zeros(label.size, dtype=bool)
        broken[breaks] = True
        label = np.where(broken[joined], label, joined)
    return label


def _join_through(label: Codes, row: Codes, node: Codes) -> Codes:
    """Labels after every component is joined with those that hold one of its nodes."""
    nodes, code = np.unique(node, return_inverse=True)
    size = label.size + nodes.size
    edges = coo_array((np.ones(row.size, dtype=np.int8), (label[row], label.size + code)), shape=(size, size))
    count, component = connected_components(edges, directed=False)
    of_record = component[label]
    smallest = np.full(count, label.size, dtype=np.int64)
    np.minimum.at(smallest, of_record, np.arange(label.size, dtype=np.int64))
    joined: Codes = smallest[of_record]
    return joined


def _too_many(component: Codes, keys: _Keys, rows: Flags, limits: Codes) -> Codes:
    """Components that hold more distinct values of an identifier than its limit."""
    held = _distinct(component * keys.node_count + keys.node[rows])
    holder, node = np.divmod(held, max(keys.node_count, 1))
    values_each = keys.node_count // max(limits.size, 1)
    group, count = np.unique(holder * limits.size + node // max(values_each, 1), return_counts=True)
    holder, identifier = np.divmod(group, max(limits.size, 1))
    broken: Codes = holder[count > limits[identifier]]
    return broken


def _distinct(codes: Codes) -> Codes:
    """The distinct codes, ascending: by sorting, because numpy's own way over a hash table takes ten times as long."""
    ordered = np.sort(codes)
    is_first = np.ones(ordered.size, dtype=bool)
    is_first[1:] = ordered[1:] != ordered[:-1]
    return ordered[is_first]


def _tied_by(keys: _Keys, label: Codes, identifier_count: int) -> Flags:
    shared = label[keys.row] * keys.node_count + keys.node
    _, place, count = np.unique(shared, return_inverse=True, return_counts=True)
    ties = count[place] > 1
    tied = np.zeros((keys.records.size, identifier_count), dtype=bool)
    tied[keys.row[ties], keys.identifier[ties]] = True
    return tied


def _codes(column: pa.ChunkedArray) -> tuple[Codes, pa.Array]:
    """A dense code per row in order of first appearance, and the distinct keys by code."""
    encoded = column.combine_chunks().cast(pa.binary(_KEY_BYTES)).dictionary_encode()
    return encoded.indices.to_numpy().astype(np.int64), encoded.dictionary


def _sorted_codes(column: pa.ChunkedArray) -> tuple[Codes, pa.Array]:
    """As `_codes`, but the codes rise with the keys' bytes."""
    codes, keys = _codes(column)
    halves = np.frombuffer(keys.buffers()[1], dtype=">u8", count=2 * len(keys)).reshape(-1, 2)
    order = np.lexsort((halves[:, 1], halves[:, 0]))
    rank = np.empty(len(keys), dtype=np.int64)
    rank[order] = np.arange(len(keys))
    return rank[codes], keys.take(pa.array(order))


def _field_lists(ties: Flags, fields: Sequence[str]) -> pa.Array:
    """Per row the names of its tied fields, parted by commas; null for none."""
    masks, place = np.unique(ties @ (1 << np.arange(len(fields), dtype=np.int64)), return_inverse=True)
    lists = [",".join(field for bit, field in enumerate(fields) if mask >> bit & 1) or None for mask in masks.tolist()]
    return pa.array(lists, type=pa.string()).take(pa.array(place))
