"""The order of jobs follows from what they read and write."""

from dataclasses import replace

import pytest

from cdp_lib.errors import WorkflowError
from cdp_lib.settings.pack import Pack
from cdp_lib.workflow.graph import edges, ordered, selected
from cdp_lib.workflow.job import Job
from tests.gym import gym, table


def a_job(name: str, reads: tuple[str, ...] = (), writes: tuple[str, ...] = (), remembers: tuple[str, ...] = ()) -> Job:
    tables = [tuple(map(table, names)) for names in (reads, writes, remembers)]
    return Job(name, "A job.", lambda ctx: None, *tables, shaped_by=("pack",), watches=None)


@pytest.fixture(scope="module")
def pack() -> Pack:
    return gym()


LAST = a_job("last", reads=("silver.a", "silver.b"), writes=("gold.c",))
FIRST = a_job("first", writes=("bronze.x",))
LEFT = a_job("left", reads=("bronze.x",), writes=("silver.a",), remembers=("silver.a",))
RIGHT = a_job("right", reads=("bronze.x",), writes=("silver.b",))


def names(jobs: tuple[Job, ...]) -> list[str]:
    return [job.name for job in jobs]


def test_a_job_runs_after_those_that_write_what_it_reads(pack: Pack) -> None:
    assert names(ordered([LAST, RIGHT, LEFT, FIRST], pack)) == ["first", "right", "left", "last"]


def test_remembering_its_own_output_is_no_edge(pack: Pack) -> None:
    assert edges([FIRST, LEFT], pack) == {"first": set(), "left": {"first"}}


def test_jobs_that_wait_for_each_other_are_named(pack: Pack) -> None:
    circle = [a_job("one", ("gold.b",), ("gold.a",)), a_job("two", ("gold.a",), ("gold.b",))]
    with pytest.raises(WorkflowError, match=r"jobs wait for each other: .*one.*Declare a former output as `remembers`"):
        ordered(circle, pack)


def test_two_writers_of_one_table_are_refused(pack: Pack) -> None:
    with pytest.raises(WorkflowError, match=r"silver\.a is written by left and twin"):
        ordered([FIRST, LEFT, replace(LEFT, name="twin")], pack)


def test_from_a_job_takes_it_and_those_that_depend_on_it(pack: Pack) -> None:
    assert names(selected([FIRST, LEFT, RIGHT, LAST], pack, start="left")) == ["left", "last"]


def test_only_takes_the_named_jobs_in_computed_order(pack: Pack) -> None:
    assert names(selected([LAST, LEFT, FIRST, RIGHT], pack, only=["last", "left"])) == ["left", "last"]


def test_an_unknown_job_is_answered_with_its_near_miss(pack: Pack) -> None:
    with pytest.raises(WorkflowError, match=r"unknown job 'lest'\. Did you mean 'l"):
        selected([FIRST, LEFT, RIGHT, LAST], pack, only=["lest"])


def test_a_job_whose_tables_the_pack_does_not_have_is_left_out_and_said_to_have_nothing_to_do(pack: Pack) -> None:
    idle = replace(a_job("idle"), writes=(lambda of_pack: (),))
    assert names(selected((FIRST, idle), pack)) == ["first"]
    with pytest.raises(WorkflowError, match="job idle has nothing to do: pack gym feeds nothing that it reads"):
        selected((FIRST, idle), pack, only=("idle",))
