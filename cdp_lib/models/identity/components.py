"""Groups of records that share exact identifiers, taken in by priority and held to limits, on arrays of one machine."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array  # type: ignore[import-untyped]  # scipy ships no type information
from scipy.sparse.csgraph import connected_components  # type: ignore[import-untyped]

from cdp_lib.errors import IdentityError

MAX_KEYS = 20_000_000
"""Keys (record x identifier x value) that one machine takes; measured 18 to 35 s and up to 240 bytes a key."""

MAX_IDENTIFIERS = 62
"""A mask of 64 bits says what ties a record: identifiers, a match, a decision."""

Codes = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Keys:
    """Distinct keys in dense codes: record `row[i]` holds node `node[i]`, which is a value of `identifier[i]`."""

    record_count: int
    row: Codes
    node: Codes
    identifier: Codes
    node_count: int


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
    check_size(record.size, len(max_values))
    records, keys = _code_keys(record, identifier, value, len(max_values))
    return records[partition(keys, max_values)]


def tied_by(record: Codes, identifier: Codes, value: Codes, labels: Codes) -> Flags:
    """One row per distinct record, the records ascending, and one column per identifier: does it tie the record?

    An identifier ties a record when another record with the same label holds the same value of it. `labels` are those
    of `partition_by_priority` for the same keys.
    """
    identifier_count = int(identifier.max()) + 1 if identifier.size else 0
    records, keys = _code_keys(record, identifier, value, identifier_count)
    return ties(keys, np.searchsorted(records, labels), identifier_count)


def check_size(key_count: int, identifier_count: int) -> None:
    """Raises IdentityError for more keys, or identifiers, than one machine takes."""
    if key_count > MAX_KEYS:
        raise IdentityError(
            f"{key_count} identifier keys are more than the {MAX_KEYS} that one machine partitions. Lower max_records, "
            "block placeholder values, or drop an identifier in the pack's identity.yml."
        )
    if identifier_count > MAX_IDENTIFIERS:
        raise IdentityError(f"{identifier_count} identifiers are more than {MAX_IDENTIFIERS}. Keep the strongest.")


def _code_keys(record: Codes, identifier: Codes, value: Codes, identifier_count: int) -> tuple[Codes, Keys]:
    """The distinct records, and the keys with their positions in place of them."""
    if not record.size == identifier.size == value.size:
        raise IdentityError(
            f"{record.size} records, {identifier.size} identifiers and {value.size} values: one of each makes a key."
        )
    records, row = np.unique(record, return_inverse=True)
    values, code = np.unique(value, return_inverse=True)
    coded = (row.astype(np.int64), identifier, code.astype(np.int64))
    return records, dense_keys(coded, records.size, values.size, identifier_count)


def dense_keys(keys: tuple[Codes, Codes, Codes], record_count: int, value_count: int, identifier_count: int) -> Keys:
    """Distinct keys of (record, identifier, value), all three of them codes from 0."""
    row, identifier, value = keys
    if identifier.size and not 0 <= identifier.min() <= identifier.max() < identifier_count:
        raise IdentityError(
            f"identifiers run from {identifier.min()} to {identifier.max()}, but there are {identifier_count} limits."
        )
    node_count = value_count * identifier_count
    row, node = np.divmod(distinct(row * node_count + identifier * value_count + value), max(node_count, 1))
    return Keys(record_count, row, node, node // max(value_count, 1), node_count)


def partition(keys: Keys, max_values: Sequence[int | None]) -> Codes:
    """Per record the smallest of its component, by the rules of `partition_by_priority`."""
    limits = np.array([limit or 0 for limit in max_values], dtype=np.int64)
    is_limited = limits[keys.identifier] > 0 if keys.row.size else np.zeros(0, dtype=bool)
    label = np.arange(keys.record_count, dtype=np.int64)
    for level in range(len(max_values)):
        of_level = keys.identifier == level
        left, right = join_through(keys, of_level)
        joined = connected(label[left], label[right], label.size)[label]
        moved = np.zeros(label.size, dtype=bool)
        moved[joined[joined != label]] = True
        to_check = is_limited & moved[joined[keys.row]]
        breaks = _too_many(joined[keys.row[to_check]], keys, to_check, limits)
        broken = np.zeros(label.size, dtype=bool)
        broken[breaks] = True
        label = np.where(broken[joined], label, joined)
    return label


def join_through(keys: Keys, rows: Flags | None = None) -> tuple[Codes, Codes]:
    """Pairs of records that connect all who hold a value: each with the smallest record of those that hold it."""
    row, node = (keys.row, keys.node) if rows is None else (keys.row[rows], keys.node[rows])
    order = np.argsort(node, kind="stable")
    return row[order], row[order][first_of_runs(node[order])]


def first_of_runs(ordered: Codes) -> Codes:
    """Per entry the position where its run of equal entries begins."""
    is_first = np.ones(ordered.size, dtype=bool)
    is_first[1:] = ordered[1:] != ordered[:-1]
    begins: Codes = np.flatnonzero(is_first)[np.cumsum(is_first) - 1]
    return begins


def connected(left: Codes, right: Codes, size: int) -> Codes:
    """Per node the smallest of all that a path of edges leads to."""
    edges = coo_array((np.ones(left.size, dtype=np.int8), (left, right)), shape=(size, size))
    count, component = connected_components(edges, directed=False)
    smallest = np.full(count, size, dtype=np.int64)
    np.minimum.at(smallest, component, np.arange(size, dtype=np.int64))
    found: Codes = smallest[component]
    return found


def _too_many(component: Codes, keys: Keys, rows: Flags, limits: Codes) -> Codes:
    """Components that hold more distinct values of an identifier than its limit."""
    held = distinct(component * keys.node_count + keys.node[rows])
    holder, node = np.divmod(held, max(keys.node_count, 1))
    values_each = keys.node_count // max(limits.size, 1)
    group, count = np.unique(holder * limits.size + node // max(values_each, 1), return_counts=True)
    holder, identifier = np.divmod(group, max(limits.size, 1))
    broken: Codes = holder[count > limits[identifier]]
    return broken


def distinct(codes: Codes) -> Codes:
    """The distinct codes, ascending: by sorting, because numpy's own way over a hash table takes ten times as long."""
    ordered = np.sort(codes)
    is_first = np.ones(ordered.size, dtype=bool)
    is_first[1:] = ordered[1:] != ordered[:-1]
    return ordered[is_first]


def ties(keys: Keys, label: Codes, identifier_count: int) -> Flags:
    """Per record and identifier: does another record with the same label hold the same value of it?"""
    shared = label[keys.row] * keys.node_count + keys.node
    _, place, count = np.unique(shared, return_inverse=True, return_counts=True)
    is_tie = count[place] > 1
    tied = np.zeros((keys.record_count, identifier_count), dtype=bool)
    tied[keys.row[is_tie], keys.identifier[is_tie]] = True
    return tied
