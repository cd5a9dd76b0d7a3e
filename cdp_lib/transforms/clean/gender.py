"""Gender as people and forms state it."""

from collections.abc import Mapping

from pyspark.sql import Column, functions as F

from cdp_lib.transforms.clean.once import once

FEMALE, MALE, OTHER = "female", "male", "other"

GENDER_WORDS: Mapping[str, tuple[str, ...]] = {
    FEMALE: (
        "f", "fem", "female", "w", "woman", "women", "girl", "lady", "mrs", "ms", "miss", "madam", "frau", "mme",
        "mlle", "หญิง", "ญ", "ผู้หญิง", "เพศหญิง", "สตรี", "นาง", "นางสาว", "นส", "เด็กหญิง", "ดญ",
    ),
    MALE: (
        "m", "male", "man", "men", "boy", "gentleman", "mr", "mister", "sir", "herr", "monsieur",
        "ชาย", "ช", "ผู้ชาย", "เพศชาย", "บุรุษ", "นาย", "เด็กชาย", "ดช",
    ),
    OTHER: (
        "x", "other", "others", "mx", "diverse", "nb", "nonbinary", "non binary", "enby", "intersex", "genderqueer",
        "อื่นๆ", "อื่น ๆ", "อื่น", "เพศทางเลือก", "เพศที่สาม",
    ),
}  # fmt: skip
"""Words for each value: lower case, no dots, dashes as spaces. Titles too, since many forms offer only those."""


def clean_gender(column: Column, words: Mapping[str, tuple[str, ...]] = GENDER_WORDS) -> Column:
    """'female', 'male' or 'other', as stated; null: null, or a word that `words` does not list.

    `column` is text as `clean_text` leaves it. Nothing is inferred from a first name.
    """
    bare = F.trim(F.translate(F.lower(column), "-_.", "  "))
    return once(bare, lambda word: F.coalesce(*(F.when(word.isin(*listed), value) for value, listed in words.items())))
