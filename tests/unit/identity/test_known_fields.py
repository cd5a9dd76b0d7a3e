"""What two records can be compared by: the bits of the fields that both know."""

from itertools import combinations

import pytest
from chispa import assert_df_equality
from pyspark.sql import functions as F

from cdp_lib.settings.matching import Comparison, Matching
from cdp_lib.transforms.identity.comparable import comparable_fields, known_fields
from cdp_lib.transforms.identity.comparison import compare_pairs

MATCHING = Matching(
    comparisons=(
        Comparison(field="email", kind="email"),
        Comparison(field="phone", kind="phone"),
        Comparison(field="address", kind="address", coarser=("postcode", "city")),
    ),
    rivals=(),
)
ROWS = [
    ("a", "ann@a.test", None, None, None, None),
    ("b", None, "66812345678", None, None, None),
    ("c", None, None, "1 main road", None, "bangkok"),
    ("d", None, None, None, "10110", "bangkok"),
    ("e", "bob@b.example", None, "9 side road", None, None),
    ("f", None, None, None, None, None),
    ("g", None, "66899999999", None, "50200", None),
]


def _comparable(spark, rows):
    return spark.createDataFrame(
        rows, "record_key string, email string, phone string, address string, postcode string, city string"
    )


def test_each_field_that_is_known_sets_its_bit(spark):
    found = known_fields(_comparable(spark, [*ROWS, ROWS[0]]), MATCHING)

    bits = {"a": 1, "b": 2, "c": 4 + 16, "d": 8 + 16, "e": 1 + 4, "f": 0, "g": 2 + 8}
    expected = spark.createDataFrame([*bits.items(), ("a", 1)], "record_key string, known_fields bigint")
    assert comparable_fields(MATCHING) == ("email", "phone", "address", "postcode", "city")
    assert_df_equality(found, expected, ignore_row_order=True, ignore_nullable=True)


def test_no_record_gives_no_row(spark):
    assert known_fields(_comparable(spark, []), MATCHING).collect() == []


def test_two_records_have_a_bit_in_common_just_where_comparing_them_gives_a_level(spark):
    comparable = _comparable(spark, ROWS)
    pairs = spark.createDataFrame(combinations([row[0] for row in ROWS], 2), "record_l string, record_r string")
    bits = {row["record_key"]: row["known_fields"] for row in known_fields(comparable, MATCHING).collect()}

    compared = compare_pairs(pairs, comparable, MATCHING)

    levels = F.coalesce(*(f"{field}_level" for field in MATCHING.fields))
    has_level = compared.select("record_l", "record_r", levels.isNotNull().alias("has_level")).collect()
    assert len(has_level) == 21
    assert {(one, other): found for one, other, found in has_level} == {
        (one, other): bits[one] & bits[other] != 0 for one, other in combinations(bits, 2)
    }


@pytest.mark.parametrize(("known", "bits"), [(0, 1), (62, 1 << 62), (63, 1 << 62)])
def test_fields_beyond_the_bits_of_a_bigint_share_the_last(spark, known, bits):
    names = [f"field_{place}" for place in range(64)]
    matching = Matching(comparisons=tuple(Comparison(field=name, kind="exact") for name in names), rivals=())
    values = [F.lit("x" if place == known else None).cast("string").alias(name) for place, name in enumerate(names)]
    comparable = spark.range(1).select(F.lit("a").alias("record_key"), *values)

    assert known_fields(comparable, matching).first()["known_fields"] == bits
