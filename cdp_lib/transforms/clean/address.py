"""Address lines, cities and countries, in one spelling each."""

from collections.abc import Mapping, Sequence
from functools import reduce

from pyspark.sql import Column, functions as F

from cdp_lib.transforms.clean.once import once

ADDRESS_WORDS: Sequence[tuple[str, str]] = (
    (r"\bst\.?(?=,|$)", "Street"),
    (r"\brd\b\.?", "Road"),
    (r"\bave?\b\.?", "Avenue"),
    (r"\bblvd\b\.?", "Boulevard"),
    (r"\bln\b\.?", "Lane"),
    (r"\bhwy\b\.?", "Highway"),
    (r"\b(?:apt|appt)\b\.?", "Apartment"),
    (r"(?<!\S)ถ\.\s*", "ถนน"),
    (r"(?<!\S)ซ\.\s*", "ซอย"),
    (r"(?<!\S)ม\.\s*(?=\d)", "หมู่ "),
    (r"(?<!\S)ต\.\s*", "ตำบล"),
    (r"(?<!\S)อ\.\s*", "อำเภอ"),
    (r"(?<!\S)จ\.\s*", "จังหวัด"),
)
"""Java pattern, found in any case -> the word that it abbreviates. `St` counts only at the end of a part: elsewhere it
may be Saint."""

COUNTRY_WORDS: Mapping[str, tuple[str, ...]] = {
    "AU": ("AUS", "AUSTRALIA"),
    "CA": ("CAN", "CANADA"),
    "CN": ("CHN", "CHINA"),
    "DE": ("DEU", "GERMANY", "DEUTSCHLAND"),
    "FR": ("FRA", "FRANCE"),
    "GB": ("GBR", "UK", "UNITED KINGDOM", "GREAT BRITAIN", "ENGLAND", "SCOTLAND", "WALES"),
    "IN": ("IND", "INDIA"),
    "JP": ("JPN", "JAPAN"),
    "LA": ("LAO", "LAOS", "ลาว"),
    "MY": ("MYS", "MALAYSIA"),
    "NL": ("NLD", "NETHERLANDS", "THE NETHERLANDS", "HOLLAND"),
    "SG": ("SGP", "SINGAPORE"),
    "TH": ("THA", "THAILAND", "ไทย", "ประเทศไทย"),
    "US": ("USA", "UNITED STATES", "UNITED STATES OF AMERICA", "AMERICA"),
    "VN": ("VNM", "VIETNAM", "VIET NAM"),
}
"""ISO 3166 code -> other ways to write the country, in upper case without dots."""


def clean_address(column: Column, words: Sequence[tuple[str, str]] = ADDRESS_WORDS) -> Column:
    """The line with single commas, no ornaments at its ends, abbreviations written out, and capitals as in a heading.

    `column` is text as `clean_text` leaves it. Text in mixed case keeps its case. Null: null, or no letter or digit.
    """
    single_commas = F.regexp_replace(_without_ornaments(column), r"\s*[,;](?:\s*[,;])*\s*", ", ")
    headed = once(single_commas, _headed)
    any_word = "(?i)" + "|".join(pattern for pattern, _ in words)
    line = once(headed, lambda text: F.when(text.rlike(any_word), _spelt_out(text, words)).otherwise(text))
    return F.when(column.rlike(r"[\p{L}\p{N}]"), F.trim(line))


def clean_city(column: Column) -> Column:
    """The city's name, capitals as in a heading, without a Thai province or district word before it.

    `column` is text as `clean_text` leaves it. Null: null, or no letter.
    """
    name = F.regexp_replace(_without_ornaments(column), r"^(?:จังหวัด|จ\.|อำเภอ|อ\.)\s*(?=\S{2})", "")
    return F.when(column.rlike(r"\p{L}"), F.initcap(F.lower(name)))


def clean_country(column: Column, words: Mapping[str, tuple[str, ...]] = COUNTRY_WORDS) -> Column:
    """ISO 3166 code where the text is a code of two letters or in `words`, else the text as it stands.

    `column` is text as `clean_text` leaves it. Null: null, or no letter.
    """

    def code(word: Column) -> Column:
        known = (F.when(word.isin(*listed), code) for code, listed in words.items())
        return F.coalesce(*known, F.when(word.rlike(r"^[A-Z]{2}$"), word))

    bare = F.upper(F.regexp_replace(column, r"\.", ""))
    return F.when(column.rlike(r"\p{L}"), F.coalesce(once(bare, code), column))


def _spelt_out(line: Column, words: Sequence[tuple[str, str]]) -> Column:
    return reduce(lambda text, word: F.regexp_replace(text, f"(?i){word[0]}", word[1]), words, line)


def _without_ornaments(column: Column) -> Column:
    return F.regexp_replace(column, r"^[\s,;.*_-]+|[\s,;*_-]+$", "")


def _headed(line: Column) -> Column:
    is_one_case = (line == F.upper(line)) | (line == F.lower(line))
    return F.when(is_one_case, F.initcap(F.lower(line))).otherwise(line)
