"""`clean_phone`: E.164 exactly as phonenumbers has it, most of it without calling phonenumbers."""

import random
import re

import phonenumbers
import pytest
from chispa import assert_df_equality
from pyspark.sql import functions as F, SparkSession

from cdp_lib.transforms.clean.phone import clean_phone, e164, known_numbers, known_phone
from cdp_lib.transforms.clean.text import clean_text, DECIMAL_ENDING

THAI = [
    (None, None),
    ("", None),
    ("081-234-5678", "+66812345678"),
    ("081-234-5678", "+66812345678"),
    ("0812345678", "+66812345678"),
    ("812345678", "+66812345678"),
    ("๐๘๑๒๓๔๕๖๗๘", "+66812345678"),
    ("+66 81 234 5678", "+66812345678"),
    ("+66 (0) 81 234 5678", "+66812345678"),
    ("66812345678", "+66812345678"),
    ("0066812345678", "+66812345678"),
    ("001 44 20 7946 0018", "+442079460018"),
    ("0044 20 7946 0018", "+442079460018"),
    ("(02) 234-5678", "+6622345678"),
    ("02 234 5678 ext 12", "+6622345678"),
    ("02 234 5678 x12", "+6622345678"),
    ("tel: 081-234-5678", "+66812345678"),
    ("+1 (212) 736-5000", "+12127365000"),
    ("+39 06 698 12345", "+390669812345"),
    ("812345678.0", "+66812345678"),
    ("66812345678.00", "+66812345678"),
    ("+66812345678.0", "+66812345678"),
    ("6.6812345678E+10", None),
    ("6.68123E+10", None),
    ("1234", None),
    ("0812", None),
    ("081234567890123", None),
    ("+999 123 456", None),
    ("call me", None),
    ("ann@shop.org", None),
    ("081-234-5678, 089-876-5432", "+66812345678"),
    ("0812345678/0898765432", "+66812345678"),
    ("0812345678 0898765432", "+66812345678"),
    ("081-234-5678 และ 089 876 5432", "+66812345678"),
    ("12 / 0898765432", "+66898765432"),
    ("081-234-5678 (Ann)", "+66812345678"),
    ("0812345678 (LINE)", "+66812345678"),
    ("02-1234567 ต่อ 12", "+6621234567"),
    ("1234, 5678", None),
]
AMERICAN = [
    ("(212) 736-5000", "+12127365000"),
    ("1-212-736-5000", "+12127365000"),
    ("+1.212.736.5000", "+12127365000"),
    ("011 66 81 234 5678", "+66812345678"),
    ("0066 81 234 5678", "+66812345678"),
    ("2127365000.0", "+12127365000"),
    ("1-800-FLOWERS", "+18003569377"),
    ("(212) 736-5000 / (212) 736-5001", "+12127365000"),
    ("736-5000", None),
    ("(112) 736-5000", None),
]

GERMAN = [
    ("1701234567.0", "+491701234567"),
    ("+491701234567.0", "+491701234567"),
    ("1.701234567E9", None),
    ("8.12345E8", None),
]
ITALIAN = [("3123456789.0", "+393123456789"), ("393123456789.0", "+393123456789"), ("1.701234567e+9", None)]


@pytest.mark.parametrize(
    ("region", "vectors"), [("TH", THAI), ("US", AMERICAN), ("CA", AMERICAN), ("DE", GERMAN), ("IT", ITALIAN)]
)
def test_number_is_read_as_dialled_in_the_region(check_vectors, region, vectors) -> None:
    check_vectors(lambda column: clean_phone(clean_text(column), region), vectors)


def test_number_is_read_as_dialled_in_the_persons_country_and_else_in_the_region(spark: SparkSession) -> None:
    given = [
        ("912345678", "ES", "+34912345678"),  # in Thailand a stranger's mobile
        ("21234567", "HK", "+85221234567"),
        ("(617) 253-0000", "US", "+16172530000"),
        ("0812345678", "US", "+66812345678"),
        ("66812345678", "US", "+66812345678"),
        ("0066 81 234 5678", "US", "+66812345678"),
        ("+66 81 234 5678", "US", "+66812345678"),
        ("0812345678", "AA", "+66812345678"),
        ("0812345678", "TH", "+66812345678"),
        ("0812345678", None, "+66812345678"),
        ("1234", "ES", None),
        (None, "ES", None),
    ]
    expected = spark.createDataFrame(given, "text string, country string, phone string")
    known = expected.select("text", "country")

    actual = known.select("*", clean_phone(F.col("text"), "TH", F.col("country")).alias("phone"))

    assert_df_equality(actual, expected, ignore_row_order=True)


def test_no_rows_give_no_rows(check_vectors) -> None:
    check_vectors(lambda column: clean_phone(column, "TH"), [])


def test_region_whose_prefixes_rewrite_numbers_has_no_patterns(check_vectors) -> None:
    assert known_numbers("BR") is None
    check_vectors(lambda column: known_phone(column, "BR"), [("+5511987654321", None)])


def test_region_that_shares_a_country_code_and_is_not_its_first_has_no_patterns() -> None:
    assert known_numbers("CA") is None


@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_patterns_answer_only_what_phonenumbers_answers(region: str) -> None:
    numbers = known_numbers(region)
    if numbers is None:
        return

    for text in _dialled(region, 400):
        digits = re.sub(r"[ ().-]", "", DECIMAL_ENDING.sub(r"\1", text))
        if re.search(numbers.valid, digits):
            assert f"+{numbers.country_code}{re.sub(numbers.before, '', digits)}" == e164(text, region), text


@pytest.mark.parametrize("region", ["TH", "US", "GB"])
def test_whole_column_equals_phonenumbers_and_patterns_carry_most_of_it(spark: SparkSession, region: str) -> None:
    texts = _dialled(region, 2000)
    given = spark.createDataFrame([(text,) for text in texts], "text string")
    expected = spark.createDataFrame([(text, e164(text, region)) for text in texts], "text string, phone string")

    actual = given.select("text", clean_phone(F.col("text"), region).alias("phone"))

    assert_df_equality(actual, expected, ignore_row_order=True)
    known = given.where(known_phone(F.col("text"), region).isNotNull()).count()
    assert known > 0.6 * expected.where("phone is not null").count()


def _dialled(region: str, count: int) -> list[str]:
    """Example numbers of the region, some with wrong digits, as people dial and write them. Seeded."""
    dice = random.Random(region)
    code = str(phonenumbers.country_code_for_region(region))
    own = phonenumbers.PhoneMetadata.metadata_for_region(region).national_prefix or ""
    examples = [phonenumbers.example_number_for_type(region, kind) for kind in range(11)]
    national = [str(example.national_number) for example in examples if example is not None]
    starts = (
        "",
        "",
        own,
        own,
        own,
        f"+{code}",
        f"+{code}",
        code,
        "0",
        "00",
        f"00{code}",
        f"+{code}{own}",
        f"+{code} ({own})",
    )
    return [dice.choice(starts) + _written(dice, dice.choice(national)) for _ in range(count)]


def _written(dice: random.Random, digits: str) -> str:
    wrong = list(digits)
    for _ in range(dice.choice((0, 0, 1, 3))):
        wrong[dice.randrange(len(wrong))] = dice.choice("0123456789")
    for _ in range(dice.choice((0, 0, 1, 2))):
        wrong.insert(dice.randrange(1, len(wrong)), dice.choice(" -."))
    return "".join(wrong)
