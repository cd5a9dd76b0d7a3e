"""Reviews to topics and areas to improve, through the job with its gate, its ledger and the model registry."""

from dataclasses import replace
from datetime import date, datetime, UTC
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from cdp_lib.contracts import identity, results, silver
from cdp_lib.contracts.table import Table
from cdp_lib.io.conform import fit_to_table
from cdp_lib.io.store import Stamp
from cdp_lib.settings.settings import MlflowSettings
from jobs.compose import build_suite, Place
from tests.builders import rows
from tests.integration.shop import Shop

AS_OF = date(2025, 3, 31)
PACK = """
kind: pack
id: bicycles
currency: EUR
time_zone: Europe/Berlin
---
kind: source
id: web
read: {format: csv, path: "*.csv"}
key: [id]
columns:
  id: {type: string}
  at: {type: timestamp, format: yyyy-MM-dd}
feeds:
  - {to: review, map: {review_id: id, reviewed_at: at, source_updated_at: at}}
"""
TOPICS = """
kind: review_topics
window_days: 30
topics:
  - id: bike
    title: Bikes
    words: [bike, gears, saddle, brakes]
    praise: [The bike rides well, Smooth gears, A light bike]
    complaint: [The bike squeaks, The gears slip, Hard saddle]
  - id: desk
    title: The desk
    words: [desk, clerk, form, office]
    praise: [The clerk was kind, A short form, Nice people at the desk]
    complaint: [The clerk was grumpy, The desk was shut, A form of ten pages]
"""


def open_shop(spark: SparkSession, folder: Path, mlflow: MlflowSettings, topics: str) -> Shop:
    folder.mkdir(exist_ok=True)
    (folder / "pack.yml").write_text(PACK)
    (folder / "review_topics.yml").write_text(topics)
    suite = build_suite(Place(str(folder), str(folder / "landing"), str(folder / "lake")), lambda: spark)
    return Shop(replace(suite, settings=suite.settings.model_copy(update={"mlflow": mlflow})))


def give(one: Shop, table: Table, given: list[Any]) -> None:
    frame = rows(one.suite.session(), table, *given).drop("_run_id", "_record_hash")
    with one.suite.store.batch(table, fit_to_table(frame, table, run_id="given-1")) as batch:
        one.suite.store.write(batch, Stamp("given", "given-1", 1))


def review(name: str, text: str | None, rating: float | None, month: int = 3, person: str | None = None) -> Any:
    at = datetime(2025, month, 20, 12, tzinfo=UTC)
    said = {"review_id": name, "review_text": text, "rating": rating, "person_id": person}
    return {"source_system": "web", "reviewed_at": at, "source_updated_at": at, **said}


@pytest.mark.slow
def test_reviews_become_topics_and_areas_and_other_examples_another_model(
    spark: SparkSession, tmp_path: Path, mlflow_store: MlflowSettings
) -> None:
    one = open_shop(spark, tmp_path / "bicycles", mlflow_store, TOPICS)
    secret = "The gears slip, says Somchai"
    given = [
        review("r1", secret, 1.0, person="p1"),
        review("r2", secret, 1.0),
        review("r3", "The clerk was so kind", 5.0),
        review("r4", None, 2.0),
        review("r5", "  ", None),
        review("r6", "Grumpy clerk at the desk", 1.0, month=2),
    ]
    give(one, silver.REVIEW, given)
    links = [{"source_system": "web", "source_record_id": "p1", "golden_id": "g1"}]
    give(one, identity.IDENTITY_LINK, links)
    assert one.run("gold_review", as_of=AS_OF).outcomes[0].status == "succeeded"

    found = one.collected(results.REVIEW_TOPIC)
    assert [(row["review_id"], row["topic"], row["golden_id"], row["sentiment"]) for row in found] == [
        ("r1", "bike", "g1", "complaint"),
        ("r2", "bike", None, "complaint"),
        ("r3", "desk", None, "praise"),
        ("r4", "other", None, "complaint"),
        ("r6", "desk", None, "complaint"),
    ]
    areas = one.collected(results.IMPROVEMENT_AREA)
    assert [(row["topic"], row["rank"], row["complaint_count"], row["trend"]) for row in areas] == [
        ("bike", 1, 2, "new"),
        ("desk", 2, 0, "steady"),
    ]
    registry = one.suite.models()
    champion = registry.champion("topics")
    assert {row["model_version"] for row in found} == {champion.label} == {"bicycles-topics/1"}
    assert 0 <= registry.metrics("topics")[1]["topic_accuracy"] <= 1
    assert one.run("gold_review", as_of=AS_OF).outcomes[0].status == "nothing new"
    assert not [
        path
        for path in Path(str(mlflow_store.artifacts)).rglob("*")
        if path.is_file() and b"Somchai" in path.read_bytes()
    ]

    more = TOPICS.replace("A light bike]", "A light bike, Good brakes]")
    other = open_shop(spark, tmp_path / "bicycles", mlflow_store, more)
    other.run("gold_review", as_of=AS_OF)
    assert {row["model_version"] for row in other.collected(results.REVIEW_TOPIC)} == {"bicycles-topics/2"}
