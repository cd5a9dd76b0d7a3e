"""Levels of agreement per kind of field, from one call of Spark per kind."""

import pytest
from pyspark.sql import functions as F

from cdp_lib.settings.matching import Comparison, Matching
from cdp_lib.transforms.identity.comparison import compare_pairs
from cdp_lib.transforms.identity.grading import LEVELS
from cdp_lib.transforms.identity.name_agreement import grade_names

EXAMPLES = {
    "birth_date": [
        ("1980-02-03", "1980-02-03", "same"),
        ("1980-02-03", "1980-03-02", "one slip of the key"),
        ("1980-02-03", "1980-02-04", "one slip of the key"),
        ("1980-02-13", "1980-02-31", "one slip of the key"),
        ("1980-02-03", "1980-02-27", "same but for a part"),
        ("1980-02-03", "1980-11-27", "one part same"),
        ("1980-02-03", "1975-11-27", "different"),
        (None, "1980-02-03", None),
    ],
    "email": [
        ("ann@a.test", "ann@a.test", "same"),
        ("ann.ray@a.test", "ann.ray@b.example", "same mailbox, other domain"),
        ("ann.ray@a.test", "an.ray@a.test", "one or two slips"),
        ("ann.ray@a.test", "an.ray@b.example", "mailbox alike"),
        ("ann.ray@a.test", "bob@b.example", "different"),
        (None, None, None),
    ],
    "phone": [
        ("66812345678", "66812345678", "same"),
        ("66812345678", "66812345687", "one slip"),
        ("66812345678", "66812345999", "different"),
        ("66812345678", "66812345699", "two slips"),
    ],
    "postcode": [
        ("10110", "10110", "same"),
        ("10110", "10101", "one slip"),
        ("10110", "10199", "same district"),
        ("10110", "50200", "different"),
    ],
    "id_number": [("12345", "12354", "one slip"), ("12345", "99999", "different")],
    "text": [
        ("bangkok", "bangkok", "same"),
        ("bangkok", "bangkog", "very alike"),
        ("bangkok", "phuket", "different"),
    ],
    "exact": [("f", "f", "same"), ("f", "m", "different"), ("f", None, None)],
}


def _levels(spark, comparison, examples, *, others=()):
    """The meaning of each example's level."""
    names = (comparison.field, *others)
    left, right = ([example[side] for example in examples] for side in (0, 1))
    sides = []
    for offset, values in ((0, left), (1_000, right)):
        for place, value in enumerate(values):
            fields = value if others else (value,)
            sides.append((bytearray((place + offset).to_bytes(16, "big")), *fields))
    schema = ", ".join(["record_key binary", *(f"{name} string" for name in names)])
    comparable = spark.createDataFrame(sides, schema)
    keys = [
        (bytearray(n.to_bytes(16, "big")), bytearray((n + 1_000).to_bytes(16, "big"))) for n in range(len(examples))
    ]
    pairs = spark.createDataFrame(keys, "record_l binary, record_r binary")
    matching = Matching(
        comparisons=(comparison, *(Comparison(field=name, kind="name") for name in others if name == "last_name")),
        rivals=(),
    )
    compared = compare_pairs(pairs, comparable, matching).orderBy("record_l")
    found = [row[f"{comparison.field}_level"] for row in compared.select(F.col(f"{comparison.field}_level")).collect()]
    return [None if level is None else LEVELS[comparison.kind][level] for level in found]


@pytest.mark.parametrize("kind", EXAMPLES)
def test_a_level_says_how_two_values_agree(spark, kind):
    found = _levels(spark, Comparison(field="value", kind=kind), EXAMPLES[kind])

    assert found == [meaning for _, _, meaning in EXAMPLES[kind]]


def test_names_know_nicknames_initials_slips_and_swaps(spark):
    examples = [
        (("ann", "ray"), ("ann", "ray"), "same"),
        (("ann", "ray"), ("ray", "ann"), "first and last swapped"),
        (("robert", "ray"), ("bob", "ray"), "nickname or part"),
        (("r", "ray"), ("robert", "ray"), "nickname or part"),
        (("jonathan", "ray"), ("jonathon", "ray"), "very alike"),
        (("dwayne", "ray"), ("duane", "ray"), "alike"),
        (("ann", "ray"), ("bob", "ray"), "different"),
        ((None, "ray"), ("bob", "ray"), None),
    ]
    comparison = Comparison(field="first_name", kind="name", swapped_with="last_name")

    found = _levels(spark, comparison, examples, others=("last_name",))

    assert found == [meaning for _, _, meaning in examples]


def test_an_address_falls_back_to_the_areas_around_it(spark):
    examples = [
        (("12 long road", "10110", "bangkok"), ("12 long road", None, None), "same"),
        (("12 long road", "10110", "bangkok"), ("12 long rd", "10110", "bangkok"), "alike"),
        (("12 long road", "10110", "bangkok"), ("7 soi nine", "10110", "bangkok"), "same area"),
        ((None, "10110", "bangkok"), ("7 soi nine", "10101", "bangkok"), "area alike"),
        (("12 long road", "10110", "bangkok"), ("7 soi nine", "50200", "bangkok"), "same wider area"),
        (("12 long road", "10110", "bangkok"), ("7 soi nine", "50200", "phuket"), "different"),
        (("12 long road", None, None), (None, "10110", "bangkok"), None),
    ]
    comparison = Comparison(field="address", kind="address", coarser=("postcode", "city"))

    found = _levels(spark, comparison, examples, others=("postcode", "city"))

    assert found == [meaning for _, _, meaning in examples]


@pytest.mark.parametrize(("left", "right"), [("robert", "bob"), ("jonathan", "jonathon"), ("ann", "zoe"), ("r", "rob")])
def test_which_name_stands_first_changes_no_grade(left, right):
    assert grade_names([left], [right]) == grade_names([right], [left])
