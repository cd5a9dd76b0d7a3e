"""Take files as they arrive: Structured Streaming watches the landing folder, each micro-batch is a run.

The stream only says that something came; the file ledger decides what is new, so a batch that is delivered twice
changes nothing, and streaming and batch give the same tables from the same contract.
"""

import queue
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql.streaming.query import StreamingQuery
from rich.console import Console

from cdp_lib.errors import CdpError, near_miss, WorkflowError
from cdp_lib.workflow.runner import RunReport
from jobs.compose import Request, run_named, Suite

MODES = ("available-now", "continuous")
LOOK_EVERY = "5 seconds"
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

    def take(arrived: DataFrame, batch_id: int) -> None:
        del arrived, batch_id
        try:
            done.put(run_named(suite, Request(workflow), console))
        except CdpError as problem:
            done.put(problem)
            raise

    query = _start(suite, workflow, mode, take)
    taken = 0
    with _stopped_by_signal(query):
        while query.isActive or not done.empty():
            try:
                item = done.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                continue
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
        files.option("recursiveFileLookup", "true").load(str(landing)).select("path", "modificationTime", "length")
    )
    checkpoint = str(_checkpoint(suite, workflow))
    writer = arrivals.writeStream.foreachBatch(take).option("checkpointLocation", checkpoint)  # type: ignore[arg-type]
    timed = writer.trigger(availableNow=True) if mode == "available-now" else writer.trigger(processingTime=LOOK_EVERY)
    return timed.start()


def _checkpoint(suite: Suite, workflow: str) -> Path:
    return Path(suite.store.root) / "ops" / "stream" / workflow


@contextmanager
def _stopped_by_signal(query: StreamingQuery) -> Iterator[None]:
    """The running batch ends first; then the stream does."""

    def stop(number: int, frame: object) -> None:
        del number, frame
        query.stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if query.isActive:
            query.stop()
