"""What a pack says of cleaning: the region of its phones, and patterns of values that mean nothing."""

import re
import warnings

from phonenumbers import SUPPORTED_REGIONS

from cdp_lib.errors import near_miss

_HABITS = {"UK": "GB", "EL": "GR"}
"""What people write for a region whose ISO 3166 code is another."""

_ORDINARY = ("Ann Lee", "0812345678", "\u2603")
"""Values of which no pattern finds all but one that finds every value."""

_AS_IN_PYTHON = ((r"\\[pP]\{\w+\}", r"\\w"), (r"\(\?<(?=\w)", "(?P<"), (r"\\k<(\w+)>", r"(?P=\1)"))
"""What Java writes otherwise; Python does not know the classes of letters at all."""


def known_region(region: str) -> str:
    """The ISO 3166 region, whose numbering plan is known; raises ValueError with a near miss for anything else."""
    if region not in SUPPORTED_REGIONS:
        meant = _HABITS.get(region)
        hint = f" Did you mean '{meant}'?" if meant else near_miss(region, SUPPORTED_REGIONS)
        raise ValueError(f"unknown ISO 3166 region {region!r}.{hint}")
    return region


def placeholder_pattern(pattern: str) -> str:
    """The Java pattern; raises ValueError where it is none, as far as Python can judge, or would find every value."""
    told = pattern
    for of_java, of_python in _AS_IN_PYTHON:
        told = re.sub(of_java, of_python, told)
    try:
        with warnings.catch_warnings(action="ignore", category=FutureWarning):
            compiled = re.compile(told)
    except re.error as problem:
        raise ValueError(f"{pattern!r} is no pattern: {problem}") from None
    if all(map(compiled.search, _ORDINARY)):
        raise ValueError(f"{pattern!r} is found in every value, and would take all of them for nothing")
    return pattern
