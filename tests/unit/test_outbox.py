"""What dry runs rendered is kept for some days, and no longer."""

import os
from datetime import datetime, timedelta, UTC
from pathlib import Path

from jobs.activation.outbox import forget_outboxes

NOON = datetime(2025, 2, 8, 12, tzinfo=UTC)


def test_older_outboxes_are_deleted_with_all_that_is_in_them(tmp_path: Path) -> None:
    for name, days in (("old", 8), ("young", 6)):
        folder = tmp_path / "outbox" / name
        folder.mkdir(parents=True)
        (folder / "greet.jsonl").write_text("{}")
        at = (NOON - timedelta(days=days)).timestamp()
        os.utime(folder, (at, at))
    forget_outboxes(tmp_path / "outbox", NOON - timedelta(days=7))
    assert [one.name for one in (tmp_path / "outbox").iterdir()] == ["young"]


def test_before_the_first_dry_run_there_is_nothing_to_forget(tmp_path: Path) -> None:
    forget_outboxes(tmp_path / "outbox", NOON)
    assert list(tmp_path.iterdir()) == []
