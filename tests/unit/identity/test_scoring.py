"""Bits per field and their sum, vetoes, and the counts that a model and a threshold come from."""

import math

import pyarrow as pa
import pytest
from chispa import assert_df_equality
from pyspark.sql import functions as F

from cdp_lib.settings.matching import BlockingRule, Comparison, Matching, Rival, Veto
from cdp_lib.transforms.identity.scoring import pattern_counts, score_pairs, term_counts, weight_counts
from cdp_lib.transforms.identity.weights import Weights

MATCHING = Matching(
    blocking=(BlockingRule(on=("mail",)),),
    comparisons=(
        Comparison(field="name", kind="exact"),
        Comparison(field="mail", kind="exact", term_frequency=False),
        Comparison(field="born", kind="exact", term_frequency=False),
    ),
    rivals=(Rival(name="household", shared=("mail",)), Rival(name="namesake", shared=("name",), by_chance=True)),
    vetoes=(Veto(same=("mail",), different=("born",), unless=("name",)),),
)
WEIGHTS = Weights(
    prior=-10.0,
    levels={"name": (-3.0, 8.0), "mail": (-2.0, 12.0), "born": (-4.0, 9.0)},
    rare={"name": 2.0},
    rival_priors={"household": -11.0, "namesake": -6.0},
    rival_levels={"household": {"mail": (-1.0, 11.0)}, "namesake": {"name": (-0.5, 7.0)}},
)
COMPARED = (
    "record_l binary, record_r binary, rule int, name_level tinyint, mail_level tinyint, born_level tinyint, "
    "name_term bigint"
)


def _compared(spark, *rows):
    """(name_level, mail_level, born_level, name_term) of each pair."""
    filled = [
        (bytearray([place]), bytearray([place + 100]), 0, *levels, term) for place, (*levels, term) in enumerate(rows)
    ]
    return spark.createDataFrame(filled, COMPARED)


def _scored(spark, *rows):
    terms = pa.table({"field": ["name"], "term": [7], "weight": [-5.0]})
    return score_pairs(_compared(spark, *rows), terms, WEIGHTS, MATCHING).orderBy("record_l")


def test_the_weight_of_a_pair_is_the_sum_of_what_stands_in_its_row(spark):
    rows = _scored(spark, (1, 1, 1, 7), (1, 0, None, 8), (0, None, 1, None)).collect()

    parts = ("name_weight", "mail_weight", "born_weight", "rival_weight")
    for row in rows:
        assert row["match_weight"] == pytest.approx(WEIGHTS.prior + sum(row[part] for part in parts))
        assert row["match_probability"] == pytest.approx(1 / (1 + 2 ** -row["match_weight"]))
    assert [row["name_weight"] for row in rows] == [8.0 - 5.0, 8.0 + 2.0, -3.0]
    assert [row["born_weight"] for row in rows] == [9.0, 0.0, 9.0]
    assert {row["blocking_rule"] for row in rows} == {"mail"}


def test_what_a_rival_shares_counts_less_the_more_it_explains(spark):
    shared, apart, namesakes = _scored(spark, (0, 1, 0, None), (0, 0, 0, None), (1, 0, 0, 8)).collect()

    assert shared["rival_weight"] == pytest.approx(-math.log2(1 + 2 ** (-11 + 11) + 2 ** (-6 - 0.5)))
    assert apart["rival_weight"] == pytest.approx(-math.log2(1 + 2 ** (-11 - 1) + 2 ** (-6 - 0.5)))
    # Namesakes agree by chance, so a rare name is no likelier among them than its level says.
    assert namesakes["rival_weight"] == pytest.approx(-math.log2(1 + 2 ** (-11 - 1) + 2 ** (-6 + 7.0)))


def test_a_veto_needs_all_that_is_same_one_that_differs_and_no_excuse(spark):
    rows = _scored(spark, (0, 1, 0, None), (1, 1, 0, 7), (0, 0, 0, None), (0, 1, None, None)).collect()

    assert [row["is_vetoed"] for row in rows] == [True, False, False, False]


def test_pairs_of_one_pattern_are_counted_together_candidates_and_random_ones_apart(spark):
    pairs = _compared(spark, (1, 1, 0, 7), (1, 1, 0, 8), (0, 1, 0, None), (0, 0, 0, None))
    is_stranger = F.col("name_level") + F.col("mail_level") == 0
    is_random = is_stranger | (F.col("name_term") == 8)
    compared = pairs.withColumns(
        {"rule": F.when(~is_stranger, F.col("rule")), "is_random": F.coalesce(is_random, F.lit(False))}
    )

    levels = "name_level tinyint, mail_level tinyint, born_level tinyint"
    expected = spark.createDataFrame(
        [(1, 1, 0, False, 2, 1), (0, 1, 0, True, 1, 0), (0, 0, 0, False, 0, 1)],
        f"{levels}, is_vetoed boolean, pair_count bigint, random_count bigint",
    )
    assert_df_equality(pattern_counts(compared, MATCHING), expected, ignore_row_order=True, ignore_nullable=True)


def test_rare_values_are_counted_as_one(spark):
    names = ["ann"] * 6 + ["bob"] * 5 + ["eve"] * 4
    given = [(name, f"mail {place}" if place < 3 else None, None) for place, name in enumerate(names)]
    comparable = spark.createDataFrame(given, "name string, mail string, born string")
    columns = "field string, record_count bigint, square_sum bigint, value_count bigint"

    # Four records are too few for a value of its own: its hash could be guessed.
    found = term_counts(comparable, MATCHING).drop("term")
    expected = [("name", 6, 36, 1), ("name", 5, 25, 1), ("name", 4, 16, 1), ("mail", 3, 3, 3)]
    assert_df_equality(found, spark.createDataFrame(expected, columns), ignore_row_order=True, ignore_nullable=True)

    one = term_counts(comparable, MATCHING.model_copy(update={"max_terms": 1})).drop("term")
    expected = [("name", 6, 36, 1), ("name", 9, 41, 2), ("mail", 3, 3, 3)]
    assert_df_equality(one, spark.createDataFrame(expected, columns), ignore_row_order=True, ignore_nullable=True)


def test_a_threshold_is_chosen_from_quarter_bits_without_vetoed_pairs(spark):
    scored = spark.createDataFrame(
        [(3.1, 0.9, False), (3.2, 0.9, False), (-0.1, 0.5, False), (5.0, 1.0, True)],
        "match_weight double, match_probability double, is_vetoed boolean",
    )

    found = sorted(tuple(row) for row in weight_counts(scored).collect())

    assert found == [(-0.25, 1, 0.5), (3.0, 2, pytest.approx(0.2))]
