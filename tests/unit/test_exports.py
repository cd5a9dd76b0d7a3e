"""Files of customers' details: for their owner's eyes, and dead text in a spreadsheet."""

import csv
import datetime
from pathlib import Path

from pyspark.sql import SparkSession

from cdp_lib.io.local_rows import local_rows
from jobs.exports import write_csv

SCHEMA = "Name string, Phone string, Visits bigint, Born date, Tags array<string>"


def test_a_name_that_is_a_formula_is_text_and_only_the_owner_may_read_it(spark: SparkSession, tmp_path: Path) -> None:
    born = datetime.date(1990, 2, 1)
    given = [
        ('=HYPERLINK("http://x.example","y")', "+66812345678", -3, born, ["=1+1", "b"]),
        ("Ann", None, None, None, []),
    ]
    file = tmp_path / "list.csv"
    (tmp_path / ".list.csv.part").write_text("of a run that was killed")
    assert write_csv(local_rows(spark, SCHEMA, given), file) == (file, 2)
    with file.open(newline="", encoding="utf-8") as read:
        found = list(csv.reader(read))
    assert found == [
        ["Name", "Phone", "Visits", "Born", "Tags"],
        ['\'=HYPERLINK("http://x.example","y")', "+66812345678", "-3", "1990-02-01", "'=1+1|b"],
        ["Ann", "", "", "", ""],
    ]
    assert file.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["list.csv"]
