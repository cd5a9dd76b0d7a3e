"""Evidence told in numbers: record 7 is the key 7, so the smallest number is the smallest record."""

from dataclasses import replace

import pyarrow as pa

from cdp_lib.models.identity.linkage import Limits
from cdp_lib.models.identity.people import (
    DECISION_SCHEMA,
    IdentityGraph,
    KEY_SCHEMA,
    KNOWN_SCHEMA,
    PAIR_SCHEMA,
    part_records,
    SOURCE_SCHEMA,
)
from cdp_lib.settings.identity import Identifier, Identity

LIMITS = Limits(threshold=3.0, together=-2.0, absent=-4.0, max_component=100)
VETOED = "vetoed"


def key(number):
    return number.to_bytes(16, "big")


def identity_of(*max_values):
    """Identifiers id0, id1, ... held to so many values."""
    identifiers = tuple(Identifier(field=f"id{place}", max_values=most) for place, most in enumerate(max_values))
    return Identity(kind="identity", identifiers=identifiers)


def graph(keys=(), pairs=(), links=(), apart=(), once=()):
    """Keys (record, identifier, value), pairs (a, b, weight[, VETOED]), decided pairs (a, b), once (record, source).

    All records know the same compared field.
    """
    ends = {end for pair in (*pairs, *links, *apart) for end in pair[:2]}
    decisions = [(a, b, True) for a, b in links] + [(a, b, False) for a, b in apart]
    evidence = IdentityGraph(
        keys=_table(KEY_SCHEMA, [(key(r), i, key(1000 * i + v)) for r, i, v in keys]),
        pairs=_table(PAIR_SCHEMA, [(key(a), key(b), float(w), bool(veto)) for a, b, w, *veto in pairs]),
        decisions=_table(DECISION_SCHEMA, [(key(a), key(b), is_link) for a, b, is_link in decisions]),
        sources=_table(SOURCE_SCHEMA, [(key(record), source) for record, source in once]),
    )
    return knowing(evidence, dict.fromkeys({row[0] for row in keys} | ends, 1))


def knowing(evidence, known):
    """The same evidence, but records know the fields whose bits `known` has for them; without an entry none."""
    rows = [(key(record), mask) for record, mask in sorted(known.items())]
    return replace(evidence, known=_table(KNOWN_SCHEMA, rows))


def _table(schema, rows):
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    return pa.table([pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)], schema)


def people(evidence, identity=None, limits=LIMITS):
    """Per record that is not alone in its component: (component, cluster, matched_by)."""
    found = part_records(evidence, identity or identity_of(), limits)
    return {
        int.from_bytes(row["record_key"], "big"): (
            int.from_bytes(row["component_key"], "big"),
            int.from_bytes(row["cluster_key"], "big"),
            row["matched_by"],
        )
        for row in found.to_pylist()
    }


def clusters(evidence, identity=None, limits=LIMITS):
    """Per record that is not alone in its component, its cluster."""
    return {record: cluster for record, (_, cluster, _) in people(evidence, identity, limits).items()}
