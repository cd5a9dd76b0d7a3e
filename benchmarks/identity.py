"""Who is who on labelled data: F1, time and memory of our matcher, beside Splink on DuckDB in the same run.

    python -m benchmarks.identity --data DIR [--only febrl3,simulated_100k] [--default-settings] [--no-peer] [--json]

Both sides start from the same Parquet file and train on it without labels. Splink runs with the settings of its own
demos at .95, fixed beforehand. Ours takes benchmarks/identity_settings/<data>.yml where there is one, or with
--default-settings the suite's defaults (an empty `matching` section, whose hash is printed), which know no data set.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from pyspark.sql import SparkSession

from benchmarks.clusters import cluster_scores, Labels, pair_scores
from benchmarks.identity_data import LabelledData, load_data
from benchmarks.identity_run import match_records
from benchmarks.identity_splink import run_splink
from benchmarks.measure import Cost, load, measured, peak_mib, Result, tell
from cdp_lib.io.session import build_session
from cdp_lib.settings.matching import Matching
from cdp_lib.settings.settings import Settings

SETTINGS = Path(__file__).resolve().parent / "identity_settings"
DATA = ("febrl4", "febrl3", "historical_50k", "fake_1000", "simulated_100k")
PEER = "Splink-DuckDB @.95"


def load_matching(name: str, *, default: bool) -> Matching:
    """The data set's own settings, or the defaults."""
    file = SETTINGS / f"{name}.yml"
    if default or not file.is_file():
        return Matching()
    return Matching.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))


def run_ours(spark: SparkSession, file: Path, data: LabelledData, matching: Matching) -> tuple[Labels, str]:
    """A label per record, from the Parquet file to written clusters, and what the run says of itself."""
    answer = file.with_name(f"{data.name}_clusters")
    matched = match_records(spark, file, answer, matching)
    clusters = pq.read_table(answer)
    place = {name: row for row, name in enumerate(_names(data.records))}
    label = np.empty(len(place), dtype=np.int64)
    rows = [place[name] for name in _names(clusters)]
    label[rows] = np.unique(clusters["cluster_id"].to_numpy(), return_inverse=True)[1]
    return label, matched.said


def _names(table: pa.Table) -> list[tuple[str, str]]:
    return list(zip(table["source_system"].to_pylist(), table["source_record_id"].to_pylist(), strict=True))


def measure(spark: SparkSession, data: LabelledData, matching: Matching, *, with_peer: bool) -> list[Result]:
    """F1, seconds, CPU seconds and peak memory, ours and the peer's."""
    costs: dict[str, Cost] = {}
    scores: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / f"{data.name}.parquet"
        pq.write_table(data.records, file)
        with measured() as costs["ours"]:
            label, said = run_ours(spark, file, data, matching)
        sys.stderr.write(f"{data.name}: {said}\n")
        scores["ours"] = cluster_scores(label, data.person)["f1"]
        peaks = {"ours": peak_mib()}
        if with_peer:
            with measured() as costs["peer"]:
                found = run_splink(file, data.name)
            of_pairs, of_clusters = pair_scores(*found.pairs, data.person), cluster_scores(found.label, data.person)
            scores["peer"] = (of_pairs if data.metric == "pair_f1" else of_clusters)["f1"]
    rows = [(data.metric, scores, "share")]
    rows += [("seconds", {key: cost.seconds for key, cost in costs.items()}, "s")]
    rows += [("cpu_seconds", {key: cost.cpu_seconds for key, cost in costs.items()}, "CPU s")]
    rows += [("peak_mib", peaks, "MiB")]
    return [
        Result("identity", data.name, metric, round(both["ours"], 4), both.get("peer"), PEER, unit, load())
        for metric, both, unit in rows
    ]


def main(arguments: list[str] | None = None) -> int:
    """Run the chosen data sets and print their figures."""
    options = _options(arguments)
    settings = Settings.model_validate(
        {
            "spark": {
                "master": "local[2]",
                "driver_memory": "6g",
                "shuffle_partitions": options.partitions,
                "jars_dir": options.jars,
                "local_dir": str(options.scratch),
                "extra": {"spark.sql.adaptive.enabled": "false"},
            },
            "log": {"spark_level": "ERROR"},
        }
    )
    with measured() as start:
        spark = build_session(settings, app_name="identity benchmark")
        spark.range(10).count()
    none = "none"
    tell([Result("identity", none, "start_seconds", start.seconds, None, None, "s", load())], as_json=options.json)
    for name in options.only.split(","):
        data = load_data(name, options.data)
        matching = load_matching(name, default=options.default_settings)
        sys.stderr.write(f"{name}: {data.records.num_rows} records, settings {matching.content_hash()[:16]}\n")
        tell(measure(spark, data, matching, with_peer=not options.no_peer), as_json=options.json)
    spark.stop()
    return 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, help="folder with the labelled files")
    parser.add_argument("--only", default=",".join(DATA), help="data sets, parted by commas")
    parser.add_argument("--default-settings", action="store_true", help="the suite's defaults for every data set")
    parser.add_argument("--no-peer", action="store_true", help="leave Splink out")
    parser.add_argument("--partitions", type=int, default=8, help="shuffle partitions")
    parser.add_argument("--jars", default=".jars", help="folder of Delta's jars")
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()), help="where Spark spills")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
