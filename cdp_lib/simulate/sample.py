"""Landing files from the Parquet tables of an installed package: real rows, packed as a store's systems drop them."""

import gzip
import importlib.util
import io
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from cdp_lib.errors import ConfigError, near_miss, SetupError, StorageError
from cdp_lib.settings.sample import Lookup, Sample, SampleFile

MANIFEST = ".sample.json"
"""What was exported, in the landing folder itself: a name that no source's pattern finds."""

_UTC_TEXT = "%Y-%m-%dT%H:%M:%SZ"
_DAY_TEXT = "%Y-%m-%d"
_ROW = "_row"


@dataclass(frozen=True)
class SampleSummary:
    """What lies in the landing folder now, and whether anything had to be written for it."""

    out: Path
    rows: Mapping[str, int]
    """Path pattern of a landing file: rows exported to the files of that pattern."""
    file_count: int
    written_count: int
    """Files written now; the others were there already, byte for byte."""


@dataclass(frozen=True)
class Span:
    """The days to export, both included; None means no bound."""

    first_day: date | None = None
    last_day: date | None = None


def export_sample(
    sample: Sample, out: Path, *, time_zone: str, first_day: date | None = None, last_day: date | None = None
) -> SampleSummary:
    """Write the sample's landing files below `out`; days are the zone's, and bounds hold where a table tells days.

    The same package and bounds give the same bytes; files that are there already keep their time stamps, files of an
    earlier export that no longer belong are removed. Raises SetupError where the package is missing, ConfigError
    where it lacks a table or column, and StorageError where the folder cannot be written.
    """
    span = Span(first_day, last_day)
    folder = package_folder(sample)
    print_ = _fingerprint(sample, folder, time_zone, span)
    before = _manifest(out)
    if before.get("fingerprint") == print_ and _is_complete(out, before["files"]):
        return SampleSummary(out, before["rows"], len(before["files"]), 0)
    rows: dict[str, int] = {}
    sizes: dict[str, int] = {}
    written = 0
    for file in sample.files:
        table = _within(_rows_of(sample, file, folder), file, time_zone, span)
        rows[file.path] = table.num_rows
        for path, part in _split(table, file, time_zone):
            content = _encode(_shown(part, file), file)
            sizes[path] = len(content)
            written += _write(out / path, content)
    _remove(out, set(before.get("files", {})) - set(sizes))
    _write(out / MANIFEST, json.dumps({"fingerprint": print_, "rows": rows, "files": sizes}, indent=1).encode())
    return SampleSummary(out, rows, len(sizes), written)


def package_folder(sample: Sample) -> Path:
    """Where the package lies, without importing it; raises SetupError with the cure where it is not installed."""
    found = importlib.util.find_spec(sample.package)
    if found is None or found.origin is None:
        raise SetupError(
            f"the sample needs the package {sample.install_name}, which is not installed. "
            f"Run `uv sync --group demo`, or `pip install {sample.install_name}`."
        )
    return Path(found.origin).parent


def _fingerprint(sample: Sample, folder: Path, time_zone: str, span: Span) -> dict[str, Any]:
    """What decides the bytes: the declaration, the package's files, the zone and the bounds."""
    tables = {file.table for file in sample.files} | {file.lookup.table for file in sample.files if file.lookup}
    return {
        "sample": sample.content_hash(),
        "tables": {table: (folder / table).stat().st_size for table in sorted(tables) if (folder / table).is_file()},
        "time_zone": time_zone,
        "span": {name: day and day.isoformat() for name, day in asdict(span).items()},
        "pyarrow": pa.__version__,
    }


def _manifest(out: Path) -> dict[str, Any]:
    """The last export's manifest; empty where there is none that can be read."""
    try:
        found = json.loads((out / MANIFEST).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return {}
    return found if isinstance(found, dict) and isinstance(found.get("files"), dict) else {}


def _is_complete(out: Path, files: Mapping[str, int]) -> bool:
    return all((out / path).is_file() and (out / path).stat().st_size == size for path, size in files.items())


def _rows_of(sample: Sample, file: SampleFile, folder: Path) -> pa.Table:
    """The table's kept rows with the looked-up columns, in the table's own order."""
    table = _read(sample, file.table, folder)
    for column, values in file.only.items():
        _require(sample, file.table, table, [column])
        kept = pa.array(values, from_pandas=False).cast(table[column].type)
        table = table.filter(pc.is_in(table[column], value_set=kept))
    if file.lookup:
        table = _looked_up(sample, table, file.lookup, folder)
    needed = [*file.columns.values(), *file.dates, *([file.day.column] if file.day else [])]
    _require(sample, file.table, table, needed)
    return table


def _looked_up(sample: Sample, table: pa.Table, lookup: Lookup, folder: Path) -> pa.Table:
    other = _read(sample, lookup.table, folder)
    _require(sample, lookup.table, other, lookup.by)
    if other.group_by(list(lookup.by)).aggregate([]).num_rows != other.num_rows:
        raise ConfigError(f"sample {sample.id}: {lookup.table} has several rows with the same {', '.join(lookup.by)}")
    numbered = table.append_column(_ROW, pa.array(range(table.num_rows), pa.int64()))
    return numbered.join(other, keys=list(lookup.by), join_type="left outer").sort_by(_ROW).drop_columns([_ROW])


def _read(sample: Sample, name: str, folder: Path) -> pa.Table:
    path = folder / name
    if not path.is_file():
        known = [str(found.relative_to(folder)) for found in folder.rglob("*.parquet")]
        raise ConfigError(f"sample {sample.id}: {sample.package} has no table {name}.{near_miss(name, known)}")
    return pa.parquet.read_table(path)


def _require(sample: Sample, name: str, table: pa.Table, columns: list[str] | tuple[str, ...]) -> None:
    missing = sorted(set(columns) - set(table.column_names))
    if missing:
        hints = "".join(near_miss(column, table.column_names) for column in missing)
        raise ConfigError(f"sample {sample.id}: {name} has no column {', '.join(missing)}.{hints}")


def _local_times(table: pa.Table, file: SampleFile, time_zone: str) -> pa.ChunkedArray:
    """The rows' times on the zone's clocks, without a zone."""
    if file.day is None:
        raise ConfigError(f"{file.path} splits by day but names no column for it")
    times = table[file.day.column].cast(pa.timestamp("us"))
    if file.day.clock == "local":
        return times
    return pc.local_timestamp(pc.assume_timezone(times, "UTC").cast(pa.timestamp("us", tz=time_zone)))


def _within(table: pa.Table, file: SampleFile, time_zone: str, span: Span) -> pa.Table:
    """The rows of the days asked for; a table that tells no days is given whole."""
    if file.day is None or (span.first_day is None and span.last_day is None):
        return table
    days = _local_times(table, file, time_zone).cast(pa.date32())
    if span.first_day is not None:
        table, days = _both(table, days, pc.greater_equal(days, pa.scalar(span.first_day)))
    if span.last_day is not None:
        table, days = _both(table, days, pc.less_equal(days, pa.scalar(span.last_day)))
    return table


def _both(table: pa.Table, days: pa.ChunkedArray, keep: pa.ChunkedArray) -> tuple[pa.Table, pa.ChunkedArray]:
    return table.filter(keep), days.filter(keep)


def _split(table: pa.Table, file: SampleFile, time_zone: str) -> Iterator[tuple[str, pa.Table]]:
    """(path, rows) of each landing file, in order of path; rows keep their order. No rows, no file."""
    if not file.is_split:
        yield file.path, table
        return
    # Days are few and rows many: each day is spelled once.
    days = _local_times(table, file, time_zone).cast(pa.date32()).dictionary_encode().combine_chunks()
    paths = pc.strftime(days.dictionary.cast(pa.timestamp("s")), format=file.path).dictionary_encode()
    codes = paths.indices.take(days.indices)
    order = pc.sort_indices(codes)
    ordered = table.take(order)
    counts = pc.value_counts(codes.take(order))
    start, parts = 0, []
    for group in counts.to_pylist():
        parts.append((paths.dictionary[group["values"]].as_py(), ordered.slice(start, group["counts"])))
        start += group["counts"]
    yield from sorted(parts, key=lambda part: part[0])


def _shown(table: pa.Table, file: SampleFile) -> pa.Table:
    """The columns under their headers; in text files instants as ISO texts in UTC, local times as clocks show them."""
    names = file.columns or {name: name for name in table.column_names}
    is_text = file.format != "parquet"
    return pa.table(
        {header: _as_text(table[name], name, file) if is_text else table[name] for header, name in names.items()}
    )


def _as_text(column: pa.ChunkedArray, name: str, file: SampleFile) -> pa.ChunkedArray:
    if not pa.types.is_timestamp(column.type):
        return column
    seconds = column.cast(pa.timestamp("s"), safe=False)
    if name in file.dates:
        return pc.strftime(seconds, format=_DAY_TEXT)
    is_instant = file.day is None or file.day.column != name or file.day.clock == "utc"
    return pc.strftime(seconds, format=_UTC_TEXT if is_instant else "%Y-%m-%d %H:%M:%S")


def _as_csv(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pa.csv.write_csv(table, buffer)
    return buffer.getvalue()


def _as_jsonl(table: pa.Table) -> bytes:
    lines = (json.dumps(row, ensure_ascii=False, default=str) for row in table.to_pylist())
    return "".join(f"{line}\n" for line in lines).encode()


def _as_parquet(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pa.parquet.write_table(table, buffer)
    return buffer.getvalue()


_ENCODERS: dict[str, Callable[[pa.Table], bytes]] = {"csv": _as_csv, "jsonl": _as_jsonl, "parquet": _as_parquet}


def _encode(table: pa.Table, file: SampleFile) -> bytes:
    content = _ENCODERS[file.format](table)
    return gzip.compress(content, mtime=0) if file.path.endswith(".gz") else content


def _write(path: Path, content: bytes) -> int:
    """1 where the file was written; 0 where it held the same bytes already, and keeps its time stamp."""
    try:
        if path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content:
            return 0
        path.parent.mkdir(parents=True, exist_ok=True)
        # Hidden until whole, so that no reader ever finds half a file.
        unfinished = path.with_name(f".{path.name}.unfinished")
        unfinished.write_bytes(content)
        os.replace(unfinished, path)
    except OSError as problem:
        raise StorageError(
            f"cannot write {path}: {problem.strerror}. Free space or choose another folder."
        ) from problem
    return 1


def _remove(out: Path, paths: set[str]) -> None:
    """Files of the last export that this one does not have: the folder holds what the manifest says, nothing else."""
    for path in sorted(paths):
        (out / path).unlink(missing_ok=True)
