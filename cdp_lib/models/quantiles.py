"""Bounds between scores from counted values: the same for any order of rows and any number of partitions."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Ints = NDArray[np.int64]


def score_bounds(values: Ints, counts: Ints, parts: int) -> tuple[int, ...]:
    """`parts - 1` values, ascending: about one part of all customers in `parts` lies at or below each next one.

    Customers of one value stay together, so parts may differ; of no customers there are no bounds.
    """
    if values.size == 0:
        return ()
    order = np.argsort(values)
    reached = np.cumsum(counts[order])
    wanted = reached[-1] * np.arange(1, parts) / parts
    places = np.searchsorted(reached, wanted, side="left")
    return tuple(int(value) for value in values[order][places])


def rfm_bounds(counted: pa.Table) -> dict[str, tuple[int, ...]]:
    """Bounds of recency and spend among all customers, of frequency among those who bought on more than one day.

    `counted` has columns measure, step, customer_count: `transforms.features.rfm.step_counts`.
    """
    measure = np.array(counted["measure"].to_pylist(), dtype=object)
    step = counted["step"].to_numpy().astype(np.int64)
    count = counted["customer_count"].to_numpy().astype(np.int64)
    came_again = (measure == "frequency") & (step > 1)
    return {
        "recency": _bounds_of(measure == "recency", step, count, 5),
        "frequency": _bounds_of(came_again, step, count, 4),
        "monetary": _bounds_of(measure == "monetary", step, count, 5),
    }


def _bounds_of(chosen: NDArray[np.bool_], step: Ints, count: Ints, parts: int) -> tuple[int, ...]:
    return score_bounds(step[chosen], count[chosen], parts)
