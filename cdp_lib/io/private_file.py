"""A file of personal data: it appears whole or not at all, and only its owner may read it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


@contextmanager
def private_file(path: Path, *, newline: str | None = None, encoding: str = "utf-8") -> Iterator[TextIO]:
    """Text to be written, readable by its owner alone from the first byte on; it is at `path` once the block ends well.

    What a kill leaves has a hidden name, and goes with the next try. `newline` and `encoding` are those of
    `open`: "" for csv.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    opened = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with open(opened, "w", newline=newline, encoding=encoding) as file:
        yield file
    part.replace(path)
