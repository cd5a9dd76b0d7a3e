"""A folder for the checkpoints of iterative algorithms: they cut a plan's lineage, and survive a lost executor."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from pyspark.sql import DataFrame, SparkSession


def folder_of_run(root: str) -> str:
    """Where the one run that holds the lakehouse's lock keeps frames, below the pack's folder."""
    return f"{root}/_checkpoints/run"


def folder_of_look(root: str) -> str:
    """A new place beside it for somebody who only looks, of whom there may be several at a time."""
    return f"{root}/_checkpoints/look-{uuid4().hex}"


@contextmanager
def checkpoints(spark: SparkSession, folder: str) -> Iterator[Callable[[DataFrame], DataFrame]]:
    """A function that computes a frame, keeps it below `folder`, and gives it back without its lineage.

    All of it is deleted when the block ends; frames that were kept must not be used after that. What somebody left in
    the folder who was killed is deleted first: it is rows of people. So the folder is for one at a time.
    """
    _delete(spark, folder)
    spark.sparkContext.setCheckpointDir(folder)

    def keep(frame: DataFrame) -> DataFrame:
        return frame.checkpoint(eager=True)

    try:
        yield keep
    finally:
        _delete(spark, folder)


def _delete(spark: SparkSession, folder: str) -> None:
    gateway: Any = spark._jvm
    path = gateway.org.apache.hadoop.fs.Path(folder)
    path.getFileSystem(spark._jsc.hadoopConfiguration()).delete(path, True)
