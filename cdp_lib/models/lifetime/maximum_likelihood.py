"""Positive parameters that make what was seen the likeliest: L-BFGS on their logarithms, with the exact gradient."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize  # type: ignore[import-untyped]  # SciPy ships no types

from cdp_lib.errors import ModelError

Floats = NDArray[np.float64]
LogLikelihood = Callable[[Floats], tuple[float, Floats]]
"""Parameters: the mean log-likelihood of a customer, and its derivative by each parameter."""

FARTHEST = 12.0
"""Logarithms stay within this: beyond e^12 a parameter says only that customers do not differ, or never end."""

_FLAT = 1e-4
"""A slope of the mean log-likelihood that is no longer a hill."""


def likeliest(
    log_likelihood: LogLikelihood, starts: Sequence[Sequence[float]], name: str, penalizer: float = 0.0
) -> tuple[Floats, float]:
    """The parameters from the first start that arrives at a top, and their mean log-likelihood.

    `penalizer` x the sum of squared parameters is taken off, as the `lifetimes` package does, which keeps small data
    from running away. Raises ModelError when no start arrives.
    """
    if penalizer < 0:
        raise ModelError(f"{name}: a penalizer of {penalizer:g} rewards large parameters; give 0 or more.")

    def loss(logs: Floats) -> tuple[float, Floats]:
        parameters = np.exp(logs)
        value, gradient = log_likelihood(parameters)
        penalty = penalizer * float(parameters @ parameters)
        return penalty - value, (2 * penalizer * parameters - gradient) * parameters

    said = []
    for start in starts:
        found = minimize(
            loss,
            np.log(np.asarray(start, dtype=np.float64)),
            jac=True,
            method="L-BFGS-B",
            bounds=[(-FARTHEST, FARTHEST)] * len(start),
            options={"maxiter": 1000, "maxcor": 20, "ftol": 1e-15, "gtol": 1e-9},
        )
        if np.isfinite(found.fun) and _is_flat(found.x, found.jac):
            parameters: Floats = np.exp(found.x)
            return parameters, float(log_likelihood(parameters)[0])
        said.append(str(found.message))
    raise ModelError(
        f"{name}: no likeliest parameters found from {len(starts)} starts ({'; '.join(said)}). "
        "Give more customers or a longer history, a penalizer above 0, or use a simpler model."
    )


def _is_flat(logs: Floats, gradient: Floats) -> bool:
    """Whether the search ended on a top, or at a bound that it was climbing towards."""
    at_bound = np.abs(logs) >= FARTHEST - 1e-9
    return bool(np.all((np.abs(gradient) < _FLAT) | at_bound))
