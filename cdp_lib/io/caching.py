"""Keep a frame while a block uses it twice."""

from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.sql import DataFrame


@contextmanager
def cached(frame: DataFrame) -> Iterator[DataFrame]:
    """The frame, computed once while the block runs; executors spill it to disk rather than compute it anew."""
    frame.persist()
    try:
        yield frame
    finally:
        frame.unpersist()
