"""Run a workflow's jobs in order, each against recorded versions, so that a killed run goes on where it stopped."""

import hashlib
import logging
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException

from cdp_lib import __version__
from cdp_lib.errors import CdpError, WorkflowError
from cdp_lib.io.ledger import History, JobState, owner, RUN_ITSELF
from cdp_lib.settings.pack import Pack
from cdp_lib.workflow.context import JobContext
from cdp_lib.workflow.job import Job
from cdp_lib.workflow.news import has_nothing_new, versions
from cdp_lib.workflow.services import RunInfo, Services

log = logging.getLogger(__name__)

_MAY_PASS = (PySparkException, Py4JError, OSError)
"""Faults of the cluster or the storage: worth another try. Our own errors are not: they would come again."""


_DISTURBED = "disturbed"
"""In place of the settings of a job's last success: its tables may hold what a run under other settings left there."""

_CANCEL_EVERY_SECONDS = 2.0
"""Once the time is up: a job may have been busy without Spark when its work was cancelled."""


@dataclass(frozen=True)
class RunOptions:
    """What the caller asked for."""

    workflow: str
    as_of: date | None = None
    resume: bool = False
    retries: int = 1
    time_limit_minutes: float | None = None


@dataclass(frozen=True)
class JobOutcome:
    """How one job of a run ended: succeeded, skipped (nothing new) or done before (by the run that is resumed)."""

    job: str
    status: str
    seconds: float
    published: dict[str, int]


@dataclass(frozen=True)
class RunReport:
    """How a run ended."""

    run_id: str
    as_of: date | None
    outcomes: tuple[JobOutcome, ...]

    @property
    def changed_nothing(self) -> bool:
        """No table but ops has a new version."""
        return not any(outcome.published for outcome in self.outcomes)


def run_workflow(jobs: Sequence[Job], options: RunOptions, services: Services) -> RunReport:
    """Run the jobs, already in order; the caller holds the lakehouse's lock.

    A job whose inputs, settings and as-of date are those of its last completed run is skipped. Raises the job's own
    CdpError, or WorkflowError for any other fault, after the ledger has it; `--resume` goes on from there.
    """
    history = services.ledger.history()
    run = _resumed(history, jobs, options) if options.resume else _begun(history, options, services)
    _record_run(run, services, "started", resumed=options.resume)
    services.reporter.run_started(run.run_id, len(jobs))
    outcomes: list[JobOutcome] = []
    try:
        with _time_limit(options, services) as is_up:
            for job in jobs:
                if is_up.is_set():
                    raise WorkflowError(_out_of_time(job, options))
                outcomes.append(_run_job(job, run, options, services, is_up))
    except BaseException as problem:
        _record_run(run, services, "failed", error=_described(problem))
        raise
    finally:
        services.reporter.run_ended()
    _record_run(run, services, "succeeded")
    as_of = run.as_of or _known_as_of(services, run)
    return RunReport(run.run_id, as_of, tuple(outcomes))


def config_hash(job: Job, pack: Pack, as_of: date | None) -> str:
    """Hash of what shapes the job besides its inputs: parts of the pack, the suite's version, a given as-of date."""
    parts = [__version__, str(as_of or ""), *(pack.hash_of(kind) for kind in job.shaped_by)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _begun(history: History, options: RunOptions, services: Services) -> RunInfo:
    number = history.next_run_number
    started_at = services.ledger.clock()
    run_id = f"{services.pack.name}-{options.workflow}-{number:06d}"
    return RunInfo(run_id, number, options.workflow, started_at, options.as_of)


def _resumed(history: History, jobs: Sequence[Job], options: RunOptions) -> RunInfo:
    last = history.unfinished(options.workflow)
    newer = history.overtaken_by(last, [job.name for job in jobs])
    if newer is not None:
        raise WorkflowError(
            f"run {last.run_id} cannot go on: {newer.run_id} has worked on {newer.job} since, and older tables would "
            "take the place of newer ones. Start a new run, without --resume."
        )
    first = history.of_run(last.run_id, RUN_ITSELF)[0]
    if options.as_of not in (None, first.as_of_date):
        raise WorkflowError(
            f"run {last.run_id} is as of {first.as_of_date}; resume it without --as-of, or start a new run."
        )
    return RunInfo(last.run_id, last.run_number, last.workflow, first.recorded_at, first.as_of_date)


def _record_run(
    run: RunInfo, services: Services, status: str, *, resumed: bool = False, error: str | None = None
) -> None:
    """The first row of a run bears the time that all its rows are dated by; a resumed run finds it there."""
    is_first = status == "started" and not resumed
    services.ledger.record(
        JobState(
            run_id=run.run_id,
            run_number=run.run_number,
            workflow=run.workflow,
            job=RUN_ITSELF,
            attempt=1,
            status=status,
            config_hash=services.pack.hash_of("pack"),
            recorded_at=run.started_at if is_first else services.ledger.clock(),
            as_of_date=run.as_of,
            error=error,
            owner=owner(),
        )
    )


def _run_job(job: Job, run: RunInfo, options: RunOptions, services: Services, is_up: threading.Event) -> JobOutcome:
    history = services.ledger.history()
    of_this_run = history.of_run(run.run_id, job.name)
    if any(state.has_ended_well for state in of_this_run):
        services.reporter.job_ended(job.name, "done before", 0.0)
        return JobOutcome(job.name, "done before", 0.0, {})
    previous = history.last_success(job.name)
    pinned = _pinned(job, run, services, of_this_run)
    if previous is not None and history.was_disturbed(previous, pinned.config_hash):
        previous = replace(previous, config_hash=_DISTURBED)
    if not of_this_run and previous is not None and has_nothing_new(job, run, services, pinned, previous):
        services.ledger.record(replace(pinned, status="skipped", seconds=0.0, as_of_date=previous.as_of_date))
        services.reporter.job_ended(job.name, "nothing new", 0.0)
        return JobOutcome(job.name, "nothing new", 0.0, {})
    services.reporter.job_started(job.name, job.purpose)
    for attempt in range(pinned.attempt, pinned.attempt + options.retries + 1):
        began = time.monotonic()
        services.ledger.record(replace(pinned, attempt=attempt, recorded_at=services.ledger.clock()))
        services.failpoint(f"before:{job.name}")
        context = JobContext(job, run, services, pinned, previous)
        try:
            job.run(context)
        except Exception as problem:  # every fault must reach the ledger, whatever its kind
            seconds = time.monotonic() - began
            ended = replace(pinned, attempt=attempt, status="failed", seconds=seconds, error=_described(problem))
            services.ledger.record(replace(ended, recorded_at=services.ledger.clock()))
            services.reporter.job_ended(job.name, "failed", seconds)
            if isinstance(problem, CdpError):
                raise
            if is_up.is_set():
                raise WorkflowError(_out_of_time(job, options)) from None
            if not isinstance(problem, _MAY_PASS) or attempt == pinned.attempt + options.retries:
                raise WorkflowError(_unexpected(job, run, problem)) from None
            wait = services.settings.retry
            time.sleep(min(wait.first_wait_seconds * 2 ** (attempt - pinned.attempt), wait.longest_wait_seconds))
            continue
        ended = replace(pinned, attempt=attempt, seconds=time.monotonic() - began)
        return _finished(context, ended, services, job)
    raise WorkflowError(f"job {job.name} was given no attempt; set retries to 0 or more.")


def _finished(context: JobContext, ended: JobState, services: Services, job: Job) -> JobOutcome:
    services.failpoint(f"after:{job.name}")
    asked = context.__dict__.get("as_of")
    succeeded = replace(
        ended,
        status="succeeded",
        recorded_at=services.ledger.clock(),
        as_of_date=asked,
        outputs=versions(job.written_tables(services.pack), services),
    )
    services.ledger.record(succeeded)
    seconds = ended.seconds or 0.0
    services.reporter.job_ended(job.name, "succeeded", seconds)
    return JobOutcome(job.name, "succeeded", seconds, context.published)


def _pinned(job: Job, run: RunInfo, services: Services, of_this_run: Sequence[JobState]) -> JobState:
    """The versions that the job reads: those its first try in this run recorded, else today's."""
    if of_this_run:
        first = of_this_run[0]
        tried = max(state.attempt for state in of_this_run)
        fresh = config_hash(job, services.pack, run.as_of)
        return replace(
            first, attempt=tried + 1, config_hash=fresh, recorded_at=services.ledger.clock(), status="started"
        )
    state = JobState(
        run_id=run.run_id,
        run_number=run.run_number,
        workflow=run.workflow,
        job=job.name,
        attempt=1,
        status="started",
        config_hash=config_hash(job, services.pack, run.as_of),
        recorded_at=services.ledger.clock(),
        inputs=versions(job.read_tables(services.pack), services),
        outputs=versions((*job.written_tables(services.pack), *job.remembered_tables(services.pack)), services),
        owner=owner(),
    )
    if job.watches is None:
        return state
    return replace(state, watched=job.watches(JobContext(job, run, services, state, None)))


def _known_as_of(services: Services, run: RunInfo) -> date | None:
    of_run = [
        state for state in services.ledger.states() if state.run_id == run.run_id and state.as_of_date is not None
    ]
    return of_run[-1].as_of_date if of_run else None


def _described(problem: BaseException) -> str:
    """Kind of fault, and its message where the message is ours: others may quote rows."""
    if isinstance(problem, CdpError):
        return f"{type(problem).__name__}: {problem}"
    condition = problem.getCondition() if isinstance(problem, PySparkException) else None
    return f"{type(problem).__name__}{f' [{condition}]' if condition else ''}"


def _unexpected(job: Job, run: RunInfo, problem: BaseException) -> str:
    frames = traceback.extract_tb(problem.__traceback__)
    ours = [frame for frame in frames if "/cdp_lib/" in frame.filename or "/jobs/" in frame.filename] or frames[-1:]
    place = ", called from ".join(
        f"{frame.filename.rsplit('/', 2)[-2]}/{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}"
        for frame in reversed(ours[-3:])
    )
    log.debug("job=%s fault=%s", job.name, type(problem).__name__, exc_info=problem)
    return (
        f"job {job.name} of run {run.run_id} failed at {place}: {_described(problem)}. "
        "Its message may quote rows, so it is only in the debug log (--log-level DEBUG). Go on with --resume."
    )


def _out_of_time(job: Job, options: RunOptions) -> str:
    return (
        f"job {job.name}: the {options.time_limit_minutes:g} minutes of workflow {options.workflow} are up. "
        "Go on with --resume; if it needs that long every day, raise time_limit_minutes in conf/workflows.yml."
    )


@contextmanager
def _time_limit(options: RunOptions, services: Services) -> Iterator[threading.Event]:
    """Cancels Spark's work once the workflow's time is up, which the event tells: no job begins or is tried after it.

    What a job does without Spark goes on to its end, or to its next call of Spark.
    """
    is_up, has_ended = threading.Event(), threading.Event()
    if options.time_limit_minutes is None:
        yield is_up
        return
    seconds = options.time_limit_minutes * 60

    def watch() -> None:
        if has_ended.wait(seconds):
            return
        log.error("workflow=%s time limit of %s minutes is up", options.workflow, options.time_limit_minutes)
        is_up.set()
        while True:
            services.session().sparkContext.cancelAllJobs()
            if has_ended.wait(_CANCEL_EVERY_SECONDS):
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield is_up
    finally:
        has_ended.set()
