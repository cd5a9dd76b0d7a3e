"""A source whose path finds no file is told: nothing else would show that the path is misspelt."""

import io
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from cdp_lib.workflow.progress import PlainLines
from cdp_lib.workflow.runner import RunOptions
from jobs import bronze_ingest
from jobs.compose import build_suite, Place

PACK = "kind: pack\nid: desk\ncurrency: EUR\ntime_zone: Europe/Berlin\n"
SOURCE = """\
kind: source
id: member
read: {format: csv, path: "desk/members_*.csv"}
key: [id]
columns: {id: {type: string}}
"""


def no_session() -> SparkSession:
    pytest.fail("there is nothing to read")


def said(tmp_path: Path) -> list[str]:
    """What the screen shows of a run of the ingest over the landing folder as it is."""
    place = Place(str(tmp_path / "pack"), str(tmp_path / "landing"), str(tmp_path / "lake"))
    screen = io.StringIO()
    build_suite(place, no_session).run(RunOptions("daily"), [bronze_ingest.run], PlainLines(screen))
    return [line for line in screen.getvalue().splitlines() if "no file" in line]


def test_a_path_that_finds_no_file_is_told_once(tmp_path: Path) -> None:
    for folder in ("pack", "landing/desk"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "pack" / "pack.yml").write_text(f"{PACK}---\n{SOURCE}")
    (tmp_path / "landing/desk/member_1.csv").write_text("id\n1\n")

    assert said(tmp_path) == [
        f"job=bronze_ingest member: no file matches 'desk/members_*.csv' below {tmp_path / 'landing'}"
    ]
    assert said(tmp_path) == []
