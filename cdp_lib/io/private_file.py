"""A file of personal data: it appears whole or not at all, and only its owner may read it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from cdp_lib.errors import StorageError


@contextmanager
def private_file(path: Path, *, newline: str | None = None, encoding: str = "utf-8") -> Iterator[TextIO]:
    """Text to be written, readable by its owner alone from the first byte on; it is at `path` once the block ends well.

    Raises StorageError where it cannot be made. What a kill leaves has a hidden name, and goes with the next try.
    `newline` and `encoding` are those of `open`: "" for csv.
    """
    part = path.with_name(f".{path.name}.part")
    with writable(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        part.unlink(missing_ok=True)
        opened = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with open(opened, "w", newline=newline, encoding=encoding) as file:
        yield file
    with writable(path):
        part.replace(path)


@contextmanager
def writable(path: Path) -> Iterator[None]:
    """While a file that somebody named is made: StorageError says why it cannot be."""
    try:
        yield
    except OSError as problem:
        raise StorageError(f"{path} cannot be written: {problem.strerror or problem}. Name another place.") from None
