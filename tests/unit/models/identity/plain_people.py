"""The rules of `part_records` said in loops over records, slowly and exactly: what the fast way must agree with."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import combinations
from math import inf

import numpy as np

from cdp_lib.models.identity.bonds import LINK, TIE
from cdp_lib.models.identity.components import partition_by_priority

MOST_BITS = 20.0


@dataclass(frozen=True)
class Spec:
    """Evidence as `evidence.graph` takes it."""

    keys: list = field(default_factory=list)
    pairs: list = field(default_factory=list)
    links: list = field(default_factory=list)
    apart: list = field(default_factory=list)
    once: list = field(default_factory=list)
    max_values: tuple = ()
    known: dict | None = None

    @property
    def records(self):
        ends = [end for pair in (*self.pairs, *self.links, *self.apart) for end in pair[:2]]
        return sorted({key[0] for key in self.keys} | set(ends))


def connect(items, edges):
    """Per item the smallest that edges lead to."""
    label = {item: item for item in items}
    for a, b in edges:
        low, high = sorted((label[a], label[b]))
        label = {item: low if of == high else of for item, of in label.items()}
    return label


def components(spec, limits):
    holders = defaultdict(list)
    for record, identifier, value in spec.keys:
        holders[identifier, value].append(record)
    shared = [(of[0], other) for of in holders.values() for other in of]
    linked = [(a, b) for a, b, weight, *veto in spec.pairs if weight >= limits.threshold and not veto]
    return connect(spec.records, [*shared, *linked, *spec.links])


def cores(spec):
    columns = np.array(spec.keys, dtype=np.int64).reshape(-1, 3)
    labels = partition_by_priority(columns[:, 0], columns[:, 1], columns[:, 2], spec.max_values)
    return {record: record for record in spec.records} | dict(
        zip(np.unique(columns[:, 0]).tolist(), labels.tolist(), strict=True)
    )


def units(spec, core):
    contested = {core[a] for a, b in spec.apart if core[a] == core[b]}
    node = {record: record if of in contested else of for record, of in core.items()}
    joined = connect(spec.records, [*node.items(), *spec.links])
    torn = {joined[a] for a, b in spec.apart if joined[a] == joined[b]}
    return {record: node[record] if joined[record] in torn else joined[record] for record in spec.records}, contested


class Plain:
    """One run over the evidence."""

    def __init__(self, spec, limits):
        self.spec, self.limits = spec, limits
        self.core = cores(spec)
        self.unit, contested = units(spec, self.core)
        self.kin = connect(spec.records, [*self.core.items(), *spec.links])
        self.members = defaultdict(list)
        for record, unit in self.unit.items():
            self.members[unit].append(record)
        self.drawn = Counter()
        for (a, i, v), (b, j, w) in combinations(sorted(set(spec.keys)), 2):
            if (i, v) == (j, w) and self.core[a] == self.core[b] and self.core[a] in contested:
                self.drawn[frozenset((a, b))] += TIE
        for a, b in spec.links:
            self.drawn[frozenset((a, b))] += LINK
        self.pair = {frozenset(pair[:2]): pair for pair in spec.pairs}
        self.held = defaultdict(set)
        for record, identifier, value in spec.keys:
            self.held[record, identifier].add(value)

    def forbidden(self, a, b):
        spec = self.spec
        if (a, b) in spec.apart or (b, a) in spec.apart:
            return True
        if self.kin[a] == self.kin[b]:
            return False
        sources = [{source for record, source in spec.once if record == end} for end in (a, b)]
        unique = [place for place, most in enumerate(spec.max_values) if most == 1]
        is_other = any(x != y for place in unique for x in self.held[a, place] for y in self.held[b, place])
        return bool(sources[0] & sources[1]) or is_other or len(self.pair.get(frozenset((a, b)), ())) > 3

    def weight(self, a, b):
        ends = frozenset((a, b))
        pair = self.pair.get(ends)
        known = self.limits.absent if pair is None or len(pair) > 3 else min(pair[2], MOST_BITS)
        return Fraction(known) + Fraction(self.drawn[ends])

    def says_something(self, a, b):
        """Does the pair count in a mean: was it scored, are its units drawn together, or can it be compared?"""
        pair = self.pair.get(frozenset((a, b)))
        is_scored = pair is not None and len(pair) == 3
        return is_scored or self.strong(self.unit[a], self.unit[b]) > -inf or self.can_be_compared(a, b)

    def can_be_compared(self, a, b):
        fields = [set() if self.spec.known is None else self.fields_of(self.spec.known.get(end, 0)) for end in (a, b)]
        return self.spec.known is None or not fields[0].isdisjoint(fields[1])

    @staticmethod
    def fields_of(mask):
        return {place for place, digit in enumerate(reversed(f"{mask:b}")) if digit == "1"}

    def mean(self, one, other):
        across = [(a, b) for u in one for a in self.members[u] for v in other for b in self.members[v]]
        if any(self.forbidden(a, b) for a, b in across):
            return -inf
        telling = [self.weight(a, b) for a, b in across if self.says_something(a, b)]
        return sum(telling) / len(telling) if telling else -inf

    def best(self, one, other):
        """The strongest of what lies between two units: what makes them members of one group."""
        across = [frozenset((a, b)) for a in self.members[one] for b in self.members[other]]
        scored = [self.pair[ends][2] for ends in across if ends in self.pair and len(self.pair[ends]) == 3]
        return max([*scored, self.strong(one, other)])

    def strong(self, one, other):
        ties = [self.drawn[frozenset((a, b))] % LINK for a in self.members[one] for b in self.members[other]]
        links = [self.drawn[frozenset((a, b))] // LINK for a in self.members[one] for b in self.members[other]]
        return LINK if any(links) else sum(ties) or -inf

    def groups(self, members, threshold):
        edges = [(u, v) for u, v in combinations(members, 2) if self.best(u, v) >= threshold]
        label = connect(members, edges)
        for group in sorted(set(label.values())):
            within = [unit for unit in members if label[unit] == group]
            if len(within) > self.limits.max_component:
                yield from self.groups(within, threshold + 2.0 if threshold < 100 else threshold * 1.5)
            else:
                yield within

    def part(self, members, reach):
        clusters = [[unit] for unit in members]
        while len(clusters) > 1:
            means = {(i, j): self.mean(clusters[i], clusters[j]) for i, j in combinations(range(len(clusters)), 2)}
            i, j = max(means, key=lambda ends: (means[ends], -ends[0], -ends[1]))
            if means[i, j] < reach:
                break
            clusters[i] += clusters.pop(j)
        for cluster in clusters:
            if len(cluster) > 1 and self.has_too_many(cluster):
                yield from self.part(sorted(cluster), reach + 2.0 if reach < 100 else reach * 1.5)
            else:
                yield cluster

    def has_too_many(self, cluster):
        for place, most in enumerate(self.spec.max_values):
            if most and most > 1:
                each = [{v for record in self.members[u] for v in self.held[record, place]} for u in cluster]
                if len(set().union(*each)) > max(most, *map(len, each)):
                    return True
        return False

    def clusters(self):
        found = {}
        for group in self.groups(sorted(self.members), self.limits.threshold):
            for cluster in self.part(group, self.limits.together):
                for unit in cluster:
                    found |= dict.fromkeys(self.members[unit], min(cluster))
        return found


def plain_people(spec, limits):
    """Per record that is not alone in its component: (component, cluster), as the rules say."""
    component, cluster = components(spec, limits), Plain(spec, limits).clusters()
    size = Counter(component.values())
    return {record: (of, cluster[record]) for record, of in component.items() if size[of] > 1}
