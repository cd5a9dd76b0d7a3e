"""How much having bought one product says for another, given everything else that was bought.

EASE (Steck, "Embarrassingly shallow autoencoders for sparse data", WWW 2019, equations 7 and 8): with X the table of
who bought what, P = (X'X + lambda I)^-1 and the weights B = I - P diag(1 / diag P). X'X is nothing but how many people
bought each product and each two: no customer's row is needed, and the result is exact.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, LinAlgError  # type: ignore[import-untyped]  # SciPy ships no types

from cdp_lib.errors import ModelError

Floats = NDArray[np.float64]
Places = NDArray[np.int64]

PLACES = 9
"""Decimals of a weight: as many as survive whatever library inverts the table."""

WEIGHTS = pa.schema([("code", pa.int64()), ("neighbour_code", pa.int64()), ("weight", pa.float64())])


@dataclass(frozen=True)
class Ease:
    """Lambda, in buyers, and how many weights each product keeps: memory and time grow with it where they are used."""

    regularisation: float
    kept: int

    def weights(self, buyers: pa.Table, shared: pa.Table) -> pa.Table:
        """One row per (code, neighbour_code): what having bought `code` adds to the case for `neighbour_code`.

        `buyers` has code and buyer_count, one row per product; `shared` left_code, right_code and shared_buyer_count,
        one row per two of these products, in any order; two that are absent share nobody. `weight` is in [-1, 1],
        below 0 where the one takes the other's place, and never 0; of each product the `kept` farthest from 0, ties by
        code. Takes 8 bytes times the square of the products a few times over, and time by their cube (3,000: seconds).
        ModelError where the counts cannot be those of one set of buyers.
        """
        codes, gram = _gram(buyers, shared)
        if not codes.size:
            return WEIGHTS.empty_table()
        weight = self._solved(gram)
        kept = min(self.kept, len(codes))
        nearest = np.argsort(-np.abs(weight), axis=1, kind="stable")[:, :kept]
        found = np.take_along_axis(weight, nearest, axis=1).ravel()
        rows, is_some = np.repeat(codes, kept), found != 0
        columns = (rows[is_some], codes[nearest.ravel()][is_some], found[is_some])
        return pa.Table.from_arrays([pa.array(column) for column in columns], schema=WEIGHTS)

    def _solved(self, gram: Floats) -> Floats:
        size = len(gram)
        gram.flat[:: size + 1] += self.regularisation
        try:
            inverse = cho_solve(cho_factor(gram, lower=True, overwrite_a=True), np.eye(size), overwrite_b=True)
        except LinAlgError:
            raise ModelError(
                f"EASE: the counts of {size} products are not those of one set of buyers, or regularisation "
                f"{self.regularisation} is too small. Take buyer_count and shared_buyer_count from the same rows."
            ) from None
        weight = -inverse / np.diag(inverse)
        np.fill_diagonal(weight, 0.0)
        rounded: Floats = np.clip(np.round(weight, PLACES), -1.0, 1.0)
        return rounded


def _gram(buyers: pa.Table, shared: pa.Table) -> tuple[Places, Floats]:
    """The codes in order, and X'X."""
    given = _numbers(buyers, "code")
    order = np.argsort(given, kind="stable")
    codes, count = given[order], _numbers(buyers, "buyer_count")[order].astype(np.float64)
    twice = codes[1:][codes[1:] == codes[:-1]]
    if twice.size:
        raise _refusal("products come twice in buyers", twice)
    ends = [_numbers(shared, name) for name in ("left_code", "right_code")]
    strange = np.setdiff1d(np.concatenate(ends), codes)
    if strange.size:
        raise _refusal("products of shared are not in buyers", strange)
    left, right = (np.searchsorted(codes, end) for end in ends)
    both = _numbers(shared, "shared_buyer_count").astype(np.float64)
    is_wrong = (left == right) | (both > np.minimum(count[left], count[right]))
    if is_wrong.any():
        raise _refusal("pairs are of one product or have more buyers than one of the two", ends[0][is_wrong])
    gram = np.zeros((len(codes), len(codes)))
    gram[left, right] = both
    gram[right, left] = both
    np.fill_diagonal(gram, count)
    return codes, gram


def _numbers(table: pa.Table, name: str) -> Places:
    numbers: Places = table[name].to_numpy().astype(np.int64)
    return numbers


def _refusal(what: str, codes: Sequence[int] | Places) -> ModelError:
    named = ", ".join(str(code) for code in codes[:3])
    return ModelError(
        f"EASE: {len(codes)} {what}, such as {named}. Take both tables from the same rows, each key once."
    )
