"""Records that a worker holds: found by number, in the order of their keys."""

from random import Random

import numpy as np
import pyarrow as pa
import pytest

from cdp_lib.transforms.identity.held_records import HeldRecords

NAMES = [bytes([1, *bytes(15)]), bytes([200, *bytes(15)]), bytes([1, *bytes(14), 9]), bytes([3, *bytes(15)])]
NUMBERS = [7, -4, 2**62, 0]


def held(numbers: list[int] = NUMBERS) -> HeldRecords:
    return HeldRecords(
        pa.table(
            {
                "record_key": pa.array(NAMES, pa.binary()),
                "_number": pa.array(numbers, pa.int64()),
                "city": pa.array(["bangkok", None, "phuket", "trang"]),
            }
        )
    )


def test_what_a_record_says_is_found_by_its_number() -> None:
    asked = [0, 7, -4, 7, 2**62]

    places = held().places(pa.array(asked))

    assert held().values("city", places).to_pylist() == ["trang", "bangkok", None, "bangkok", "phuket"]


def test_many_are_found_in_any_order() -> None:
    random = Random(3)
    numbers = [random.randrange(-(2**63), 2**63) for _ in range(500)]
    table = {"record_key": [random.randbytes(16) for _ in numbers], "_number": pa.array(numbers), "said": numbers}
    records = HeldRecords(pa.table(table))
    random.shuffle(numbers)
    assert records.values("said", records.places(pa.array(numbers))).to_pylist() == numbers


@pytest.mark.parametrize("stranger", [-(2**62), 1, 2**62 + 1])
def test_a_pair_of_a_record_that_is_not_held_is_a_fault(stranger: int) -> None:
    with pytest.raises(KeyError, match="a record is named that is not held"):
        held().places(pa.array([7, stranger, 0]))


def test_no_pairs_are_no_places() -> None:
    assert held().places(pa.array([], pa.int64())).tolist() == []
    nobody = HeldRecords(pa.table({"record_key": pa.array([], pa.binary()), "_number": pa.array([], pa.int64())}))
    assert nobody.places(pa.array([], pa.int64())).tolist() == []


def test_the_record_of_the_lesser_key_is_the_left_one() -> None:
    left, right = held().in_order(np.array([0, 1, 2, 3]), np.array([2, 0, 0, 1]))

    assert (left.tolist(), right.tolist()) == ([0, 0, 0, 3], [2, 1, 2, 1])


def test_numbers_that_two_records_share_are_noticed() -> None:
    assert held().have_own_numbers
    assert not held([7, -4, 7, 0]).have_own_numbers
