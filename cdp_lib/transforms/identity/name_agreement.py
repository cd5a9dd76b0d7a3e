"""How alike two different names are, where Spark has no function for it."""

from collections.abc import Callable
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, types as T
from pyspark.sql.pandas.functions import arrow_udf
from rapidfuzz.distance import JaroWinkler

from cdp_lib.transforms.identity.nicknames import NICKNAMES

VERY_ALIKE, ALIKE = 0.92, 0.8
"""Jaro-Winkler similarities: a typing slip in a name of usual length; half of the letters in their places."""

KEPT_GRADES = 100_000
"""Pairs of names, of some 200 bytes, whose grade a worker remembers: the frequent ones come again in every batch."""

_SHORTEST_PART = 3
_BETWEEN = "\n"


def _grade(left: pa.Array, right: pa.Array) -> pa.Array:
    """Each distinct pair of values in a batch is graded once."""
    coded = pc.binary_join_element_wise(left, right, _BETWEEN).dictionary_encode()
    grades = [None if both is None else grade_names(*both.split(_BETWEEN)) for both in coded.dictionary.to_pylist()]
    return pa.array(grades, pa.int32()).take(coded.indices)


# Spark asks for type hints in place of the third argument, but its stub does not know that form.
name_agreement: Callable[[Column, Column], Column] = arrow_udf(_grade, T.IntegerType())  # type: ignore[call-overload]
"""Per row 3 for a nickname, an initial or a name within the other, 2 for very alike, 1 for alike, 0; null for null."""


@lru_cache(maxsize=KEPT_GRADES)
def grade_names(left: str, right: str) -> int:
    """The grade of two lower-case names; the order of the two does not matter."""
    short, long = sorted((left, right), key=len)
    if NICKNAMES.get(left, frozenset()) & NICKNAMES.get(right, frozenset()):
        return 3
    if long.startswith(short) and (len(short) == 1 or len(short) >= _SHORTEST_PART):
        return 3
    similarity = JaroWinkler.similarity(left, right, score_cutoff=ALIKE)
    return 2 if similarity >= VERY_ALIKE else int(similarity >= ALIKE)
