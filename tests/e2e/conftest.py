"""A stranger's library, its lakehouse, and a way to run it in the tests' own session."""

import io
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from deltalake import DeltaTable
from pyspark.sql import SparkSession
from rich.console import Console

from cdp_lib.contracts import gold, ops
from cdp_lib.workflow.runner import RunReport
from jobs.compose import build_suite, HOME, Place, Request, run_named, Suite
from tests.conftest import archive_path, FEW_ROWS
from tests.e2e.library import write_pack

Content = list[tuple[Any, ...]]


@dataclass(frozen=True)
class Shop:
    """A pack's suite over its own folders."""

    suite: Suite
    landing: Path

    def run(self, **options: Any) -> RunReport:
        """One daily run; the report of the last run it took."""
        silent = Console(file=io.StringIO())
        return run_named(self.suite, Request(**options), silent)[-1]

    def accounts(self, run_id: str) -> dict[str, tuple[int, int, int, int]]:
        """Path: rows read, accepted, quarantined, duplicate."""
        counts = ("read_count", "accepted_count", "quarantined_count", "duplicate_count")
        rows = [row for row in self.suite.ledger.rows(ops.ROW_ACCOUNT) if row["run_id"] == run_id]
        found = {row["path"]: tuple(row[name] for name in counts) for row in rows}
        assert len(found) == len(rows), "a file has two accounts"
        return found  # type: ignore[return-value]

    def customers(self, *columns: str) -> Content:
        """Chosen columns of the single view, sorted."""
        rows = self.suite.store.read(gold.customer(self.suite.pack)).select(*columns).collect()
        return sorted((tuple(row) for row in rows), key=repr)

    def versions(self) -> dict[str, int]:
        """Delta version of every bronze, silver and gold table."""
        folders = sorted(Path(self.suite.store.root).glob("[bsg][rio]*/*"))
        return {f"{folder.parent.name}.{folder.name}": DeltaTable(folder).version() for folder in folders}

    def everything(self) -> dict[str, Content]:
        """Every bronze, silver and gold table's content, without lineage, sorted."""
        return content_of(self.suite)


_DATES_OF_RUNS = ("founded_at", "linked_at", "occurred_at")


def content_of(suite: Suite) -> dict[str, Content]:
    """Table name: its rows without lineage columns, as text, sorted."""
    found: dict[str, Content] = {}
    for folder in sorted(Path(suite.store.root).glob("[bsg][rio]*/*")):
        frame = suite.session().read.format("delta").load(str(folder))
        # Events and links are dated by the run that made them.
        kept = [name for name in frame.columns if not name.startswith("_") and name not in _DATES_OF_RUNS]
        wanted = [name for name in kept if name != "identity_event_id"]
        found[f"{folder.parent.name}.{folder.name}"] = sorted((str(row),) for row in frame.select(*wanted).collect())
    return found


@pytest.fixture(scope="session")
def library_pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stranger's pack, in a folder of its own."""
    return write_pack(tmp_path_factory.mktemp("stranger") / "library")


@pytest.fixture(scope="session")
def small_conf(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """What a process of its own needs in its environment: the suite's settings, but sized for rows by the dozen."""
    folder = tmp_path_factory.mktemp("settings") / "conf"
    shutil.copytree(HOME / "conf", folder)
    for env in ("local", "cluster"):
        settings = yaml.safe_load((folder / f"{env}.yml").read_text())
        spark = settings["spark"]
        spark |= {"shuffle_partitions": 2, "extra": spark.get("extra", {}) | FEW_ROWS}
        if env == "local":
            archive = archive_path()
            spark |= {"master": "local[2]", "driver_memory": "2g"}
            sharing = f"-XX:SharedArchiveFile={archive}" if archive.is_file() else ""
            # A process that lives for a minute is over before the second compiler has paid off.
            spark["java_options"] = f"-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=256m -XX:+UseSerialGC {sharing}"
        (folder / f"{env}.yml").write_text(yaml.safe_dump(settings))
    base = yaml.safe_load((folder / "base.yml").read_text())
    base["spark"]["jars_dir"] = str(HOME / ".jars")
    (folder / "base.yml").write_text(yaml.safe_dump(base))
    return {**os.environ, "CDP_CONF": str(folder)}


@pytest.fixture
def new_library(spark: SparkSession, tmp_path: Path, library_pack: Path) -> Callable[[str], Shop]:
    """A library with its own landing folder and lakehouse, by name."""

    def make(name: str) -> Shop:
        landing = tmp_path / name / "landing"
        landing.mkdir(parents=True)
        place = Place(str(library_pack), str(landing), str(tmp_path / name / "lake"))
        return Shop(build_suite(place, lambda: spark), landing)

    return make


@pytest.fixture
def library(new_library: Callable[[str], Shop]) -> Shop:
    """One library."""
    return new_library("one")
