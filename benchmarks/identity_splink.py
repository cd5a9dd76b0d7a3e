"""The peer: Splink on DuckDB or Spark, with comparisons and blocking rules of its demos for each data set, at .95."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow.parquet as pq
import splink.comparison_library as cl
from pyspark.sql import SparkSession
from splink import block_on, DuckDBAPI, Linker, SettingsCreator
from splink.backends.spark import similarity_jar_location, SparkAPI
from splink.internals.spark.dataframe import SparkDataFrame

from benchmarks.clusters import components, Labels

Probabilities = npt.NDArray[np.float64]

THRESHOLD = 0.95


@dataclass(frozen=True)
class Found:
    """The pairs above the threshold, by row, the connected component of each row, and the trained model."""

    pairs: tuple[Labels, Labels]
    label: Labels
    model: Mapping[str, Any]


@dataclass(frozen=True)
class Demo:
    """Splink's settings for one data set, and how it is trained."""

    blocking: list[Any]
    comparisons: list[Any]
    certain: list[Any]
    recall: float
    training: list[Any]
    u_pairs: float = 1e6
    link_type: str = "dedupe_only"


def run_splink(
    file: Path, name: str, *, model: Mapping[str, Any] | None = None, spark: SparkSession | None = None
) -> Found:
    """Trains (or uses `model`), predicts and clusters, on DuckDB or in the session; the file's rows number from 0."""
    frame = _frame(pq.read_table(file))
    demo = _demos()[name if name in _demos() else "simulated"]()
    api = DuckDBAPI() if spark is None else SparkAPI(spark_session=spark)
    linker = _linker(frame, demo, api, model)
    left, right, _ = _predicted(linker, least=THRESHOLD)
    return Found((left, right), components(left, right, len(frame)), linker.misc.save_model_to_json())


def predict_pairs(frame: pd.DataFrame, demo: Demo, *, least: float) -> tuple[Labels, Labels, Probabilities]:
    """(left, right, probability) of the pairs whose probability is at least `least`; `row` numbers the records."""
    return _predicted(_linker(frame, demo, DuckDBAPI(), None), least=least)


def splink_session(scratch: Path) -> SparkSession:
    """A session as Splink's documents ask for: its own functions on board, Spark's old rules for bad values."""
    spark: SparkSession = (
        SparkSession.builder.master("local[2]")
        .config("spark.jars", similarity_jar_location())
        .config("spark.driver.memory", "6g")
        .config("spark.driver.extraJavaOptions", "-XX:+UseParallelGC")
        .config("spark.sql.shuffle.partitions", "8")
        .config("spark.default.parallelism", "8")
        .config("spark.sql.ansi.enabled", "false")
        .config("spark.sql.warehouse.dir", str(scratch / "warehouse"))
        .config("spark.ui.enabled", "false")
        .getOrCreate()
    )
    spark.sparkContext.setCheckpointDir(str(scratch / "checkpoints"))
    spark.range(10).count()
    return spark


def _linker(frame: pd.DataFrame, demo: Demo, api: Any, model: Mapping[str, Any] | None) -> Linker:
    settings: Any = model or SettingsCreator(
        link_type=demo.link_type,
        unique_id_column_name="row",
        blocking_rules_to_generate_predictions=demo.blocking,
        comparisons=demo.comparisons,
    )
    if demo.link_type == "link_only":
        halves = [half for _, half in frame.groupby("source_system")]
        inputs: Any = [api.register(half, dataset_display_name=half["source_system"].iloc[0]) for half in halves]
    else:
        inputs = api.register(frame)
    linker = Linker(inputs, settings)
    if model is None:
        linker.training.estimate_probability_two_random_records_match(demo.certain, recall=demo.recall)
        linker.training.estimate_u_using_random_sampling(max_pairs=demo.u_pairs, seed=1)
        for rule in demo.training:
            linker.training.estimate_parameters_using_expectation_maximisation(rule)
    return linker


def _predicted(linker: Linker, *, least: float) -> tuple[Labels, Labels, Probabilities]:
    scored = linker.inference.predict(threshold_match_probability=least)
    if isinstance(scored, SparkDataFrame):
        columns = scored.as_spark_dataframe().select("row_l", "row_r", "match_probability").toArrow()
        found: Any = {name: columns[name].to_numpy() for name in columns.column_names}
    else:
        found = scored.as_duckdbpyrelation().select("row_l, row_r, match_probability").fetchnumpy()
    left, right = (np.asarray(found[side], dtype=np.int64) for side in ("row_l", "row_r"))
    return left, right, np.asarray(found["match_probability"])


def _frame(table: Any) -> pd.DataFrame:
    """The columns, and every key of the maps as a column of its own."""
    frame = table.drop_columns(["identifiers", "attributes"]).to_pandas()
    for name in ("identifiers", "attributes"):
        entries = [dict(pairs or []) for pairs in table[name].to_pylist()]
        if any(entries):
            frame = pd.concat([frame, pd.DataFrame(entries, index=frame.index)], axis=1)
    frame["row"] = np.arange(len(frame))
    frame["first_and_last"] = frame["first_name"].str.cat(frame["last_name"], sep=" ")
    return frame.astype({column: object for column in frame.columns if column != "row"}).where(frame.notna(), None)


def _febrl4() -> Demo:
    return Demo(
        blocking=[
            block_on("first_name", "last_name"),
            "l.first_name = r.last_name and l.last_name = r.first_name",
            block_on("birth_date"),
            block_on("national_id"),
            block_on("state", "address_1"),
            block_on("street_number", "address_1"),
            block_on("postcode"),
        ],
        comparisons=[
            cl.NameComparison("first_name").configure(term_frequency_adjustments=True),
            cl.NameComparison("last_name").configure(term_frequency_adjustments=True),
            cl.DateOfBirthComparison("birth_date", input_is_string=True, invalid_dates_as_null=True),
            cl.DamerauLevenshteinAtThresholds("national_id", [1, 2]),
            cl.ExactMatch("street_number").configure(term_frequency_adjustments=True),
            cl.DamerauLevenshteinAtThresholds("postcode", [1, 2]),
        ],
        certain=[block_on("national_id"), block_on("first_name", "last_name", "birth_date")],
        recall=0.9,
        training=[block_on("birth_date"), block_on("first_name", "last_name")],
        link_type="link_only",
    )


def _febrl3() -> Demo:
    return Demo(
        blocking=[block_on(name) for name in ("national_id", "first_name", "last_name", "birth_date", "postcode")],
        comparisons=[
            cl.NameComparison("first_name"),
            cl.NameComparison("last_name"),
            cl.DateOfBirthComparison("birth_date", input_is_string=True, invalid_dates_as_null=True),
            cl.DamerauLevenshteinAtThresholds("national_id", [2]),
            cl.ExactMatch("street_number").configure(term_frequency_adjustments=True),
            cl.ExactMatch("postcode").configure(term_frequency_adjustments=True),
        ],
        certain=[block_on("national_id"), block_on("first_name", "last_name", "birth_date")],
        recall=0.9,
        training=[block_on("birth_date"), block_on("postcode")],
    )


def _historical() -> Demo:
    return Demo(
        blocking=[
            block_on("substr(first_name,1,3)", "substr(last_name,1,4)"),
            block_on("last_name", "birth_date"),
            block_on("first_name", "birth_date"),
            block_on("postcode", "first_name"),
            block_on("postcode", "last_name"),
            block_on("birth_date", "city"),
            block_on("substr(postcode,1,3)", "birth_date"),
            block_on("substr(postcode,1,3)", "first_name"),
            block_on("substr(postcode,1,3)", "last_name"),
            block_on("substr(first_name,1,2)", "substr(last_name,1,2)", "substr(birth_date,1,4)"),
        ],
        comparisons=[
            cl.ForenameSurnameComparison("first_name", "last_name", forename_surname_concat_col_name="first_and_last"),
            cl.DateOfBirthComparison("birth_date", input_is_string=True),
            cl.PostcodeComparison("postcode"),
            cl.ExactMatch("city").configure(term_frequency_adjustments=True),
            cl.ExactMatch("occupation").configure(term_frequency_adjustments=True),
        ],
        certain=[
            block_on("first_name", "last_name", "birth_date"),
            block_on("substr(first_name,1,2)", "last_name", "substr(postcode,1,2)"),
            block_on("birth_date", "postcode"),
        ],
        recall=0.6,
        training=[block_on("first_name", "last_name"), block_on("birth_date")],
        u_pairs=5e6,
    )


def _fake() -> Demo:
    near = "levenshtein(r.birth_date, l.birth_date) <= 1"
    return Demo(
        blocking=[block_on("first_name"), block_on("last_name")],
        comparisons=[
            cl.NameComparison("first_name").configure(term_frequency_adjustments=True),
            cl.NameComparison("last_name").configure(term_frequency_adjustments=True),
            cl.DateOfBirthComparison("birth_date", input_is_string=True),
            cl.ExactMatch("city").configure(term_frequency_adjustments=True),
            cl.EmailComparison("email"),
        ],
        certain=[
            f"l.first_name = r.first_name and {near}",
            f"l.last_name = r.last_name and {near}",
            "l.first_name = r.first_name and levenshtein(r.last_name, l.last_name) <= 2",
            "l.email = r.email",
        ],
        recall=0.7,
        training=[block_on("first_name", "last_name"), block_on("birth_date")],
    )


def simulated_demo() -> Demo:
    """Generic, untuned settings."""
    return Demo(
        blocking=[
            block_on("email"),
            block_on("phone"),
            block_on("last_name", "birth_date"),
            block_on("first_name", "birth_date"),
            block_on("first_name", "last_name", "postcode"),
            block_on("birth_date", "postcode"),
            block_on("first_name", "last_name", "city"),
        ],
        comparisons=[
            cl.NameComparison("first_name").configure(term_frequency_adjustments=True),
            cl.NameComparison("last_name").configure(term_frequency_adjustments=True),
            cl.DateOfBirthComparison("birth_date", input_is_string=True),
            cl.EmailComparison("email").configure(term_frequency_adjustments=True),
            cl.LevenshteinAtThresholds("phone", [1, 2]).configure(term_frequency_adjustments=True),
            cl.ExactMatch("postcode").configure(term_frequency_adjustments=True),
        ],
        certain=[block_on("first_name", "last_name", "birth_date"), block_on("email")],
        recall=0.7,
        training=[block_on("birth_date"), block_on("first_name", "last_name")],
        u_pairs=2e6,
    )


def _demos() -> dict[str, Callable[[], Demo]]:
    return {
        "febrl4": _febrl4,
        "febrl3": _febrl3,
        "historical_50k": _historical,
        "fake_1000": _fake,
        "simulated": simulated_demo,
    }
