"""What ties a person's records together, as edges between them, and what lies between two groups of records."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import product

from cdp_lib.models.identity.units import MOST_BITS
from cdp_lib.settings.identity import Identity
from cdp_lib.settings.matching import Matching
from jobs.decisions import Decision
from jobs.explanation.evidence import Identifiers
from jobs.explanation.lookup import Member, Pair, pair_of, StoredPair
from jobs.explanation.path import DECISION, Edge, TIE
from jobs.explanation.reasons import Between


@dataclass(frozen=True)
class Known:
    """What is known about some records: decisions in force, identifiers, stored pairs.

    `commanded` has when a command last said something of a pair, `fields` a bit for each compared field that a record
    (by hash) says something of.
    """

    decisions: Mapping[Pair, Decision]
    identifiers: Identifiers
    stored: Mapping[Pair, StoredPair]
    fields: Mapping[str, int] = field(default_factory=dict)
    commanded: Mapping[Pair, datetime] = field(default_factory=dict)


def edges_between(root: str, hashes: Collection[str], known: Known, identity: Identity) -> Iterator[Edge]:
    """What draws two of the records together. Sharers of a value are tied to the root, else to the first."""
    among = set(hashes)
    for pair, decision in known.decisions.items():
        if decision.verdict == "link" and among.issuperset(pair):
            yield Edge(*pair, DECISION, "a person's decision")
    yield from _shared_values(root, among, known.identifiers, identity)
    for pair, stored in known.stored.items():
        if not stored.is_vetoed and among.issuperset(pair):
            yield Edge(*pair, stored.match_weight, f"{stored.match_weight:.2f} bits")


def _shared_values(root: str, among: Collection[str], identifiers: Identifiers, identity: Identity) -> Iterator[Edge]:
    holders: dict[tuple[int, bytes], list[str]] = {}
    for name in sorted(among):
        for value in identifiers.held.get(name, ()):
            holders.setdefault(value, []).append(name)
    for (place, hashed), names in sorted(holders.items()):
        entry = identity.identifiers[place]
        if identifiers.record_count.get((place, hashed), 0) > entry.max_records:
            continue
        centre = root if root in names else names[0]
        for name in names:
            if name != centre:
                yield Edge(min(name, centre), max(name, centre), TIE - place, f"the same {entry.field}")


def between_groups(
    one: Sequence[Member], other: Sequence[Member], known: Known, identity: Identity, matching: Matching
) -> Between:
    """What parting sees between two groups: the mean weight of pairs that can be compared, how many are forbidden."""
    total, count, forbidden = 0.0, 0, 0
    has_unique = any(entry.max_values == 1 for entry in identity.identifiers)
    for left, right in product(one, other):
        pair = pair_of(left.record, right.record)
        stored, decision = known.stored.get(pair), known.decisions.get(pair)
        if stored is not None or known.fields.get(pair[0], 0) & known.fields.get(pair[1], 0):
            total += matching.absent_weight if stored is None else min(stored.match_weight, MOST_BITS)
            count += 1
        source = left.record.source_system
        is_listed_twice = source == right.record.source_system and source in matching.one_record_per_source
        is_vetoed = stored is not None and stored.is_vetoed
        is_undone = decision is not None and decision.verdict == "unlink"
        limits = known.identifiers.too_many(pair, identity) if has_unique else ()
        is_barred = any(limit.allowed == 1 for limit in limits)
        forbidden += is_listed_twice or is_vetoed or is_undone or is_barred
    of_all = known.identifiers.too_many([member.record.hash for member in (*one, *other)], identity)
    return Between(
        mean=total / count if count else None,
        counted=count,
        pair_count=len(one) * len(other),
        forbidden_count=forbidden,
        together=matching.together,
        is_too_large=len(one) + len(other) > matching.max_component,
        too_many=tuple(limit for limit in of_all if limit.allowed > 1),
    )
