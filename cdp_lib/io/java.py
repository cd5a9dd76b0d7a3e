"""The Java that Spark will run on, found before Spark looks for it and fails in its own words."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cdp_lib.errors import SetupError

OLDEST_JAVA = 17
"""Spark 4.2 is built for Java 17; it also runs on 21."""

_ANSWER_SECONDS = 60
"""A JVM answers in well under a second; a loaded machine may need more."""

_CURE = (
    "Install Java 17 (Debian and Ubuntu: `apt-get install openjdk-17-jre-headless`; macOS: `brew install openjdk@17`; "
    "Windows: `winget install Microsoft.OpenJDK.17`), or set JAVA_HOME to one."
)


@dataclass(frozen=True)
class Java:
    """One installed Java: its home folder, and its version as it says itself."""

    home: Path
    version: str

    @property
    def major(self) -> int:
        """17 of `17.0.15`, 8 of the old spelling `1.8.0_392`."""
        parts = [int(part) for part in re.findall(r"\d+", self.version)]
        return parts[1] if parts[0] == 1 and len(parts) > 1 else parts[0]


def find_java(environ: Mapping[str, str] | None = None) -> Java:
    """The first Java that Spark can run on: that of JAVA_HOME, else that on PATH.

    Raises SetupError in one line, with what was found instead and how to get Java 17.
    """
    known = os.environ if environ is None else environ
    unfit: list[str] = []
    for place, command in _candidates(known):
        java = _ask(command)
        if java is None:
            unfit.append(f"{place} does not start")
        elif java.major < OLDEST_JAVA:
            unfit.append(f"{place} is Java {java.version}")
        else:
            return java
    found = "; ".join(unfit) if unfit else "no Java is on PATH and JAVA_HOME is not set"
    raise SetupError(f"Spark needs Java {OLDEST_JAVA} or 21, but {found}. {_CURE}")


def check_worker_python(environ: Mapping[str, str], running: str) -> None:
    """Raise SetupError when PYSPARK_PYTHON is not the running interpreter: Spark's workers would lack our packages."""
    named = environ.get("PYSPARK_PYTHON")
    if not named:
        return
    found = shutil.which(named, path=environ.get("PATH"))
    if found is None or _interpreter(found) != _interpreter(running):
        raise SetupError(
            f"PYSPARK_PYTHON is {named}, but {running} is running: Spark's Python workers would miss the suite's "
            f"packages. Run `export PYSPARK_PYTHON={running}` and start again."
        )


def _candidates(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """(how to call it in a message, command), in the order in which Spark itself looks."""
    home = environ.get("JAVA_HOME")
    if home:
        command = Path(home) / "bin" / ("java.exe" if sys.platform == "win32" else "java")
        yield f"JAVA_HOME={home}", str(command)
    on_path = shutil.which("java", path=environ.get("PATH", ""))
    if on_path:
        yield on_path, on_path


def _ask(command: str) -> Java | None:
    """What that Java says of itself; None when it cannot be started or says no version."""
    try:
        answer = subprocess.run(
            [command, "-XshowSettings:properties", "-version"],
            capture_output=True,
            text=True,
            timeout=_ANSWER_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    said = answer.stderr + answer.stdout
    version = re.search(r'version "(\d[^"]*)"', said)
    if answer.returncode != 0 or version is None:
        return None
    home = re.search(r"^\s*java\.home = (.+)$", said, re.MULTILINE)
    return Java(Path(home[1].strip()) if home else Path(command).resolve().parent.parent, version[1])


def _interpreter(path: str) -> tuple[Path, Path]:
    """The environment's folder and the program behind the links: `python` and `python3` of one venv are the same."""
    return Path(path).absolute().parent, Path(path).resolve()


def main() -> None:
    """Say which Java will be used, or stop with the cure."""
    try:
        java = find_java()
    except SetupError as problem:
        raise SystemExit(str(problem)) from None
    sys.stdout.write(f"Java {java.version} at {java.home}\n")


if __name__ == "__main__":
    main()
