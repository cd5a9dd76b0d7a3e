"""Streaming and batch give the same tables from the same contract."""

import io
from collections.abc import Callable

import pytest
from rich.console import Console

from cdp_lib.errors import WorkflowError
from jobs.stream import run_stream
from tests.e2e.conftest import Shop
from tests.e2e.library import write_first_day, write_second_day

pytestmark = pytest.mark.slow


def stream(shop: Shop, mode: str = "available-now") -> list[str]:
    console = Console(file=io.StringIO())
    return [report.run_id for reports in run_stream(shop.suite, "daily", mode, console=console) for report in reports]


def test_what_arrived_is_taken_once_and_equals_a_batch_run(new_library: Callable[[str], Shop]) -> None:
    streamed, batch = new_library("streamed"), new_library("batch")
    for write in (write_first_day, write_second_day):
        write(streamed.landing)
        write(batch.landing)
        assert len(stream(streamed)) == 1
        batch.run()
    assert streamed.everything() == batch.everything()
    before = streamed.everything()
    stream(streamed)
    assert streamed.everything() == before


def test_an_unknown_mode_is_answered_with_its_near_miss(library: Shop) -> None:
    with pytest.raises(WorkflowError, match=r"unknown --stream 'continous'\. Did you mean 'continuous'"):
        stream(library, "continous")
