import os
from datetime import datetime, UTC
from pathlib import Path

import pytest

from cdp_lib.errors import IngestError
from cdp_lib.io.landing import LandingFile, list_files, open_file
from tests.unit.ingest.loans import drop, source

NOON = datetime(2025, 1, 31, 12, tzinfo=UTC)


def paths(landing: Path, glob: str) -> list[str]:
    return [file.path for file in list_files(str(landing), source(path=glob))]


def test_a_file_is_listed_with_its_size_and_utc_time(tmp_path: Path) -> None:
    written = drop(tmp_path, "a.csv", "12345")
    os.utime(written, (NOON.timestamp(), NOON.timestamp()))
    (listed,) = list_files(str(tmp_path), source(path="in/*.csv"))
    assert listed == LandingFile("in/a.csv", str(tmp_path), 5, NOON)
    assert listed.uri == f"{tmp_path}/in/a.csv"


def test_files_come_sorted_by_path(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv", "c/a.csv"):
        drop(tmp_path, name, "x")
    assert paths(tmp_path, "in/**/*.csv") == ["in/a.csv", "in/b.csv", "in/c/a.csv"]


@pytest.mark.parametrize(
    ("glob", "found"),
    [
        ("in/*.csv", ["in/a.csv", "in/b1.csv"]),
        ("in/b[0-9].csv", ["in/b1.csv"]),
        ("in/[!b]*.csv", ["in/a.csv"]),
        ("in/?.csv", ["in/a.csv"]),
        ("in/*/*.csv", ["in/sub/c.csv"]),
        ("**/*.csv", ["in/a.csv", "in/b1.csv", "in/sub/c.csv"]),
        ("in/a.csv", ["in/a.csv"]),
        ("in/**", ["in/a.csv", "in/b1.csv", "in/sub/c.csv"]),
        ("in/**.csv", ["in/a.csv", "in/b1.csv", "in/sub/c.csv"]),
        ("**.csv", ["in/a.csv", "in/b1.csv", "in/sub/c.csv"]),
        ("**", ["in/a.csv", "in/b1.csv", "in/sub/c.csv"]),
        ("in/[a-b]*.csv", ["in/a.csv", "in/b1.csv"]),
        ("in/*.CSV", []),
        ("elsewhere/*.csv", []),
    ],
)
def test_a_star_stays_in_its_folder_and_two_cross_folders(tmp_path: Path, glob: str, found: list[str]) -> None:
    for name in ("a.csv", "b1.csv", "sub/c.csv"):
        drop(tmp_path, name, "x")
    assert paths(tmp_path, glob) == found


def test_hidden_and_in_flight_names_are_skipped(tmp_path: Path) -> None:
    skipped = (".a.csv", "_a.csv", "_temporary/a.csv", ".old/a.csv", "a.csv.part", "A.CSV.TMP", "a.csv.filepart")
    for name in (*skipped, "good.csv"):
        drop(tmp_path, name, "x")
    assert paths(tmp_path, "in/**") == ["in/good.csv"]


def test_a_file_uri_lists_the_same_files(tmp_path: Path) -> None:
    drop(tmp_path, "a b.csv", "12345")
    (listed,) = list_files(f"file://{tmp_path}", source(path="in/*.csv"))
    assert (listed.path, listed.byte_count) == ("in/a b.csv", 5)
    with open_file(listed) as stream:
        assert stream.read() == b"12345"


def test_a_missing_landing_folder_is_an_error_that_says_the_cure(tmp_path: Path) -> None:
    with pytest.raises(IngestError, match=r"landing folder .*nowhere does not exist. Create it, or .*--landing"):
        list_files(str(tmp_path / "nowhere"), source())


def test_an_unknown_kind_of_landing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(IngestError, match=r"landing ftp://: no file system of that kind here. Use a folder"):
        list_files("ftp://host/in", source())


def test_a_file_that_grew_since_it_was_listed_is_not_opened(tmp_path: Path) -> None:
    drop(tmp_path, "a.csv", "12345")
    (listed,) = list_files(str(tmp_path), source())
    drop(tmp_path, "a.csv", "123456")
    with pytest.raises(IngestError, match=r"in/a.csv: changed while it was being read. Run again"):
        open_file(listed)
