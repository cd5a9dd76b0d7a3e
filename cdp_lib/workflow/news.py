"""Whether a job has anything to do that its last completed run has not done."""

from collections.abc import Sequence

from cdp_lib.contracts.silver import ENTITIES, FACT_TIME
from cdp_lib.contracts.table import Table
from cdp_lib.io.ledger import JobState
from cdp_lib.workflow.context import JobContext
from cdp_lib.workflow.job import Job
from cdp_lib.workflow.services import RunInfo, Services


def has_nothing_new(job: Job, run: RunInfo, services: Services, pinned: JobState, previous: JobState) -> bool:
    """Whether inputs, settings, the data's last day and what the job watches are those of its last completed run."""
    return (
        dict(pinned.inputs) == dict(previous.inputs)
        and pinned.config_hash == previous.config_hash
        and pinned.watched == previous.watched
        and set(previous.outputs) <= set(versions(job.written_tables(services.pack), services))
        and _is_the_same_day(JobContext(job, run, services, pinned, previous), previous, services)
    )


def _is_the_same_day(ctx: JobContext, previous: JobState, services: Services) -> bool:
    """Whether the as-of date is that by which the job answered; so it is for a job that asked for none.

    Facts that the job does not read move the date too. Where a job of the ledger has read them all, it tells the date,
    and Spark need not start.
    """
    if previous.as_of_date is None:
        return True
    facts = [ENTITIES[name] for name in FACT_TIME if name in services.pack.fed]
    told = services.ledger.history().day_of(versions(facts, services))
    return (ctx.run.as_of or told or ctx.as_of) == previous.as_of_date


def versions(tables: Sequence[Table], services: Services) -> dict[str, int]:
    """Name: newest version, of the tables that exist."""
    found = {table.name: services.store.version(table) for table in tables}
    return {name: version for name, version in found.items() if version is not None}
