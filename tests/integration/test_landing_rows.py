"""Landing files of every format and fault, read into raw rows."""

import gzip
import json
from datetime import date, datetime, UTC
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet
from pyspark.errors import PythonException
from pyspark.sql import DataFrame, functions as F, SparkSession

from cdp_lib.errors import IngestError
from cdp_lib.io.landing import list_files
from cdp_lib.io.raw_rows import raw_schema, read_raw_rows
from cdp_lib.settings.source import Source
from cdp_lib.transforms.ingest.contract import apply_contract
from cdp_lib.transforms.ingest.outcome import count_outcomes, mark_outcomes
from tests.unit.ingest.loans import assert_same_rows, drop, inspected, rows_of, source

HEADER = "loan_id,Member No,fee\n"


def check(spark: SparkSession, actual: DataFrame, contract: Source, *rows: dict[str, Any]) -> None:
    """Asserts whole raw rows but their file's hash; columns left out are null, rows are of `in/a` and in order."""
    schema = raw_schema(contract)
    filled = [
        tuple({"_source_file": "in/a", "_row_number": place, **row}.get(name) for name in schema.names)
        for place, row in enumerate(rows, start=1)
    ]
    expected = spark.createDataFrame(filled, schema).drop("_file_hash")
    assert_same_rows(actual, expected)


def read(spark: SparkSession, landing: Path, content: str | bytes, contract: Source) -> DataFrame:
    drop(landing, "a", content)
    return rows_of(spark, landing, contract)


def test_a_reordered_header_does_not_swap_values(spark: SparkSession, tmp_path: Path) -> None:
    drop(tmp_path, "a", HEADER + "l1,m1,1.00\n")
    drop(tmp_path, "b", "fee,loan_id,Member No\n2.00,l2,m2\n")
    check(
        spark,
        rows_of(spark, tmp_path, source()),
        source(),
        {"loan_id": "l1", "member": "m1", "fee": "1.00"},
        {"_source_file": "in/b", "_row_number": 1, "loan_id": "l2", "member": "m2", "fee": "2.00"},
    )


def test_unknown_columns_are_rescued_where_they_say_something(spark: SparkSession, tmp_path: Path) -> None:
    content = "shelf,loan_id,Member No,fee,desk\ns1,l1,m1,1,\n,l2,m2,2,\n,l3,m3,3,d3\ns4,l4,m4,4,d4\n"
    check(
        spark,
        read(spark, tmp_path, content, source()),
        source(),
        {"loan_id": "l1", "member": "m1", "fee": "1", "_rescued": {"shelf": "s1"}},
        {"loan_id": "l2", "member": "m2", "fee": "2"},
        {"loan_id": "l3", "member": "m3", "fee": "3", "_rescued": {"desk": "d3"}},
        {"loan_id": "l4", "member": "m4", "fee": "4", "_rescued": {"desk": "d4", "shelf": "s4"}},
    )


def test_a_column_that_the_file_lacks_is_null_and_an_empty_text_is_empty(spark: SparkSession, tmp_path: Path) -> None:
    contract = source({name: {"type": "string", "optional": name == "note"} for name in ("loan_id", "fee", "note")})
    check(spark, read(spark, tmp_path, "loan_id,fee\nl1,\n", contract), contract, {"loan_id": "l1", "fee": ""})


def test_ragged_rows_keep_their_text_and_their_number(spark: SparkSession, tmp_path: Path) -> None:
    content = HEADER + "l1,m1\n\nl2,m2,2\n   \nl3,m3,3,4\nl4,m4,4\nl5\n"
    check(
        spark,
        read(spark, tmp_path, content, source()),
        source(),
        {"_malformed": "l1,m1"},
        {"loan_id": "l2", "member": "m2", "fee": "2"},
        {"_malformed": "l3,m3,3,4"},
        {"loan_id": "l4", "member": "m4", "fee": "4"},
        {"_malformed": "l5"},
    )


def test_rows_of_bare_delimiters_are_no_rows(spark: SparkSession, tmp_path: Path) -> None:
    content = HEADER + 'l1,m1,1\n,,\n,,3\n,\n,,,,\n"","",""\nl2,m2\nl3,,\n,,\n'
    check(
        spark,
        read(spark, tmp_path, content, source()),
        source(),
        {"loan_id": "l1", "member": "m1", "fee": "1"},
        {"_row_number": 3, "loan_id": "", "member": "", "fee": "3"},
        {"_row_number": 5, "_malformed": "l2,m2"},
        {"_row_number": 6, "loan_id": "l3", "member": "", "fee": ""},
    )


def test_row_numbers_of_a_long_file_are_those_of_its_lines(spark: SparkSession, tmp_path: Path) -> None:
    lines = [f"l{n},m" if n % 1000 == 7 else f"l{n},member number {n},1.00" for n in range(1, 400_001)]
    found = read(spark, tmp_path, HEADER + "\n".join(lines), source())
    said = F.coalesce("loan_id", F.split("_malformed", ",")[0])
    is_right = said == F.concat(F.lit("l"), F.col("_row_number").cast("string"))
    actual = found.agg(F.count_if(is_right), F.count(F.lit(1)), F.count_distinct("_row_number"), F.count("_malformed"))
    assert tuple(actual.collect()[0]) == (400_000, 400_000, 400_000, 400)


def test_quoted_line_breaks_delimiters_and_quotes_are_values(spark: SparkSession, tmp_path: Path) -> None:
    content = HEADER.replace("\n", "\r\n") + 'l1,"a\r\nb, ""c""",1\r\nl2,5" ruler,"2"\r\n'
    check(
        spark,
        read(spark, tmp_path, content, source()),
        source(),
        {"loan_id": "l1", "member": 'a\r\nb, "c"', "fee": "1"},
        {"loan_id": "l2", "member": '5" ruler', "fee": "2"},
    )


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_any_line_end_will_do_and_the_last_may_lack(spark: SparkSession, tmp_path: Path, ends: str) -> None:
    content = f"loan_id,Member No,fee{ends}l1,m1,1{ends}l2,m2,2"
    check(
        spark,
        read(spark, tmp_path, content, source()),
        source(),
        {"loan_id": "l1", "member": "m1", "fee": "1"},
        {"loan_id": "l2", "member": "m2", "fee": "2"},
    )


def test_another_delimiter_is_the_contracts(spark: SparkSession, tmp_path: Path) -> None:
    contract = source(delimiter="|")
    row = {"loan_id": "l1", "member": "a,b", "fee": "1"}
    check(spark, read(spark, tmp_path, "loan_id|Member No|fee\nl1|a,b|1\n", contract), contract, row)


@pytest.mark.parametrize("encoding", ["utf-8", "tis-620", "cp874", "utf-16", "utf-8-sig"])
@pytest.mark.parametrize("packed", [False, True])
def test_thai_text_is_read_in_its_encoding(spark: SparkSession, tmp_path: Path, encoding: str, packed: bool) -> None:
    contract = source({"id": {"type": "string"}, "name": {"type": "string", "header": "ชื่อ"}}, encoding=encoding)
    drop(tmp_path, "a", "id,ชื่อ\n1,สมชาย\n".encode(encoding), packed=packed)
    check(spark, rows_of(spark, tmp_path, contract), contract, {"id": "1", "name": "สมชาย"})


def test_thai_json_lines_are_read_in_their_encoding(spark: SparkSession, tmp_path: Path) -> None:
    contract = source({"id": {"type": "string"}}, format="jsonl", encoding="tis-620")
    check(spark, read(spark, tmp_path, '{"id":"สมชาย"}\n'.encode("tis-620"), contract), contract, {"id": "สมชาย"})


def test_a_byte_order_mark_is_no_part_of_the_first_name_or_value(spark: SparkSession, tmp_path: Path) -> None:
    row = {"loan_id": "l1", "member": "m1", "fee": "1"}
    check(spark, read(spark, tmp_path, "\ufeff" + HEADER + "l1,m1,1\n", source()), source(), row)
    contract = source({"id": {"type": "string"}}, format="jsonl")
    check(spark, read(spark, tmp_path, '\ufeff{"id":"1"}\n', contract), contract, {"id": "1"})


def test_gzip_members_in_a_row_are_read_to_the_end(spark: SparkSession, tmp_path: Path) -> None:
    content = gzip.compress(HEADER.encode()) + gzip.compress(b"l1,m1,1\n")
    check(spark, read(spark, tmp_path, content, source()), source(), {"loan_id": "l1", "member": "m1", "fee": "1"})


def test_json_lines_are_objects_of_texts(spark: SparkSession, tmp_path: Path) -> None:
    contract = source({name: {"type": "string"} for name in ("id", "n", "list", "void")}, format="jsonl")
    lines = [
        '{"id": "1", "n": 12.5, "list": [{"a": "é"}, 2], "void": null, "extra": {"b": true}, "nothing": null}',
        "",
        '{"n": 12345678901234567890, "id": ""}\r',
        "  {}  ",
    ]
    check(
        spark,
        read(spark, tmp_path, "\n".join(lines), contract),
        contract,
        {"id": "1", "n": "12.5", "list": '[{"a":"é"},2]', "_rescued": {"extra": '{"b":true}'}},
        {"id": "", "n": "12345678901234567890"},
        {},
    )


@pytest.mark.parametrize(
    "line",
    [
        "[1]",
        "7",
        "null",
        '"text"',
        '{"id": "1"',
        '{"id": "1"} {"id": "2"}',
        '{"id": "1"},{"id": "2"}',
        '{"id":"1","id":"2"}',
        "}{",
    ],
)
def test_a_line_that_is_no_single_object_is_malformed(spark: SparkSession, tmp_path: Path, line: str) -> None:
    contract = source({"id": {"type": "string"}}, format="jsonl")
    found = read(spark, tmp_path, f'{{"id": "1"}}\n{line}\n{{"id": "3"}}', contract)
    check(spark, found, contract, {"id": "1"}, {"_malformed": line}, {"id": "3"})


def test_parquet_values_become_lossless_texts(spark: SparkSession, tmp_path: Path) -> None:
    moment = datetime(2025, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    values = {
        "id": pa.array(["1"]),
        "whole": pa.array([2**62]),
        "exact": pa.array([Decimal("0.10")], pa.decimal128(18, 2)),
        "real": pa.array([0.1]),
        "phone": pa.array([66812345678.0]),
        "rounded": pa.array([66812345678.0], pa.float32()),
        "yes": pa.array([True]),
        "day": pa.array([date(2025, 1, 2)]),
        "local": pa.array([moment.replace(tzinfo=None)], pa.timestamp("ns")),
        "instant": pa.array([moment], pa.timestamp("us", "Asia/Bangkok")),
        "bytes": pa.array([b"hi"]),
        "kept": pa.array([b"\xff"]),
        "word": pa.array(["w"]).dictionary_encode(),
    }
    path = drop(tmp_path, "a", b"")
    parquet.write_table(pa.table({**values, "unknown": pa.array([b"\xff"])}), path)
    kinds = {name: {"type": "binary" if name == "kept" else "string"} for name in values}
    contract = source(kinds, format="parquet")
    expected = {
        "id": "1",
        "whole": "4611686018427387904",
        "exact": "0.10",
        "real": "0.1",
        "phone": "66812345678",
        "rounded": "6.6812346e+10",
        "yes": "true",
        "day": "2025-01-02",
        "local": "2025-01-02 03:04:05.678901000",
        "instant": "2025-01-02 03:04:05.678901Z",
        "bytes": "hi",
        "kept": "/w==",
        "word": "w",
        "_rescued": {"unknown": "/w=="},
    }
    check(spark, rows_of(spark, tmp_path, contract), contract, expected)


def test_nested_parquet_values_become_json_and_typed_again(spark: SparkSession, tmp_path: Path) -> None:
    item = pa.struct([("sku", pa.string()), ("price", pa.decimal128(18, 2)), ("at", pa.timestamp("us", "UTC"))])
    moment = datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)
    table = pa.table(
        {
            "id": ["1", "2"],
            "items": pa.array([[{"sku": "é", "price": Decimal("0.10"), "at": moment}, None], None], pa.list_(item)),
            "tags": pa.array([[("a", 1)], []], pa.map_(pa.string(), pa.int64())),
        }
    )
    parquet.write_table(table, drop(tmp_path, "a", b""))
    kinds = {
        "id": "string",
        "items": "array<struct<sku:string,price:decimal(18,2),at:timestamp>>",
        "tags": "map<string,bigint>",
    }
    contract = source({name: {"type": kind} for name, kind in kinds.items()}, format="parquet")
    raw = rows_of(spark, tmp_path, contract)
    check(
        spark,
        raw,
        contract,
        {"id": "1", "items": '[{"sku":"é","price":"0.10","at":"2025-01-02T03:04:05+00:00"},null]', "tags": '{"a":1}'},
        {"id": "2", "tags": "{}"},
    )
    typed = apply_contract(raw, contract, time_zone="Asia/Bangkok").select("id", "items", "tags", "_rules")
    expected = spark.createDataFrame(
        [("1", [("é", Decimal("0.10"), moment), None], {"a": 1}, []), ("2", None, {}, [])],
        f"id string, items {kinds['items']}, tags {kinds['tags']}, _rules array<string>",
    )
    assert_same_rows(typed, expected)


def test_parquet_files_of_unlike_schemas_are_read_together(spark: SparkSession, tmp_path: Path) -> None:
    contract = source({"id": {"type": "string"}, "n": {"type": "bigint", "optional": True}}, format="parquet")
    parquet.write_table(pa.table({"id": ["1"], "n": [5]}), drop(tmp_path, "a", b""))
    parquet.write_table(pa.table({"n": ["6"], "id": [2]}), drop(tmp_path, "b", b""))
    parquet.write_table(pa.table({"id": ["3"]}), drop(tmp_path, "c", b""))
    check(
        spark,
        rows_of(spark, tmp_path, contract),
        contract,
        {"id": "1", "n": "5"},
        {"_source_file": "in/b", "_row_number": 1, "id": "2", "n": "6"},
        {"_source_file": "in/c", "_row_number": 1, "id": "3"},
    )


def test_row_numbers_run_on_over_row_groups(spark: SparkSession, tmp_path: Path) -> None:
    contract = source({"id": {"type": "bigint"}}, format="parquet")
    parquet.write_table(pa.table({"id": range(1, 1001)}), drop(tmp_path, "a", b""), row_group_size=90)
    wrong = rows_of(spark, tmp_path, contract).where("cast(id AS bigint) <> _row_number").count()
    assert wrong == 0


def test_empty_files_give_no_rows_and_many_files_give_all(spark: SparkSession, tmp_path: Path) -> None:
    check(spark, rows_of(spark, tmp_path, source()), source())
    drop(tmp_path, "empty", "")
    drop(tmp_path, "header", HEADER)
    check(spark, rows_of(spark, tmp_path, source()), source())
    for place in range(9):
        drop(tmp_path, f"{place}", HEADER + f"l{place},m,1\n", packed=place % 2 == 0)
    rows = [
        {"_source_file": f"in/{place}", "_row_number": 1, "loan_id": f"l{place}", "member": "m", "fee": "1"}
        for place in range(9)
    ]
    check(spark, rows_of(spark, tmp_path, source()), source(), *rows)


def test_every_row_carries_the_hash_of_its_files_bytes(spark: SparkSession, tmp_path: Path) -> None:
    drop(tmp_path, "a", HEADER + "l1,m1,1\nragged\n", packed=True)
    found = inspected(tmp_path, source())
    hashes = read_raw_rows(spark, source(), found).select("_file_hash").distinct()
    assert_same_rows(hashes, spark.createDataFrame([(found[0].content_hash,)], "_file_hash string"))


def test_a_refused_file_is_not_read(spark: SparkSession, tmp_path: Path) -> None:
    drop(tmp_path, "a", "loan_id\nl1\n")
    with pytest.raises(IngestError, match=r"refused files cannot be read: in/a: lacks columns 'Member No', 'fee'"):
        read_raw_rows(spark, source(), inspected(tmp_path, source()))


def test_a_file_that_changed_since_its_inspection_stops_the_read(spark: SparkSession, tmp_path: Path) -> None:
    drop(tmp_path, "a", HEADER + "l1,m1,1\n")
    found = inspected(tmp_path, source())
    drop(tmp_path, "a", HEADER + "l1,m1,1\nl2,m2,2\n")
    with pytest.raises(PythonException, match=r"in/a: changed while it was being read"):
        read_raw_rows(spark, source(), found).collect()


def test_faults_of_every_kind_are_counted_and_nothing_is_lost(spark: SparkSession, tmp_path: Path) -> None:
    good = "".join(f"l{n},m{n},{n}.00\n" for n in range(50))
    drop(tmp_path, "a-good.csv", HEADER + good)
    drop(tmp_path, "b-reordered.csv", "fee,loan_id,Member No\n" + "".join(f"{n}.00,l{n},m{n}\n" for n in range(50)))
    drop(tmp_path, "c-packed.csv.gz", HEADER + "l99,m,1\nl99,m,1.00\nl99,m,2.00\n", packed=True)
    drop(tmp_path, "d-faults.csv", HEADER + "ragged\n,m,1\nl100,m,dear\nl101,m,-1\nl102,m,1\nl0,m0,0.00\nl0,m0,5.00\n")
    drop(tmp_path, "e-cut.csv.gz", gzip.compress((HEADER + good).encode())[:-4])
    drop(tmp_path, "f-empty.csv", "")
    drop(tmp_path, "g-header.csv", "loan,member,fee\nl1,m1,1\n")
    drop(tmp_path, "h-encoding.csv", (HEADER + "l1,é,1\n").encode("latin-1"))
    contract = source()
    found = inspected(tmp_path, contract)
    refused = [one.file.path for one in found if one.problem]
    assert refused == ["in/e-cut.csv.gz", "in/g-header.csv", "in/h-encoding.csv"]
    assert len(found) == len(list_files(str(tmp_path), contract)) == 8
    raw = read_raw_rows(spark, contract, [one for one in found if not one.problem])
    tagged = apply_contract(raw, contract, time_zone="UTC")
    expected = spark.createDataFrame(
        [
            ("in/a-good.csv", 50, 50, 0, 0),
            ("in/b-reordered.csv", 50, 0, 0, 50),
            ("in/c-packed.csv.gz", 3, 2, 0, 1),
            ("in/d-faults.csv", 7, 2, 4, 1),
        ],
        "_source_file string, read_count bigint, accepted_count bigint, quarantined_count bigint, "
        "duplicate_count bigint",
    )
    actual = count_outcomes(mark_outcomes(tagged, None))
    assert_same_rows(actual, expected)


def test_json_and_csv_of_the_same_content_have_the_same_hash(spark: SparkSession, tmp_path: Path) -> None:
    columns = {"id": {"type": "string"}, "n": {"type": "bigint"}}
    table, lines = source(columns), source(columns, format="jsonl")
    drop(tmp_path / "csv", "a", "id,n\n1,5\n")
    drop(tmp_path / "json", "a", json.dumps({"n": 5, "id": "1"}))
    as_csv = apply_contract(hashed_rows(spark, tmp_path / "csv", table), table, time_zone="UTC")
    as_json = apply_contract(hashed_rows(spark, tmp_path / "json", lines), lines, time_zone="UTC")
    assert_same_rows(as_csv.select("_record_hash"), as_json.select("_record_hash"))


def hashed_rows(spark: SparkSession, landing: Path, contract: Source) -> DataFrame:
    return read_raw_rows(spark, contract, inspected(landing, contract))
