"""The order of jobs, computed: A runs before B because A writes what B reads."""

from collections.abc import Sequence
from graphlib import CycleError, TopologicalSorter

from cdp_lib.errors import near_miss, WorkflowError
from cdp_lib.settings.pack import Pack
from cdp_lib.workflow.job import Job


def producers(jobs: Sequence[Job], pack: Pack) -> dict[str, str]:
    """Table name: the job that writes it; raises WorkflowError where two do."""
    found: dict[str, str] = {}
    for job in jobs:
        for table in job.written_tables(pack):
            if table.name in found:
                raise WorkflowError(
                    f"{table.name} is written by {found[table.name]} and {job.name}. One table, one writer."
                )
            found[table.name] = job.name
    return found


def edges(jobs: Sequence[Job], pack: Pack) -> dict[str, set[str]]:
    """Job: the jobs that must run before it."""
    written_by = producers(jobs, pack)
    return {
        job.name: {written_by[table.name] for table in job.read_tables(pack) if table.name in written_by} - {job.name}
        for job in jobs
    }


def ordered(jobs: Sequence[Job], pack: Pack) -> tuple[Job, ...]:
    """The jobs in an order that every edge allows, ties by the order given; raises WorkflowError on a circle."""
    by_name = {job.name: job for job in jobs}
    sorter = TopologicalSorter(edges(jobs, pack))
    try:
        sorter.prepare()
    except CycleError as problem:
        circle = " -> ".join(problem.args[1])
        raise WorkflowError(f"jobs wait for each other: {circle}. Declare a former output as `remembers`.") from problem
    place = {job.name: position for position, job in enumerate(jobs)}
    found: list[Job] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready(), key=place.__getitem__)
        found += [by_name[name] for name in ready]
        sorter.done(*ready)
    return tuple(found)


def selected(jobs: Sequence[Job], pack: Pack, *, only: Sequence[str] = (), start: str | None = None) -> tuple[Job, ...]:
    """The ordered jobs, or only those named, or those from `start` on; jobs that the pack has no use for are left out.

    Raises WorkflowError with a near-miss for an unknown job, and for one that is named and has nothing to do.
    """
    order = ordered([job for job in jobs if job.is_wanted(pack)], pack)
    names = [job.name for job in order]
    idle = {job.name: job.needs for job in jobs if job.name not in names}
    for name in (*only, *([start] if start else [])):
        if name in idle:
            lack = f"has no document of kind {' or '.join(idle[name])}" if idle[name] else "feeds nothing that it reads"
            raise WorkflowError(f"job {name} has nothing to do: pack {pack.name} {lack}.")
        if name not in names:
            raise WorkflowError(f"unknown job '{name}'.{near_miss(name, names)}")
    if only:
        return tuple(job for job in order if job.name in only)
    if start is None:
        return order
    before = edges(jobs, pack)
    kept = {start}
    for job in order:
        if before[job.name] & kept:
            kept.add(job.name)
    return tuple(job for job in order if job.name in kept)
