"""Who is who on labelled data: F1, time and memory of our matcher, beside Splink on DuckDB in the same run.

    python -m benchmarks.identity --data DIR [--only febrl3,simulated_100k] [--default-settings] [--no-peer] [--json]
        [--reuse-model] [--peer-spark]

Both sides start from the same Parquet file and train on it without labels. Splink runs with the settings of its own
demos at .95, fixed beforehand. Ours takes benchmarks/identity_settings/<data>.yml where there is one, or with
--default-settings the suite's defaults (an empty `matching` section, whose hash is printed), which know no data set.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from pyspark.sql import SparkSession
from splink.backends.spark import similarity_jar_location

from benchmarks.clusters import cluster_scores, pair_scores
from benchmarks.identity_data import LabelledData, load_data
from benchmarks.identity_run import linked_pairs, match_records
from benchmarks.identity_splink import run_splink, splink_session
from benchmarks.measure import Cost, load, measured, peak_mib, Result, tell
from cdp_lib.io.session import build_session
from cdp_lib.models.identity.matcher import Matcher
from cdp_lib.settings.matching import Matching
from cdp_lib.settings.settings import Settings

SETTINGS = Path(__file__).resolve().parent / "identity_settings"
DATA = ("febrl4", "febrl3", "historical_50k", "fake_1000", "simulated_100k")
CONF = SETTINGS.parent.parent / "conf"
PEER, SPARK_PEER = "Splink-DuckDB @.95", "Splink-Spark @.95"


def load_matching(name: str, *, default: bool) -> Matching:
    """The data set's own settings, or the defaults."""
    file = SETTINGS / f"{name}.yml"
    if default or not file.is_file():
        return Matching()
    return Matching.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))


@dataclass
class Run:
    """What one side found in a data set, and what that took."""

    scores: dict[str, float]
    cost: Cost
    model: Any


def run_ours(
    spark: SparkSession, file: Path, data: LabelledData, matching: Matching, known: Matcher | None = None
) -> Run:
    """From the Parquet file to written clusters; with `known` by a matcher trained before."""
    answer = file.with_name(f"{data.name}_clusters{'_again' if known else ''}")
    with measured() as cost:
        matched = match_records(spark, file, answer, matching, known)
    sys.stderr.write(f"{data.name}: {matched.said}\n")
    clusters = pq.read_table(answer)
    place = {name: row for row, name in enumerate(_names(data.records))}
    label = np.empty(len(place), dtype=np.int64)
    rows = [place[name] for name in _names(clusters)]
    label[rows] = np.unique(clusters["cluster_id"].to_numpy(), return_inverse=True)[1]
    scores = {"cluster_f1": cluster_scores(label, data.person)["f1"]}
    if data.metric == "pair_f1":
        pairs = linked_pairs(spark, file, matching, matched.matcher)
        left, right = ([place[name] for name in _names(pairs, f"_{side}")] for side in "lr")
        scores["pair_f1"] = pair_scores(np.array(left), np.array(right), data.person)["f1"]
    return Run(scores, cost, matched.matcher)


def run_peer(file: Path, data: LabelledData, model: Any = None, spark: SparkSession | None = None) -> Run:
    """From the same file to clusters in memory; with `model` by what was trained before."""
    with measured() as cost:
        found = run_splink(file, data.name, model=model, spark=spark)
    scores = {"cluster_f1": cluster_scores(found.label, data.person)["f1"]}
    if data.metric == "pair_f1":
        scores["pair_f1"] = pair_scores(*found.pairs, data.person)["f1"]
    return Run(scores, cost, found.model)


def _names(table: pa.Table, side: str = "") -> list[tuple[str, str]]:
    columns = (table[f"{name}{side}"].to_pylist() for name in ("source_system", "source_record_id"))
    return list(zip(*columns, strict=True))


def measure(spark: SparkSession, file: Path, data: LabelledData, matching: Matching, options: Any) -> Iterator[Result]:
    """F1, seconds, CPU seconds and peak memory, ours and the peer's."""
    ours = run_ours(spark, file, data, matching)
    peak = peak_mib()
    peer = None if options.no_peer else run_peer(file, data)
    yield from _results(data.name, ours, peer, PEER)
    yield Result("identity", data.name, "peak_mib", round(peak, 0), None, None, "MiB", load())
    if options.reuse_model:
        again = run_ours(spark, file, data, matching, ours.model)
        peer_again = None if peer is None else run_peer(file, data, peer.model)
        yield from _results(data.name, again, peer_again, PEER, "_reused_model")
    # It ends our session, so it is asked for the last data set alone, in the JVM that the others have warmed.
    if options.peer_spark and data.name == options.only.split(",")[-1]:
        spark.stop()
        session = splink_session(file.parent)
        yield from _results(data.name, ours, run_peer(file, data, spark=session), SPARK_PEER)
        session.stop()


def _results(name: str, ours: Run, peer: Run | None, peer_name: str, suffix: str = "") -> Iterator[Result]:
    """Metrics end in the suffix; `pair_f1` is of the pairs linked before any grouping, `cluster_f1` of the groups'."""
    for metric, share in ours.scores.items():
        other = None if peer is None else round(peer.scores[metric], 4)
        yield Result("identity", name, f"{metric}{suffix}", round(share, 4), other, peer_name, "share", load())
    for metric, unit in (("seconds", "s"), ("cpu_seconds", "CPU s")):
        other = None if peer is None else getattr(peer.cost, metric)
        yield Result("identity", name, f"{metric}{suffix}", getattr(ours.cost, metric), other, peer_name, unit, load())


def _settings(options: argparse.Namespace) -> Settings:
    """Those of conf/local.yml, which a laptop's daily run has, but for what the options say."""
    local = yaml.safe_load((CONF / "local.yml").read_text(encoding="utf-8"))["spark"]
    own = {
        "master": "local[2]",
        "driver_memory": options.memory,
        "shuffle_partitions": options.partitions,
        "jars_dir": options.jars,
        "local_dir": str(options.scratch),
    }
    if options.peer_spark:  # the peer's session comes into the same JVM, and looks there for its functions
        own["extra"] = local["extra"] | {"spark.driver.extraClassPath": similarity_jar_location()}
    return Settings.model_validate({"spark": local | own, "log": {"spark_level": "ERROR"}})


def main(arguments: list[str] | None = None) -> int:
    """Run the chosen data sets and print their figures."""
    options = _options(arguments)
    with measured() as start:
        spark = build_session(_settings(options), app_name="identity benchmark")
        spark.range(10).count()
    none = "none"
    tell([Result("identity", none, "start_seconds", start.seconds, None, None, "s", load())], as_json=options.json)
    for name in options.only.split(","):
        data = load_data(name, options.data)
        matching = load_matching(name, default=options.default_settings)
        sys.stderr.write(f"{name}: {data.records.num_rows} records, settings {matching.content_hash()[:16]}\n")
        with tempfile.TemporaryDirectory() as scratch:
            file = Path(scratch) / f"{data.name}.parquet"
            pq.write_table(data.records, file)
            for result in measure(spark, file, data, matching, options):
                tell([result], as_json=options.json)
    return 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, help="folder with the labelled files")
    parser.add_argument("--only", default=",".join(DATA), help="data sets, parted by commas")
    parser.add_argument("--default-settings", action="store_true", help="the suite's defaults for every data set")
    parser.add_argument("--no-peer", action="store_true", help="leave Splink out")
    parser.add_argument("--reuse-model", action="store_true", help="also both sides with the model trained before")
    parser.add_argument("--peer-spark", action="store_true", help="also Splink on Spark, for the last of --only")
    parser.add_argument("--memory", default="6g", help="the JVM's heap")
    parser.add_argument("--partitions", type=int, default=8, help="shuffle partitions")
    parser.add_argument("--jars", default=".jars", help="folder of Delta's jars")
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()), help="where Spark spills")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
