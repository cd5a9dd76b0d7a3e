"""A review as phrases, each about one thing, and what a model sees of a phrase."""

import re
import unicodedata
from collections.abc import Sequence
from itertools import pairwise

SMALLEST, LARGEST = 2, 5
"""Letters of the pieces of words: they carry over between forms of a word, typing errors, and words of scripts that
leave no space between them."""

MOST_WORDS = 8
"""A longer phrase is read in overlapping parts of so many words: it speaks of several things, and one would drown."""

_ENDS = r"[!?…;\n\r]+|[.,](?!\d)"
# These scripts leave no space between words, so a space parts phrases.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
_SPACES = rf"(?<=[{_UNSPACED}])\s+(?=[{_UNSPACED}])"
_MARKS = re.compile(r"[\"'“”\u2018\u2019().,!?…;:*~_/\\\[\]{}<>|-]+")
_DIGITS = re.compile(r"\d+")
_DRAWN_OUT = re.compile(r"(.)\1{2,}")


def normal(text: str) -> str:
    """The text as compared: one case, no punctuation, every number 0, letters that are drawn out written once."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    plain = _MARKS.sub(" ", _DIGITS.sub("0", folded))
    return " ".join(_DRAWN_OUT.sub(r"\1", plain).split())


def phrases(text: str, turns: Sequence[str]) -> list[str]:
    """The text's phrases in `normal` form, parted where a sentence ends or turns; empty where nothing was written.

    What has no letter (a smiley, a number) belongs to the phrase before it. A long one is read in parts.
    """
    parting = re.compile("|".join([_ENDS, _SPACES, *(f"(?:{turn})" for turn in turns)]), re.IGNORECASE)
    kept: list[str] = []
    start = 0
    for end, following in [*((found.start(), found.end()) for found in parting.finditer(text)), (len(text), len(text))]:
        part, start = normal(text[start:end]), following
        if part and kept and not any(letter.isalpha() for letter in part):
            kept[-1] = f"{kept[-1]} {part}"
        elif part:
            kept.append(part)
    return [part for phrase in kept for part in _parts(phrase)]


def _parts(phrase: str) -> list[str]:
    found, step = phrase.split(), MOST_WORDS // 2
    if len(found) <= MOST_WORDS:
        return [phrase]
    return [" ".join(found[place : place + MOST_WORDS]) for place in range(0, len(found) - step, step)]


def words(phrase: str) -> list[str]:
    """Its words and pairs of neighbours; a phrase of a script without spaces is one word."""
    found = phrase.split()
    return found + [f"{left} {right}" for left, right in pairwise(found)]


def pieces(phrase: str) -> list[str]:
    """Every run of 2 to 5 letters of its words, a space at a word's edge being one of them."""
    padded = [f" {word} " for word in phrase.split()]
    return [
        word[place : place + size]
        for word in padded
        for size in range(SMALLEST, LARGEST + 1)
        for place in range(len(word) - size + 1)
    ]
