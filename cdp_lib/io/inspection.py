"""What landing files are worth, found before Spark reads any: whole, decodable, with the columns of their contract."""

import csv
import hashlib
import heapq
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain
from typing import Any, TypeVar

import pyarrow as pa
from pyarrow import parquet
from pyspark.sql import SparkSession

from cdp_lib.errors import IngestError, near_miss
from cdp_lib.io.csv_rows import csv_batches
from cdp_lib.io.landing import Inspection, LandingFile, open_file
from cdp_lib.io.parquet_rows import byte_columns, is_bytes
from cdp_lib.io.text_stream import blocks, decoded, GZIP_MAGIC, UnreadableTextError, unzipped, utf8_stream
from cdp_lib.settings.source import Source

DRIVER_BYTES = 64 << 20
"""Up to so many bytes are inspected by threads of the driver; a Spark job costs more than it saves."""

_THREADS = 8
_TASKS_PER_CORE = 4
_HEADER_CHARS = 1 << 20
_OTHER_DELIMITERS = ",;\t|"
_END_MARK = "cdp-end-of-file"
_NO_ROWS = "rows cannot be told apart"
Item = TypeVar("Item")


def inspect_files(
    spark: SparkSession, source: Source, files: Sequence[LandingFile], *, driver_bytes: int = DRIVER_BYTES
) -> tuple[Inspection, ...]:
    """One inspection per file, in the given order; a file that cannot be read has its `problem` and stops nobody.

    More than `driver_bytes` in all are inspected by one Spark job over all files, fewer by threads here.
    """
    inspect = partial(inspect_file, source)
    if sum(file.byte_count for file in files) <= driver_bytes:
        with ThreadPoolExecutor(_THREADS) as pool:
            return tuple(pool.map(inspect, files))
    sizes = [file.byte_count for file in files]
    places = pack_bins(range(len(files)), sizes, spark.sparkContext.defaultParallelism * _TASKS_PER_CORE)
    bins = tuple(tuple((place, files[place]) for place in one) for one in places)
    found = (
        spark.range(len(bins), numPartitions=len(bins))
        .mapInArrow(partial(_inspect_bins, source, bins), "place bigint, found string")
        .collect()
    )
    by_place = {row.place: _from_json(files[row.place], row.found) for row in found}
    return tuple(by_place[place] for place in range(len(files)))


def inspect_file(source: Source, file: LandingFile) -> Inspection:
    """What one pass over the file's bytes finds; a CSV file with quotes is parsed once more."""
    digest = hashlib.sha256()
    try:
        with open_file(file) as stream:
            if file.byte_count == 0:
                return Inspection(file, digest.hexdigest(), is_empty=True)
            hashed = _hashed(blocks(stream), digest)
            try:
                return _finding(source, file, hashed, stream, digest)
            except UnreadableTextError as problem:
                for _ in hashed:
                    continue
                return Inspection(file, digest.hexdigest(), problem=f"{file.path}: {problem}")
    except (OSError, IngestError) as problem:
        text = str(problem) if isinstance(problem, IngestError) else f"{file.path}: cannot be opened or read to its end"
        return Inspection(file, "", problem=text)


def pack_bins(items: Iterable[Item], sizes: Sequence[int], count: int) -> tuple[tuple[Item, ...], ...]:
    """At most `count` bins of about equal size, none of them empty: the greatest item first, into the lightest bin."""
    ordered = sorted(zip(items, sizes, strict=True), key=lambda pair: -pair[1])
    bins: list[list[Item]] = [[] for _ in range(min(count, len(ordered)))]
    weights = [(0, place) for place in range(len(bins))]
    for item, size in ordered:
        weight, place = heapq.heappop(weights)
        bins[place].append(item)
        # One is added, so that files without bytes are spread as well.
        heapq.heappush(weights, (weight + size + 1, place))
    return tuple(tuple(one) for one in bins)


def _inspect_bins(
    source: Source, bins: Sequence[Sequence[tuple[int, LandingFile]]], batches: Iterable[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        for number in batch.column(0).to_pylist():
            places = [place for place, _ in bins[number]]
            found = [_to_json(inspect_file(source, file)) for _, file in bins[number]]
            columns = [pa.array(places, pa.int64()), pa.array(found, pa.string())]
            yield pa.RecordBatch.from_arrays(columns, names=["place", "found"])


def _to_json(found: Inspection) -> str:
    return json.dumps({name: value for name, value in vars(found).items() if name != "file"})


def _from_json(file: LandingFile, text: str) -> Inspection:
    found: dict[str, Any] = json.loads(text)
    lists = {name: tuple(value) for name, value in found.items() if isinstance(value, list)}
    return Inspection(file, **(found | lists))


def _hashed(pieces: Iterable[bytes], digest: Any) -> Iterator[bytes]:
    for piece in pieces:
        digest.update(piece)
        yield piece


def _finding(
    source: Source, file: LandingFile, hashed: Iterator[bytes], stream: pa.NativeFile, digest: Any
) -> Inspection:
    """Reads `hashed` to its end, so that the digest is whole when the inspection is made."""
    if source.read.format == "parquet":
        for _ in hashed:
            continue
        columns, row_groups = _parquet_shape(source, stream)
        return _held_to_columns(source, Inspection(file, digest.hexdigest(), columns, row_groups=row_groups))
    first = next(hashed)
    is_gzip = first.startswith(GZIP_MAGIC)
    plain = unzipped(chain([first], hashed)) if is_gzip else chain([first], hashed)
    text = decoded(plain, source.read.encoding)
    if source.read.format == "jsonl":
        # `any` would stop at the first text: all of it must be decoded and hashed.
        is_empty = not sum(1 for piece in text if piece.strip())
        return Inspection(file, digest.hexdigest(), is_empty=is_empty, is_gzip=is_gzip)
    header, has_rows, has_quotes = _csv_shape(text, source.read.delimiter)
    if not header:
        return Inspection(file, digest.hexdigest(), is_empty=True, is_gzip=is_gzip)
    found = Inspection(file, digest.hexdigest(), header, is_empty=not has_rows, is_gzip=is_gzip)
    found = _held_to_columns(source, found)
    if found.problem is None and has_quotes:
        _check_quotes(source, found)
    return found


def _csv_shape(text: Iterator[str], delimiter: str) -> tuple[tuple[str, ...], bool, bool]:
    """(header, whether rows follow, whether there are quotes, or lines so long that they may not be rows).

    A column without a name, as spreadsheets leave behind, is named by its place: `_c3`.
    """
    head = ""
    while len(head) < _HEADER_CHARS and (piece := next(text, None)) is not None:
        head += piece
    source_lines = io.StringIO(head, newline="")
    try:
        header = next((fields for fields in csv.reader(source_lines, delimiter=delimiter) if fields), [])
    except csv.Error as problem:
        raise UnreadableTextError("the header cannot be split into names") from problem
    has_rows = bool(source_lines.read().strip("\r\n"))
    has_quotes = '"' in head
    for piece in text:
        has_rows = has_rows or bool(piece.strip("\r\n"))
        has_quotes = has_quotes or '"' in piece or ("\n" not in piece and "\r" not in piece)
    named = tuple(name or f"_c{place}" for place, name in enumerate(header, 1))
    return named, has_rows, has_quotes


def _held_to_columns(source: Source, found: Inspection) -> Inspection:
    """The inspection: refused when columns lack or stand twice, with a note of columns unknown to the contract."""
    problem = column_problem(source, found.columns)
    if problem is not None:
        return Inspection(found.file, found.content_hash, found.columns, f"{found.file.path}: {problem}")
    extra = _unknown(source, found.columns)
    note = f"unknown columns rescued: {', '.join(extra)}" if extra and not found.is_empty else None
    is_empty = found.is_empty or (source.read.format == "parquet" and sum(found.row_groups) == 0)
    return Inspection(**{**vars(found), "note": note, "is_empty": is_empty})


def column_problem(source: Source, columns: Sequence[str]) -> str | None:
    """Why a file with these columns is refused, null when it is not: a column lacks, or a name stands twice.

    Names in the file are quoted only beside known ones: where none is known, the first line may be a row of values.
    """
    headers = {column.header or name: column.optional for name, column in source.columns.items()}
    if not set(headers) & set(columns):
        return f"none of the columns {', '.join(headers)} stands in the first line{_other_delimiter(source, columns)}"
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        return f"two columns are called {', '.join(map(repr, twice))}; a column's name must be its own"
    extra = _unknown(source, columns)
    lacking = [name for name, optional in headers.items() if not optional and name not in columns]
    if not lacking:
        return None
    found = f"; found {', '.join(map(repr, extra))}" if extra else ""
    guesses = "".join(dict.fromkeys(near_miss(name, extra) for name in lacking if near_miss(name, extra)[1:4] == "Did"))
    names = ", ".join(map(repr, lacking))
    cure = "Give the name with `header:`, or mark the column `optional`."
    return f"lacks column{'s' if len(lacking) > 1 else ''} {names}{found}.{guesses} {cure}"


def _unknown(source: Source, columns: Sequence[str]) -> list[str]:
    headers = {column.header or name for name, column in source.columns.items()}
    return [name for name in columns if name not in headers]


def _other_delimiter(source: Source, columns: Sequence[str]) -> str:
    if source.read.format != "csv":
        return ""
    first = columns[0] if len(columns) == 1 else ""
    other = next((mark for mark in _OTHER_DELIMITERS if mark in first and mark != source.read.delimiter), None)
    if other is not None:
        return f". Is the delimiter {other!r} rather than {source.read.delimiter!r}?"
    return ". Does the file lack its header line?"


def _check_quotes(source: Source, found: Inspection) -> None:
    """Parses the file with a mark behind its end: an unclosed quote would swallow the mark, and the rows before it.

    Raises UnreadableTextError then, and where a row is longer than the reader's block.
    """
    last = ""
    with open_file(found.file) as stream:
        text = utf8_stream(stream, source.read.encoding, is_gzip=found.is_gzip)
        try:
            for batch in csv_batches(pa.PythonFile(_WithEnd(text), "r"), source.read.delimiter, found.columns):
                if batch.columns.num_rows and len(found.columns) == 1:
                    last = batch.columns.column(0)[-1].as_py()
                elif batch.ragged:
                    last = batch.ragged[-1][1]
        except pa.ArrowInvalid as problem:
            raise UnreadableTextError(f"{_NO_ROWS}: a quote is never closed, or a row is over 4 MiB") from problem
    if last != _END_MARK:
        raise UnreadableTextError(f"{_NO_ROWS}: a quote is never closed")


class _WithEnd(io.RawIOBase):
    """A stream with a last line added that stands for the end of the file."""

    def __init__(self, stream: pa.NativeFile) -> None:
        self._stream = stream
        self._end = f"\n{_END_MARK}\n".encode()

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> bytes:
        """Up to `size` bytes; empty at the end only."""
        piece: bytes = self._stream.read(size)
        if not piece:
            piece, self._end = self._end, b""
        return piece


def _parquet_shape(source: Source, stream: pa.NativeFile) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """(column names, rows of each row group); every page is decoded once, so that no task meets a damaged one."""
    try:
        file = parquet.ParquetFile(stream, page_checksum_verification=True)
        as_bytes = byte_columns(source, file.schema_arrow.names)
        for batch in file.iter_batches():
            for name, column in zip(batch.schema.names, batch.columns, strict=True):
                if is_bytes(column.type) and name not in as_bytes:
                    column.cast(pa.string())
        groups = tuple(file.metadata.row_group(place).num_rows for place in range(file.num_row_groups))
        return tuple(file.schema_arrow.names), groups
    except UnicodeDecodeError as problem:
        raise UnreadableTextError("it is no whole Parquet file: a name in its footer is no text") from problem
    except (OSError, pa.ArrowException) as problem:
        raise UnreadableTextError("it is no whole Parquet file, or has bytes where the contract has text") from problem
