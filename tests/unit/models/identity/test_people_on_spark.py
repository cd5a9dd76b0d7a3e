"""Parting on the executors: the answer of one machine, whatever the evidence, its order and its partitions are."""

from dataclasses import fields

import numpy as np
import pyarrow as pa
import pytest

from cdp_lib.errors import IdentityError
from cdp_lib.io.checkpoints import checkpoints
from cdp_lib.models.identity import connected_records as rounds, people_on_spark
from cdp_lib.models.identity.connected_records import connected_records
from cdp_lib.models.identity.people import IdentityGraph, part_records
from cdp_lib.models.identity.people_on_spark import IdentityFrames, part_records_on_spark
from tests.unit.models.identity.evidence import graph, identity_of, key, knowing, LIMITS, VETOED

IDENTITY = identity_of(None, 1, 2)


@pytest.fixture
def checkpoint(spark, tmp_path):
    with checkpoints(spark, str(tmp_path)) as keep:
        yield keep


def _random_graph(seed):
    """Many small components, a star, a chain of 200 by each kind of link, a contested core, values over the limits."""
    draw = np.random.default_rng(seed)
    scattered = [int(place) for place in draw.permutation(3000)]
    small, star, chains = scattered[:1200], scattered[1200:1300], (scattered[1300:1500], scattered[1500:1700])
    keys = [(record, int(draw.integers(3)), int(draw.integers(400))) for record in small for _ in range(2)]
    keys = [*{(record, identifier): (record, identifier, value) for record, identifier, value in keys}.values()]
    keys += [(record, 0, 900) for record in star]
    keys += [(record, 0, 500 + place // 2) for place, record in enumerate(chains[0])]
    keys += [(record, 2, 700 + (place + 1) // 2) for place, record in enumerate(chains[0])]
    ends = draw.choice(small, (900, 2))
    pairs = {frozenset(pair): pair for pair in ends.tolist() if pair[0] != pair[1]}
    scored = [(a, b, float(draw.normal(2, 8)), *([VETOED] if draw.random() < 0.1 else [])) for a, b in pairs.values()]
    scored += [(a, b, 9.0) for a, b in zip(chains[1], chains[1][1:], strict=False)]
    decided = {frozenset(pair): pair for pair in draw.choice(small, (60, 2)).tolist() if pair[0] != pair[1]}
    decided = [tuple(pair) for pair in decided.values()]
    once = [(record, "crm" if record % 2 else "shop") for record in scattered[::7]]
    apart = [*decided[30:], (star[0], star[50]), (chains[1][0], chains[1][199])]
    known = {record: int(draw.choice([1, 2, 3, 12, 1 << 62])) for record in scattered[:2500]}
    return knowing(graph(keys, scored, decided[:30], apart, once), known)


def _frames(spark, tables, draw, partitions):
    def frame(table):
        shuffled = table.take(pa.array(draw.permutation(table.num_rows)))
        return spark.createDataFrame(shuffled).repartition(partitions)

    return IdentityFrames(**{field.name: frame(getattr(tables, field.name)) for field in fields(tables)})


@pytest.mark.parametrize(("partitions", "per_bucket"), [(1, 10_000), (5, 300)])
def test_executors_give_the_answer_of_one_machine(spark, checkpoint, monkeypatch, partitions, per_bucket):
    monkeypatch.setattr(people_on_spark, "RECORDS_PER_BUCKET", per_bucket)
    evidence = _random_graph(seed=partitions)
    expected = part_records(evidence, IDENTITY, LIMITS)
    frames = _frames(spark, evidence, np.random.default_rng(partitions), partitions)

    found = part_records_on_spark(frames, IDENTITY, LIMITS, checkpoint).toArrow()

    assert expected.num_rows > 1000
    assert found.schema.names == expected.schema.names
    assert found.sort_by("record_key").to_pylist() == expected.to_pylist()


def test_no_evidence_gives_nobody(spark, checkpoint):
    frames = _frames(spark, IdentityGraph(), np.random.default_rng(0), 1)

    assert part_records_on_spark(frames, IDENTITY, LIMITS, checkpoint).toArrow().num_rows == 0


def test_components_that_do_not_settle_are_refused(spark, checkpoint, monkeypatch):
    monkeypatch.setattr(rounds, "MAX_ROUNDS", 1)
    chain = [(key(place), key(place + 1)) for place in range(20)]

    with pytest.raises(IdentityError, match="did not settle in 1 rounds"):
        connected_records(spark.createDataFrame(chain, "record_l binary, record_r binary"), checkpoint)
