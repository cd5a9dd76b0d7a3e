"""A folder for the checkpoints of iterative algorithms: they cut a plan's lineage, and survive a lost executor."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pyspark.sql import DataFrame, SparkSession


@contextmanager
def checkpoints(spark: SparkSession, folder: str) -> Iterator[Callable[[DataFrame], DataFrame]]:
    """A function that computes a frame, keeps it below `folder`, and gives it back without its lineage.

    All of it is deleted when the block ends; frames that were kept must not be used after that.
    """
    spark.sparkContext.setCheckpointDir(folder)
    kept = spark.sparkContext.getCheckpointDir()

    def keep(frame: DataFrame) -> DataFrame:
        return frame.checkpoint(eager=True)

    try:
        yield keep
    finally:
        if kept is not None:
            gateway: Any = spark._jvm
            path = gateway.org.apache.hadoop.fs.Path(kept)
            path.getFileSystem(spark._jsc.hadoopConfiguration()).delete(path, True)
