"""What a pack says of cleaning: the region of its phones, and patterns of values that mean nothing."""

import re

from phonenumbers import SUPPORTED_REGIONS

from cdp_lib.errors import near_miss

_HABITS = {"UK": "GB", "EL": "GR"}
"""What people write for a region whose ISO 3166 code is another."""

_ANYTHING = "\u2603\u2603"


def known_region(region: str) -> str:
    """The ISO 3166 region, whose numbering plan is known; raises ValueError with a near miss for anything else."""
    if region not in SUPPORTED_REGIONS:
        meant = _HABITS.get(region)
        hint = f" Did you mean '{meant}'?" if meant else near_miss(region, SUPPORTED_REGIONS)
        raise ValueError(f"unknown ISO 3166 region {region!r}.{hint}")
    return region


def placeholder_pattern(pattern: str) -> str:
    """The pattern; raises ValueError where it is none, or finds nothing in particular and thereby every value.

    Python judges a Java pattern, whose \\p{...} it does not know.
    """
    try:
        found = re.search(re.sub(r"\\[pP]\{\w+\}", r"\\w", pattern), _ANYTHING)
    except re.error as problem:
        raise ValueError(f"{pattern!r} is no pattern: {problem}") from None
    if found is not None and not found[0]:
        raise ValueError(f"{pattern!r} is found in every value, and would take all of them for nothing")
    return pattern
