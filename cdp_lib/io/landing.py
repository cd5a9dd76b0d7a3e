"""Landing files: which ones a source has dropped, and how their bytes are opened."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from urllib.parse import urlsplit

import pyarrow as pa
from pyarrow import fs

from cdp_lib.errors import IngestError
from cdp_lib.settings.source import Source

IN_FLIGHT_ENDINGS = (".tmp", ".part", ".partial", ".filepart", ".crdownload", ".inprogress", "._copying_")
"""Names that transfer tools give to a file until it is whole."""

_HIDDEN = (".", "_")
_WILDCARD = re.compile(r"[*?\[]")


@dataclass(frozen=True, order=True)
class LandingFile:
    """A file below a landing folder: `root` is the folder as given (a local one absolute), `path` is relative to it."""

    path: str
    root: str
    byte_count: int
    modified_at: datetime

    @property
    def uri(self) -> str:
        """The whole address; a query of the root (`?endpoint_override=...`) stays at its end."""
        address, mark, query = self.root.partition("?")
        return f"{address.rstrip('/')}/{self.path}{mark}{query}"


@dataclass(frozen=True)
class Inspection:
    """What one pass over a file's bytes found."""

    file: LandingFile
    content_hash: str
    """Lower hex SHA-256 of the bytes as they lie; empty when they could not be read to the end."""
    columns: tuple[str, ...] = ()
    """Names as the file has them; empty for JSON lines."""
    problem: str | None = None
    """Why the file is refused whole, beginning with its path; null: it can be read. Quotes no value of a row."""
    is_empty: bool = False
    """No bytes, or a header without rows."""
    note: str | None = None
    """What is worth knowing although the file is good."""
    is_gzip: bool = False
    row_groups: tuple[int, ...] = ()
    """Rows of each row group, Parquet only."""


def list_files(landing: str, source: Source) -> tuple[LandingFile, ...]:
    """The source's files, sorted by path; `modified_at` is UTC.

    `**` in the source's path crosses folders, `*` does not. Hidden names, names that start with an underscore (also of
    folders) and names of files still in flight are skipped. `landing` is a local folder or a URI such as s3://bucket/in.
    Raises IngestError when the landing folder is not there.
    """
    root = landing if "://" in landing else os.path.abspath(landing)
    system, base = _file_system(root)
    if system.get_file_info(base).type != fs.FileType.Directory:
        raise IngestError(f"landing folder {landing} does not exist. Create it, or name another one with --landing.")
    pattern = _glob_pattern(source.read.path)
    return tuple(
        sorted(
            LandingFile(path, root, info.size, info.mtime)
            for path, info in _below(system, base, source.read.path)
            if pattern.fullmatch(path) and not _is_skipped(path)
        )
    )


def open_file(file: LandingFile) -> pa.NativeFile:
    """The file's bytes, seekable. Raises IngestError when its size is no longer the listed one: it is being written."""
    system, base = _file_system(file.root)
    opened = system.open_input_file(f"{base}/{file.path}")
    if opened.size() != file.byte_count:
        opened.close()
        raise IngestError(f"{file.path}: changed while it was being read. Run again when its transfer has ended.")
    return opened


@lru_cache(maxsize=16)
def _file_system(root: str) -> tuple[fs.FileSystem, str]:
    """The file system and the root's path in it; kept, because an object store's client is dear to build."""
    if "://" not in root:
        return fs.LocalFileSystem(), root
    # Spark's own name of the S3 scheme is s3a; Arrow knows the same store as s3.
    address = re.sub(r"^s3[an]://", "s3://", root)
    try:
        system, base = fs.FileSystem.from_uri(address)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as problem:
        scheme = urlsplit(root).scheme
        cure = "Use a folder, or file://, s3:// or gs://."
        raise IngestError(f"landing {scheme}://: no file system of that kind here. {cure}") from problem
    return system, base.rstrip("/")


def _below(system: fs.FileSystem, base: str, glob: str) -> Iterator[tuple[str, fs.FileInfo]]:
    """(relative path, info) of the files below the folder in which the glob's first wildcard stands."""
    parts = glob.split("/")
    fixed = next((place for place, part in enumerate(parts[:-1]) if _WILDCARD.search(part)), len(parts) - 1)
    folder = "/".join([base, *parts[:fixed]])
    is_deep = fixed < len(parts) - 1 or "**" in parts[-1]
    selector = fs.FileSelector(folder, recursive=is_deep, allow_not_found=True)
    for info in system.get_file_info(selector):
        if info.type == fs.FileType.File:
            yield info.path.removeprefix(base).lstrip("/"), info


def _is_skipped(path: str) -> bool:
    return any(part.startswith(_HIDDEN) for part in path.split("/")) or path.lower().endswith(IN_FLIGHT_ENDINGS)


def _glob_pattern(glob: str) -> re.Pattern[str]:
    pieces = re.findall(r"\*\*/|\*\*|\*|\?|\[!?[^\]/]+\]|.", glob, re.DOTALL)
    return re.compile("".join(_regex_of(piece) for piece in pieces), re.DOTALL)


def _regex_of(piece: str) -> str:
    known = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    if piece in known:
        return known[piece]
    if len(piece) > 1:
        letters = re.escape(piece[1:-1].removeprefix("!")).replace(r"\-", "-")
        return f"[{'^' if piece[1] == '!' else ''}{letters}]"
    return re.escape(piece)
