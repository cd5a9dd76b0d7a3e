"""One Spark session for all tests of a worker, and a lakehouse folder for each test."""

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from cdp_lib.io.commit import session_options_of
from cdp_lib.io.java import find_java
from cdp_lib.io.session import build_session
from cdp_lib.settings.settings import LogSettings, MlflowSettings, Settings, SparkSettings

ROOT = Path(__file__).parents[1]
ARCHIVES = ROOT / ".cache" / "class-data"

FEW_ROWS = {
    "spark.databricks.delta.snapshotPartitions": "1",
    "spark.python.daemon.module": "jobs.workers",
    # Compiling a plan costs more than running it over a dozen rows; so does replanning at shuffles.
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
    # Each sort and aggregation takes a page, of 16 MB and more unless told: the heap would fill with empty ones.
    "spark.buffer.pageSize": "1m",
    # What a browser would show of past queries is kept on the heap too, and nobody looks.
    "spark.sql.ui.explainMode": "simple",
    "spark.sql.ui.retainedExecutions": "20",
    "spark.ui.retainedJobs": "20",
    "spark.ui.retainedStages": "20",
}
"""Options of a session that sees rows by the dozen."""

DUMP_SECONDS = 120
"""A JVM writes its class archive in about 15 seconds on two busy cores."""


def pytest_configure(config: pytest.Config) -> None:
    """Settle what libraries read from the environment when they are first imported."""
    # A worker of pytest-xdist is started by `python -c`; PySpark takes a main module without file for its doctests.
    vars(sys.modules["__main__"]).setdefault("__file__", pytest.__file__)
    os.environ.update(
        {
            "TZ": "UTC",
            "OMP_NUM_THREADS": "1",
            "GX_ANALYTICS_ENABLED": "false",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "SPARK_LOCAL_IP": "127.0.0.1",
        }
    )
    time.tzset()


def archive_path() -> Path:
    """The archive of loaded classes that fits this Java, Spark and Delta."""
    java = find_java()
    parts = (java.version, str(java.home), metadata.version("pyspark"), metadata.version("delta-spark"))
    return ARCHIVES / f"{hashlib.sha256(' '.join(parts).encode()).hexdigest()[:16]}.jsa"


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """A session on two cores, sized for rows by the dozen.

    The first run leaves an archive of the JVM's loaded classes; it halves what later runs spend on starting.
    """
    scratch = tmp_path_factory.mktemp("spark")
    archive = archive_path()
    partial = archive.with_suffix(f".{os.getpid()}.part")
    is_known = archive.is_file()
    archive.parent.mkdir(parents=True, exist_ok=True)
    archiving = f"-XX:SharedArchiveFile={archive}" if is_known else f"-XX:ArchiveClassesAtExit={partial}"
    settings = Settings(
        spark=SparkSettings(
            master="local[2]",
            shuffle_partitions=2,
            driver_memory="2g",
            jars_dir=str(ROOT / ".jars"),
            local_dir=str(scratch / "local"),
            # A heap that grew by steps was collected whole at each of them.
            java_options=f"-Xms2g -Xmn600m -XX:ReservedCodeCacheSize=256m -XX:+UseSerialGC {archiving}",
            extra={**FEW_ROWS, "spark.sql.warehouse.dir": str(scratch / "warehouse")},
        ),
        log=LogSettings(spark_level="ERROR", spark_file=str(scratch / "spark.log")),
    )
    session = build_session(settings, app_name="tests")
    gateway = session.sparkContext._gateway
    yield session
    session.stop()
    if not is_known:
        keep_archive(gateway, partial, archive)


def keep_archive(gateway: object, partial: Path, archive: Path) -> None:
    """Let the JVM end, which writes the archive, and put it in its place once it is whole."""
    jvm: subprocess.Popen[bytes] = gateway.proc
    gateway.shutdown()
    jvm.stdin.close()
    jvm.wait(timeout=DUMP_SECONDS)
    if partial.is_file():
        partial.replace(archive)
        for outdated in set(ARCHIVES.glob("*.jsa")) - {archive}:
            outdated.unlink()


@pytest.fixture(scope="session")
def mlflow_store(tmp_path_factory: pytest.TempPathFactory) -> MlflowSettings:
    """One MLflow store for all tests: making its tables takes ten seconds."""
    folder = tmp_path_factory.mktemp("mlflow_store")
    return MlflowSettings(tracking_uri=f"sqlite:///{folder}/mlflow.db", artifacts=str(folder / "artifacts"))


@pytest.fixture
def lakehouse(tmp_path: Path) -> Path:
    """An empty lakehouse of the test's own."""
    return tmp_path / "lakehouse"


@pytest.fixture
def planned_anew(spark: SparkSession) -> Iterator[None]:
    """Spark learns only while it runs that one side of a join is small, and then reads its shuffle where it lies.

    A real session plans so, the one of these tests does not: for what relies on rows being together.
    """
    options = {
        "spark.sql.adaptive.enabled": "true",
        "spark.sql.autoBroadcastJoinThreshold": "-1",
        "spark.sql.adaptive.autoBroadcastJoinThreshold": "10m",
        # Else the few rows of a test end in one partition, where all are together anyway.
        "spark.sql.adaptive.coalescePartitions.enabled": "false",
    }
    with session_options_of(spark, options):
        yield
