"""What an explained pair says adds up to the score that matching stores, and nothing about its blocks is left out."""

import math
from datetime import date

import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, functions as F, Row, SparkSession

from cdp_lib.contracts.silver import CUSTOMER_RECORD
from cdp_lib.settings.matching import BlockingRule, Comparison, Matching, Rival, Veto
from cdp_lib.transforms.identity.blocking import block_keys, candidate_pairs
from cdp_lib.transforms.identity.comparable import comparable_records
from cdp_lib.transforms.identity.comparison import compare_pairs
from cdp_lib.transforms.identity.explain import explain_pairs, Scale, veto_name
from cdp_lib.transforms.identity.scoring import score_pairs
from cdp_lib.transforms.identity.weights import Weights
from tests.builders import rows
from tests.unit.identity.steps import id_of

MATCHING = Matching(
    blocking=tuple(
        BlockingRule(on=on) for on in (("email",), ("last_name", "birth_date"), ("left(email, 3)",), ("first_name",))
    ),
    comparisons=(
        Comparison(field="first_name", kind="name", swapped_with="last_name"),
        Comparison(field="last_name", kind="name", swapped_with="first_name"),
        Comparison(field="birth_date", kind="birth_date", term_frequency=False),
        Comparison(field="email", kind="email"),
    ),
    rivals=(
        Rival(name="household", shared=("last_name", "email")),
        Rival(name="namesake", shared=("first_name", "last_name"), by_chance=True),
    ),
    vetoes=(
        Veto(same=("email",), different=("first_name",), unless=("birth_date",)),
        Veto(same=("last_name",), different=("birth_date",)),
    ),
)
NAME, DATE, MAIL = (-3.5, 0.5, 1.25, 2.0, 4.75, 7.1), (-4.0, -1.0, 2.0, 3.0, 9.3), (-1.7, 0.4, 5.0, 6.0, 11.9)
WEIGHTS = Weights(
    prior=-13.37,
    levels={"first_name": NAME, "last_name": NAME, "birth_date": DATE, "email": MAIL},
    rare={"first_name": 2.2, "last_name": 3.3, "email": 0.7},
    rival_priors={"household": -11.0, "namesake": -6.0},
    rival_levels={
        "household": {"last_name": (-2.0, 0.0, 1.0, 1.0, 1.0, 6.6), "email": (-0.3, 0.0, 3.0, 3.0, 9.9)},
        "namesake": {"first_name": (-1.0, 0.0, 0.0, 0.0, 0.0, 6.1), "last_name": (-1.0, 0.0, 0.0, 0.0, 0.0, 6.2)},
    },
)
CAPS = (300, 300, 2, 0)
SCALE = Scale(MATCHING, WEIGHTS, CAPS)
BORN = date(1980, 4, 2)
PEOPLE = {
    "a": {"first_name": "Ann", "last_name": "Ray", "email": "ray@a.test", "birth_date": BORN},
    "b": {"first_name": "Ann", "last_name": "Ray", "email": "ray@a.test", "birth_date": BORN},
    "swapped": {"first_name": "Ray", "last_name": "Ann", "email": "ray@b.test"},
    "spouse": {"first_name": "Bob", "last_name": "Ray", "email": "ray@a.test", "birth_date": date(1979, 11, 30)},
    "rare": {"first_name": "Zoltan", "last_name": "Quux", "birth_date": BORN},
    "rare too": {"first_name": "Zoltan", "last_name": "Quux", "birth_date": BORN},
    "empty": {"first_name": "Ann"},
}
FIELDS = MATCHING.fields


@pytest.fixture(scope="module")
def people(spark: SparkSession) -> DataFrame:
    named = [{"source_system": "crm", "source_record_id": name} | row for name, row in PEOPLE.items()]
    return comparable_records(rows(spark, CUSTOMER_RECORD, *named), MATCHING).cache()


@pytest.fixture(scope="module")
def term_weights(spark: SparkSession) -> pa.Table:
    """Ann and Ray are frequent names, so agreeing on them takes bits away."""
    terms = spark.createDataFrame(
        [("first_name", "ann", -2.5), ("last_name", "ray", -1.9)], "field string, value string, weight double"
    )
    return terms.select("field", F.xxhash64("value").alias("term"), "weight").toArrow()


def pairs_of(spark: SparkSession, *pairs: tuple[str, str]) -> DataFrame:
    ordered = [sorted(bytes.fromhex(id_of(name)) for name in pair) for pair in pairs]
    schema = "record_l binary, record_r binary"
    return spark.createDataFrame([tuple(map(bytearray, pair)) for pair in ordered], schema)


@pytest.fixture(scope="module")
def explained(spark: SparkSession, people: DataFrame, term_weights: pa.Table) -> dict[frozenset[str], Row]:
    """Every pair of the records, explained."""
    names = list(PEOPLE)
    asked = pairs_of(spark, *((one, other) for place, one in enumerate(names) for other in names[place + 1 :]))
    found = explain_pairs(asked, people, block_keys(people, MATCHING), term_weights, SCALE).collect()
    of_key = {id_of(name): name for name in names}
    return {frozenset(of_key[bytes(row[side]).hex()] for side in ("record_l", "record_r")): row for row in found}


def test_the_parts_shown_add_up_to_the_score_that_matching_stores(explained, people, term_weights) -> None:
    pairs = candidate_pairs(block_keys(people, MATCHING, CAPS), CAPS)
    stored = score_pairs(compare_pairs(pairs, people, MATCHING), term_weights, WEIGHTS, MATCHING).collect()

    of_pair = {(bytes(row["record_l"]), bytes(row["record_r"])): row for row in explained.values()}
    assert len(stored) >= 4
    for score in stored:
        row = of_pair[bytes(score["record_l"]), bytes(score["record_r"])]
        parts = [row[f"{field}_{part}"] for field in FIELDS for part in ("level_bits", "rarity_bits")]
        total = row["prior_weight"] + sum(parts) + row["rival_weight"]
        assert total == pytest.approx(score["match_weight"], abs=1e-9)
        assert row["match_weight"] == score["match_weight"]
        assert row["blocking_rule"] == score["blocking_rule"]
        assert row["is_vetoed"] == score["is_vetoed"]


def test_every_pair_adds_up_even_if_no_rule_compares_it(explained) -> None:
    assert len(explained) == 21
    for row in explained.values():
        parts = [row[f"{field}_{part}"] for field in FIELDS for part in ("level_bits", "rarity_bits")]
        assert WEIGHTS.prior + sum(parts) + row["rival_weight"] == pytest.approx(row["match_weight"], abs=1e-9)


def test_rarity_stands_apart_from_the_level(explained) -> None:
    frequent, rare = explained[frozenset("ab")], explained[frozenset(("rare", "rare too"))]

    assert (frequent["first_name_level_bits"], rare["first_name_level_bits"]) == (NAME[5], NAME[5])
    assert frequent["first_name_rarity_bits"] == pytest.approx(-2.5)
    assert rare["first_name_rarity_bits"] == pytest.approx(2.2)
    assert frequent["birth_date_rarity_bits"] == 0.0


def test_swapped_names_have_no_rarity_and_a_missing_value_no_bits(explained) -> None:
    swapped, empty = explained[frozenset(("a", "swapped"))], explained[frozenset(("a", "empty"))]

    assert (swapped["first_name_level"], swapped["last_name_level"]) == (4, 4)
    assert (swapped["first_name_level_bits"], swapped["first_name_rarity_bits"]) == (NAME[4], 0.0)
    assert empty["email_level"] is None
    assert (empty["email_level_bits"], empty["email_rarity_bits"]) == (0.0, 0.0)


def test_what_a_household_shares_is_taken_back(explained) -> None:
    shared = -11.0 + 6.6 - 1.9 + 9.9 + 0.7
    namesakes = -6.0 - 1.0 + 6.2
    spouse = explained[frozenset(("a", "spouse"))]

    assert spouse["rival_weight"] == pytest.approx(-math.log2(1 + 2**shared + 2**namesakes))
    assert explained[frozenset(("rare", "empty"))]["rival_weight"] == pytest.approx(0, abs=0.02)


def test_every_veto_that_applies_is_named(explained) -> None:
    by_mail, by_birth = map(veto_name, MATCHING.vetoes)

    assert explained[frozenset(("a", "spouse"))]["vetoes"] == [by_mail, by_birth]
    assert explained[frozenset("ab")]["vetoes"] == []
    assert by_mail == "same email, but another first_name (unless birth_date agrees)"


def test_all_blocks_that_both_are_in_are_told_with_their_size_and_limit(explained) -> None:
    row = explained[frozenset("ab")]

    assert row["blocking_rule"] == "email"
    assert [tuple(block) for block in row["blocks"]] == [
        ("email", 3, 300),
        ("last_name & birth_date", 2, 300),
        ("left(email, 3)", 4, 2),
        ("first_name", 3, 0),
    ]


def test_a_pair_in_too_large_blocks_only_and_one_in_none_have_no_rule(explained) -> None:
    crowded, apart = explained[frozenset(("b", "swapped"))], explained[frozenset(("rare", "empty"))]

    assert (crowded["blocking_rule"], [block["rule"] for block in crowded["blocks"]]) == (None, ["left(email, 3)"])
    assert (apart["blocking_rule"], apart["blocks"]) == (None, [])


def test_no_pair_asked_gives_no_row(spark, people, term_weights) -> None:
    assert explain_pairs(pairs_of(spark), people, block_keys(people, MATCHING), term_weights, SCALE).collect() == []
