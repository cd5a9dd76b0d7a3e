"""Names of people without titles, in one spelling of capitals, as first and last name."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from pyspark.sql import Column, functions as F

from cdp_lib.transforms.clean.once import once


@dataclass(frozen=True)
class NameWords:
    """Words around names, in lower case; a pack may hand its own.

    `titles` stand before a name as words, `joined_titles` may touch a Thai name, which is written without spaces,
    `suffixes` follow it. `particles` belong to the last name that they begin. Jr, Sr and numerals are no suffixes: they
    tell father from son.
    """

    titles: tuple[str, ...] = (
        "mr", "mrs", "ms", "miss", "mx", "mister", "dr", "prof", "professor", "rev", "sir", "dame", "madam", "hon.",
        "khun", "herr", "frau", "mme", "mlle", "monsieur", "madame", "sr.", "sra", "srta", "doña", "คุณ", "พระ",
        "หม่อม",
    )  # fmt: skip
    joined_titles: tuple[str, ...] = (
        "คุณหญิง", "คุณ",
        "นางสาว", "นาย", "นาง", "เด็กชาย", "เด็กหญิง", "น.ส.", "น.ส", "ด.ช.", "ด.ญ.", "ดร.", "นพ.", "พญ.", "ทพ.",
        "ทพญ.", "ภก.", "ภญ.", "ศ.", "รศ.", "ผศ.", "ศ.ดร.", "รศ.ดร.", "ผศ.ดร.", "ม.ล.", "ม.ร.ว.", "พ.ต.อ.", "ร.ต.อ.",
        "พล.อ.", "ว่าที่ร.ต.",
    )  # fmt: skip
    suffixes: tuple[str, ...] = ("md", "m.d", "phd", "ph.d", "esq", "mba", "cpa", "dds")
    particles: tuple[str, ...] = (
        "van", "von", "der", "den", "de", "del", "della", "di", "da", "dos", "das", "du", "la", "le", "el", "al", "bin",
        "binti", "bint", "ter", "ten", "zu", "zur", "ณ",
    )  # fmt: skip


DEFAULT_NAME_WORDS = NameWords()

_GENERATION = r"(?:jr|sr|ii|iii|iv)\.?"
_THAI = r"[\u0E00-\u0E7F]"
# A Thai name goes on with a consonant or a vowel written before it, and is longer than one letter.
_THAI_NAME_FOLLOWS = r"(?=[\u0E01-\u0E2E\u0E40-\u0E44].)"
# Capitals also follow a hyphen, a dot, and an apostrophe after a single letter (O'Brien, D'Angelo).
_WORD_START = r"(?<=[ .-])|(?<=(?:^|[ .-])\p{L}')"


def clean_first_name(column: Column, words: NameWords = DEFAULT_NAME_WORDS) -> Column:
    """The given name without titles, each word with one capital; particles inside it stay small (Maria de Lourdes).

    `column` is text as `clean_text` leaves it. Capitals come from the letters alone, so MCDONALD and mcdonald agree.
    Thai is left as written. Null: null, a title alone, no letter in it, or an e-mail address.
    """
    return _quick(column, words, _cased(_usable(column, words), words, leading_particle=False))


def clean_last_name(column: Column, words: NameWords = DEFAULT_NAME_WORDS) -> Column:
    """The family name as `clean_first_name` writes one, but small particles begin it too (van der Berg)."""
    return _quick(column, words, _cased(_usable(column, words), words, leading_particle=True))


def split_full_name(column: Column, words: NameWords = DEFAULT_NAME_WORDS) -> Column:
    """The struct of `first_name` and `last_name` in a whole name, both cleaned.

    `column` is text as `clean_text` leaves it. `Last, First` splits at its one comma. Thai splits after the first word.
    Else the last name is the last word with the particles before it and a generation after it (Ludwig van Beethoven,
    Martin King Jr). One word is a first name. Null: as in `clean_first_name`, or the name has no such half.
    """
    halves = once(_usable(column, words), lambda name: _halves(name, words))

    def cleaned(pair: Column) -> Column:
        first, last = clean_first_name(pair["first"], words), clean_last_name(pair["last"], words)
        return F.struct(first.alias("first_name"), last.alias("last_name"))

    return once(halves, cleaned)


def _quick(column: Column, words: NameWords, answer: Column) -> Column:
    """The same answer, sooner for most names: one word of ASCII letters that is no title needs a capital only."""
    is_word = column.rlike(r"^(?![Mm][Cc])[A-Za-z]{2,}$")
    is_title = F.lower(column).isin(*words.titles, *words.joined_titles)
    return F.when(is_word & ~is_title, F.initcap(column)).otherwise(answer)


def _halves(name: Column, words: NameWords) -> Column:
    given_last, given_first = F.split_part(name, F.lit(","), F.lit(1)), F.split_part(name, F.lit(","), F.lit(2))
    particles = _any_of(words.particles)
    western = rf"(?iu)^(.+?) ((?:(?:{particles}) )*\S+(?: {_GENERATION})?)$"
    has_comma, is_thai, has_parts = name.rlike(r"^[^,]+,[^,]+$"), name.rlike(_THAI), name.contains(" ")
    first = (
        F.when(has_comma, given_first)
        .when(is_thai, F.split_part(name, F.lit(" "), F.lit(1)))
        .when(has_parts, F.regexp_extract(name, western, 1))
        .otherwise(name)
    )
    last = (
        F.when(has_comma, given_last)
        .when(is_thai & has_parts, F.regexp_extract(name, r"^\S+ (.+)$", 1))
        .when(has_parts, F.regexp_extract(name, western, 2))
    )
    return F.struct(F.trim(first).alias("first"), F.trim(last).alias("last"))


def _usable(column: Column, words: NameWords) -> Column:
    """The name without titles and suffixes; null if no name is left."""
    separate = rf"(?:{_any_of(words.titles)})(?:\.\s*|\s+|$)"
    joined = rf"(?:{_any_of(words.joined_titles)})(?:\s+|{_THAI_NAME_FOLLOWS}|$)"
    untitled = F.regexp_replace(column, rf"(?iu)^(?:{separate}|{joined})+", "")
    plain = F.regexp_replace(untitled, rf"(?iu)(?:[\s,]+(?:{_any_of(words.suffixes)})\.?)+$", "")
    bare = F.regexp_replace(plain, rf"(?iu),\s*({_GENERATION})$", " $1")  # no comma of `Last, First`
    name = F.trim(F.regexp_replace(bare, r"^[\s,;*_\"-]+|[\s,;*_\"-]+$", ""))
    return once(name, lambda text: F.when(text.rlike(r"\p{L}") & ~text.contains("@"), text))


def _cased(name: Column, words: NameWords, *, leading_particle: bool) -> Column:
    is_particle = rf"^(?:{_any_of(words.particles)}) $"

    def with_capital(word: Column, place: Column) -> Column:
        may_be_small = F.lit(True) if leading_particle else place > 0
        return (
            F.when(may_be_small & word.rlike(is_particle), word)
            .when(word.rlike(r"^(?:ii|iii|iv)$") & (place > 0), F.upper(word))
            .when(word.rlike(r"^mc\p{L}{3,}"), F.concat(F.lit("Mc"), F.initcap(F.substr(word, F.lit(3)))))
            .otherwise(F.initcap(word))
        )

    def with_capitals(lower: Column) -> Column:
        capital = F.array_join(F.transform(F.split(lower, _WORD_START), with_capital), "")
        return F.when(lower.rlike(r"\p{Ll}"), capital).otherwise(lower)

    return once(F.regexp_replace(F.lower(name), "`", "'"), with_capitals)


def _any_of(words: Iterable[str]) -> str:
    """A pattern for any of the words, the longest first."""
    return "|".join(re.escape(word) for word in sorted(words, key=lambda word: (-len(word), word)))
