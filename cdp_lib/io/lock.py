"""One run per lakehouse at a time: a lock that dies with its process, and a note of who holds it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from cdp_lib.errors import LockedError
from cdp_lib.io.ledger import owner, utc_now


@contextmanager
def run_lock(folder: Path, doing: str) -> Iterator[None]:
    """Hold the lakehouse while the block runs; raises LockedError that names the holder.

    The operating system frees the lock when the process dies, `kill -9` included; the note may then outlive it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as problem:
        raise LockedError(
            f"{folder} is in use by {held_by(folder)}. Wait for it, or stop it and use --resume."
        ) from problem
    note = folder / ".lock.owner"
    try:
        note.write_text(
            json.dumps({"owner": owner(), "doing": doing, "since": utc_now().isoformat(timespec="seconds")})
        )
        yield
    finally:
        note.unlink(missing_ok=True)
        lock.release()


def is_locked(folder: Path) -> bool:
    """Whether a living process holds the lakehouse."""
    if not (folder / ".lock").exists():
        return False
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except PermissionError:
        # Of somebody else's lakehouse only the note can be read.
        return (folder / ".lock.owner").exists()
    lock.release()
    return False


def held_by(folder: Path) -> str:
    """`owner, since, doing what`, as the holder noted it."""
    try:
        note = json.loads((folder / ".lock.owner").read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return "another run (it left no note yet)"
    return f"{note['owner']} since {note['since']} ({note['doing']})"
