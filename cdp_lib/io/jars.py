"""The few jars that Spark needs beside its own: resolved once at set-up, afterwards only looked up."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from importlib import metadata
from pathlib import Path

from cdp_lib.errors import SetupError
from cdp_lib.io.java import find_java, Java

DEFAULT_DIR = Path(".jars")

_RESOLVE_SECONDS = 900
"""Longest wait for Ivy: an optional jar may be hundreds of megabytes."""

_OTHER_GROUPS = ("org.*", "com.*", "javax.*", "commons-*", "io.airlift", "io.unitycatalog")
"""Groups that Delta's descriptions also ask for: Spark ships them, or only a Unity Catalog needs them."""

_NOT_IN_LOCAL_MAVEN = re.compile(r"local-m2-cache: tried\s+file:(\S+\.jar)\s")
_NO_ANSWER = re.compile(
    r"Server access error at url|UnknownHostException|Connection (?:refused|timed out)|Network is unreachable"
)
_ABSENT = re.compile(r":: (\S+): not found")
_JAVA_ERROR = re.compile(r"^(?:Exception in thread .*|Error:? .*|.*java\.\S+(?:Exception|Error):.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Package:
    """One jar by its Maven coordinates."""

    group: str
    artifact: str
    version: str

    @property
    def coordinate(self) -> str:
        """As Ivy is asked for it."""
        return f"{self.group}:{self.artifact}:{self.version}"

    @property
    def jar_name(self) -> str:
        """The file's name in the jars folder."""
        return f"{self.artifact}-{self.version}.jar"


def spark_home() -> Path:
    """The folder of a whole Spark: the installed pyspark, else SPARK_HOME; raises SetupError when there is neither.

    Asked of the installed packages, not of the import system: under spark-submit `pyspark` is imported from an archive.
    """
    homes = [Path(os.environ["SPARK_HOME"])] if "SPARK_HOME" in os.environ else []
    with suppress(metadata.PackageNotFoundError):
        homes.insert(0, Path(str(metadata.distribution("pyspark").locate_file("pyspark"))))
    for home in homes:
        if (home / "jars").is_dir():
            return home
    raise SetupError("pyspark is not installed in this environment: run `make setup`.")


def bundled_version(artifact: str) -> str:
    """The version of a jar that Spark itself ships, e.g. `hadoop-client-api`: an extra jar of its family must match."""
    jars = sorted((spark_home() / "jars").glob(f"{artifact}-[0-9]*.jar"))
    if len(jars) != 1:
        raise SetupError(
            f"Spark's own jars hold {len(jars)} versions of {artifact}; reinstall pyspark by `make setup`."
        )
    return jars[0].stem.removeprefix(f"{artifact}-")


def delta_packages() -> tuple[Package, Package]:
    """The two jars of Delta that fit the installed delta-spark, Spark and Scala."""
    try:
        delta = metadata.version("delta-spark")
    except metadata.PackageNotFoundError:
        raise SetupError("delta-spark is not installed in this environment: run `make setup`.") from None
    spark = ".".join(metadata.version("pyspark").split(".")[:2])
    scala = ".".join(bundled_version("scala-library").split(".")[:2])
    return (
        Package("io.delta", f"delta-spark_{spark}_{scala}", delta),
        Package("io.delta", "delta-storage", delta),
    )


def find_jars(jars_dir: Path = DEFAULT_DIR, packages: Sequence[Package] = ()) -> tuple[Path, ...]:
    """The jars' absolute paths, Delta's two unless others are named.

    Raises SetupError, in one line with the cure, for a missing or damaged one.
    """
    jars = [jars_dir.absolute() / package.jar_name for package in packages or delta_packages()]
    missing = [jar.name for jar in jars if not jar.is_file()]
    if missing:
        raise SetupError(f"{jars_dir.absolute()} lacks {', '.join(missing)}: run `make setup` in the project's folder.")
    damaged = [str(jar) for jar in jars if not zipfile.is_zipfile(jar)]
    if damaged:
        raise SetupError(f"Damaged: {', '.join(damaged)}. Delete it and run `make setup`.")
    return tuple(jars)


def resolve_jars(java: Java, jars_dir: Path = DEFAULT_DIR, packages: Sequence[Package] = ()) -> tuple[Path, ...]:
    """The jars' paths, after those that the folder lacks are fetched by the Ivy inside Spark.

    Only the named jars are kept, each whole or not at all. Raises SetupError in one line for a half-filled local Maven
    repository, for no network, and for a version that does not exist.
    """
    wanted = packages or delta_packages()
    lacking = [package for package in wanted if not zipfile.is_zipfile(jars_dir / package.jar_name)]
    if lacking:
        with tempfile.TemporaryDirectory(prefix="cdp-ivy-") as scratch:
            ivy = Path(scratch)
            said = _run_ivy(java, lacking, ivy)
            fetched = {package: ivy / "jars" / f"{package.group}_{package.jar_name}" for package in lacking}
            absent = [package for package, jar in fetched.items() if not zipfile.is_zipfile(jar)]
            if absent:
                raise SetupError(_explain(_blamed(absent, said), said))
            for package, jar in fetched.items():
                _keep(jar, jars_dir / package.jar_name)
    return find_jars(jars_dir, wanted)


def _run_ivy(java: Java, packages: Sequence[Package], ivy: Path) -> str:
    """All that spark-submit said while it resolved the packages and ran an empty program."""
    program = ivy / "nothing.py"
    program.write_text("")
    home = spark_home()
    groups = [group for group in _OTHER_GROUPS if not any(fnmatch(package.group, group) for package in packages)]
    command = [
        str(home / "bin" / ("spark-submit.cmd" if sys.platform == "win32" else "spark-submit")),
        *("--master", "local[1]"),
        *("--packages", ",".join(package.coordinate for package in packages)),
        *("--exclude-packages", ",".join(f"{group}:*" for group in groups)),
        *("--conf", f"spark.jars.ivy={ivy}"),
        str(program),
    ]
    environ = os.environ | {
        "SPARK_HOME": str(home),
        "JAVA_HOME": str(java.home),
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": os.environ.get("SPARK_LOCAL_IP", "127.0.0.1"),
    }
    try:
        answer = subprocess.run(
            command, env=environ, capture_output=True, text=True, timeout=_RESOLVE_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise SetupError(
            f"The jars did not arrive in {_RESOLVE_SECONDS} seconds: check the network, `make setup`."
        ) from None
    return answer.stdout + answer.stderr


def _blamed(absent: Sequence[Package], said: str) -> Package:
    """The package that Ivy names as the trouble; it then brings none of the others either."""
    named = [package for package in absent if f":: {package.group}#{package.artifact};{package.version}" in said]
    return (*named, *absent)[0]


def _explain(package: Package, said: str) -> str:
    """One line: why the package did not come, and the cure."""
    half_filled = _NOT_IN_LOCAL_MAVEN.search(said)
    if half_filled and "FAILED DOWNLOADS" in said:
        folder = Path(half_filled[1]).parent
        return (
            f"The local Maven repository has the description of {package.coordinate} but not its jar. "
            f"Delete the folder {folder} and run `make setup` again."
        )
    if _NO_ANSWER.search(said):
        return (
            f"Maven Central did not answer, so {package.coordinate} could not be fetched. Connect to the network "
            "(through a proxy: SPARK_SUBMIT_OPTS='-Dhttps.proxyHost=... -Dhttps.proxyPort=...') and run `make setup`."
        )
    if _ABSENT.search(said):
        return f"Maven Central has no {package.coordinate}: the versions pinned in pyproject.toml do not go together."
    reason = _JAVA_ERROR.search(said)
    last = reason[0].strip() if reason else (said.strip().splitlines() or ["it said nothing"])[-1]
    return f"Spark could not resolve {package.coordinate}: {last}"


def _keep(fetched: Path, jar: Path) -> None:
    """Put the file in its place in one step, so that nobody ever sees half of it."""
    jar.parent.mkdir(parents=True, exist_ok=True)
    arriving = jar.with_name(f"{jar.name}.{os.getpid()}.part")
    shutil.copyfile(fetched, arriving)
    arriving.replace(jar)


def main() -> None:
    """Fetch Delta's jars unless they are there, or stop with the cure."""
    try:
        jars = resolve_jars(find_java())
    except SetupError as problem:
        raise SystemExit(str(problem)) from None
    sys.stdout.write("".join(f"{jar}\n" for jar in jars))


if __name__ == "__main__":
    main()
