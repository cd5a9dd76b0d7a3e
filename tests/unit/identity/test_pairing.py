"""Pairs of blocks: those of a plain double loop, wherever the rows are parted."""

from collections import Counter
from collections.abc import Sequence
from itertools import combinations, groupby
from random import Random
from typing import Any

import pyarrow as pa
import pytest

from cdp_lib.transforms.identity import pairing
from cdp_lib.transforms.identity.pairing import pairs_of_blocks, RULE_BITS

CAPS = (5, 3, 0)

Row = tuple[bytes, int, str | None]
"""Key of a record, key of a block, source."""


def key(block: int, rule: int) -> int:
    return (block << RULE_BITS) | rule


def rows_of(random: Random, count: int) -> list[Row]:
    """Every rule has blocks of many sizes, above its cap too; blocks have negative numbers as well."""
    sources = [None, "crm", "till"]
    rows = [
        (
            random.randbytes(16),
            key(random.randrange(-count // 8, count // 8), random.randrange(3)),
            random.choice(sources),
        )
        for _ in range(count)
    ]
    return sorted(rows, key=lambda row: row[1])


def batches_of(rows: Sequence[Row], size: int, *, with_source: bool = False) -> list[pa.RecordBatch]:
    names, keys, sources = zip(*rows, strict=True)
    columns = {"record": pa.array(names), "key": pa.array(keys, pa.int64())}
    if with_source:
        columns["source"] = pa.array(sources, pa.string())
    return pa.table(columns).to_batches(max_chunksize=size)


def found(batches: Sequence[pa.RecordBatch], caps: Sequence[int] = CAPS) -> Counter[tuple[Any, Any, int]]:
    pairs = [row for batch in pairs_of_blocks(caps, batches) for row in batch.to_pylist()]
    return Counter((row["record_l"], row["record_r"], row["rule"]) for row in pairs)


def expected(rows: Sequence[Row], *, with_source: bool = False) -> Counter[tuple[Any, Any, int]]:
    pairs: Counter[tuple[Any, Any, int]] = Counter()
    for block, members in groupby(rows, key=lambda row: row[1]):
        together, rule = list(members), block & (2**RULE_BITS - 1)
        if len(together) > CAPS[rule]:
            continue
        for (one, _, source), (other, _, other_source) in combinations(together, 2):
            if not (with_source and source is not None and source == other_source):
                pairs[min(one, other), max(one, other), rule] += 1
    return pairs


@pytest.mark.parametrize(("rows_at_once", "pairs_at_once"), [(500_000, 1_000_000), (7, 1_000_000), (40, 3)])
@pytest.mark.parametrize("with_source", [False, True])
def test_pairs_are_those_of_a_double_loop_however_rows_are_parted(
    monkeypatch: pytest.MonkeyPatch, rows_at_once: int, pairs_at_once: int, with_source: bool
) -> None:
    monkeypatch.setattr(pairing, "ROWS_AT_ONCE", rows_at_once)
    monkeypatch.setattr(pairing, "PAIRS_AT_ONCE", pairs_at_once)
    for seed in range(20):
        rows = rows_of(Random(seed), 120)
        pairs = expected(rows, with_source=with_source)
        assert len(pairs) > 10
        assert found(batches_of(rows, 5, with_source=with_source)) == pairs


def test_of_a_block_that_is_too_large_a_worker_holds_few_members(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairing, "ROWS_AT_ONCE", 10)
    crowd: list[Row] = [(bytes([0, *number.to_bytes(2, "big"), *bytes(13)]), key(1, 0), None) for number in range(500)]
    two: list[Row] = [(bytes([1, number, *bytes(14)]), key(2, 0), None) for number in range(2)]
    tables = list(pairing._whole_blocks(batches_of([*crowd, *two], 4), max(CAPS) + 1))
    assert max(table.num_rows for table in tables) < 20
    assert found(batches_of([*crowd, *two], 4)) == Counter([(two[0][0], two[1][0], 0)])


def test_no_rows_give_no_pairs() -> None:
    assert found([]) == Counter()
