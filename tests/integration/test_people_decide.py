"""Tables that Spark has written are read, and those that people's commands have written are read by Spark."""

import csv
from pathlib import Path

import pytest
from deltalake import DeltaTable
from pyspark.sql import functions as F, SparkSession

from cdp_lib.contracts import identity, matching, silver
from cdp_lib.io.conform import fit_to_table
from cdp_lib.io.selection import select_rows
from cdp_lib.io.store import Stamp
from cdp_lib.settings.settings import MlflowSettings
from cdp_lib.transforms.identity.decisions import decisions_in_force
from cdp_lib.transforms.identity.exact import ID_DIGITS, record_hash
from cdp_lib.transforms.identity.review import review_pairs
from jobs.decisions import Decision, Record
from jobs.identities import record_decision
from jobs.review import export_pairs, import_verdicts
from tests.integration.people import Business, business

ANN, BEA, CAT = (Record("crm", record_id) for record_id in ("1", "o'brien:2", "3"))


@pytest.fixture
def shop(spark: SparkSession, tmp_path: Path) -> Business:
    """Three records, one of which changed on the second day."""
    made = business(spark, tmp_path / "decided", tmp_path / "lake", MlflowSettings(), "matching: {}\n")
    made.publish([{"source_record_id": one.source_record_id, "first_name": "Ann"} for one in (ANN, BEA, CAT)], 1)
    made.publish([{"source_record_id": BEA.source_record_id, "first_name": "Bea"}], 2)
    return made


def test_a_decision_about_a_record_behind_a_deletion_vector_reaches_spark(shop: Business) -> None:
    stored = DeltaTable(shop.suite.store.path(silver.CUSTOMER_RECORD))
    assert "deletionVectors" in (stored.protocol().reader_features or [])
    where = {"source_record_id": {BEA.source_record_id}}
    assert select_rows(shop.suite.store.path(silver.CUSTOMER_RECORD), ["first_name"], where) == [{"first_name": "Bea"}]

    record_decision(shop.suite, Decision(ANN, CAT, "unlink"), (ANN, CAT))
    record_decision(shop.suite, Decision(BEA, ANN, "link"), (BEA, ANN))

    rows = decisions_in_force(shop.table(identity.IDENTITY_OVERRIDE)).collect()
    found = {(bytes(row["record_l"]).hex(), bytes(row["record_r"]).hex()): row["is_link"] for row in rows}
    assert found == {Decision(ANN, CAT, "unlink").pair: False, Decision(ANN, BEA, "link").pair: True}


def test_a_verdict_makes_the_whole_way_from_the_review_table_and_back(shop: Business, tmp_path: Path) -> None:
    suite, settings = shop.suite, shop.suite.pack.identity.matching
    assert settings is not None
    records = shop.table(silver.CUSTOMER_RECORD)
    named = records.select(F.substring(record_hash(), 1, ID_DIGITS).alias("record_l"))
    pairs = named.crossJoin(named.select(F.col("record_l").alias("record_r"))).where("record_l < record_r")
    levels = [F.lit(0).alias(f"{field}_level") for field in settings.fields]
    told = {"blocking_rule": "email", "match_weight": 1.0, "match_probability": 0.66, "model_version": "m/1"}
    weighed = pairs.select(
        "*", *levels, *(F.lit(value).alias(name) for name, value in told.items()), F.lit(False).alias("is_vetoed")
    )
    links = records.select(*silver.RECORD_KEY, F.lit("one").alias("golden_id"))
    decisions = decisions_in_force(shop.table(identity.IDENTITY_OVERRIDE))
    found = review_pairs(weighed, links, decisions, settings, threshold=0.0)
    fitted = fit_to_table(found, matching.REVIEW_PAIR, run_id="r")
    with suite.store.batch(matching.REVIEW_PAIR, fitted) as batch:
        suite.store.write(batch, Stamp("silver_identity", "r", 1))

    path = tmp_path / "pairs.csv"
    assert export_pairs(suite, path) == 3
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    assert {row["agreement"].split("; ")[0] for row in rows} == {"address: different"}
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows({**row, "verdict": "link"} for row in rows[:2])
    assert import_verdicts(suite, path).startswith("2 linked, 0 unlinked, 0 left open, 0 already so.")

    fresh = decisions_in_force(shop.table(identity.IDENTITY_OVERRIDE))
    left = review_pairs(weighed, links, fresh, settings, threshold=0.0).collect()
    assert [(row["record_l"], row["record_r"]) for row in left] == [(rows[2]["record_l"], rows[2]["record_r"])]
