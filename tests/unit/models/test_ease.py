import random

import numpy as np
import pyarrow as pa
import pytest

from cdp_lib.errors import ModelError
from cdp_lib.models.ease import Ease

ALL = Ease(regularisation=2.0, kept=99)


def counts(bought: np.ndarray, codes: list[int], seed: int = 0) -> tuple[pa.Table, pa.Table]:
    """Buyers and shared buyers of a table of people by products, in an order drawn by the seed."""
    draw = random.Random(seed)
    both = bought.T @ bought
    buyers = [(code, int(both[place, place])) for place, code in enumerate(codes)]
    shared = [
        (*((codes[i], codes[j]) if draw.random() < 0.5 else (codes[j], codes[i])), int(both[i, j]))
        for i in range(len(codes)) for j in range(i) if both[i, j]
    ]  # fmt: skip
    draw.shuffle(buyers)
    draw.shuffle(shared)
    return table("code buyer_count", buyers), table("left_code right_code shared_buyer_count", shared)


def table(names: str, rows: list[tuple[int, ...]]) -> pa.Table:
    wide = np.array(rows, dtype=np.int64).reshape(len(rows), len(names.split()))
    return pa.table({name: wide[:, place] for place, name in enumerate(names.split())})


def found(weights: pa.Table) -> dict[tuple[int, int], float]:
    return {(row["code"], row["neighbour_code"]): row["weight"] for row in weights.to_pylist()}


def people(products: int = 6) -> np.ndarray:
    return (np.random.default_rng(3).random((40, products)) < 0.4).astype(np.int64)


def test_each_product_is_told_by_all_others_as_ridge_regression_would() -> None:
    bought, codes = people(), [-7, 30, 2, 11, 5, -1]
    weights = found(ALL.weights(*counts(bought, codes)))
    for place, code in enumerate(codes):
        others = [other for other in range(len(codes)) if other != place]
        known = bought[:, others].astype(float)
        # The closed form solves one ridge regression for each product: Steck 2019, equation 5 with its diagonal of 0.
        ridge = np.linalg.solve(known.T @ known + 2.0 * np.eye(len(others)), known.T @ bought[:, place])
        for other, weight in zip(others, ridge, strict=True):
            assert weights[codes[other], code] == pytest.approx(weight, abs=1e-9)
    assert len(weights) == 30


def test_the_order_of_the_rows_changes_nothing() -> None:
    bought, codes = people(), [4, 1, 9, 2, 8, 3]
    assert ALL.weights(*counts(bought, codes, 1)).equals(ALL.weights(*counts(bought, codes, 2)))


def test_of_each_product_the_weights_farthest_from_0_are_kept() -> None:
    given = counts(people(), [1, 2, 3, 4, 5, 6])
    whole, few = found(ALL.weights(*given)), found(Ease(2.0, kept=2).weights(*given))
    for code in range(1, 7):
        mine = sorted((abs(weight) for (one, _), weight in whole.items() if one == code), reverse=True)
        assert sorted((abs(w) for (one, _), w in few.items() if one == code), reverse=True) == mine[:2]
    assert few.items() <= whole.items()


def test_products_that_share_nobody_say_nothing_and_weights_stay_in_their_range() -> None:
    assert found(ALL.weights(*counts(np.eye(3, dtype=np.int64), [1, 2, 3]))) == {}
    twins = np.ones((100_000, 1), dtype=np.int64).repeat(2, axis=1)
    weights = found(Ease(1e-3, kept=9).weights(*counts(twins, [1, 2])))
    assert set(weights) == {(1, 2), (2, 1)}
    assert all(0.99 < weight <= 1 for weight in weights.values())


def test_no_products_give_no_weights() -> None:
    empty = ALL.weights(table("code buyer_count", []), table("left_code right_code shared_buyer_count", []))
    assert empty.column_names == ["code", "neighbour_code", "weight"]
    assert empty.num_rows == 0


@pytest.mark.parametrize(
    ("buyers", "shared", "message"),
    [
        ([(1, 3), (1, 3)], [], "1 products come twice in buyers, such as 1.*each key once"),
        ([(1, 3)], [(1, 8, 1)], "1 products of shared are not in buyers, such as 8"),
        ([(1, 3), (2, 2)], [(1, 2, 3)], "more buyers than one of the two, such as 1"),
        ([(1, 3)], [(1, 1, 3)], "1 pairs are of one product"),
        ([(1, 9), (2, 9), (3, 9)], [(1, 2, 9), (1, 3, 9)], "counts of 3 products are not those of one set of buyers"),
    ],
)
def test_counts_that_no_set_of_buyers_has_are_refused(buyers, shared, message: str) -> None:
    given = table("code buyer_count", buyers), table("left_code right_code shared_buyer_count", shared)
    with pytest.raises(ModelError, match=message):
        Ease(0.5, kept=9).weights(*given)
