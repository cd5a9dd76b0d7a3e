"""Take files as they arrive: Structured Streaming watches the landing folder, each micro-batch is a run.

The stream only says that something came; the file ledger decides what is new, so a batch that is delivered twice
changes nothing, and streaming and batch give the same tables from the same contract.
"""

import queue
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql.streaming.query import StreamingQuery
from rich.console import Console

from cdp_lib.errors import CdpError, LockedError, near_miss, WorkflowError
from cdp_lib.workflow.runner import RunReport
from jobs.compose import Request, run_named, Suite

MODES = ("available-now", "continuous")
LOOK_EVERY = "5 seconds"
WAIT_FOR_LOCK = 15.0
"""Seconds until a stream that met another run's lock tries again."""
_POLL_SECONDS = 0.5
_FILE_SCHEMA = "path string, modificationTime timestamp, length long, content binary"
"""Fixed by Spark's binaryFile format; a stream wants it said."""

Reports = tuple[RunReport, ...]


def run_stream(suite: Suite, workflow: str, mode: str, *, console: Console) -> Iterator[Reports]:
    """One item per run: `available-now` ends when everything that lies there is in, `continuous` at SIGTERM or SIGINT.

    Raises the failing run's own error, and WorkflowError for an unknown mode, for a landing folder that cannot be
    watched, and where the stream itself broke off.
    """
    _check(suite, mode)
    done: queue.Queue[Reports | CdpError] = queue.Queue()
    stopping = threading.Event()
    one_run = partial(run_named, suite, Request(workflow), console)

    def take(arrived: DataFrame, batch_id: int) -> None:
        del arrived, batch_id
        try:
            done.put(when_free(one_run, stopping, console) if mode == "continuous" else one_run())
        except CdpError as problem:
            done.put(problem)
            raise

    query = _start(suite, workflow, mode, take)
    taken = 0
    with _stopped_by_signal(query, stopping):
        for item in _items(query, done):
            if isinstance(item, LockedError) and stopping.is_set():
                return  # what has arrived waits for the next run
            if isinstance(item, CdpError):
                query.stop()
                raise item
            taken += 1
            yield item
    broken = query.exception()
    if broken is not None:
        # Not by an error of ours. What Spark says of it may quote a row.
        raise WorkflowError(
            f"the stream broke off ({type(broken).__name__}); the log of Spark tells why. Start it again: it goes on "
            f"with what has not been taken. Its memory is {_checkpoint(suite, workflow)}."
        )
    if taken == 0 and mode == "available-now":
        # A file that changed under its old name does not wake the stream, but the ledger knows it by its content.
        yield run_named(suite, Request(workflow), console)


def when_free(run: Callable[[], Reports], stopping: threading.Event, console: Console) -> Reports:
    """What the run reports, which waits while another one holds the lakehouse. Raises LockedError if it is to stop."""
    while True:
        try:
            return run()
        except LockedError as problem:
            if stopping.is_set():
                raise
            console.print(f"waiting: {problem}", highlight=False, markup=False, soft_wrap=True)
            stopping.wait(WAIT_FOR_LOCK)


def _items(query: StreamingQuery, done: "queue.Queue[Reports | CdpError]") -> Iterator[Reports | CdpError]:
    """What the stream's runs end with, until it has ended itself."""
    while query.isActive or not done.empty():
        try:
            yield done.get(timeout=_POLL_SECONDS)
        except queue.Empty:
            continue


def _check(suite: Suite, mode: str) -> None:
    if mode not in MODES:
        raise WorkflowError(f"unknown --stream '{mode}'.{near_miss(mode, MODES)}")
    if "://" in suite.landing:
        raise WorkflowError(
            f"--stream watches a folder of this file system; the landing is {suite.landing}. Leave --stream out and "
            "run the workflow by the clock: each run takes what has arrived."
        )


def _start(suite: Suite, workflow: str, mode: str, take: object) -> StreamingQuery:
    """Names and sizes only: file contents are read by the run, under the ledger."""
    landing = Path(suite.landing)
    landing.mkdir(parents=True, exist_ok=True)
    files = suite.session().readStream.format("binaryFile").schema(_FILE_SCHEMA)
    arrivals = (
        # Spark would pass over files that are a week older than the newest it has seen.
        files.option("recursiveFileLookup", "true")
        .option("maxFileAge", "36500d")
        .load(str(landing))
        .select("path", "modificationTime", "length")
    )
    checkpoint = str(_checkpoint(suite, workflow))
    writer = arrivals.writeStream.foreachBatch(take).option("checkpointLocation", checkpoint)  # type: ignore[arg-type]
    timed = writer.trigger(availableNow=True) if mode == "available-now" else writer.trigger(processingTime=LOOK_EVERY)
    return timed.start()


def _checkpoint(suite: Suite, workflow: str) -> Path:
    return Path(suite.store.root) / "ops" / "stream" / workflow


@contextmanager
def _stopped_by_signal(query: StreamingQuery, stopping: threading.Event) -> Iterator[None]:
    """The running batch ends first; then the stream does."""

    def stop(number: int, frame: object) -> None:
        del number, frame
        stopping.set()
        query.stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if query.isActive:
            query.stop()
