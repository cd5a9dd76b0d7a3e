"""How alike two different names are."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import JaroWinkler
from rapidfuzz.process import cpdist

from cdp_lib.transforms.identity.nicknames import NICKNAMES

VERY_ALIKE, ALIKE = 0.92, 0.8
"""Jaro-Winkler similarities: a typing slip in a name of usual length; half of the letters in their places."""

_SHORTEST_PART = 3
_NOBODY: frozenset[int] = frozenset()


def grade_names(left: Sequence[str], right: Sequence[str]) -> NDArray[np.int8]:
    """Of each two lower-case names 3 for a nickname, an initial or a name within the other, 2 for very alike, 1, or 0.

    Which of the two stands on the left does not matter.
    """
    similarity = cpdist(left, right, scorer=JaroWinkler.similarity, score_cutoff=ALIKE, dtype=np.float64)
    grades = np.select([similarity >= VERY_ALIKE, similarity >= ALIKE], [np.int8(2), np.int8(1)], np.int8(0))
    # Most names begin differently and have no nickname: what is asked of all is asked without a call.
    is_of_other = [
        (one[0] == other[0] and _is_part(one, other)) or (one in NICKNAMES and _is_nickname(one, other))
        for one, other in zip(left, right, strict=True)
    ]
    return np.where(np.array(is_of_other, dtype=bool), np.int8(3), grades)


def _is_part(left: str, right: str) -> bool:
    short, long = (left, right) if len(left) < len(right) else (right, left)
    return long.startswith(short) and (len(short) == 1 or len(short) >= _SHORTEST_PART)


def _is_nickname(left: str, right: str) -> bool:
    return not NICKNAMES[left].isdisjoint(NICKNAMES.get(right, _NOBODY))
