"""Random draws that are the same on every machine.

Only uniform draws and exact IEEE operations (+, -, *, /) are used: logarithms and powers differ in the last bit
between machines, so heavy tails come from tables and from 1 / (rank + offset) weights.
"""

import zlib
from collections.abc import Iterable, Sequence
from math import gcd

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


def stream(seed: int, *path: str | int) -> np.random.Generator:
    """An independent generator for one named purpose: adding a purpose never changes the draws of another."""
    words = [zlib.crc32(str(part).encode()) for part in path]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, *words])))


def edges(weights: Iterable[float]) -> Floats:
    """Upper edges of each choice on a line of length sum(weights)."""
    upper: Floats = np.cumsum(np.asarray(list(weights), dtype=np.float64))
    return upper


def place(uniform: Floats, upper: Floats) -> Ints:
    """The choice (0-based) that each uniform draw falls into."""
    found = np.searchsorted(upper, uniform * upper[-1], side="right")
    choice: Ints = np.minimum(found, len(upper) - 1).astype(np.int64)
    return choice


def pick(rng: np.random.Generator, weights: Sequence[float] | Iterable[float], size: int) -> Ints:
    """`size` choices, 0-based, in proportion to `weights`."""
    return place(rng.random(size), edges(weights))


def skewed(rng: np.random.Generator, choices: int, size: int, offset: float) -> Ints:
    """`size` choices with weight 1 / (rank + offset): a few common ones, a long tail."""
    return place(rng.random(size), np.cumsum(1.0 / (np.arange(choices, dtype=np.float64) + offset)))


def between(rng: np.random.Generator, low: int, high: int, size: int) -> Ints:
    """`size` whole numbers from `low` to `high`, both included."""
    return rng.integers(low, high + 1, size, dtype=np.int64)


def chance(rng: np.random.Generator, rate: float, size: int) -> Flags:
    """True with probability `rate`."""
    happens: Flags = rng.random(size) < rate
    return happens


def scatter(index: Ints, size: int, salt: int) -> Ints:
    """A one-to-one shuffle of 0..size-1: neighbours get far-apart numbers. Indexes beyond `size` wrap round."""
    step = int(size * 0.618034) + salt % 97 + 1
    while gcd(step, size) != 1:
        step += 1
    return (index % size * step + salt) % size
