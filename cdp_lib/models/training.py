"""What a training leaves behind, as plain values; the registry alone knows how MLflow keeps them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from cdp_lib.models.charts import Chart

Score = Callable[[pd.DataFrame], pd.DataFrame]
"""One row of scores for each row given. It is pickled with the model: a function of a module, or a frozen value's."""


@dataclass(frozen=True)
class Training:
    """What one training leaves: the body, what it was trained with and on, how good it is, and how it scores.

    `parameters` and `metrics` are shown side by side in MLflow; `inputs` tells the version of each table it has seen;
    `example` are rows that `scorer` takes; `charts` are drawn beside the run, by file name. No value of a person's
    record belongs in any of them.
    """

    body: Mapping[str, Any]
    scorer: Score
    example: pd.DataFrame
    parameters: Mapping[str, object] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    inputs: Mapping[str, int] = field(default_factory=dict)
    documents: Mapping[str, object] = field(default_factory=dict)
    charts: Mapping[str, Chart] = field(default_factory=dict)


@dataclass(frozen=True)
class StoredModel:
    """A version of a registered model."""

    name: str
    version: int
    body: Mapping[str, Any]
    is_chosen: bool = False
    """Whether somebody made it the champion by hand, after whatever a run had promoted."""

    @property
    def label(self) -> str:
        """What `model_version` columns hold."""
        return f"{self.name}/{self.version}"
