"""How hard the simulated records are: cluster F1 of Splink on DuckDB, and of exact rules, on the same table.

    python benchmarks/simulator_difficulty.py --pack department_store --records 100000 --seed 1 --json

Neither method is this suite's own. `ours` holds the exact rules, `peer` Splink at .95 with generic settings. The window
that the rates were tuned to is .83-.88 for the rules and .83-.90 for Splink.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import yaml

from benchmarks.clusters import cluster_scores, components, Labels
from benchmarks.identity_splink import predict_pairs, simulated_demo
from cdp_lib.settings.simulator import Simulator
from cdp_lib.simulate.flat import simulate_records

PACKS = Path(__file__).resolve().parent.parent / "conf" / "packs"


def load(pack: str) -> Simulator:
    """The simulator settings of one of this repository's packs."""
    with (PACKS / pack / "simulator.yml").open(encoding="utf-8") as file:
        return Simulator.model_validate(yaml.safe_load(file))


def cleaned(table: pa.Table, config: Simulator) -> pa.Table:
    """Lower-case text, and the pack's own placeholders as nulls."""
    for name in ("first_name", "last_name", "email", "city", "address"):
        table = _with(table, name, pc.utf8_lower(table[name]))
    for name, words in config.placeholders.items():
        table = _nulled(table, name, [word.lower() for word in words])
    return table


def _with(table: pa.Table, name: str, values: Any) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, values)


def _nulled(table: pa.Table, name: str, values: Sequence[str]) -> pa.Table:
    held = pc.is_in(table[name], pa.array(values, pa.string()))
    return _with(table, name, pc.if_else(held, pa.scalar(None, pa.string()), table[name]))


def exact_rules(table: pa.Table) -> Labels:
    """Records that share an e-mail address, a phone, or first + last name + birth date + postcode, transitively."""
    size = table.num_rows
    left: list[Labels] = []
    right: list[Labels] = []
    for keys in (("email",), ("phone",), ("first_name", "last_name", "birth_date", "postcode")):
        whole = pc.binary_join_element_wise(*(table[key] for key in keys), "|")
        codes = pc.dictionary_encode(whole).combine_chunks().indices
        code = codes.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
        rows = np.flatnonzero(code >= 0)
        order = rows[np.argsort(code[rows], kind="stable")]
        same = code[order[1:]] == code[order[:-1]]
        left.append(order[:-1][same])
        right.append(order[1:][same])
    return components(np.concatenate(left), np.concatenate(right), size)


def measure(pack: str, records: int, seed: int, with_splink: bool) -> list[dict[str, object]]:
    """One row per figure, in the benchmarks' common form."""
    config = load(pack)
    started = time.process_time()
    raw = simulate_records(config, records=records, seed=seed)
    spent = time.process_time() - started
    table = cleaned(raw, config)
    truth = pc.dictionary_encode(table["person_id"]).combine_chunks().indices.to_numpy().astype(np.int64)
    found: dict[str, dict[str, float]] = {
        "exact": cluster_scores(exact_rules(table), truth),
        "exact, placeholders kept": cluster_scores(exact_rules(raw), truth),
    }
    if with_splink:
        frame = table.drop_columns(["person_id", "household_id"]).to_pandas()
        frame["row"] = np.arange(len(frame))
        left, right, probability = predict_pairs(frame, simulated_demo(), least=0.5)
        for threshold in (0.95, 0.99):
            kept = probability >= threshold
            found[f"splink@{threshold}"] = cluster_scores(components(left[kept], right[kept], len(truth)), truth)
    shared = {
        "benchmark": "simulator_difficulty",
        "data": f"{pack}, {table.num_rows} records, seed {seed}",
        "peer_name": "Splink-DuckDB @.95",
        "load": round(os.getloadavg()[0], 2),
    }
    peer = found.get("splink@0.95", {})

    def row(metric: str, ours: float, against: float | None, unit: str = "share") -> dict[str, object]:
        named = {"metric": metric, "ours": round(ours, 4), "peer": None if against is None else round(against, 4)}
        return {**shared, **named, "unit": unit}

    rows = [row(f"cluster {name} of exact rules", value, peer.get(name)) for name, value in found["exact"].items()]
    others = [method for method in found if method != "exact"]
    rows += [row(f"cluster f1, {method}", found[method]["f1"], peer.get("f1")) for method in others]
    return [*rows, row("simulation", spent, None, "CPU s")]


def main(arguments: Sequence[str]) -> None:
    """Print the figures, as JSON lines or a small table."""
    parser = argparse.ArgumentParser(description="How hard the simulated records are.")
    parser.add_argument("--pack", default="department_store")
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rules-only", action="store_true", help="leave Splink out")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args(arguments)
    for row in measure(options.pack, options.records, options.seed, not options.rules_only):
        text = f"{row['data']:45} {row['metric']:40} {row['ours']!s:>8} {row['unit']:6} peer {row['peer']}"
        sys.stdout.write((json.dumps(row) if options.json else text) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
