"""Which Java is taken, and what is said when none will do."""

import os
import re
import sys
from pathlib import Path

import pytest

from cdp_lib.errors import SetupError
from cdp_lib.io.java import check_worker_python, find_java, Java


def install_java(home: Path, version: str, *, exit_code: int = 0) -> Path:
    """A program that answers as that Java would; returns its folder."""
    command = home / "bin" / "java"
    command.parent.mkdir(parents=True)
    command.write_text(
        f"""#!/bin/sh
printf 'Property settings:\\n    java.home = {home}\\n' >&2
printf 'openjdk version "{version}" 2025-04-15\\nOpenJDK Runtime Environment\\n' >&2
exit {exit_code}
"""
    )
    command.chmod(0o755)
    return command.parent


def shell_only(*folders: Path) -> str:
    """A PATH of the folders and what a shell script itself needs, without any real Java."""
    return os.pathsep.join(map(str, folders))


def test_java_home_comes_before_path(tmp_path: Path) -> None:
    install_java(tmp_path / "chosen", "21.0.2")
    on_path = install_java(tmp_path / "other", "17.0.15")

    java = find_java({"JAVA_HOME": str(tmp_path / "chosen"), "PATH": shell_only(on_path)})

    assert java == Java(tmp_path / "chosen", "21.0.2")


def test_java_on_path_is_found_without_java_home(tmp_path: Path) -> None:
    on_path = install_java(tmp_path / "seventeen", "17.0.15")

    assert find_java({"PATH": shell_only(on_path)}) == Java(tmp_path / "seventeen", "17.0.15")


def test_unfit_java_home_gives_way_to_a_fit_java_on_path(tmp_path: Path) -> None:
    install_java(tmp_path / "old", "11.0.22")
    on_path = install_java(tmp_path / "seventeen", "17.0.15")

    java = find_java({"JAVA_HOME": str(tmp_path / "old"), "PATH": shell_only(on_path)})

    assert java == Java(tmp_path / "seventeen", "17.0.15")


def test_home_is_the_program_s_own_folder_when_java_does_not_tell(tmp_path: Path) -> None:
    command = install_java(tmp_path / "terse", "17.0.1") / "java"
    command.write_text("#!/bin/sh\necho 'java version \"17.0.1\"' >&2\n")

    assert find_java({"PATH": shell_only(command.parent)}) == Java(tmp_path / "terse", "17.0.1")


@pytest.mark.parametrize(("version", "major"), [("17.0.15", 17), ("21", 21), ("1.8.0_392", 8), ("18-ea", 18)])
def test_major_version_is_read_in_old_and_new_spelling(version: str, major: int) -> None:
    assert Java(Path("/java"), version).major == major


def test_no_java_says_in_one_line_how_to_get_it() -> None:
    with pytest.raises(
        SetupError, match=r"no Java is on PATH.*Debian.*openjdk-17.*macOS.*Windows.*JAVA_HOME"
    ) as raised:
        find_java({"PATH": ""})

    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("version", ["11.0.22", "1.8.0_392"])
def test_old_java_is_named_with_its_version(tmp_path: Path, version: str) -> None:
    on_path = install_java(tmp_path / "old", version)

    with pytest.raises(SetupError, match=f"needs Java 17 or 21, but .*old/bin/java is Java {re.escape(version)}"):
        find_java({"PATH": shell_only(on_path)})


def test_java_that_fails_is_named(tmp_path: Path) -> None:
    install_java(tmp_path / "broken", "17.0.15", exit_code=1)

    with pytest.raises(SetupError, match=r"JAVA_HOME=.*broken does not start"):
        find_java({"JAVA_HOME": str(tmp_path / "broken"), "PATH": ""})


def test_java_home_that_points_nowhere_is_named(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"JAVA_HOME=.*gone does not start"):
        find_java({"JAVA_HOME": str(tmp_path / "gone"), "PATH": ""})


def test_worker_python_may_be_unset_or_the_running_one() -> None:
    check_worker_python({}, sys.executable)
    check_worker_python({"PYSPARK_PYTHON": sys.executable}, sys.executable)


def test_another_worker_python_is_refused_with_the_cure(tmp_path: Path) -> None:
    other = tmp_path / "python3"
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)

    with pytest.raises(SetupError, match=rf"PYSPARK_PYTHON is {other}.*export PYSPARK_PYTHON={sys.executable}"):
        check_worker_python({"PYSPARK_PYTHON": str(other)}, sys.executable)


def test_worker_python_that_is_not_there_is_refused() -> None:
    with pytest.raises(SetupError, match="PYSPARK_PYTHON is no-such-python"):
        check_worker_python({"PYSPARK_PYTHON": "no-such-python", "PATH": ""}, sys.executable)
