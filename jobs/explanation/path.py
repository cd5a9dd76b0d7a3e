"""How a record hangs together with the person's founding record: by the chain whose weakest link is strongest."""

import heapq
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import count

DECISION, TIE = 1e10, 1e7
"""Strength of a person's decision and of a shared identifier: more than any weight in bits."""


@dataclass(frozen=True)
class Edge:
    """What draws two records together: a decision, a shared identifier, or a weight in bits (`strength`)."""

    left: str
    right: str
    strength: float
    words: str

    def beyond(self, record: str) -> str:
        """The other end."""
        return self.right if record == self.left else self.left


@dataclass(frozen=True)
class Step:
    """One link of a chain: the record that it leads to, and by what."""

    record: str
    edge: Edge


def strongest_chains(root: str, records: Collection[str], edges: Sequence[Edge]) -> dict[str, tuple[Step, ...]]:
    """Record: the chain from it to the root; absent where no edge leads there, empty for the root.

    Chains run along a maximum spanning tree (Prim, 1957), along which the weakest link of each is as strong as it can
    be. Of equally strong edges the one between the smallest records is taken, so their order changes nothing.
    """
    by_record: dict[str, list[Edge]] = {record: [] for record in records}
    for edge in edges:
        if edge.left in by_record and edge.right in by_record:
            by_record[edge.left].append(edge)
            by_record[edge.right].append(edge)
    chains: dict[str, tuple[Step, ...]] = {root: ()}
    waiting: list[tuple[float, str, str, str, int, Edge]] = []
    number = count()

    def look_from(record: str) -> None:
        for edge in by_record[record]:
            other = edge.beyond(record)
            if other not in chains:
                heapq.heappush(waiting, (-edge.strength, record, other, edge.words, next(number), edge))

    look_from(root)
    while waiting:
        _, near, far, _, _, edge = heapq.heappop(waiting)
        if far not in chains:
            chains[far] = (Step(near, edge), *chains[near])
            look_from(far)
    return chains
