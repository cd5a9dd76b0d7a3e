"""`clean_text`: one spelling per text."""

import random
import unicodedata
from collections.abc import Sequence

from chispa import assert_df_equality
from pyspark.sql import functions as F, SparkSession

from cdp_lib.transforms.clean.text import clean_text

THAI = [(0xE01, 0xE3A), (0xE40, 0xE4D)]
TONES = "\u0e48\u0e49\u0e4a\u0e4b"
AM = {
    **{f"{tone}\u0e4d\u0e32": f"{tone}\u0e33" for tone in TONES},
    **{f"\u0e4d{tone}\u0e32": f"{tone}\u0e33" for tone in TONES},
    "\u0e4d\u0e32": "\u0e33",
}
VECTORS = [
    (None, None),
    ("", None),
    ("   ", None),
    ("\u200b\ufeff", None),
    ("\u3000\u00a0\t", None),
    ("Ann Lee", "Ann Lee"),
    ("Ann Lee", "Ann Lee"),
    ("  Ann \t\n Lee ", "Ann Lee"),
    ("Ann\u00a0Lee", "Ann Lee"),
    ("A\u200bnn\u00ad", "Ann"),
    ("A\x00nn\x07", "Ann"),
    ("\uff21\uff22\uff23\u3000\uff11\uff12", "ABC 12"),
    ("\ufb01ne", "fine"),
    ("e\u0301", "\u00e9"),
    ("e\u200d\u0301", "\u00e9"),
    ("๐๑๒๓๔๕๖๗๘๙", "0123456789"),
    ("٠٩", "09"),
    ("२०", "20"),
    ("น้ำ", "น้ำ"),
    ("น\u0e49\u0e4d\u0e32", "น้ำ"),
    ("น\u0e4d\u0e49\u0e32", "น้ำ"),
    ("เเดง", "แดง"),
    ("O\u2019Brien \u2013 x", "O'Brien - x"),
    ("1\ufe0f", "1"),
]


def test_text_gets_one_spelling(check_vectors) -> None:
    check_vectors(clean_text, VECTORS)


def test_no_rows_give_no_rows(check_vectors) -> None:
    check_vectors(clean_text, [])


def test_every_decimal_digit_of_the_basic_plane_becomes_ascii(check_vectors) -> None:
    digits = [character for character in map(chr, range(0x10000)) if unicodedata.category(character) == "Nd"]

    check_vectors(clean_text, [(digit, str(unicodedata.decimal(digit))) for digit in digits])


def test_steady_scripts_agree_with_pythons_nfkc(check_vectors) -> None:
    """ASCII, Latin and Thai, where a wrong guess at 'stays as it is' would show."""
    letters = map(chr, (*range(0x21, 0x250), *range(0xE01, 0xE4E)))
    texts = [*letters, *_random_texts([(0x41, 0x7A), (0xC0, 0x17F), *THAI * 3], 4000)]

    check_vectors(clean_text, [(text, _expected(text)) for text in texts])


def test_cleaning_twice_is_cleaning_once(spark: SparkSession) -> None:
    ranges = [(0x20, 0x7E), (0x00, 0x24F), (0x300, 0x36F), (0xE81, 0xEDF), (0x2000, 0x22FF), (0xFB00, 0xFFDC), *THAI]
    texts = [(text,) for text in _random_texts(ranges, 3000)]
    once = spark.createDataFrame(texts, "raw string").select(clean_text(F.col("raw")).alias("text"))

    twice = once.select(clean_text(F.col("text")).alias("text"))

    assert_df_equality(twice, once, ignore_row_order=True)


def _random_texts(ranges: Sequence[tuple[int, int]], count: int) -> list[str]:
    dice = random.Random(20260701)
    return ["".join(chr(dice.randint(*dice.choice(ranges))) for _ in range(dice.randint(0, 9))) for _ in range(count)]


def _expected(text: str) -> str | None:
    """The same answer by other means: Python's Unicode tables."""
    seen = "".join(character for character in text if unicodedata.category(character) not in ("Cc", "Cf"))
    form = unicodedata.normalize("NFKC", seen)
    for split, whole in AM.items():
        form = form.replace(split, whole)
    folded = form.replace("\u0e40\u0e40", "\u0e41").replace("\u02bc", "'")
    return " ".join(folded.split()) or None
