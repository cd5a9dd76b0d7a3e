"""What a stream does not do is said before it starts, and how it ended when it ends."""

import io
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from cdp_lib.errors import LockedError, StorageError, WorkflowError
from jobs import stream as page
from jobs.__main__ import app


def opened(suite: Any) -> list[object]:
    return list(page.run_stream(suite, "daily", "continuous", console=Console(file=io.StringIO())))


@pytest.fixture
def suite(tmp_path: Path) -> Any:
    return SimpleNamespace(landing=str(tmp_path / "in"), store=SimpleNamespace(root=str(tmp_path / "lake")))


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--send"], "without --send. Leave it out"),
        (["--as-of", "2025-01-31", "--only", "gold_customer"], "without --as-of, --only. Leave them out"),
    ],
)
def test_options_that_a_stream_would_ignore_are_refused(options: list[str], named: str) -> None:
    ended = CliRunner().invoke(app, ["run", "daily", "--pack", "coffee_shop", "--stream", "continuous", *options])

    assert ended.exit_code == 1
    assert named in " ".join(ended.output.split())


def test_a_landing_in_an_object_store_is_not_watched(suite: Any) -> None:
    suite.landing = "s3://bucket/in"
    with pytest.raises(WorkflowError, match=r"landing is s3://bucket/in\. Leave --stream out"):
        opened(suite)
    assert not Path("s3:").exists()


def test_a_stream_that_breaks_off_does_not_end_as_if_all_were_well(suite: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    query = SimpleNamespace(isActive=False, exception=lambda: OSError("somebody@example.org"), stop=lambda: None)
    monkeypatch.setattr(page, "_start", lambda *given: query)

    with pytest.raises(
        WorkflowError, match=r"the stream broke off \(OSError\).*goes on with what has not been"
    ) as said:
        opened(suite)
    assert "example.org" not in str(said.value)


def test_a_runs_own_error_ends_the_stream_with_it(suite: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*given: object) -> None:
        raise StorageError("the disk is full")

    def start(suite: Any, workflow: str, mode: str, take: Any) -> Any:
        with pytest.raises(StorageError):
            take(None, 0)
        return SimpleNamespace(isActive=False, exception=lambda: OSError("ended"), stop=lambda: None)

    monkeypatch.setattr(page, "run_named", fails)
    monkeypatch.setattr(page, "_start", start)
    with pytest.raises(StorageError, match="the disk is full"):
        opened(suite)


def test_a_stream_waits_for_a_lakehouse_that_somebody_else_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    told, stopping = io.StringIO(), threading.Event()
    held = [LockedError("lake is in use by ann"), LockedError("lake is in use by ann")]

    def run() -> tuple[()]:
        if held:
            raise held.pop()
        return ()

    monkeypatch.setattr(page, "WAIT_FOR_LOCK", 0.0)
    assert page.when_free(run, stopping, Console(file=told)) == ()
    assert told.getvalue().count("waiting: lake is in use by ann") == 2

    held.append(LockedError("lake is in use by ann"))
    stopping.set()
    with pytest.raises(LockedError):
        page.when_free(run, stopping, Console(file=told))
