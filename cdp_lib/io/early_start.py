"""Python workers that start while Spark still reads: what they import takes seconds."""

import logging
from collections.abc import Iterator
from functools import lru_cache

import pyarrow as pa
from py4j.protocol import Py4JError
from pyspark import InheritableThread
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

log = logging.getLogger(__name__)


@lru_cache(maxsize=1)
def start_python_workers(spark: SparkSession) -> InheritableThread:
    """Has Spark start what it forks Python workers from, and goes on at once; for a session's later calls, nothing.

    For work that asks for a Python worker only after a while. The thread ends when a worker has answered.
    """
    thread = InheritableThread(target=_ask, args=(spark,), daemon=True)
    thread.start()
    return thread


def _ask(spark: SparkSession) -> None:
    try:
        spark.range(1, numPartitions=1).mapInArrow(_answer, "id bigint").count()
    except (Py4JError, PySparkException) as problem:
        # Whoever needs a worker hears of what is wrong with it; a session may also have ended meanwhile.
        log.debug("early start: %s", type(problem).__name__)


def _answer(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    return batches
