"""Evidence into people: what is read of it, and where it is parted, changes nothing."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from pyspark.sql import SparkSession

from cdp_lib.io.checkpoints import checkpoints
from cdp_lib.io.local_rows import local_rows
from cdp_lib.settings.identity import Identity
from jobs.matching import people
from jobs.matching.people import Evidence, group_records, Keep
from tests.unit.identity.steps import hash_of

IDENTITY = Identity.model_validate(
    {"kind": "identity", "identifiers": [{"field": "card"}], "matching": {"one_record_per_source": ["crm"]}}
)
RECORDS = {name: source for source, names in {"crm": "ab", "till": "cdefg"}.items() for name in names}
NAMED = SimpleNamespace(matcher=SimpleNamespace(threshold=5.0))
SHARED_CARDS = [("c", 0, "1"), ("d", 0, "1")]
PAIRS = [("a", "b", 9.0, False), ("a", "c", 8.0, False), ("e", "f", 7.0, True)]


def name(record: str) -> bytes:
    return bytes.fromhex(hash_of(record, RECORDS[record])[:32])


def evidence(spark: SparkSession) -> Evidence:
    keys = [(name(record), place, value.encode().ljust(16)) for record, place, value in SHARED_CARDS]
    pairs = [(name(left), name(right), *rest) for left, right, *rest in PAIRS]
    return Evidence(
        keys=local_rows(spark, "record_key binary, identifier int, value_key binary", keys),
        pairs=local_rows(spark, "record_l binary, record_r binary, match_weight double, is_vetoed boolean", pairs),
        decisions=local_rows(
            spark, "record_l binary, record_r binary, is_link boolean", [(name("f"), name("g"), True)]
        ),
        records=local_rows(
            spark,
            "source_system string, source_record_id string",
            [(source, record) for record, source in RECORDS.items()],
        ),
        known=local_rows(spark, "record_key binary, known_fields bigint", [(name(record), 3) for record in RECORDS]),
    )


@pytest.fixture
def keep(spark: SparkSession, tmp_path: Path) -> Iterator[Keep]:
    with checkpoints(spark, str(tmp_path / "checkpoints")) as kept:
        yield kept


def grouped(spark: SparkSession, keep: Keep) -> list[tuple]:
    with group_records(evidence(spark), IDENTITY, NAMED, keep) as members:
        return sorted(
            (bytes(row["record_key"]), bytes(row["cluster_key"]), row["matched_by"]) for row in members.collect()
        )


def test_what_is_known_may_be_read_whole_or_of_the_records_that_evidence_names(
    spark: SparkSession, keep: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = grouped(spark, keep)
    monkeypatch.setattr(people, "KNOWN_AT_MOST", 0)

    assert grouped(spark, keep) == whole
    together = {}
    for record, cluster, _ in whole:
        together.setdefault(cluster, set()).add(next(letter for letter in RECORDS if name(letter) == record))
    assert sorted(map(sorted, together.values())) == [["a", "c", "d"], ["b"], ["f", "g"]]


@pytest.mark.parametrize("known_at_most", [0, people.KNOWN_AT_MOST])
def test_the_executors_give_the_same_answer(
    spark: SparkSession, keep: Keep, monkeypatch: pytest.MonkeyPatch, known_at_most: int
) -> None:
    on_the_driver = grouped(spark, keep)
    monkeypatch.setattr(people, "fits_one_machine", lambda *_: False)
    monkeypatch.setattr(people, "KNOWN_AT_MOST", known_at_most)

    assert grouped(spark, keep) == on_the_driver
