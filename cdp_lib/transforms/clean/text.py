"""Text as a person would see it: one form per character, no invisible ones, single spaces, null instead of nothing."""

import re

from pyspark.sql import Column, functions as F

_ZEROS = (
    "\u0660\u06f0\u07c0\u0966\u09e6\u0a66\u0ae6\u0b66\u0be6\u0c66\u0ce6\u0d66\u0de6\u0e50\u0ed0\u0f20\u1040\u1090"
    "\u17e0\u1810\u1946\u19d0\u1a80\u1a90\u1b50\u1bb0\u1c40\u1c50\ua620\ua8d0\ua900\ua9d0\ua9f0\uaa50\uabf0"
)
"""Digit nought of every script in the basic plane that NFKC leaves alone; its nine digits follow it (Unicode Nd)."""

_FOREIGN_DIGITS = "".join(chr(ord(zero) + digit) for zero in _ZEROS for digit in range(10))
_ASCII_DIGITS = "0123456789" * len(_ZEROS)
_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
_QUOTES = "\u2018\u2019\u02bc\u2032\u201c\u201d"
_FOLDED_FROM = _FOREIGN_DIGITS + _DASHES + _QUOTES
_FOLDED_TO = _ASCII_DIGITS + "-" * len(_DASHES) + "''''\"\""

# Control and format characters but the white space among them, variation selectors, letters drawn as nothing.
_INVISIBLE = (
    r"[\p{Cc}\p{Cf}\uFE00-\uFE0F\u034F\u115F\u1160\u17B4\u17B5\u2800\u3164\uFFA0&&[^\t\n\x0B\f\r\x1C-\x1F\x85]]"
)
_WHITE = r"[\s\p{Z}\x1C-\x1F\x85]"

# Text that stays as it is, told by one look: ASCII, Latin letters with their accents built in, Thai without SARA AM,
# digits and the marks that NFKC moves. Tests hold it against Python's own NFKC.
_LATIN = r"\u00C0-\u00D6\u00D8-\u00F6\u00F8-\u0131\u0134-\u013E\u0141-\u0148\u014A-\u017E"
_THAI = r"\u0E01-\u0E32\u0E34-\u0E39\u0E40-\u0E4C"
_STEADY = f"[!-~{_LATIN}{_THAI}]"
_UNSTEADY = r"\u0E40\u0E40|[\u0E48-\u0E4B][\u0E38\u0E39]"
_PLAIN = f"^(?!.*(?:{_UNSTEADY})){_STEADY}+(?: {_STEADY}+)*$"

# NFKC splits Thai SARA AM (0E33) and Lao AM (0EB3) in two; the one letter, after its tone mark, is what people type.
_THAI_AM = r"(?:\u0E4D([\u0E48-\u0E4B]?)|([\u0E48-\u0E4B])\u0E4D)\u0E32"
_LAO_AM = r"(?:\u0ECD([\u0EC8-\u0ECB]?)|([\u0EC8-\u0ECB])\u0ECD)\u0EB2"


def clean_text(column: Column) -> Column:
    """The text in NFKC without invisible characters, white space collapsed and trimmed, digits of any script as 0-9.

    Typographic dashes and quotes become - ' and ". Thai and Lao AM stay one letter and a doubled SARA E becomes SARA
    AE, so that one Thai word has one spelling. Null: null, or nothing visible. Applied twice it changes nothing more.
    """
    bare = F.regexp_replace(column, _INVISIBLE, "")
    one_form = F.when(bare.rlike(r"[^\x00-\x7F]"), _folded(bare)).otherwise(bare)
    tidy = F.trim(F.regexp_replace(one_form, f"{_WHITE}+", " "))
    # The condition looks at `bare`, not at `tidy`: Spark would work out a non-deterministic tidy once for each mention.
    return F.when(column.rlike(_PLAIN), column).when(F.regexp_replace(bare, _WHITE, "") != "", tidy)


DECIMAL_ENDING = re.compile(r"^(\+?\d+)\.0+$")
"""A whole number as spreadsheets and dataframes write it where they took it for a measure: 10110.0."""


def whole_number(column: Column) -> Column:
    """The text, of a whole number without its DECIMAL_ENDING: 10110.0 is 10110."""
    return F.regexp_replace(column, DECIMAL_ENDING.pattern, "$1")


def _folded(column: Column) -> Column:
    # Spark has no normalize(); it ships ICU for its collations, whose compose(text, compatibility=true) is NFKC:
    # 0.4 s for a million values, where distinct values through a Python worker and back cost two shuffles a column.
    normal_form = F.java_method(F.lit("com.ibm.icu.text.Normalizer"), F.lit("compose"), column, F.lit(True))
    thai = F.regexp_replace(F.regexp_replace(normal_form, _THAI_AM, "$1$2\u0e33"), "\u0e40\u0e40", "\u0e41")
    return F.translate(F.regexp_replace(thai, _LAO_AM, "$1$2\u0eb3"), _FOLDED_FROM, _FOLDED_TO)
