"""Evidence about records into people, on arrays of one machine."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cdp_lib.errors import IdentityError
from cdp_lib.models.identity.bonds import bind, Decided
from cdp_lib.models.identity.components import check_size, connected, dense_keys, join_through, Keys, MAX_KEYS, ties
from cdp_lib.models.identity.linkage import Limits
from cdp_lib.models.identity.parting import part_units
from cdp_lib.models.identity.units import Holdings, number_units, OF_ITS_OWN, Pairs, unit_graph
from cdp_lib.settings.identity import Identity

MAX_PAIRS = 30_000_000
"""Scored pairs that one machine parts: about 100 bytes each while their records are numbered."""

MATCH, DECISION = "match", "decision"
"""What `matched_by` says of a scored pair, and of people's decision."""

KEY_BYTES = 16

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

_KEY = pa.binary()
KEY_SCHEMA = pa.schema({"record_key": _KEY, "identifier": pa.int32(), "value_key": _KEY})
PAIR_SCHEMA = pa.schema({"record_l": _KEY, "record_r": _KEY, "match_weight": pa.float64(), "is_vetoed": pa.bool_()})
DECISION_SCHEMA = pa.schema({"record_l": _KEY, "record_r": _KEY, "is_link": pa.bool_()})
SOURCE_SCHEMA = pa.schema({"record_key": _KEY, "source_system": pa.string()})
KNOWN_SCHEMA = pa.schema({"record_key": _KEY, "known_fields": pa.int64()})
PERSON_SCHEMA = pa.schema({"record_key": _KEY, "component_key": _KEY, "cluster_key": _KEY, "matched_by": pa.string()})


@dataclass(frozen=True)
class IdentityGraph:
    """What is known about which records are one person; record_key, record_l and so on are 16 bytes each.

    `keys` (record_key, identifier, value_key): exact identifiers as `identifier_keys` returns them. `pairs` (record_l,
    record_r, match_weight, is_vetoed): scored pairs, each once; those far below the threshold may be left out, they
    then count as never compared. `decisions` (record_l, record_r, is_link): what people decided, each pair once, in
    either order. `sources` (record_key, source_system): records of sources that list everybody once. `known`
    (record_key, known_fields): a bit per compared field that the record says something of; a record without a row
    says nothing of any. What is not given is empty; other columns are ignored.
    """

    keys: pa.Table = field(default_factory=KEY_SCHEMA.empty_table)
    pairs: pa.Table = field(default_factory=PAIR_SCHEMA.empty_table)
    decisions: pa.Table = field(default_factory=DECISION_SCHEMA.empty_table)
    sources: pa.Table = field(default_factory=SOURCE_SCHEMA.empty_table)
    known: pa.Table = field(default_factory=KNOWN_SCHEMA.empty_table)


def fits_one_machine(key_count: int, pair_count: int) -> bool:
    """Whether `part_records` takes so many keys and pairs; `part_records_on_spark` takes any number."""
    return key_count <= MAX_KEYS and pair_count <= MAX_PAIRS


def part_records(graph: IdentityGraph, identity: Identity, limits: Limits) -> pa.Table:
    """One row per record that is not alone in its component: record_key, component_key, cluster_key, matched_by.

    A component is all that a chain of shared identifier values, of pairs at or above the threshold that no veto
    forbids, or of link decisions leads to, whether it holds or is refused in the end; `component_key` is its smallest
    record. Nothing outside a component changes what happens in it, nor does the order of the rows.

    A cluster is a person; `cluster_key` is its smallest record. In order of force:

    1. an unlink decision: its two records are two people, whatever chain leads from one to the other;
    2. a link decision: one person, even against a limit, a veto, or a source that lists everybody once;
    3. exact identifiers by priority, held to max_values, as `partition_by_priority` says: one person, a *core*, even
       against a veto or a source that lists everybody once;
    4. max_values 1, sources that list everybody once, and vetoed pairs: two people;
    5. average linkage of scored pairs between what 2 and 3 hold together; where it would bring together more values
       than a max_values above 1, at rising `together`. A pair of records that was never scored though both know a
       field counts as `absent` in the mean; one that has no such field counts neither for nor against.

    Where 1 contradicts 2 or 3, what they joined falls apart, and each part goes where it has most of its ties.

    `matched_by`: the identifiers whose value another record of the cluster holds too, in order of priority, then
    `match` and `decision` if such a pair ties the record to another one of its cluster; null for none.
    Raises IdentityError above MAX_KEYS or MAX_PAIRS.
    """
    _check(graph, identity)
    coded = _code(graph, identity)
    ends = _linked_ends(coded, coded.pairs.links(limits.threshold))
    component = connected(
        np.concatenate([left for left, _ in ends]), np.concatenate([right for _, right in ends]), coded.count
    )
    bonds = bind(coded.keys, [entry.max_values for entry in identity.identifiers], coded.decided, limits.max_component)
    names, unit = number_units(bonds)
    between = unit_graph(bonds, coded.pairs, coded.decided, coded.held, limits)
    cluster = names[part_units(between, limits)][unit]
    tied = _tied(coded, cluster, ends[1:], len(identity.identifiers))
    together = np.flatnonzero(np.bincount(component, minlength=coded.count)[component] > 1)
    columns = [coded.records.take(pa.array(codes[together])) for codes in (np.arange(coded.count), component, cluster)]
    fields = [*(entry.field for entry in identity.identifiers), MATCH, DECISION]
    return pa.table([*(keys.cast(_KEY) for keys in columns), _field_lists(tied[together], fields)], PERSON_SCHEMA)


def _check(graph: IdentityGraph, identity: Identity) -> None:
    check_size(graph.keys.num_rows, len(identity.identifiers))
    if graph.pairs.num_rows > MAX_PAIRS:
        raise IdentityError(
            f"{graph.pairs.num_rows} scored pairs are more than the {MAX_PAIRS} that one machine parts. Part them with "
            "part_records_on_spark, lower pairs_per_record, or tighten the loosest blocking rules in identity.yml."
        )


@dataclass(frozen=True)
class _Coded:
    """The graph with records as codes that rise with their keys; `records` has the key of each."""

    records: pa.Array
    keys: Keys
    pairs: Pairs
    decided: Decided
    held: Holdings

    @property
    def count(self) -> int:
        return len(self.records)


def _code(graph: IdentityGraph, identity: Identity) -> _Coded:
    of_records = [
        graph.keys["record_key"],
        *(table[side] for table in (graph.pairs, graph.decisions) for side in ("record_l", "record_r")),
        graph.sources["record_key"],
        graph.known["record_key"],
    ]
    code, records = _sorted_codes(pa.chunked_array([chunk for column in of_records for chunk in column.chunks], _KEY))
    parts = np.split(code, np.cumsum([len(column) for column in of_records])[:-1])
    row, left, right, decided_left, decided_right, owned, knower = parts
    value, values = _codes(graph.keys["value_key"])
    identifier = graph.keys["identifier"].to_numpy().astype(np.int64)
    keys = dense_keys((row, identifier, value), len(records), len(values), len(identity.identifiers))
    is_link = _flags(graph.decisions["is_link"])
    decided = Decided(decided_left[is_link], decided_right[is_link], decided_left[~is_link], decided_right[~is_link])
    weight = graph.pairs["match_weight"].to_numpy().astype(np.float64)
    known = np.zeros(len(records), dtype=np.int64)
    np.bitwise_or.at(known, knower, graph.known["known_fields"].to_numpy().astype(np.int64))
    pairs = Pairs(np.minimum(left, right), np.maximum(left, right), weight, _flags(graph.pairs["is_vetoed"]), known)
    limits = [entry.max_values for entry in identity.identifiers]
    return _Coded(records, keys, pairs, decided, _held(keys, limits, owned, graph.sources["source_system"]))


def _held(keys: Keys, limits: Sequence[int | None], owned: Ints, systems: pa.ChunkedArray) -> Holdings:
    """Values of limited identifiers, then records of sources that list everybody once."""
    limited = np.flatnonzero(np.array([limit is not None for limit in limits], dtype=bool)[keys.identifier])
    encoded = systems.combine_chunks().dictionary_encode()
    most = [*(limit or 0 for limit in limits), *(1 for _ in encoded.dictionary)]
    return Holdings(
        np.concatenate([keys.row[limited], owned]),
        np.concatenate([keys.identifier[limited], len(limits) + encoded.indices.to_numpy().astype(np.int64)]),
        np.concatenate([keys.node[limited], np.full(owned.size, OF_ITS_OWN)]),
        np.array(most, dtype=np.int64),
    )


def _linked_ends(coded: _Coded, is_link: Flags) -> list[tuple[Ints, Ints]]:
    """What makes components: shared values, linked pairs, link decisions."""
    decided = coded.decided
    return [
        join_through(coded.keys),
        (coded.pairs.left[is_link], coded.pairs.right[is_link]),
        (decided.link_left, decided.link_right),
    ]


def _tied(coded: _Coded, cluster: Ints, ends: Sequence[tuple[Ints, Ints]], identifier_count: int) -> Flags:
    """Per record a column for each identifier, for pairs and for decisions: does it tie it to its cluster?"""
    tied = np.zeros((coded.count, identifier_count + len(ends)), dtype=bool)
    tied[:, :identifier_count] = ties(coded.keys, cluster, identifier_count)
    for place, (left, right) in enumerate(ends, start=identifier_count):
        inner = cluster[left] == cluster[right]
        tied[left[inner], place] = tied[right[inner], place] = True
    return tied


def _flags(column: pa.ChunkedArray) -> Flags:
    flags: Flags = column.to_numpy().astype(bool)
    return flags


def _codes(column: pa.ChunkedArray) -> tuple[Ints, pa.Array]:
    """A dense code per row in order of first appearance, and the distinct keys by code."""
    encoded = column.cast(pa.binary(KEY_BYTES)).combine_chunks().dictionary_encode()
    return encoded.indices.to_numpy().astype(np.int64), encoded.dictionary


def _sorted_codes(column: pa.ChunkedArray) -> tuple[Ints, pa.Array]:
    """As `_codes`, but the codes rise with the keys' bytes."""
    codes, keys = _codes(column)
    halves = np.frombuffer(keys.buffers()[1], dtype=">u8", count=2 * len(keys)).reshape(-1, 2).astype(np.uint64)
    order = np.lexsort((halves[:, 1], halves[:, 0]))
    rank = np.empty(len(keys), dtype=np.int64)
    rank[order] = np.arange(len(keys))
    return rank[codes], keys.take(pa.array(order))


def _field_lists(tied: Flags, fields: Sequence[str]) -> pa.Array:
    """Per row the names of its tied fields, parted by commas; null for none."""
    mask = np.zeros(tied.shape[0], dtype=np.uint64)
    for bit in range(len(fields)):
        mask |= tied[:, bit].astype(np.uint64) << np.uint64(bit)
    masks, place = np.unique(mask, return_inverse=True)
    lists = [",".join(field for bit, field in enumerate(fields) if mask >> bit & 1) or None for mask in masks.tolist()]
    return pa.array(lists, type=pa.string()).take(pa.array(place))
