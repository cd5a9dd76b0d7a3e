"""The pipeline on a real standalone cluster; a worker that holds a task is killed and the result is exact."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from cdp_lib.io.jars import find_jars, spark_home
from jobs.compose import HOME
from tests.e2e.conftest import new_library, Shop, small_conf  # noqa: F401  the library's fixtures serve here too
from tests.e2e.library import write_first_day, write_pack, write_second_day

pytestmark = pytest.mark.cluster

WAIT_SECONDS = 300.0


@pytest.fixture(scope="module")
def library_pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pack(tmp_path_factory.mktemp("stranger") / "library")


@dataclass(frozen=True)
class Cluster:
    """A master and its two workers."""

    url: str
    workers: tuple[subprocess.Popen[bytes], ...]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def waited_for(what: str, found: Callable[[], object]) -> object:
    """What `found` gives once it is true."""
    until = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < until:
        value = found()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"{what} did not happen in {WAIT_SECONDS} s")


@contextmanager
def daemon(log: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    environment = {**os.environ, "SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable}
    command = [str(spark_home() / "bin" / "spark-class"), *arguments]
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=out, start_new_session=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    port = free_port()
    url = f"spark://127.0.0.1:{port}"
    deploy = "org.apache.spark.deploy"
    with ExitStack() as stack:
        master_log = tmp_path / "master.log"
        stack.enter_context(
            daemon(
                master_log, f"{deploy}.master.Master", "--host", "127.0.0.1", "--port", str(port), "--webui-port", "0"
            )
        )
        waited_for("the master's start", lambda: "I have been elected leader" in master_log.read_text())
        workers = tuple(
            stack.enter_context(
                daemon(
                    tmp_path / f"worker{number}.log",
                    *(f"{deploy}.worker.Worker", "--host", "127.0.0.1", "--cores", "1", "--memory", "1g"),
                    *("--webui-port", "0", "--work-dir", str(tmp_path / f"work{number}"), url),
                )
            )
            for number in (1, 2)
        )
        waited_for("both workers' registration", lambda: master_log.read_text().count("Registering worker") == 2)
        yield Cluster(url, workers)


def suite_archive(path: Path) -> Path:
    """What executors import; the jobs stay on the driver."""
    with zipfile.ZipFile(path, "w") as archive:
        for package in ("cdp_lib",):
            for file in sorted((HOME / package).rglob("*.py")):
                archive.write(file, file.relative_to(HOME))
    return path


def busy_executor(ui_port: int) -> str | None:
    """Id of an executor that runs a task now."""
    base = f"http://127.0.0.1:{ui_port}/api/v1/applications"
    try:
        with urllib.request.urlopen(base, timeout=2) as answer:
            application = json.load(answer)[0]["id"]
        with urllib.request.urlopen(f"{base}/{application}/executors", timeout=2) as answer:
            executors = json.load(answer)
    except (OSError, IndexError, ValueError):
        return None
    busy = [one["id"] for one in executors if one["id"] != "driver" and one["activeTasks"] > 0]
    return busy[0] if busy else None


def executor_process(executor: str, cluster: Cluster) -> tuple[int, subprocess.Popen[bytes]] | None:
    """(pid of the executor, its worker)."""
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().decode(errors="replace").split("\0")
            parent = int((entry.parent / "stat").read_text().rsplit(")", 1)[1].split()[1])
        except (OSError, IndexError, ValueError):
            continue
        if "--executor-id" in words and words[words.index("--executor-id") + 1] == executor:
            for worker in cluster.workers:
                if parent == worker.pid or os.path.exists(f"/proc/{worker.pid}/task/{parent}"):
                    return int(entry.parent.name), worker
    return None


def test_the_pipeline_survives_the_death_of_a_worker_that_holds_a_task(
    cluster: Cluster,
    new_library: Callable[[str], Shop],  # noqa: F811
    small_conf: Mapping[str, str],  # noqa: F811
    tmp_path: Path,
) -> None:
    local, remote = new_library("local"), new_library("remote")
    for shop in (local, remote):
        write_first_day(shop.landing)
        write_second_day(shop.landing)
    local.run()
    ui_port = free_port()
    place = remote.suite.place
    command = [str(spark_home() / "bin" / "spark-submit"), "--master", cluster.url, "--executor-memory", "512m"]
    for option in (
        "spark.driver.host=127.0.0.1",
        "spark.ui.enabled=true",
        f"spark.ui.port={ui_port}",
        "spark.cores.max=2",
        "spark.executor.cores=1",
        "spark.sql.extensions=io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog=org.apache.spark.sql.delta.catalog.DeltaCatalog",
    ):
        command += ["--conf", option]
    command += ["--jars", ",".join(map(str, find_jars(HOME / ".jars")))]
    command += ["--py-files", str(suite_archive(tmp_path / "suite.zip")), str(HOME / "jobs" / "__main__.py")]
    command += ["run", "daily", "--env", "cluster", "--pack", place.pack]
    command += ["--landing", str(place.landing), "--lakehouse", str(place.lakehouse)]
    environment = {
        **small_conf,
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
    }
    log = tmp_path / "submit.log"
    with log.open("wb") as out:
        submitted = subprocess.Popen(command, env=environment, stdout=out, stderr=out, cwd=HOME)
    try:
        executor = str(waited_for("a task on an executor", lambda: busy_executor(ui_port)))
        found = waited_for("the executor's process", lambda: executor_process(executor, cluster))
        pid, worker = found  # type: ignore[misc]
        os.kill(pid, signal.SIGKILL)
        os.killpg(worker.pid, signal.SIGKILL)
        assert submitted.wait(timeout=600) == 0, log.read_text()[-3000:]
    finally:
        submitted.kill()
    assert remote.everything() == local.everything()
