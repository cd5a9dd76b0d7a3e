"""Python workers that start while the driver is busy: what they import takes seconds."""

import logging
from collections.abc import Iterator
from threading import Thread
from weakref import WeakKeyDictionary

import pyarrow as pa
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

log = logging.getLogger(__name__)

_ASKED: WeakKeyDictionary[SparkSession, Thread] = WeakKeyDictionary()
_OF_ENDED_SESSIONS = (AssertionError, AttributeError, OSError)
"""What PySpark raises in the middle of a call when the session is stopped meanwhile."""


def start_python_workers(spark: SparkSession) -> Thread:
    """Has Spark start what it forks Python workers from, and goes on at once; for a session's later calls, nothing.

    For work that asks for a Python worker only after a while. The thread ends when a worker has answered.
    """
    if spark not in _ASKED:
        _ASKED[spark] = Thread(target=_ask, args=(spark,), daemon=True)
        _ASKED[spark].start()
    return _ASKED[spark]


def _ask(spark: SparkSession) -> None:
    try:
        spark.range(1, numPartitions=1).mapInArrow(_answer, "id bigint").count()
    except (Py4JError, PySparkException, *_OF_ENDED_SESSIONS) as problem:
        # Whoever needs a worker hears of what is wrong with it.
        log.debug("early_start=failed problem=%s", type(problem).__name__)


def _answer(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    return batches
