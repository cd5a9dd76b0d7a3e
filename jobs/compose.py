"""Put the suite together: settings, pack, store, ledger, gate and jobs, as the command line asked."""

import importlib
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from pyspark.sql import functions as spark_functions, SparkSession
from rich.console import Console

from cdp_lib.errors import ConfigError, near_miss, WorkflowError
from cdp_lib.io.ledger import History, OpsLedger
from cdp_lib.io.lock import run_lock
from cdp_lib.io.session import build_session
from cdp_lib.io.store import DeltaStore
from cdp_lib.io.yaml_files import load_pack, load_rules, load_settings_files, load_workflows
from cdp_lib.models.owner import Owner
from cdp_lib.settings.functions import ONLY_IN_PYTHON, ONLY_IN_SQL
from cdp_lib.settings.pack import Pack
from cdp_lib.settings.rule import Rule
from cdp_lib.settings.settings import Settings
from cdp_lib.settings.workflow import Workflow
from cdp_lib.workflow.failpoints import failpoint_from
from cdp_lib.workflow.graph import ordered, selected
from cdp_lib.workflow.job import Job
from cdp_lib.workflow.progress import Reporter, reporter_for
from cdp_lib.workflow.runner import config_hash, run_workflow, RunOptions, RunReport
from cdp_lib.workflow.services import Sending, Services
from jobs.activation.ways import destination_faults
from quality.suites import rules_in_force, Suite as Checks, suite_for

if TYPE_CHECKING:
    from cdp_lib.models.registry import ModelRegistry

HOME = Path(__file__).resolve().parents[1]
"""The checkout, or the folder that an archive of the suite was unpacked to."""


def conf_folder() -> Path:
    """Where settings and packs lie: beside the code, or where CDP_CONF says."""
    return Path(os.environ.get("CDP_CONF", HOME / "conf"))


@cache
def sql_functions() -> frozenset[str]:
    """Names of the SQL functions that Spark knows, without a JVM."""
    of_python = {name for name in dir(spark_functions) if not name.startswith("_")}
    return frozenset(of_python - ONLY_IN_PYTHON) | ONLY_IN_SQL


@dataclass(frozen=True)
class Place:
    """Which business, where its files and tables are, and under which settings."""

    pack: str
    landing: str | None = None
    lakehouse: str | None = None
    env: str = "local"
    log_level: str | None = None

    def settings(self) -> Settings:
        """base.yml, the environment's file, then the command line."""
        asked = {
            "landing": {"root": self.landing},
            "lakehouse": {"root": self.lakehouse},
            "log": {"level": self.log_level},
        }
        given = {section: named for section, named in asked.items() if any(named.values())}
        return load_settings_files(conf_folder(), self.env, given)

    def load_pack(self, identity_file: Path | None = None) -> Pack:
        """The pack, all its faults found, with another file's identity settings if given; raises ConfigError."""
        pack = load_pack(self.pack, conf_folder() / "packs", sql_functions(), identity_file=identity_file)
        faults = sorted(set(destination_faults(pack))) if pack.destinations else []
        if faults:
            raise ConfigError(faults)
        return pack


_ONE_WORD = ("activate",)
"""Jobs whose table is no layer's: all others are called `<layer>_<noun>`."""


def job_names() -> tuple[str, ...]:
    """Every job that has a page."""
    pages = [path.stem for path in Path(__file__).parent.glob("*_*.py") if not path.stem.startswith("_")]
    return tuple(sorted([*pages, *_ONE_WORD]))


def job_named(name: str) -> Job:
    """The job of page `jobs/<name>.py`; raises WorkflowError with a near-miss."""
    known = job_names()
    if name not in known:
        raise WorkflowError(f"unknown job '{name}'.{near_miss(name, known)}")
    found = importlib.import_module(f"jobs.{name}").run
    if not isinstance(found, Job):
        raise WorkflowError(f"jobs/{name}.py: its `run` is no job. Decorate it with @job(reads=..., writes=...).")
    return found


def workflow_named(name: str) -> Workflow:
    """The workflow of conf/workflows.yml; raises WorkflowError with a near-miss."""
    workflows = load_workflows(conf_folder() / "workflows.yml")
    if name not in workflows:
        raise WorkflowError(f"unknown workflow '{name}'.{near_miss(name, workflows)}")
    return workflows[name]


_NOTHING_LEAVES = Sending()


@dataclass(frozen=True)
class Suite:
    """Everything that runs on one pack's lakehouse."""

    place: Place
    pack: Pack
    settings: Settings
    store: DeltaStore
    ledger: OpsLedger
    session: Callable[[], SparkSession]
    landing: str
    rules: tuple[Rule, ...]
    checks: Checks = suite_for

    @property
    def lakehouse(self) -> Path:
        """The folder that one run at a time may write."""
        return Path(self.settings.lakehouse.root)

    def run(
        self, options: RunOptions, jobs: Sequence[Job], reporter: Reporter, sending: Sending = _NOTHING_LEAVES
    ) -> tuple[RunReport, ...]:
        """Run the jobs under the lakehouse's lock; a run that a kill cut off is finished first, and sends nothing then.

        What it planned is old by now, and it may have been a dry run: this one plans anew, and sends what it may.
        """
        services = Services(
            pack=self.pack,
            settings=self.settings,
            store=self.store,
            ledger=self.ledger,
            session=self.session,
            gate=_gatekeeping().gatekeeper(self.pack, self.rules, self.ledger, self.validations_folder, self.checks),
            reporter=reporter,
            landing=self.landing,
            models=self.models,
            failpoint=self.failpoint,
            sending=sending,
        )
        with run_lock(self.lakehouse, f"{options.workflow} of {self.pack.name}"):
            history = self.ledger.history()
            to_finish = self._with_half_done(history, options.workflow, jobs)
            if options.resume:
                return (self._run(to_finish, options, services),)
            if not self._was_cut_off(history, options.workflow, to_finish):
                return (self._run(jobs, options, services),)
            silent = replace(services, sending=_NOTHING_LEAVES)
            cut_off = self._run(to_finish, replace(options, resume=True, as_of=None), silent)
            return (cut_off, self._run(jobs, options, services))

    def _with_half_done(self, history: History, workflow: str, jobs: Sequence[Job]) -> Sequence[Job]:
        """These jobs, and those that the workflow's last run began and did not end: it has not ended before they have.

        Some jobs of a workflow may be asked for alone, after a run of others.
        """
        last, names = history.last_run(workflow), {job.name for job in jobs}
        begun = () if last is None or last.status == "succeeded" else history.half_done(last.run_id)
        more = [job_named(name) for name in begun if name not in names and name in job_names()]
        return ordered((*jobs, *more), self.pack) if more else jobs

    def _was_cut_off(self, history: History, workflow: str, jobs: Sequence[Job]) -> bool:
        """Whether a kill left the workflow's last run half done, and no other run has done its work since.

        Where the settings of the job that it was in changed meanwhile, a new run takes its place.
        """
        last = history.last_run(workflow)
        if last is None or last.status != "started":
            return False
        of_today = {job.name: config_hash(job, self.pack, last.as_of_date) for job in jobs}
        for name in history.half_done(last.run_id):
            if history.of_run(last.run_id, name)[0].config_hash != of_today.get(name):
                return False
        return history.overtaken_by(last, [job.name for job in jobs]) is None

    def _run(self, jobs: Sequence[Job], options: RunOptions, services: Services) -> RunReport:
        try:
            return run_workflow(jobs, options, services)
        finally:
            last = self.ledger.history().last_run(options.workflow)
            if last is not None:
                ended = (last.run_id, options.workflow, self.ledger.clock())
                _gatekeeping().build_docs(self.validations_folder, self.docs_folder, *ended)

    def models(self) -> "ModelRegistry":
        """The pack's registry; imported when asked for, because MLflow takes seconds to import."""
        registry = importlib.import_module("cdp_lib.models.registry")
        named, root = self.settings.mlflow, self.lakehouse.absolute()
        root.mkdir(parents=True, exist_ok=True)
        lakehouse, founded_ms = self.ledger.founding() or ("", None)
        found: ModelRegistry = registry.ModelRegistry(
            named.tracking_uri or f"sqlite:///{root}/mlflow.db",
            named.artifacts or root / "mlflow_artifacts",
            self.pack.name,
            Owner(lakehouse, founded_ms, is_alone=named.tracking_uri is None),
        )
        return found

    @property
    def validations_folder(self) -> Path:
        """Where the gate leaves what it found, one folder per run."""
        return self.lakehouse / self.pack.name / "ops" / "validations"

    @property
    def docs_folder(self) -> Path:
        """Where the pages of the last run's checks are."""
        return self.lakehouse / self.pack.name / "ops" / "data_docs"

    @property
    def failpoint(self) -> Callable[[str], None]:
        """See workflow/failpoints.py."""
        return failpoint_from(dict(os.environ), lambda: self.lakehouse / self.pack.name)


def _gatekeeping() -> ModuleType:
    """jobs/gatekeeper.py, imported when a run starts: Great Expectations takes seconds, which `--help` should not."""
    return importlib.import_module("jobs.gatekeeper")


def build_suite(place: Place, session: Callable[[], SparkSession] | None = None) -> Suite:
    """The suite of one pack; a session is started when one is first needed."""
    settings, pack = place.settings(), place.load_pack()
    logging.getLogger("cdp_lib").setLevel(settings.log.level)
    started = session or cache(lambda: build_session(settings, app_name=f"cdp {pack.name}"))
    lakehouse = settings.lakehouse.root.rstrip("/")
    # Delta names a table by its path in SQL, and takes a relative one for a name.
    root = f"{lakehouse if '://' in lakehouse else os.path.abspath(lakehouse)}/{pack.name}"
    failpoint = failpoint_from(dict(os.environ), lambda: Path(root))
    store = DeltaStore(root, started, catalog=settings.lakehouse.catalog, at=failpoint)
    landing = f"{settings.landing.root.rstrip('/')}/{pack.name}" if place.landing is None else place.landing
    return Suite(place, pack, settings, store, OpsLedger(root), started, landing, rules_for(pack))


def rules_for(pack: Pack) -> tuple[Rule, ...]:
    """The suite's rules, those of the pack in place of any with the same id."""
    return rules_in_force(load_rules(HOME / "quality" / "rules"), pack.rules)


@dataclass(frozen=True)
class Request:
    """What one call of `cdp run` asks for."""

    workflow: str = "daily"
    only: tuple[str, ...] = ()
    start: str | None = None
    as_of: date | None = None
    resume: bool = False
    send: bool = False
    at: datetime | None = None


def run_named(suite: Suite, request: Request, console: Console) -> tuple[RunReport, ...]:
    """Run a workflow's jobs, or some of them; one report per run, the last is this one's."""
    declared = workflow_named(request.workflow)
    pages = [job_named(name) for name in declared.jobs]
    jobs = selected(pages, suite.pack, only=request.only, start=request.start)
    retries = suite.settings.retry.attempts - 1
    options = RunOptions(request.workflow, request.as_of, request.resume, retries, declared.time_limit_minutes)
    return suite.run(options, jobs, reporter_for(console), Sending(request.send, request.at))
