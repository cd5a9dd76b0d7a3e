"""The extra jars: found, refused, or fetched by the real Ivy from a local Maven repository without any network."""

import re
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from cdp_lib.errors import SetupError
from cdp_lib.io.jars import bundled_version, delta_packages, find_jars, Package, resolve_jars, spark_home
from cdp_lib.io.java import find_java

BEAN = Package("org.example", "bean", "1.2.3")
LEAF = Package("org.example", "leaf", "4.5")


def write_jar(path: Path) -> Path:
    """A small readable archive."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as jar:
        jar.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\n")
    return path


def describe(home: Path, package: Package) -> Path:
    """Put the package's description, not its jar, into the local Maven repository of that home; returns its folder."""
    folder = home / ".m2" / "repository" / package.group.replace(".", "/") / package.artifact / package.version
    folder.mkdir(parents=True)
    (folder / f"{package.artifact}-{package.version}.pom").write_text(
        "<project><modelVersion>4.0.0</modelVersion>"
        f"<groupId>{package.group}</groupId><artifactId>{package.artifact}</artifactId><version>{package.version}</version>"
        "</project>"
    )
    return folder


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder for Java with an empty local Maven repository, and no way out to any other."""
    closed = " ".join(f"-D{scheme}.proxyHost=127.0.0.1 -D{scheme}.proxyPort=9" for scheme in ("http", "https"))
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("SPARK_SUBMIT_OPTS", f"-Duser.home={folder} {closed}")
    return folder


def test_delta_packages_fit_what_is_installed() -> None:
    spark, delta = metadata.version("pyspark").rsplit(".", 1)[0], metadata.version("delta-spark")

    core, storage = delta_packages()

    assert re.fullmatch(rf"io\.delta:delta-spark_{re.escape(spark)}_2\.\d+:{re.escape(delta)}", core.coordinate)
    assert storage == Package("io.delta", "delta-storage", delta)


def test_bundled_version_reads_spark_s_own_jars() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", bundled_version("hadoop-client-api"))


def test_bundled_version_refuses_a_jar_that_spark_lacks() -> None:
    with pytest.raises(SetupError, match="hold 0 versions of no-such-jar"):
        bundled_version("no-such-jar")


def test_spark_home_is_a_whole_spark() -> None:
    assert (spark_home() / "bin" / "spark-submit").is_file()


def test_found_jars_are_absolute_and_in_the_order_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jars = tuple(write_jar(tmp_path / "jars" / package.jar_name) for package in (LEAF, BEAN))
    monkeypatch.chdir(tmp_path)

    assert find_jars(Path("jars"), [LEAF, BEAN]) == jars


def test_missing_jars_are_all_named_with_the_cure(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"lacks bean-1\.2\.3\.jar, leaf-4\.5\.jar: run `make setup`"):
        find_jars(tmp_path, [BEAN, LEAF])


def test_damaged_jar_is_named_with_the_cure(tmp_path: Path) -> None:
    (tmp_path / BEAN.jar_name).write_bytes(b"PK half of it")

    with pytest.raises(SetupError, match=r"Damaged: .*bean-1\.2\.3\.jar\. Delete it and run `make setup`"):
        find_jars(tmp_path, [BEAN])


def test_resolved_jars_are_copied_alone_and_then_only_looked_up(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in (BEAN, LEAF):
        write_jar(describe(home, package) / package.jar_name)
    java = find_java()

    jars = resolve_jars(java, tmp_path / "jars", [BEAN, LEAF])

    assert jars == (tmp_path / "jars" / BEAN.jar_name, tmp_path / "jars" / LEAF.jar_name)
    assert sorted((tmp_path / "jars").iterdir()) == sorted(jars)
    monkeypatch.setenv("SPARK_SUBMIT_OPTS", "-Dno.second.resolution=could.succeed.here")
    (home / ".m2").rename(home / "gone")
    assert resolve_jars(java, tmp_path / "jars", [BEAN, LEAF]) == jars


def test_damaged_jar_is_fetched_again(tmp_path: Path, home: Path) -> None:
    write_jar(describe(home, BEAN) / BEAN.jar_name)
    (tmp_path / BEAN.jar_name).write_bytes(b"PK half of it")

    (jar,) = resolve_jars(find_java(), tmp_path, [BEAN])

    assert zipfile.is_zipfile(jar)


def test_half_filled_maven_repository_names_the_folder_to_delete(tmp_path: Path, home: Path) -> None:
    folder = describe(home, BEAN)

    with pytest.raises(SetupError, match=f"not its jar. Delete the folder {folder} and run `make setup`") as raised:
        resolve_jars(find_java(), tmp_path / "jars", [BEAN])

    assert "\n" not in str(raised.value)
    assert not (tmp_path / "jars").exists()


@pytest.mark.usefixtures("home")
def test_no_network_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"did not answer, so org\.example:bean:1\.2\.3 could not.*network") as raised:
        resolve_jars(find_java(), tmp_path / "jars", [BEAN])

    assert "\n" not in str(raised.value)


def test_one_failing_package_leaves_no_other_behind(tmp_path: Path, home: Path) -> None:
    write_jar(describe(home, BEAN) / BEAN.jar_name)

    with pytest.raises(SetupError, match=r"org\.example:leaf:4\.5 could not"):
        resolve_jars(find_java(), tmp_path / "jars", [BEAN, LEAF])

    assert not (tmp_path / "jars").exists()
