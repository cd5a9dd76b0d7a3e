"""The landing folder: what is in it, that it is the same every time, that the truth fits it."""

import csv
import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from cdp_lib.errors import ConfigError, StorageError
from cdp_lib.settings.simulator import Simulator
from cdp_lib.simulate.systems import simulate, SimulationSummary

from .conftest import library_settings

DAYS = 8
LANDING_DIGEST = "f930bffd33a55189d0dc18c2635fc1d58e0036a629f47b6b527d13ad32ca5922"
"""Of the CSV files of one run; gzip and Parquet bytes belong to the pyarrow version, too."""


def run(config: Simulator, out: Path, seed: int = 7, customers: int = 300) -> SimulationSummary:
    return simulate(config, customers=customers, days=DAYS, seed=seed, out=out)


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def csv_rows(folder: Path, glob: str) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = []
    for path in sorted(folder.glob(glob)):
        with path.open(encoding="utf-8", newline="") as file:
            rows += csv.DictReader(file)
    return rows


def json_rows(folder: Path, glob: str) -> list[dict[str, Any]]:
    texts = [gzip.decompress(path.read_bytes()).decode() for path in sorted(folder.glob(glob))]
    return [json.loads(line) for text in texts for line in text.splitlines()]


def truth(folder: Path) -> dict[tuple[str, str], tuple[str, str]]:
    rows = pq.read_table(folder / "_truth" / "records.parquet").to_pylist()
    return {(r["source_system"], r["source_record_id"]): (r["person_id"], r["household_id"]) for r in rows}


def test_two_runs_with_one_seed_give_the_same_bytes_in_every_file(library: Simulator, tmp_path: Path) -> None:
    run(library, tmp_path / "a")
    run(library, tmp_path / "b")
    assert digests(tmp_path / "a") == digests(tmp_path / "b")


def test_another_seed_gives_other_people(library: Simulator, tmp_path: Path) -> None:
    run(library, tmp_path / "a", seed=7)
    run(library, tmp_path / "b", seed=8)
    first, second = digests(tmp_path / "a"), digests(tmp_path / "b")
    first_day = "readers/2025-02-28.csv"
    assert first[first_day] != second[first_day]
    assert first["_truth/records.parquet"] != second["_truth/records.parquet"]


def test_landing_bytes_are_those_of_the_first_machine(library: Simulator, tmp_path: Path) -> None:
    """Draws that depend on a machine's math library or a hash order would change it. New settings or draws do, too."""
    run(library, tmp_path)
    kept = {name: digest for name, digest in digests(tmp_path).items() if name.endswith(".csv")}
    whole = hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()
    assert whole == LANDING_DIGEST


def test_every_record_of_a_system_is_in_the_truth(library: Simulator, tmp_path: Path) -> None:
    run(library, tmp_path)
    known = truth(tmp_path)
    cards = {row["card"] for row in csv_rows(tmp_path, "readers/*.csv")}
    assert {key for system, key in known if system == "reader"} == cards


def test_a_person_has_several_records_and_a_home_several_people(library: Simulator, tmp_path: Path) -> None:
    run(library, tmp_path)
    people = [who for (system, _), who in truth(tmp_path).items() if system == "reader"]
    assert len({person for person, _ in people}) < len(people)
    assert len({home for _, home in people}) < len({person for person, _ in people})


def test_events_name_people_as_the_truth_says(library: Simulator, tmp_path: Path) -> None:
    run(library, tmp_path)
    known = truth(tmp_path)
    loans = json_rows(tmp_path, "loans/*.jsonl.gz")
    named = {row["card"] or row["tel"] for row in loans} - {None}
    assert any(row["card"] is None and row["tel"] is None for row in loans)
    assert {key for system, key in known if system == "loan"} <= named
    for key in named:
        if key.startswith("C"):
            assert known["loan", key] == known["reader", key]


def test_an_id_typed_for_several_people_is_not_in_the_truth(library: Simulator, tmp_path: Path) -> None:
    run(library, tmp_path)
    typed = [row["tel"] for row in json_rows(tmp_path, "loans/*.jsonl.gz") if row["card"] is None]
    assert "0000000000" in typed
    assert ("loan", "0000000000") not in truth(tmp_path)


def test_late_and_resent_files_are_listed_with_their_day(library: Simulator, tmp_path: Path) -> None:
    summary = run(library, tmp_path)
    arrivals = csv_rows(tmp_path, "_truth/arrivals.csv")
    landed = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert {row["path"] for row in arrivals} == {name for name in landed if not name.startswith("_truth")}
    assert len(arrivals) == summary.files
    hows = {row["how"] for row in arrivals}
    assert hows == {"on_time", "late", "resent"}
    late = next(row for row in arrivals if row["how"] == "late")
    assert late["arrived_date"] > late["about_date"]
    assert f"{late['arrived_date']}_late_{late['about_date']}" in late["path"]


def test_a_resent_file_has_the_bytes_of_the_first(library: Simulator, tmp_path: Path) -> None:
    run(library, tmp_path)
    twice = next(path for path in sorted(tmp_path.rglob("*_resent.*")))
    assert twice.read_bytes() == twice.with_name(twice.name.replace("_resent", "")).read_bytes()


def test_some_rows_stand_twice_in_a_file(library: Simulator, tmp_path: Path) -> None:
    doubling = Simulator.model_validate(library_settings(delivery={"duplicate_rows": 0.05}))
    run(doubling, tmp_path)
    rows = [tuple(row.items()) for row in json_rows(tmp_path, "loans/*.jsonl.gz")]
    assert len(set(rows)) < len(rows)


def test_summary_counts_rows_of_each_source_once(library: Simulator, tmp_path: Path) -> None:
    quiet = Simulator.model_validate(library_settings(delivery={}))
    summary = run(quiet, tmp_path)
    assert summary.people == 300
    assert summary.rows["book"] == 6
    assert summary.rows["reader"] == len(csv_rows(tmp_path, "readers/*.csv"))
    assert summary.rows["loan"] == len(json_rows(tmp_path, "loans/*.jsonl.gz"))
    assert summary.records == len(truth(tmp_path))


def test_a_changed_record_comes_again_with_its_new_values(library: Simulator, tmp_path: Path) -> None:
    quiet = Simulator.model_validate(library_settings(delivery={}))
    run(quiet, tmp_path, customers=3000)
    versions: dict[str, set[str]] = {}
    for row in csv_rows(tmp_path, "readers/*.csv"):
        versions.setdefault(row["card"], set()).add(row["changed"])
    assert max(len(times) for times in versions.values()) > 1


def test_text_with_quotes_and_commas_survives_csv_and_json(library: Simulator, tmp_path: Path) -> None:
    run(library, tmp_path)
    title = 'The "Sea", part one'
    assert title in {row["title"] for row in csv_rows(tmp_path, "stock/books.csv")}
    assert title in {row["title"] for row in json_rows(tmp_path, "loans/*.jsonl.gz")}


def test_a_loan_s_worth_is_copies_times_price_and_no_title_stands_twice(library: Simulator, tmp_path: Path) -> None:
    quiet = Simulator.model_validate(library_settings(delivery={}))
    run(quiet, tmp_path)
    prices = {row["title"]: float(row["price"]) for row in csv_rows(tmp_path, "stock/books.csv")}
    loans = json_rows(tmp_path, "loans/*.jsonl.gz")
    assert all(row["worth"] == pytest.approx(row["copies"] * prices[row["title"]]) for row in loans)
    lines = [(row["loan"], row["title"]) for row in loans]
    assert len(set(lines)) == len(lines)


def test_a_stream_that_numbers_its_lines_may_have_a_title_twice(tmp_path: Path) -> None:
    settings = library_settings(delivery={})
    stream = next(system for system in settings["systems"] if system["id"] == "loan")
    stream["columns"] = {**stream["columns"], "line": {"line": True, "type": "number"}}
    stream["lines"] = {**stream["lines"], "favourite": 1.0}
    run(Simulator.model_validate(settings), tmp_path)
    loans: dict[str, list[tuple[int, str]]] = {}
    for row in json_rows(tmp_path, "loans/*.jsonl.gz"):
        loans.setdefault(row["loan"], []).append((row["line"], row["title"]))
    assert all([number for number, _ in lines] == list(range(1, len(lines) + 1)) for lines in loans.values())
    assert any(len({title for _, title in lines}) < len(lines) for lines in loans.values())


def test_a_line_number_without_lines_is_refused(tmp_path: Path) -> None:
    settings = library_settings()
    stream = next(system for system in settings["systems"] if system["id"] == "loan")
    stream["columns"] = {"loan": {"serial": "L######"}, "line": {"line": True}}
    for key in ("lines", "idents", "record_id"):
        stream.pop(key, None)
    with pytest.raises(ConfigError, match="column line: `line` needs the stream's `lines`"):
        run(Simulator.model_validate(settings), tmp_path)


def test_one_person_for_one_day_is_enough(library: Simulator, tmp_path: Path) -> None:
    summary = simulate(library, customers=1, days=1, seed=1, out=tmp_path)
    assert summary.people == 1


@pytest.mark.parametrize(("customers", "days"), [(0, 5), (5, 0)])
def test_nobody_or_no_day_is_refused(library: Simulator, tmp_path: Path, customers: int, days: int) -> None:
    with pytest.raises(ConfigError, match="at least one customer and one day"):
        simulate(library, customers=customers, days=days, seed=1, out=tmp_path)


def test_a_folder_with_files_is_refused(library: Simulator, tmp_path: Path) -> None:
    (tmp_path / "old.csv").write_text("x")
    with pytest.raises(StorageError, match="is not empty"):
        run(library, tmp_path)


def test_a_file_in_the_folder_s_place_is_refused(library: Simulator, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("x")
    with pytest.raises(StorageError, match="is a file"):
        run(library, tmp_path / "out")


def test_too_few_digits_for_the_records_are_named(tmp_path: Path) -> None:
    settings = library_settings()
    settings["systems"][1]["id_format"] = "C#"
    with pytest.raises(ConfigError, match=r"systems\.reader\.id_format: too few digits"):
        run(Simulator.model_validate(settings), tmp_path)
