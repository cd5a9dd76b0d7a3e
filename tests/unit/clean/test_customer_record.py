"""Whole records: typed fields, passthrough columns, and the reason for every nulled value."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest
from chispa import assert_df_equality
from pyspark.sql import DataFrame, functions as F, SparkSession

from cdp_lib.errors import ConfigError, ContractError
from cdp_lib.transforms.clean.customer_record import clean_customer_records, CLEANED_FIELDS, CleaningRules

AS_OF = date(2026, 7, 1)
RULES = CleaningRules(phone_region="TH", latest_birth_date=AS_OF)
RAW = (*CLEANED_FIELDS, "full_name")
RAW_SCHEMA = "source_record_id string, visits int, " + ", ".join(f"{field} string" for field in RAW)
CLEAN_SCHEMA = (
    "source_record_id string, visits int, first_name string, last_name string, email string, phone string, "
    "birth_date date, gender string, address string, city string, postcode string, country string, "
    "rejected array<struct<field: string, value: string, reason: string>>"
)
GOOD = {
    "first_name": "Mr. SOMCHAI", "last_name": "o'brien", "full_name": "Nobody Else", "email": " Ann@Shop.org ",
    "phone": "๐๘๑-234-5678", "birth_date": "03/05/2533", "gender": "นาย", "address": "12 MAIN RD", "city": "BANGKOK",
    "postcode": "๑๐๑๑๐", "country": "Thailand",
}  # fmt: skip
GOOD_CLEAN = {
    "first_name": "Somchai", "last_name": "O'Brien", "email": "ann@shop.org", "phone": "+66812345678",
    "birth_date": date(1990, 5, 3), "gender": "male", "address": "12 Main Road", "city": "Bangkok", "postcode": "10110",
    "country": "TH",
}  # fmt: skip
DIRTY = [
    GOOD,
    {field: "n/a" for field in RAW},
    {field: " \u200b " for field in RAW},
    {field: "@?!1" for field in RAW},
    {"full_name": "LEE, Ann", "birth_date": "1900-01-01"},
    {
        "full_name": "van der Berg, Jan",
        "first_name": "Johan",
        "country": "NL",
        "postcode": "1012ab",
        "phone": "+31 6 12345678",
    },
    {"birth_date": "1850-01-01", "phone": "0000000000", "email": "test@shop.org", "postcode": "SW1A 1AA"},
]


def raw(spark: SparkSession, records: Sequence[dict[str, str]]) -> DataFrame:
    rows = [(str(number), number, *(record.get(field) for field in RAW)) for number, record in enumerate(records)]
    return spark.createDataFrame(rows, RAW_SCHEMA)


def cleaned(spark: SparkSession, records: Sequence[dict[str, Any]]) -> DataFrame:
    rows = [
        (str(number), number, *(record.get(field) for field in CLEANED_FIELDS), record.get("rejected", []))
        for number, record in enumerate(records)
    ]
    return spark.createDataFrame(rows, CLEAN_SCHEMA)


def assert_cleaned(spark: SparkSession, records: Sequence[dict[str, str]], expected: Sequence[dict[str, Any]]) -> None:
    actual = clean_customer_records(raw(spark, records), RULES)
    assert_df_equality(actual, cleaned(spark, expected), ignore_row_order=True, ignore_nullable=True)


def test_good_record_is_typed_and_nothing_is_rejected(spark: SparkSession) -> None:
    assert_cleaned(spark, [GOOD, GOOD], [GOOD_CLEAN, GOOD_CLEAN])


def test_null_record_stays_null_and_nothing_is_rejected(spark: SparkSession) -> None:
    assert_cleaned(spark, [{}], [{}])


def test_no_records_give_no_records(spark: SparkSession) -> None:
    assert_cleaned(spark, [], [])


def test_invisible_value_was_not_given(spark: SparkSession) -> None:
    assert_cleaned(spark, [{field: " \u200b " for field in RAW}, {field: "" for field in RAW}], [{}, {}])


def test_every_field_says_placeholder_in_order_of_field(spark: SparkSession) -> None:
    rejected = [(field, "N/A", "placeholder") for field in sorted(RAW)]

    assert_cleaned(spark, [{field: "N/A" for field in RAW}], [{"rejected": rejected}])


def test_every_field_that_can_be_invalid_says_so_with_the_value_as_it_came(spark: SparkSession) -> None:
    given = {
        "first_name": "Mr", "last_name": "12", "full_name": "99", "email": "ann@", "phone": "12", "birth_date": "soon",
        "gender": "Purple", "postcode": " SW1A 1AA", "city": "7", "country": "66",
    }  # fmt: skip
    rejected = [(field, given[field], "invalid") for field in sorted(given)]

    assert_cleaned(spark, [given], [{"rejected": rejected}])


def test_birth_date_outside_the_limits_is_implausible(spark: SparkSession) -> None:
    assert_cleaned(
        spark,
        [
            {"birth_date": "1850-01-01"},
            {"birth_date": "2026-07-02"},
            {"birth_date": "2026-07-01"},
            {"birth_date": "1/1/2443"},
        ],
        [
            {"rejected": [("birth_date", "1850-01-01", "implausible")]},
            {"rejected": [("birth_date", "2026-07-02", "implausible")]},
            {"birth_date": AS_OF},
            {"rejected": [("birth_date", "1/1/2443", "placeholder")]},
        ],
    )


def test_full_name_fills_only_what_its_own_column_does_not_give(spark: SparkSession) -> None:
    assert_cleaned(
        spark,
        [
            {"full_name": "LEE, ann"},
            {"full_name": "Ann Lee", "first_name": "Anna"},
            {"full_name": "Ann Lee", "last_name": "n/a"},
        ],
        [
            {"first_name": "Ann", "last_name": "Lee"},
            {"first_name": "Anna", "last_name": "Lee"},
            {"first_name": "Ann", "last_name": "Lee", "rejected": [("last_name", "n/a", "placeholder")]},
        ],
    )


def test_postcode_follows_the_records_own_country(spark: SparkSession) -> None:
    assert_cleaned(
        spark,
        [
            {"postcode": "sw1a1aa", "country": "UK"},
            {"postcode": "sw1a1aa"},
            {"postcode": "10110", "country": "Ruritania"},
            {"postcode": "1010", "country": "Austria"},
            {"postcode": "1010", "country": "n/a"},
        ],
        [
            {"postcode": "SW1A 1AA", "country": "GB"},
            {"rejected": [("postcode", "sw1a1aa", "invalid")]},
            {"postcode": "10110", "country": "Ruritania"},
            {"postcode": "1010", "country": "Austria"},
            {"rejected": [("country", "n/a", "placeholder"), ("postcode", "1010", "invalid")]},
        ],
    )


def test_phone_is_read_as_dialled_in_the_records_own_country(spark: SparkSession) -> None:
    assert_cleaned(
        spark,
        [
            {"phone": "(617) 253-0000", "country": "U.S.A."},
            {"phone": "081 234 5678", "country": "Ruritania"},
            {"phone": "081 234 5678"},
        ],
        [
            {"phone": "+16172530000", "country": "US"},
            {"phone": "+66812345678", "country": "Ruritania"},
            {"phone": "+66812345678"},
        ],
    )


def test_absent_columns_come_out_as_typed_nulls(spark: SparkSession) -> None:
    records = spark.createDataFrame([("0", 0)], "source_record_id string, visits int")

    actual = clean_customer_records(records, RULES)

    assert_df_equality(actual, cleaned(spark, [{}]), ignore_nullable=True)


def test_packs_own_rules_are_followed(spark: SparkSession) -> None:
    rules = CleaningRules("US", AS_OF, day_first=False, placeholders=(r"^staff",))
    given = {"first_name": "Staff 7", "phone": "(212) 736-5000", "birth_date": "03/05/1990", "postcode": "021394307"}

    actual = clean_customer_records(raw(spark, [given]), rules)

    expected = {
        "phone": "+12127365000", "birth_date": date(1990, 3, 5), "postcode": "02139-4307",
        "rejected": [("first_name", "Staff 7", "placeholder")],
    }  # fmt: skip
    assert_df_equality(actual, cleaned(spark, [expected]), ignore_nullable=True)


def test_order_and_partitions_change_nothing(spark: SparkSession) -> None:
    records = raw(spark, DIRTY * 5)

    one = clean_customer_records(records.coalesce(1), RULES)
    many = clean_customer_records(records.orderBy(F.desc("visits")).repartition(7), RULES)

    assert_df_equality(many, one, ignore_row_order=True)


def test_cleaning_twice_is_cleaning_once(spark: SparkSession) -> None:
    once = clean_customer_records(raw(spark, DIRTY), RULES).drop("rejected")
    again = once.withColumn("birth_date", F.col("birth_date").cast("string"))

    twice = clean_customer_records(again, RULES)

    expected = once.withColumn("rejected", F.array().cast(twice.schema["rejected"].dataType))
    assert_df_equality(twice, expected, ignore_row_order=True, ignore_nullable=True)


def test_raw_column_of_another_type_and_a_column_rejected_are_refused_together(spark: SparkSession) -> None:
    records = spark.createDataFrame([], "birth_date date, phone bigint, rejected string")

    with pytest.raises(ContractError, match=r"'phone' is bigint.*'birth_date' is date.*'rejected' is there already"):
        clean_customer_records(records, RULES)


def test_wrong_rules_are_refused_with_every_fault() -> None:
    with pytest.raises(ConfigError, match=r"(?s)'\(' is no pattern.*region 'Thailand'.*2026-07-02 is after") as error:
        CleaningRules("Thailand", AS_OF, placeholders=("(", r"^\p{L}$"), earliest_birth_date=date(2026, 7, 2))

    assert len(error.value.faults) == 3


@pytest.mark.parametrize(
    ("first", "last", "kept"),
    [
        ("Wei Ling", "Foo", "Foo"),
        ("Ann", "BLANK", "Blank"),
        ("Ann", "Guest", "Guest"),
        ("Ann", "NULL", None),
        ("Guest", "Guest", None),
        ("n/a", "Foo", None),
        ("foo", "Foo", None),
        (None, "Guest", None),
        ("Guest", "Foo", None),
    ],
)
def test_a_word_for_nothing_is_a_last_name_beside_a_first(
    spark: SparkSession, first: str | None, last: str, kept: str | None
) -> None:
    given = {"last_name": last} if first is None else {"first_name": first, "last_name": last}
    (row,) = clean_customer_records(raw(spark, [given]), RULES).collect()
    assert row["last_name"] == kept
    assert any(one["field"] == "last_name" for one in row["rejected"]) == (kept is None)
