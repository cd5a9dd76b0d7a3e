"""Words of two addresses in common, as Arrow columns, against sets of Python."""

from random import Random

import pyarrow as pa
import pytest

from cdp_lib.transforms.identity.grading import _share_words

WORDS = ["road", "12", "street", "", "ถนน", "lane"]


def share(left: str, right: str) -> bool:
    words_l, words_r = set(left.split(" ")), set(right.split(" "))
    return len(words_l & words_r) * 3 >= len(words_l) + len(words_r)


@pytest.mark.parametrize("count", [0, 1, 500])
def test_half_of_all_words_in_common_whatever_repeats(count: int) -> None:
    random = Random(count)
    left, right = ([" ".join(random.choices(WORDS, k=random.randint(1, 5))) for _ in range(count)] for _ in "lr")

    found = _share_words(pa.array(left, pa.string()), pa.array(right, pa.string()))

    assert found.tolist() == [share(one, other) for one, other in zip(left, right, strict=True)]
    assert count < 500 or set(found.tolist()) == {True, False}


def test_columns_that_are_parts_of_longer_ones() -> None:
    left, right = pa.array(["x", "road 12", "a b", "y"]), pa.array(["12 road", "b c", "z"])
    assert _share_words(left.slice(1, 2), right.slice(0, 2)).tolist() == [True, False]
