"""The trait pass over orders in Parquet files, beside DuckDB and Polars on the same files, answers compared.

    python -m benchmarks.traits --orders 20000000 --customers 2000000 [--json]

Each engine reads the files, computes the same 18 columns per customer and writes them as Parquet. Ours is the pass that
the daily run makes: `compute_traits` in the suite's own session. Its tie-breaking by the facts' key is computed, though
these orders never tie; the peers are not asked for it.
"""

import argparse
import shutil
import sys
import tempfile
from datetime import date, datetime, timedelta, UTC
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyspark.sql import SparkSession

from benchmarks.measure import Cost, load, measured, Result, tell
from cdp_lib.io.session import build_session
from cdp_lib.settings.pack import assemble_pack, Document, Pack
from cdp_lib.settings.settings import Settings
from cdp_lib.transforms.customer.as_of import end_of_day
from cdp_lib.transforms.customer.traits import compute_traits

FILES = 16
FIRST_DAY = datetime(2022, 1, 1, tzinfo=UTC)
DAYS = 3 * 365
AS_OF = date(2024, 12, 29)
ZONE = "Asia/Bangkok"
WINDOWS = (30, 90, 365)
SPARK = {
    "master": "local[2]",
    "driver_memory": "5g",
    "shuffle_partitions": 16,
}
LOCAL_DAY = f"to_date(from_utc_timestamp(ordered_at, '{ZONE}'))"
TRAITS = (
    *((f"order_count_{days}d", "count(*)", f"{days}d") for days in WINDOWS),
    *((f"amount_{days}d", "sum(paid_amount)", f"{days}d") for days in WINDOWS),
    ("average_amount", "avg(paid_amount)", None),
    ("least_amount", "min(paid_amount)", None),
    ("most_amount", "max(paid_amount)", None),
    ("store_order_count", "count(store_id)", None),
    ("visit_days", f"count_distinct({LOCAL_DAY})", None),
    ("favourite_channel", "most_frequent(channel)", None),
    ("last_store", "last(store_id)", None),
)
COLUMNS = (
    "golden_id",
    "first_order_at",
    "last_order_at",
    "order_count",
    "total_amount",
    *(name for name, _, _ in TRAITS),
)


def write_orders(folder: Path, orders: int, customers: int, seed: int) -> None:
    """Files of orders in the order of their time, like a store's; customers order unevenly; times are unique."""
    draw = np.random.default_rng(seed)
    share = np.cumsum(draw.gamma(1.0, 1.0, customers))
    share /= share[-1]
    spans = np.linspace(0, DAYS * 86_400_000_000, FILES + 1).astype(np.int64)
    firsts = np.linspace(0, orders, FILES + 1).astype(np.int64)
    for place in range(FILES):
        numbers = np.arange(firsts[place], firsts[place + 1])
        people = np.searchsorted(share, draw.random(len(numbers)))
        since = _unique_times(draw, int(spans[place]), int(spans[place + 1]), len(numbers))
        table = _order_table(draw, numbers, people, since)
        pq.write_table(table, folder / f"orders-{place:03}.parquet", compression="zstd")


def _unique_times(draw: np.random.Generator, start: int, end: int, count: int) -> np.ndarray:
    step = (end - start) // max(count, 1)
    return start + np.arange(count) * step + draw.integers(0, step, count)


def _order_table(draw: np.random.Generator, numbers: np.ndarray, people: np.ndarray, since: np.ndarray) -> pa.Table:
    channel = draw.choice(3, len(numbers), p=[0.6, 0.25, 0.15])
    store = pa.array([f"s{number:03}" for number in range(200)]).take(
        pa.array(draw.integers(0, 200, len(numbers)), mask=channel != 0)
    )
    cents = np.zeros((len(numbers), 2), np.int64)
    cents[:, 0] = np.round(draw.lognormal(3.2, 0.8, len(numbers)) * 100)
    start = int(FIRST_DAY.timestamp()) * 1_000_000
    return pa.table(
        {
            "golden_id": _hex_ids(people),
            "source_system": pa.array(["till", "shop", "app"]).take(pa.array(channel)),
            "order_id": pc.cast(pa.array(numbers), pa.string()),
            "ordered_at": pa.array(start + since).cast(pa.timestamp("us", tz="UTC")),
            "paid_amount": pa.Array.from_buffers(pa.decimal128(18, 2), len(numbers), [None, pa.py_buffer(cents)]),
            "channel": pa.array(["store", "online", "app"]).take(pa.array(channel)),
            "store_id": store,
        }
    )


def _hex_ids(people: np.ndarray) -> pa.Array:
    """32 lower hex digits per customer, spread like a hash: odd multipliers keep them distinct."""
    digits = np.frombuffer(b"0123456789abcdef", np.uint8)
    numbers = people.astype(np.uint64)[:, None] * np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F], np.uint64)
    halves = numbers.byteswap().view(np.uint8).reshape(len(people), 16)
    text = np.empty((len(people), 32), np.uint8)
    text[:, 0::2], text[:, 1::2] = digits[halves >> 4], digits[halves & 15]
    offsets = np.arange(0, 32 * len(people) + 1, 32, dtype=np.int32)
    return pa.Array.from_buffers(pa.string(), len(people), [None, pa.py_buffer(offsets), pa.py_buffer(text)])


def trait_pack() -> Pack:
    """The measured traits, as a pack would declare them."""
    traits = [
        {"kind": "trait", "name": name, "from": "order", "select": select, **({"window": window} if window else {})}
        for name, select, window in TRAITS
    ]
    info = {"kind": "pack", "id": "benchmark", "currency": "USD", "time_zone": ZONE}
    source = {
        "kind": "source", "id": "till", "read": {"format": "parquet", "path": "*"}, "key": ["order_id"],
        "columns": {"order_id": {"type": "string"}},
    }  # fmt: skip
    bodies: list[dict[str, Any]] = [info, source, *traits]
    return assemble_pack([Document("benchmark", place, body) for place, body in enumerate(bodies)], where="benchmark")


def run_spark(spark: SparkSession, folder: Path, answer: Path) -> None:
    """Ours: the pass of the daily run, written by Spark."""
    facts = spark.read.parquet(str(folder / "orders"))
    customers = spark.read.parquet(str(folder / "customers.parquet"))
    traits = compute_traits(customers, {"order": facts}, trait_pack(), as_of=AS_OF)
    traits.select(*COLUMNS).write.format("parquet").mode("overwrite").save(str(answer))


def run_duckdb(folder: Path, answer: Path) -> None:
    """DuckDB's plainest SQL for the same columns; its mode() may pick any of several."""
    within = {days: f"ordered_at >= TIMESTAMPTZ '{_end(days)}'" for days in WINDOWS}
    windowed = ", ".join(
        [f"count(*) FILTER ({inside}) AS order_count_{days}d" for days, inside in within.items()]
        + [f"sum(paid_amount) FILTER ({inside}) AS amount_{days}d" for days, inside in within.items()]
    )
    with duckdb.connect() as connection:
        connection.execute(
            "SET TimeZone = 'UTC'; SET enable_progress_bar = false"
        )  # the bar would go to standard output
        connection.execute(
            f"""COPY (
            WITH traits AS (
                SELECT golden_id, min(ordered_at) AS first_order_at, max(ordered_at) AS last_order_at,
                    count(*) AS order_count, sum(paid_amount) AS total_amount, {windowed},
                    avg(paid_amount) AS average_amount, min(paid_amount) AS least_amount,
                    max(paid_amount) AS most_amount, count(store_id) AS store_order_count,
                    count(DISTINCT (ordered_at AT TIME ZONE '{ZONE}')::DATE) AS visit_days,
                    mode(channel) AS favourite_channel, arg_max(store_id, ordered_at) AS last_store
                FROM read_parquet('{folder}/orders/*.parquet')
                WHERE ordered_at < TIMESTAMPTZ '{_end(0)}' GROUP BY golden_id)
            SELECT * FROM read_parquet('{folder}/customers.parquet') LEFT JOIN traits USING (golden_id)
            ) TO '{answer}' (FORMAT parquet)"""
        )


def run_polars(folder: Path, answer: Path) -> None:
    """Polars' streaming engine."""
    at, paid = pl.col("ordered_at"), pl.col("paid_amount")
    stores = pl.col("store_id").is_not_null()
    within = {days: at >= end_of_day(AS_OF - timedelta(days=days), ZONE) for days in WINDOWS}
    traits = (
        pl.scan_parquet(folder / "orders" / "*.parquet")
        .filter(at < end_of_day(AS_OF, ZONE))
        .group_by("golden_id")
        .agg(
            at.min().alias("first_order_at"),
            at.max().alias("last_order_at"),
            pl.len().alias("order_count"),
            paid.sum().alias("total_amount"),
            *[inside.sum().alias(f"order_count_{days}d") for days, inside in within.items()],
            *[paid.filter(inside).sum().alias(f"amount_{days}d") for days, inside in within.items()],
            paid.mean().alias("average_amount"),
            paid.min().alias("least_amount"),
            paid.max().alias("most_amount"),
            pl.col("store_id").count().alias("store_order_count"),
            at.dt.convert_time_zone(ZONE).dt.date().n_unique().alias("visit_days"),
            pl.col("channel").mode().min().alias("favourite_channel"),
            pl.col("store_id").filter(stores).get(at.filter(stores).arg_max(), null_on_oob=True).alias("last_store"),
        )
    )
    customers = pl.scan_parquet(folder / "customers.parquet")
    customers.join(traits, on="golden_id", how="left").sink_parquet(answer)


def _end(days_before: int) -> str:
    return end_of_day(AS_OF - timedelta(days=days_before), ZONE).isoformat(sep=" ")


EXACT = ("first_order_at", "last_order_at", "least_amount", "most_amount", "last_store")
COUNTED = ("order_count", *(f"order_count_{days}d" for days in WINDOWS), "store_order_count", "visit_days")
SUMMED = ("total_amount", *(f"amount_{days}d" for days in WINDOWS))


def differing_customers(folder: Path, ours: Path, peer: Path) -> dict[str, int]:
    """Column: customers whose figure differs from the peer's; nothing where all agree.

    A count or sum of nothing may be null or 0. The mean is compared to the cent that we round to. A favourite channel
    is right when no channel has more orders; ours is also the first such by name.
    """
    same = {name: f"o.{name} IS NOT DISTINCT FROM p.{name}" for name in EXACT}
    same |= {name: f"coalesce(o.{name}, 0) = coalesce(p.{name}, 0)" for name in (*COUNTED, *SUMMED)}
    same["average_amount"] = "coalesce(abs(o.average_amount::DOUBLE - p.average_amount::DOUBLE), 0) < 0.00501"
    same["favourite_channel"] = (
        "o.favourite_channel IS NOT DISTINCT FROM f.first_by_name "
        "AND (p.favourite_channel IS NULL AND f.favourites IS NULL OR list_contains(f.favourites, p.favourite_channel))"
    )
    counts = ", ".join(f"count(*) FILTER (NOT ({condition})) AS {name}" for name, condition in same.items())
    with duckdb.connect() as connection:
        compared = connection.execute(
            f"""WITH per_channel AS (
                SELECT golden_id, channel, count(*) AS orders FROM read_parquet('{folder}/orders/*.parquet')
                WHERE ordered_at < TIMESTAMPTZ '{_end(0)}' GROUP BY ALL),
            favourite AS (
                SELECT golden_id, list(channel) AS favourites, min(channel) AS first_by_name FROM per_channel
                WHERE (golden_id, orders) IN (SELECT (golden_id, max(orders)) FROM per_channel GROUP BY golden_id)
                GROUP BY golden_id)
            SELECT count(*) FILTER (o.golden_id IS NULL OR p.golden_id IS NULL) AS golden_id, {counts}
            FROM read_parquet('{ours}/*.parquet') o FULL JOIN read_parquet('{peer}') p USING (golden_id)
            LEFT JOIN favourite f USING (golden_id)"""
        )
        row = compared.fetchone() or ()
        return {name: count for name, count in zip(("golden_id", *same), row, strict=True) if count}


def main(arguments: list[str] | None = None) -> int:
    """Runs the three engines one after the other; 1 when their answers differ."""
    options = _options(arguments)
    data = f"{options.orders:,} orders of {options.customers:,} customers"
    folder = Path(tempfile.mkdtemp(prefix="cdp-traits-", dir=options.scratch))
    try:
        (folder / "orders").mkdir()
        write_orders(folder / "orders", options.orders, options.customers, options.seed)
        everyone = pa.table({"golden_id": _hex_ids(np.arange(options.customers))})
        pq.write_table(everyone, folder / "customers.parquet", compression="zstd")
        costs, wrong = _run_all(folder)
    finally:
        shutil.rmtree(folder)
    results = [
        Result(
            "traits",
            data,
            f"{metric} of the pass",
            getattr(costs["ours"], field),
            getattr(costs[name], field),
            name,
            unit,
            load(),
        )
        for name in ("duckdb", "polars")
        for metric, field, unit in (("CPU", "cpu_seconds", "CPU s"), ("time", "seconds", "s"))
    ]
    start = Result(
        "traits", data, "CPU of the session's start", costs["start"].cpu_seconds, None, None, "CPU s", load()
    )
    tell([start, *results], as_json=options.json)
    for peer, columns in wrong.items():
        sys.stderr.write(f"traits: ours and {peer} differ for so many customers: {columns}\n")
    return 1 if any(wrong.values()) else 0


def _run_all(folder: Path) -> tuple[dict[str, Cost], dict[str, dict[str, int]]]:
    costs: dict[str, Cost] = {}
    peers = {"duckdb": run_duckdb, "polars": run_polars}
    for name, run in peers.items():
        with measured() as costs[name]:
            run(folder, folder / f"{name}.parquet")
    settings = Settings.model_validate({"spark": SPARK | {"local_dir": str(folder / "spark")}})
    with measured() as costs["start"]:
        spark = build_session(settings, app_name="benchmark traits")
        spark.range(1).count()
    with measured() as costs["ours"]:
        run_spark(spark, folder, folder / "ours")
    spark.stop()
    return costs, {name: differing_customers(folder, folder / "ours", folder / f"{name}.parquet") for name in peers}


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.traits", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--orders", type=int, default=20_000_000)
    parser.add_argument("--customers", type=int, default=2_000_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--scratch", type=Path, default=None, help="folder for the files; the system's when left out")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
