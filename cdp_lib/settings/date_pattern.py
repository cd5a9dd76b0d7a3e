"""Spark's patterns of days and times: what would read them wrongly without a word, and what was meant."""

import re
from collections.abc import Iterator, Sequence

_TOKEN = re.compile(r"'(?:[^']|'')*'|(?P<letter>[A-Za-z])(?P=letter)*|.", re.DOTALL)
_LONGEST = {
    "G": 4, "y": 6, "M": 4, "L": 4, "D": 3, "d": 2, "a": 1, "H": 2, "h": 2, "K": 2, "k": 2, "m": 2, "s": 2, "S": 9,
    "V": 2, "z": 4, "O": 4, "X": 5, "x": 5, "Z": 5,
}  # fmt: skip
"""Letters that Spark reads, and how often each may stand in a row."""

_HOURS = "HhKk"
_EXAMPLES = "Patterns are Spark's: dd/MM/yyyy, yyyy-MM-dd HH:mm:ss"
_PYTHON = {
    "%d": "dd", "%m": "MM", "%Y": "yyyy", "%y": "yy", "%b": "MMM", "%B": "MMMM", "%H": "HH", "%I": "hh", "%M": "mm",
    "%S": "ss", "%f": "SSSSSS", "%p": "a", "%z": "xx", "%T": "HH:mm:ss",
}  # fmt: skip


def check_date_pattern(pattern: str) -> None:
    """Raises ValueError with what was probably meant where Spark could not read days by the pattern, or misread them.

    Spark takes what a pattern does not say for January, the first, or midnight, and `mm` for minutes.
    """
    problem = next(_problems(pattern), "")
    if problem:
        meant = _meant(pattern)
        hint = f"Did you mean '{meant}'?" if meant != pattern and not any(_problems(meant)) else f"{_EXAMPLES}."
        raise ValueError(f"{pattern!r} {problem}. {hint}")


def _problems(pattern: str) -> Iterator[str]:
    if "%" in pattern:
        yield "is written as in Python"
    tokens = [match[0] for match in _TOKEN.finditer(pattern)]
    if "'" in tokens or tokens.count("[") != tokens.count("]"):
        yield "has a quote or bracket that is not closed"
    runs = [token for token in tokens if token[0].isalpha()]
    for run in runs:
        if run[0] not in _LONGEST:
            yield f"has '{run}', which says nothing to Spark; text stands in single quotes"
        elif len(run) > _LONGEST[run[0]]:
            yield f"has '{run}': {run[0]} stands {_LONGEST[run[0]]} times at most"
    yield from _misread(runs)
    yield from _lacking([run[0] for run in _certain(tokens)])


def _misread(runs: Sequence[str]) -> Iterator[str]:
    """What Spark reads as something else than most people mean."""
    letters = [run[0] for run in runs]
    if "m" in letters and not set(_HOURS).intersection(letters):
        yield "has minutes (m) without an hour; months are M"
    if "S" in letters and "s" not in letters:
        yield "has fractions of a second (S) without seconds (s)"
    if set("hK").intersection(letters) and "a" not in letters:
        yield "has an hour of half a day (h) without its half (a); hours of the whole day are H"
    if letters.count("M") > 1 and "m" not in letters and set(_HOURS).intersection(letters):
        yield "has the month (M) twice; minutes are m"


def _certain(tokens: Sequence[str]) -> Iterator[str]:
    """The letters that stand outside of brackets: what is in them may be left out of a text."""
    depth = 0
    for token in tokens:
        depth += (token == "[") - (token == "]")
        if depth == 0 and token[0].isalpha():
            yield token


def _lacking(letters: Sequence[str]) -> Iterator[str]:
    day_of = {"d"} if {"M", "L"}.intersection(letters) else {"D"}
    if not {"y", *day_of}.issubset(letters):
        yield "names no whole day: year (y), month (M) and day (d) are needed, outside of brackets"


def _meant(pattern: str) -> str:
    """The pattern as Spark writes it, where another language's habits are behind it."""
    known = re.sub(r"%[A-Za-z]", lambda found: _PYTHON.get(found[0], found[0]), pattern)
    tokens = [match[0] for match in _TOKEN.finditer(known)]
    letters = {token[0] for token in tokens}
    seen: set[str] = set()
    meant = []
    for token in tokens:
        meant.append(_letter_meant(token[0], letters, seen) * len(token) if token[0].isalpha() else token)
        seen.add(token[0])
    return "".join(meant)


def _letter_meant(letter: str, letters: set[str], seen: set[str]) -> str:
    has_hour = bool(seen.intersection(_HOURS))
    habits = {
        "T": "'T'",
        "Y": "y",
        "D": "D" if {"M", "m"}.isdisjoint(letters) else "d",
        "m": "m" if has_hour or "M" in seen else "M",
        "M": "m" if has_hour and {"M", "m"}.intersection(seen) else "M",
        "h": "h" if "a" in letters else "H",
        "S": "S" if "s" in letters else "s",
    }
    return habits.get(letter, letter)
