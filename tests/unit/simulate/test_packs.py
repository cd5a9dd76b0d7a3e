"""The packs' own simulators: each runs, and drops what the pack's sources expect."""

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from cdp_lib.settings.simulator import Simulator
from cdp_lib.simulate.systems import simulate

PACKS = Path(__file__).resolve().parents[3] / "conf" / "packs"
SIMULATED = sorted(path.parent.name for path in PACKS.glob("*/simulator.yml"))


def documents(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        return [document for document in yaml.safe_load_all(file) if document]


def simulator(pack: str) -> Simulator:
    return Simulator.model_validate(documents(PACKS / pack / "simulator.yml")[0])


def names_in(path: Path) -> list[str]:
    """Column names of a landing file, in order."""
    body = path.read_bytes()
    text = (gzip.decompress(body) if path.suffix == ".gz" else body).decode()
    first = text.splitlines()[0]
    return next(csv.reader([first])) if ".csv" in path.name else list(json.loads(first))


@pytest.fixture(scope="module", params=SIMULATED)
def landed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    out = tmp_path_factory.mktemp(request.param)
    simulate(simulator(request.param), customers=400, days=5, seed=1, out=out)
    return request.param, out


def test_every_landing_file_is_found_by_exactly_one_source(landed: tuple[str, Path]) -> None:
    pack, out = landed
    globs = [source["read"]["path"] for source in documents(PACKS / pack / "sources.yml")]
    for path in (path for path in out.rglob("*.*") if "_truth" not in path.parts):
        name = path.relative_to(out)
        assert sum(name.match(glob) for glob in globs) == 1, f"{pack}: {name}"


def test_files_have_the_columns_that_their_source_declares(landed: tuple[str, Path]) -> None:
    pack, out = landed
    for source in documents(PACKS / pack / "sources.yml"):
        wanted = {spec.get("header", name): spec for name, spec in source["columns"].items()}
        needed = {name for name, spec in wanted.items() if not spec.get("optional")}
        for path in out.glob(source["read"]["path"]):
            names = set(names_in(path))
            assert needed <= names <= set(wanted), f"{pack}: {path.name}"


def test_source_ids_are_the_simulator_s(landed: tuple[str, Path]) -> None:
    pack, _ = landed
    sources = {source["id"] for source in documents(PACKS / pack / "sources.yml")}
    assert {system.id for system in simulator(pack).systems} <= sources
