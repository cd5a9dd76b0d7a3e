"""Errors of hand, eye and ear: how many, and of which kind."""

import numpy as np
import pyarrow as pa
import pytest
from rapidfuzz.distance import DamerauLevenshtein

from cdp_lib.settings.simulated_people import FieldNoise
from cdp_lib.simulate.corruption import drop_some, heard, misdated, misdialled, scanned, spoil, stand_in, typed
from cdp_lib.simulate.draws import stream

NAMES = pa.array(["Somchai", "Marlow", "สมชาย", "Bo", "x", "Wattana", "o'Neil", "12345"] * 200, pa.string())


def test_a_typing_error_is_one_edit() -> None:
    spoilt = typed(NAMES, stream(1, "t")).to_pylist()
    distances = {DamerauLevenshtein.distance(a, b) for a, b in zip(NAMES.to_pylist(), spoilt, strict=True)}
    assert distances <= {0, 1}
    assert sum(a != b for a, b in zip(NAMES.to_pylist(), spoilt, strict=True)) > 1400


def test_a_scanning_error_replaces_one_letter_by_a_similar_one() -> None:
    assert scanned(pa.array(["Bo", "ด", "xyz"], pa.string()), stream(1, "s")).to_pylist() == ["B0", "ค", "xyz"]


def test_a_hearing_error_replaces_one_letter_by_one_that_sounds_alike() -> None:
    assert heard(pa.array(["Bo", "ร", "xu"], pa.string()), stream(1, "h")).to_pylist() == ["Bu", "ล", "xu"]


def test_nulls_and_untouched_values_stay_as_they_are() -> None:
    values = pa.array([None, "Marlow"], pa.string())
    assert spoil(values, FieldNoise(), stream(1, "n")).to_pylist() == [None, "Marlow"]
    assert spoil(values, FieldNoise(typo=1), stream(1, "n")).to_pylist()[0] is None


def test_empty_columns_stay_empty() -> None:
    empty = pa.array([], pa.string())
    assert spoil(empty, FieldNoise(typo=1, scan=1, sound=1), stream(1, "e")).to_pylist() == []
    assert drop_some(empty, 0.5, stream(1, "e")).to_pylist() == []
    assert stand_in(empty, 0.5, {"n/a": 1}, stream(1, "e")).to_pylist() == []


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_gaps_and_placeholders_come_at_their_rate(rate: float) -> None:
    values = pa.array(["a"] * 20_000, pa.string())
    assert abs(drop_some(values, rate, stream(1, "g")).null_count / 20_000 - rate) < 0.02
    placed = stand_in(values, rate, {"n/a": 3, "-": 1}, stream(1, "p")).to_pylist()
    assert abs(placed.count("n/a") / 20_000 - rate * 0.75) < 0.02


def test_a_misdialled_number_keeps_its_length_and_first_three_digits() -> None:
    numbers = np.full(5_000, 812_345_678, dtype=np.int64)
    wrong = misdialled(numbers, 9, 1.0, stream(1, "d"))
    assert (wrong // 1_000_000 == 812).all()
    assert (wrong != numbers).all()
    assert (misdialled(numbers, 9, 0.0, stream(1, "d")) == numbers).all()


def test_day_and_month_are_swapped_only_where_that_is_a_date() -> None:
    days = np.array(["1990-03-07", "1990-03-20"], dtype="datetime64[D]").astype(np.int64)
    swapped = misdated(days, FieldNoise(swapped=1), stream(1, "w")).astype("datetime64[D]").astype(str)
    assert swapped.tolist() == ["1990-07-03", "1990-03-20"]


def test_a_shifted_date_is_one_or_ten_years_off() -> None:
    days = np.full(400, np.datetime64("1990-03-07", "D").astype(np.int64))
    shifted = misdated(days, FieldNoise(shifted=1), stream(1, "y")).astype("datetime64[D]").astype(str)
    assert set(shifted.tolist()) == {"1980-03-07", "1989-03-07", "1991-03-07", "2000-03-07"}
