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
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import splink.comparison_library as cl
import yaml
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from splink import block_on, DuckDBAPI, Linker, SettingsCreator

from cdp_lib.settings.simulator import Simulator
from cdp_lib.simulate.flat import simulate_records

PACKS = Path(__file__).resolve().parent.parent / "conf" / "packs"
Labels = npt.NDArray[np.int64]


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


def components(left: Labels, right: Labels, size: int) -> Labels:
    """The connected component of each of `size` records."""
    graph = coo_matrix((np.ones(len(left), dtype=np.int8), (left, right)), shape=(size, size))
    return connected_components(graph, directed=False)[1].astype(np.int64)


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


def splink_scores(frame: pd.DataFrame) -> tuple[Labels, Labels, npt.NDArray[np.float64]]:
    """(left, right, probability) of the candidate pairs under generic, untuned settings."""
    rules = [
        block_on("email"),
        block_on("phone"),
        block_on("last_name", "birth_date"),
        block_on("first_name", "birth_date"),
        block_on("first_name", "last_name", "postcode"),
        block_on("birth_date", "postcode"),
        block_on("first_name", "last_name", "city"),
    ]
    settings = SettingsCreator(
        link_type="dedupe_only",
        unique_id_column_name="row",
        blocking_rules_to_generate_predictions=rules,
        comparisons=[
            cl.NameComparison("first_name").configure(term_frequency_adjustments=True),
            cl.NameComparison("last_name").configure(term_frequency_adjustments=True),
            cl.DateOfBirthComparison("birth_date", input_is_string=True),
            cl.EmailComparison("email").configure(term_frequency_adjustments=True),
            cl.LevenshteinAtThresholds("phone", [1, 2]).configure(term_frequency_adjustments=True),
            cl.ExactMatch("postcode").configure(term_frequency_adjustments=True),
        ],
    )
    linker = Linker(DuckDBAPI().register(frame), settings)
    training = linker.training
    same_name_and_date = block_on("first_name", "last_name", "birth_date")
    training.estimate_probability_two_random_records_match([same_name_and_date, block_on("email")], recall=0.7)
    training.estimate_u_using_random_sampling(max_pairs=2e6, seed=1)
    training.estimate_parameters_using_expectation_maximisation(block_on("birth_date"))
    training.estimate_parameters_using_expectation_maximisation(block_on("first_name", "last_name"))
    scored = linker.inference.predict(threshold_match_probability=0.5).as_duckdbpyrelation()
    columns = scored.select("row_l, row_r, match_probability").fetchnumpy()
    return np.asarray(columns["row_l"]), np.asarray(columns["row_r"]), np.asarray(columns["match_probability"])


def cluster_scores(predicted: Labels, truth: Labels) -> dict[str, float]:
    """Precision, recall and F1 over all pairs of records in the same cluster."""

    def pairs(labels: Labels) -> int:
        sizes = np.unique(labels, return_counts=True)[1].astype(np.int64)
        return int((sizes * (sizes - 1) // 2).sum())

    both = pairs(predicted * (int(truth.max()) + 1) + truth)
    precision, recall = both / max(pairs(predicted), 1), both / max(pairs(truth), 1)
    return {"precision": precision, "recall": recall, "f1": 2 * precision * recall / max(precision + recall, 1e-12)}


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
        left, right, probability = splink_scores(frame)
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
