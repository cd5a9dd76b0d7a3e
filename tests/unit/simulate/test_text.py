"""Columns of text and draws, the simulator's two tools."""

import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from cdp_lib.settings.simulator import Simulator
from cdp_lib.simulate.draws import edges, pick, place, scatter, skewed, stream
from cdp_lib.simulate.systems import simulate
from cdp_lib.simulate.text import blank, choose, decimal, fill, join, moments, repeat, where


def ints(*values: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(values, dtype=np.int64)


def days(*texts: str) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(texts, dtype="datetime64[D]").astype(np.int64)


def test_digits_fill_a_template_from_the_right() -> None:
    assert fill("(##) ##-ก", ints(1234, 7)).to_pylist() == ["(12) 34-ก", "(00) 07-ก"]


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [(5, 0, "5"), (1205, 2, "12.05"), (-1205, 2, "-12.05"), (-5, 2, "-0.05"), (0, 1, "0.0")],
)
def test_scaled_numbers_are_written_with_their_point(value: int, decimals: int, text: str) -> None:
    assert decimal(ints(value), decimals).to_pylist() == [text]


def test_moments_know_the_buddhist_era_and_the_week() -> None:
    when = days("2025-01-07", "2025-01-08", "1999-12-31")
    seconds = ints(0, 3661, 86399)
    assert moments("%d/%m/%E", when, seconds).to_pylist() == ["07/01/2568", "08/01/2568", "31/12/2542"]
    assert moments("%W", when, seconds).to_pylist() == ["1", "2", "53"]
    assert moments("%Y%m%dT%H:%M:%SZ", when, seconds).to_pylist() == [
        "20250107T00:00:00Z",
        "20250108T01:01:01Z",
        "19991231T23:59:59Z",
    ]
    assert moments("%Y", days(), ints()).to_pylist() == []


def test_a_null_part_makes_a_joined_row_null_and_blank_makes_nulls() -> None:
    left, right = pa.array(["a", None], pa.string()), pa.array(["x", "y"], pa.string())
    assert join(left, "-", right).to_pylist() == ["a-x", None]
    assert blank(right, np.array([True, False])).to_pylist() == [None, "y"]
    assert where(np.array([True, False]), left, right).to_pylist() == ["a", "y"]
    assert choose(ints(1, 0), [left, right]).to_pylist() == ["x", None]
    assert repeat(None, 2).to_pylist() == [None, None]


def test_draws_of_one_purpose_do_not_depend_on_another() -> None:
    alone = stream(1, "mail").random(5)
    stream(1, "phone").random(100)
    assert (stream(1, "mail").random(5) == alone).all()
    assert (stream(1, "phone").random(5) != alone).any()
    assert (stream(2, "mail").random(5) != alone).any()


def test_choices_follow_their_weights() -> None:
    assert place(np.array([0.0, 0.2, 0.26, 0.999]), edges([1, 0, 3])).tolist() == [0, 0, 2, 2]
    counts = np.bincount(pick(stream(1, "p"), [1, 0, 3], 40_000), minlength=3)
    assert counts[1] == 0
    assert abs(counts[0] / 40_000 - 0.25) < 0.01


def test_skewed_choices_have_a_few_common_ones_and_a_long_tail() -> None:
    counts = np.bincount(skewed(stream(1, "s"), 1_000, 100_000, 10.0), minlength=1_000)
    assert counts[0] > 20 * counts[900:].mean()
    assert (counts > 0).mean() > 0.99


@pytest.mark.parametrize("size", [10, 97, 1_000, 65_536])
def test_scattering_is_one_to_one(size: int) -> None:
    spread = scatter(np.arange(size, dtype=np.int64), size, 13)
    assert sorted(spread.tolist()) == list(range(size))


def test_gzip_heads_hold_neither_time_nor_system(library: Simulator, tmp_path: Path) -> None:
    simulate(library, customers=100, days=2, seed=1, out=tmp_path)
    packed = next(tmp_path.glob("loans/*.gz")).read_bytes()
    assert packed[:4] == b"\x1f\x8b\x08\x00"
    assert packed[4:8] == b"\x00\x00\x00\x00"
    assert packed[9] == 0xFF
    assert gzip.decompress(packed).startswith(b'{"loan":"L2025')
