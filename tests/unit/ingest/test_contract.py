import hashlib
from datetime import date, datetime, UTC
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import functions as F, SparkSession, types as T

from cdp_lib.contracts.types import spark_type
from cdp_lib.settings.source import Source
from cdp_lib.transforms.ingest.contract import apply_contract
from tests.unit.ingest.loans import assert_same_rows, raw, source

ZONE = "Asia/Bangkok"


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]  # year to microsecond, no tzinfo among them


def value_of(spark: SparkSession, column: dict[str, Any], text: str | None, **read: Any) -> tuple[Any, list[str]]:
    """What one text becomes, and the rules that it breaks."""
    contract = source({"id": {"type": "string"}, "x": column}, **read)
    (row,) = apply_contract(raw(spark, contract, {"id": "1", "x": text}), contract, time_zone=ZONE).collect()
    return row["x"], row["_rules"]


def values(spark: SparkSession, column: dict[str, Any], given: dict[str | None, Any]) -> None:
    """Asserts what each text becomes; None of a text that is not null and not blank breaks the type's rule."""
    contract = source({"id": {"type": "string"}, "x": column})
    texts = list(given)
    tagged = apply_contract(raw(spark, contract, *({"id": "1", "x": text} for text in texts)), contract, time_zone=ZONE)
    schema = T.StructType(
        [
            T.StructField("text", T.StringType()),
            T.StructField("x", spark_type(column["type"])),
            T.StructField("_rules", T.ArrayType(T.StringType())),
        ]
    )
    broken = [f"x: not a {column['type']}"]
    rows = [(text, given[text], broken if given[text] is None and (text or "").strip() else []) for text in texts]
    numbered = spark.createDataFrame(list(enumerate(texts, start=1)), "_row_number bigint, text string")
    actual = tagged.join(numbered, on="_row_number", how="inner").select("text", "x", "_rules")
    assert_same_rows(actual, spark.createDataFrame(rows, schema))


def test_numbers_are_read_or_refused(spark: SparkSession) -> None:
    values(
        spark,
        {"type": "bigint"},
        {"12": 12, " -7 ": -7, "12.5": None, "1e3": None, "twelve": None, "": None, None: None},
    )
    values(spark, {"type": "int"}, {"2147483647": 2147483647, "2147483648": None})
    values(spark, {"type": "double"}, {"1e-3": 0.001, "NaN": None, "Infinity": None, "-inf": None})


def test_numbers_as_people_write_them_are_read_where_they_mean_one_thing_only(spark: SparkSession) -> None:
    values(
        spark,
        {"type": "decimal(18,2)"},
        {
            "1,250.00": Decimal("1250.00"),
            "1.250,5": Decimal("1250.50"),
            "-1,250,000": Decimal("-1250000.00"),
            "(45.00)": Decimal("-45.00"),
            "(1,250.00)": Decimal("-1250.00"),
            "\u00a012.5\t": Decimal("12.50"),
            "1,250": None,
            "12,50.00": None,
            "(-45.00)": None,
        },
    )
    values(spark, {"type": "int"}, {"34.0": 34, "-1.00": -1, "1,250,000": 1250000, "1.000": None, "34.5": None})
    values(spark, {"type": "double"}, {"1,250.5": 1250.5, "(3)": -3.0})


def test_decimals_are_exact_and_rounded_half_up_to_their_scale(spark: SparkSession) -> None:
    values(
        spark,
        {"type": "decimal(18,2)"},
        {"0.10": Decimal("0.10"), "1.005": Decimal("1.01"), "1.776e-15": Decimal("0.00"), "1,50": None, "1" * 17: None},
    )


def test_booleans_are_read_in_their_usual_spellings(spark: SparkSession) -> None:
    truths = dict.fromkeys(("true", "TRUE", "yes", "Y", "1"), True)
    values(
        spark,
        {"type": "boolean"},
        truths | dict.fromkeys(("false", "No", "n", "0"), False) | {"maybe": None, "2": None},
    )


def test_dates_are_iso_when_no_pattern_is_given(spark: SparkSession) -> None:
    day = date(2025, 1, 2)
    values(
        spark,
        {"type": "date"},
        {
            "2025-01-02": day,
            "2025-01-02 23:30:00": day,
            "2025-01-02T23:30:00Z": day,
            "2025-01-02T23:30Z": day,
            "2025-02-30": None,
            "2025-01-02 rubbish": None,
            "2025": None,
            "02/01/2025": None,
        },
    )


def test_patterns_of_dates_are_tried_in_turn(spark: SparkSession) -> None:
    column = {"type": "date", "format": ["dd/MM/yyyy", "yyyyMMdd"]}
    values(spark, column, {"03/04/2025": date(2025, 4, 3), "20250403": date(2025, 4, 3), "2025-04-03": None})


def test_local_times_are_of_the_packs_zone_and_become_utc(spark: SparkSession) -> None:
    values(
        spark,
        {"type": "timestamp"},
        {
            "2025-01-02 07:30:00": utc(2025, 1, 2, 0, 30),
            "2025-01-02T07:30:00.123456": utc(2025, 1, 2, 0, 30, 0, 123456),
            "2025-01-02": utc(2025, 1, 1, 17),
            "2025-01-02T07:30:00Z": utc(2025, 1, 2, 7, 30),
            "2025-01-02 07:30:00+09:00": utc(2025, 1, 1, 22, 30),
            "2025-01-02T07:30:00-0500": utc(2025, 1, 2, 12, 30),
            "2025-01-02T07:30Z": utc(2025, 1, 2, 7, 30),
            "2025-01-02 07:30 -0500": utc(2025, 1, 2, 12, 30),
            "2025-01-02T07:30:0Z": utc(2025, 1, 2, 7, 30),
            "2025": None,
            "07:30": None,
            "2025-01-02 25:00": None,
            "2025-01-02 07:30:00 Asia/Tokyo": None,
        },
    )


def test_a_columns_own_zone_and_pattern_win(spark: SparkSession) -> None:
    column = {
        "type": "timestamp",
        "format": ["dd.MM.yyyy HH:mm", "dd.MM.yyyy HH:mm XXX"],
        "time_zone": "America/New_York",
    }
    given = {"02.01.2025 07:30": utc(2025, 1, 2, 12, 30), "02.01.2025 07:30 +07:00": utc(2025, 1, 2, 0, 30)}
    values(spark, column, {**given, "2025-01-02 07:30": None})


def test_summer_time_is_the_zones(spark: SparkSession) -> None:
    column = {"type": "timestamp", "time_zone": "America/New_York"}
    values(
        spark,
        column,
        {
            "2025-07-01 12:00:00": utc(2025, 7, 1, 16),
            "2025-03-09 02:30:00": utc(2025, 3, 9, 7, 30),  # Skipped: read as 03:30.
            "2025-11-02 01:30:00": utc(2025, 11, 2, 5, 30),  # Comes twice: the earlier.
        },
    )


def test_times_of_no_zone_stay_as_they_are(spark: SparkSession) -> None:
    values(
        spark,
        {"type": "timestamp_ntz"},
        {"2025-01-02 07:30:00": datetime.fromisoformat("2025-01-02T07:30"), "noon": None},
    )


def test_bytes_are_base64(spark: SparkSession) -> None:
    values(spark, {"type": "binary"}, {"aGk=": bytearray(b"hi"), "?": None})


def test_nested_values_are_whole_or_refused(spark: SparkSession) -> None:
    item = T.Row("sku", "qty")
    values(
        spark,
        {"type": "array<struct<sku:string,qty:bigint>>"},
        {
            '[{"sku":"a","qty":2},{"sku":"b"}]': [item("a", 2), item("b", None)],
            "[]": [],
            '[{"sku":"a","qty":"many"}]': None,
            '[{"sku":"a"}': None,
            '{"sku":"a"}': None,
            '[{"sku":"a"}] x': None,
        },
    )


def test_exact_numbers_and_instants_survive_nesting(spark: SparkSession) -> None:
    kind = "struct<price:decimal(18,2),at:timestamp>"
    text = '{"price":"0.10","at":"2025-01-02T07:30:00"}'
    assert value_of(spark, {"type": kind}, text) == ((Decimal("0.10"), datetime.fromisoformat("2025-01-02T00:30")), [])


def test_texts_that_mean_unknown_are_null_in_every_type(spark: SparkSession) -> None:
    assert value_of(spark, {"type": "bigint"}, " NA ", null_values=["", "NA"]) == (None, [])
    assert value_of(spark, {"type": "string"}, "NA", null_values=["", "NA"]) == (None, [])
    assert value_of(spark, {"type": "string"}, "  ") == (None, [])
    assert value_of(spark, {"type": "string"}, "", null_values=["NULL"]) == (None, [])
    assert value_of(spark, {"type": "string"}, "", null_values=[], format="jsonl") == ("", [])


def test_a_string_keeps_its_blanks(spark: SparkSession) -> None:
    assert value_of(spark, {"type": "string"}, " a ") == (" a ", [])


def test_an_id_has_no_blanks_around_it_and_a_word_for_nothing_is_none(spark: SparkSession) -> None:
    card = {"type": "string", "pii": "online_id"}
    contract = source({"id": {"type": "string"}, "x": card, "name": {"type": "string", "pii": "name"}})
    given = [" C-1 ", "C-1\u00a0", "NULL", "n/a", "-", " -- ", "ไม่มี", "0", None]
    rows = [{"id": str(place), "x": text, "name": text} for place, text in enumerate(given)]
    found = apply_contract(raw(spark, contract, *rows), contract, time_zone=ZONE).orderBy("_row_number").collect()
    assert [row["x"] for row in found] == ["C-1", "C-1", *[None] * 5, "0", None]
    assert [row["name"] for row in found] == given
    assert not any(row["_rules"] for row in found)


def test_an_id_that_is_a_word_for_nothing_names_no_row(spark: SparkSession) -> None:
    contract = source({"id": {"type": "string", "pii": "online_id"}})
    (row,) = apply_contract(raw(spark, contract, {"id": "NULL"}), contract, time_zone=ZONE).collect()
    assert row["_rules"] == ["id: missing"]


def test_a_year_of_the_buddhist_era_is_read_or_told(spark: SparkSession) -> None:
    for kind, at in (("timestamp", datetime.fromisoformat("2024-02-28T18:30")), ("date", date(2024, 2, 29))):
        forms = {"type": kind, "format": ["dd/MM/yyyy HH:mm", "yyyy-MM-dd HH:mm:ss"]}
        thai = {**forms, "era": "buddhist"}
        for text in ("29/02/2567 01:30", "2567-02-29 01:30:00", "29/02/2024 01:30"):
            assert value_of(spark, thai, text) == (at, [])
        assert value_of(spark, forms, "28/02/2567 01:30")[1] == ["x: a year of the Buddhist era, see `era`"]
        assert value_of(spark, forms, "31/12/9999 23:59")[1] == []


def test_a_tagged_row_has_typed_columns_its_place_and_raw_texts_only_when_broken(
    spark: SparkSession,
) -> None:
    contract = source()
    given = raw(
        spark,
        contract,
        {"loan_id": "l1", "member": "m1", "fee": "1.50", "_rescued": {"shelf": "s"}},
        {"loan_id": "", "member": "m2", "fee": "dear", "_rescued": {"shelf": "t"}},
        {"_malformed": "l3,m3"},
    )
    actual = apply_contract(given, contract, time_zone=ZONE).drop("_record_hash")
    schema = (
        "loan_id string, member string, fee decimal(18,2), _source_file string, _row_number bigint, _file_hash string, "
        "_rescued map<string,string>, _rules array<string>, _raw_row string"
    )
    expected = spark.createDataFrame(
        [
            ("l1", "m1", Decimal("1.50"), "in/a.csv", 1, "f", {"shelf": "s"}, [], None),
            (
                None,
                "m2",
                None,
                "in/a.csv",
                2,
                "f",
                {"shelf": "t"},
                ["fee: not a decimal(18,2)", "loan_id: missing"],
                '{"loan_id":"","Member No":"m2","fee":"dear","shelf":"t"}',
            ),
            (
                None,
                None,
                None,
                "in/a.csv",
                3,
                "f",
                None,
                ["row: cannot be split into columns"],
                '{"_malformed":"l3,m3"}',
            ),
        ],
        schema,
    )
    assert_same_rows(actual, expected)


def hashes(spark: SparkSession, contract: Source, *given: dict[str, Any]) -> list[str]:
    tagged = apply_contract(raw(spark, contract, *given), contract, time_zone=ZONE)
    return [row["_record_hash"] for row in tagged.orderBy("_row_number").collect()]


def test_the_hash_is_of_the_typed_content(spark: SparkSession) -> None:
    same, other_text, other_value = hashes(
        spark,
        source(),
        {"loan_id": "l1", "member": "m", "fee": "1.5"},
        {"loan_id": "l1", "member": "m", "fee": "1.50", "_source_file": "in/b.csv"},
        {"loan_id": "l1", "member": "m", "fee": "1.51"},
    )
    assert same == other_text != other_value
    assert same == hashlib.sha256(b'{"fee":1.50,"loan_id":"l1","member":"m"}').hexdigest()


def test_a_null_does_not_let_a_value_pass_for_its_neighbours(spark: SparkSession) -> None:
    contract = source({name: {"type": "string"} for name in ("a", "b", "c")})
    found = hashes(spark, contract, {"a": "x", "b": "y"}, {"a": "x", "c": "y"}, {"a": "x"}, {"a": "x", "b": ""})
    assert len(set(found)) == 3
    assert found[2] == found[3]


def test_the_order_of_a_maps_keys_does_not_change_the_hash_but_a_rescued_value_does(spark: SparkSession) -> None:
    contract = source({"id": {"type": "string"}, "x": {"type": "struct<m:array<map<string,bigint>>>"}})
    one, two, three, rescued, rescued_again = hashes(
        spark,
        contract,
        {"id": "1", "x": '{"m":[{"b":1,"a":2}]}'},
        {"id": "1", "x": '{"m":[{"a":2,"b":1}]}'},
        {"id": "1", "x": '{"m":[{"a":1,"b":2}]}'},
        {"id": "1", "_rescued": {"p": "1", "q": "2"}},
        {"id": "1", "_rescued": {"q": "2", "p": "1"}},
    )
    assert one == two
    assert rescued == rescued_again
    assert len({one, three, rescued, hashes(spark, contract, {"id": "1"})[0]}) == 4


def test_microseconds_are_part_of_the_hash(spark: SparkSession) -> None:
    contract = source({"id": {"type": "string"}, "at": {"type": "timestamp"}})
    given = ({"id": "1", "at": f"2025-01-02 07:30:00.00000{n}"} for n in (1, 2))
    one, two = hashes(spark, contract, *given)
    assert one != two


def test_a_new_column_leaves_the_hashes_of_rows_without_it(spark: SparkSession) -> None:
    columns = {"loan_id": {"type": "string"}, "fee": {"type": "bigint"}}
    grown = source({**columns, "branch": {"type": "string", "optional": True}})
    row = {"loan_id": "l1", "fee": "1"}
    assert hashes(spark, source(columns), row) == hashes(spark, grown, row)


@pytest.mark.parametrize("partitions", [1, 5])
def test_partitions_change_nothing(spark: SparkSession, partitions: int) -> None:
    contract = source()
    rows = [{"loan_id": f"l{n}", "member": "m", "fee": "x" if n % 3 == 0 else str(n)} for n in range(20)]
    given = raw(spark, contract, *rows)
    expected = apply_contract(given, contract, time_zone=ZONE)
    shuffled = apply_contract(given.repartition(partitions).orderBy(F.desc("_row_number")), contract, time_zone=ZONE)
    assert_same_rows(shuffled, expected)


def test_no_rows_give_no_rows(spark: SparkSession) -> None:
    contract = source()
    tagged = apply_contract(raw(spark, contract), contract, time_zone=ZONE)
    assert_same_rows(tagged, spark.createDataFrame([], tagged.schema))
