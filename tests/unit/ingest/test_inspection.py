import gzip
import hashlib
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet
from pyspark.sql import SparkSession

from cdp_lib.io.inspection import inspect_files, pack_bins
from cdp_lib.io.landing import Inspection, list_files
from cdp_lib.settings.source import Source
from tests.unit.ingest.loans import drop, inspected, source

HEADER = "loan_id,Member No,fee\n"
GOOD = HEADER + "l1,m1,1.00\n"


def only(landing: Path, contract: Source) -> Inspection:
    (found,) = inspected(landing, contract)
    return found


def problem_of(landing: Path, content: str | bytes, contract: Source | None = None) -> str | None:
    drop(landing, "a", content)
    return only(landing, contract or source()).problem


def test_a_good_file_has_its_hash_and_columns(tmp_path: Path) -> None:
    drop(tmp_path, "a.csv", GOOD)
    found = only(tmp_path, source())
    assert found == Inspection(found.file, hashlib.sha256(GOOD.encode()).hexdigest(), ("loan_id", "Member No", "fee"))


def test_gzip_is_known_by_its_bytes_and_hashed_as_it_lies(tmp_path: Path) -> None:
    packed = drop(tmp_path, "a.csv", GOOD, packed=True).read_bytes()
    found = only(tmp_path, source())
    expected = Inspection(found.file, hashlib.sha256(packed).hexdigest(), ("loan_id", "Member No", "fee"), is_gzip=True)
    assert found == expected


@pytest.mark.parametrize(
    "content", [b"", HEADER.encode(), HEADER.encode() + b"\r\n\n", b"\n\n", gzip.compress(b"", mtime=0)]
)
def test_a_file_without_rows_is_empty_not_refused(tmp_path: Path, content: bytes) -> None:
    drop(tmp_path, "a.csv", content)
    found = only(tmp_path, source())
    assert (found.is_empty, found.problem) == (True, None)


def test_json_lines_of_blanks_are_empty(tmp_path: Path) -> None:
    drop(tmp_path, "a.jsonl", " \n\n")
    found = only(tmp_path, source(format="jsonl"))
    assert (found.is_empty, found.problem) == (True, None)


def test_a_lacking_column_refuses_the_file_with_the_near_miss(tmp_path: Path) -> None:
    problem = problem_of(tmp_path, "loan_id,member_no,fee\nl1,m1,1\n")
    assert problem == (
        "in/a: lacks column 'Member No'; found 'member_no'. Did you mean 'member_no'? "
        "Give the name with `header:`, or mark the column `optional`."
    )


def test_a_lacking_column_refuses_a_file_without_rows_too(tmp_path: Path) -> None:
    assert (problem_of(tmp_path, "loan_id,fee\n") or "").startswith("in/a: lacks column 'Member No'.")


def test_a_file_may_lack_an_optional_column(tmp_path: Path) -> None:
    contract = source({"loan_id": {"type": "string"}, "note": {"type": "string", "optional": True}})
    assert problem_of(tmp_path, "loan_id\nl1\n", contract) is None


def test_a_first_line_of_values_is_never_quoted(tmp_path: Path) -> None:
    problem = problem_of(tmp_path, "l1,Somebody Private,1.00\n")
    said = "none of the columns loan_id, Member No, fee stands in the first line. Does the file lack its header line?"
    assert problem == f"in/a: {said}"


def test_another_delimiter_is_guessed(tmp_path: Path) -> None:
    problem = problem_of(tmp_path, GOOD.replace(",", ";"))
    assert (problem or "").endswith("stands in the first line. Is the delimiter ';' rather than ','?")


def test_extra_columns_are_noted_not_refused(tmp_path: Path) -> None:
    drop(tmp_path, "a.csv", "loan_id,shelf,Member No,fee\nl1,s,m1,1\n")
    found = only(tmp_path, source())
    assert (found.problem, found.note) == (None, "unknown columns rescued: shelf")


def test_columns_without_a_name_are_named_by_their_place(tmp_path: Path) -> None:
    drop(tmp_path, "a.csv", "loan_id,,Member No,fee,\nl1,,m1,1,\n")
    found = only(tmp_path, source())
    assert (found.problem, found.columns) == (None, ("loan_id", "_c2", "Member No", "fee", "_c5"))
    assert found.note == "unknown columns rescued: _c2, _c5"


def test_two_columns_of_one_name_refuse_the_file(tmp_path: Path) -> None:
    problem = problem_of(tmp_path, "loan_id,Member No,fee,fee\nl1,m1,1,2\n")
    assert problem == "in/a: two columns are called 'fee'; a column's name must be its own"


def test_a_gzip_stream_without_its_end_is_refused_and_hashed_whole(tmp_path: Path) -> None:
    packed = gzip.compress(GOOD.encode())[:-6]
    assert problem_of(tmp_path, packed) == "in/a: the gzip stream is cut off: its end is missing"
    assert only(tmp_path, source()).content_hash == hashlib.sha256(packed).hexdigest()


def test_damaged_gzip_is_refused(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress((HEADER + "l1,m1,1.00\n" * 1000).encode()))
    packed[40] ^= 0xFF
    assert "gzip stream is" in (problem_of(tmp_path, bytes(packed)) or "")


def test_bytes_behind_a_gzip_stream_are_refused(tmp_path: Path) -> None:
    assert problem_of(tmp_path, gzip.compress(GOOD.encode()) + b"junk") == "in/a: the gzip stream is damaged"


def test_gzip_members_in_a_row_are_one_text(tmp_path: Path) -> None:
    assert problem_of(tmp_path, gzip.compress(HEADER.encode()) + gzip.compress(b"l1,m1,1\n")) is None


def test_the_first_wrong_byte_is_named(tmp_path: Path) -> None:
    problem = problem_of(tmp_path, b"loan_id,Member No,fee\nl1,\xe9,1\n")
    assert problem == "in/a: byte 26 is not utf-8 text; write the file's `encoding` into the contract"


def test_a_wrong_byte_far_in_the_file_is_named(tmp_path: Path) -> None:
    start = (HEADER + "l1,é,1\n" * 400_000).encode()
    problem = problem_of(tmp_path, start + b"\xff")
    assert problem == f"in/a: byte {len(start) + 1:,} is not utf-8 text; write the file's `encoding` into the contract"


def test_text_cut_in_the_middle_of_a_character_is_refused(tmp_path: Path) -> None:
    assert "is not utf-8 text" in (problem_of(tmp_path, GOOD.encode() + "é".encode()[:1]) or "")


def test_a_mark_of_another_encoding_refuses_the_file(tmp_path: Path) -> None:
    content = b"\xef\xbb\xbf" + GOOD.encode()
    assert problem_of(tmp_path, content, source(encoding="tis-620")) == (
        "in/a: it is marked as utf-8 text, the contract says tis-620"
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_mark_of_the_right_encoding_is_no_part_of_the_header(tmp_path: Path, encoding: str) -> None:
    drop(tmp_path, "a.csv", ("\ufeff" if encoding == "utf-8" else "").encode() + GOOD.encode(encoding))
    found = only(tmp_path, source(encoding=encoding))
    assert (found.problem, found.columns[0]) == (None, "loan_id")


@pytest.mark.parametrize(
    "rows",
    [
        'l1,m1,"1.00\nl2,m2,2.00\n',  # The last field would swallow the rest.
        '"l1,m1,1.00\nl2,m2,2.00\n',
        'l1,5" ruler,1\nl2,m2,"2.00\n',
        'l1,m1,"1.00\n' + "l2,m2,2.00\n" * 500_000,
    ],
)
def test_a_quote_that_is_never_closed_refuses_the_file(tmp_path: Path, rows: str) -> None:
    assert (problem_of(tmp_path, HEADER + rows) or "").startswith(
        "in/a: rows cannot be told apart: a quote is never closed"
    )


def test_an_unclosed_quote_is_found_in_a_file_of_one_column(tmp_path: Path) -> None:
    contract = source({"loan_id": {"type": "string"}})
    assert "never closed" in (problem_of(tmp_path, 'loan_id\nl1\n"l2\n', contract) or "")
    assert problem_of(tmp_path, 'loan_id\nl1\n"l2"\n', contract) is None


@pytest.mark.parametrize("rows", ['l1,"a ""b"", c\nd",1\n', 'l1,5" ruler,1\n', 'l1,"m1",1\nragged\n', 'l1,"m1",1'])
def test_quotes_in_order_are_no_problem(tmp_path: Path, rows: str) -> None:
    assert problem_of(tmp_path, HEADER + rows) is None


def test_a_row_longer_than_the_readers_block_refuses_the_file(tmp_path: Path) -> None:
    problem = problem_of(tmp_path, HEADER + "l1," + "x" * (9 << 20) + ",1\n")
    assert problem == "in/a: rows cannot be told apart: a quote is never closed, or a row is over 4 MiB"


def test_a_parquet_file_has_columns_and_row_groups(tmp_path: Path) -> None:
    path = drop(tmp_path, "a.parquet", b"")
    table = pa.table(
        {"loan_id": ["l1", "l2", "l3"], "Member No": ["m", None, "m"], "fee": [1.0, 2.0, 3.0], "x": [1] * 3}
    )
    parquet.write_table(table, path, row_group_size=2)
    found = only(tmp_path, source(format="parquet"))
    assert (found.columns, found.row_groups, found.problem, found.note) == (
        ("loan_id", "Member No", "fee", "x"),
        (2, 1),
        None,
        "unknown columns rescued: x",
    )


def test_a_parquet_file_without_rows_is_empty(tmp_path: Path) -> None:
    path = drop(tmp_path, "a.parquet", b"")
    parquet.write_table(pa.table({"loan_id": [], "Member No": [], "fee": []}), path)
    assert only(tmp_path, source(format="parquet")).is_empty


def test_a_parquet_file_without_a_column_is_refused(tmp_path: Path) -> None:
    path = drop(tmp_path, "a.parquet", b"")
    parquet.write_table(pa.table({"loan_id": ["l1"], "Member No": ["m"]}), path)
    assert (only(tmp_path, source(format="parquet")).problem or "").startswith("in/a.parquet: lacks column 'fee'.")


@pytest.mark.parametrize("keep", [slice(0, -20), slice(0, 30)])
def test_a_cut_parquet_file_is_refused(tmp_path: Path, keep: slice) -> None:
    path = drop(tmp_path, "a.parquet", b"")
    parquet.write_table(pa.table({"loan_id": ["l1"], "Member No": ["m"], "fee": [1]}), path)
    path.write_bytes(path.read_bytes()[keep])
    problem = only(tmp_path, source(format="parquet")).problem
    assert (problem or "").startswith("in/a.parquet: it is no whole Parquet file")


def test_a_parquet_file_with_a_damaged_page_is_refused(tmp_path: Path) -> None:
    path = drop(tmp_path, "a.parquet", b"")
    table = pa.table({"loan_id": [f"l{n}" for n in range(5000)], "Member No": ["m"] * 5000, "fee": [1] * 5000})
    parquet.write_table(table, path, write_page_checksum=True)
    body = bytearray(path.read_bytes())
    body[2000] ^= 0xFF
    path.write_bytes(bytes(body))
    assert (only(tmp_path, source(format="parquet")).problem or "").startswith(
        "in/a.parquet: it is no whole Parquet file"
    )


def test_a_file_that_is_gone_is_refused_and_the_others_go_on(tmp_path: Path, spark: SparkSession) -> None:
    drop(tmp_path, "a.csv", GOOD)
    drop(tmp_path, "b.csv", GOOD)
    files = list_files(str(tmp_path), source())
    (tmp_path / "in" / "a.csv").unlink()
    gone, good = inspect_files(spark, source(), files)
    assert (gone.problem, gone.content_hash) == ("in/a.csv: cannot be opened or read to its end", "")
    assert good.problem is None


def test_threads_and_a_spark_job_find_the_same(tmp_path: Path, spark: SparkSession) -> None:
    for place in range(7):
        drop(tmp_path, f"{place}.csv", GOOD * (place % 3), packed=place % 2 == 1)
    drop(tmp_path, "bad.csv", "x\n")
    files = list_files(str(tmp_path), source())
    assert inspect_files(spark, source(), files, driver_bytes=0) == inspect_files(spark, source(), files)


def test_bins_are_of_about_equal_size_and_none_is_empty() -> None:
    assert pack_bins("abcde", [5, 1, 4, 3, 3], 2) == (("a", "e"), ("c", "d", "b"))
    assert pack_bins("ab", [0, 0], 5) == (("a",), ("b",))
    assert pack_bins("", [], 5) == ()
