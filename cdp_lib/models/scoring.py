"""A model's scores of a Spark frame, batch by batch on the executors: no row comes to the driver."""

from collections.abc import Callable, Iterator

import pandas as pd
from pyspark.sql import DataFrame

Scorer = Callable[[pd.DataFrame], pd.DataFrame]


def score_rows(frame: DataFrame, scorer: Scorer, schema: str) -> DataFrame:
    """One row of scores per row: the columns of `schema` (Spark SQL) as `scorer` gives them.

    The scorer is pickled once and loaded once per task.
    """
    names = [part.split()[0] for part in schema.split(", ")]

    def score(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for batch in batches:
            if len(batch):
                yield scorer(batch)[names]

    return frame.mapInPandas(score, schema)
