"""The rows of landing files as texts, by column name, each with its file and row number; nothing is judged here."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import compute as pc
from pyspark.sql import Column, DataFrame, functions as F, SparkSession, types as T

from cdp_lib.errors import IngestError
from cdp_lib.io.csv_rows import csv_batches
from cdp_lib.io.inspection import pack_bins
from cdp_lib.io.landing import Inspection, LandingFile, open_file
from cdp_lib.io.local_rows import local_rows
from cdp_lib.io.parquet_rows import byte_columns, parquet_batches
from cdp_lib.io.text_stream import lines, utf8_stream
from cdp_lib.settings.source import Source

TASK_BYTES = 64 << 20
"""Files are packed into tasks of about this size, and into one task per core at least."""

_PLACE_COLUMNS = (("_source_file", T.StringType()), ("_row_number", T.LongType()), ("_file_hash", T.StringType()))
_LINES = T.StructType([*(T.StructField(*column) for column in _PLACE_COLUMNS), T.StructField("line", T.StringType())])


@dataclass(frozen=True)
class _Piece:
    """What one task reads without a break: a file, or row groups of a Parquet file."""

    file: LandingFile
    file_hash: str
    is_gzip: bool
    columns: tuple[str, ...]
    byte_count: int
    row_groups: tuple[int, ...] = ()
    rows_before: int = 0


def raw_schema(source: Source) -> T.StructType:
    """Place in the landing folder, `_malformed` raw text, a text per column of the contract, and `_rescued`."""
    return T.StructType(
        [
            *(T.StructField(*column) for column in _PLACE_COLUMNS),
            T.StructField("_malformed", T.StringType()),
            *(T.StructField(name, T.StringType()) for name in source.columns),
            T.StructField("_rescued", T.MapType(T.StringType(), T.StringType())),
        ]
    )


def read_raw_rows(spark: SparkSession, source: Source, files: Sequence[Inspection]) -> DataFrame:
    """One row per row of the files. A value is null where the file lacks the column or, JSON and Parquet, says null.

    Rows are numbered from 1 in their file, blank lines not counted. `_malformed` is the raw text of a row that could
    not be split, all columns null then. `_rescued` holds non-empty values of unknown columns. Raises IngestError for a
    file that inspection refused.
    """
    refused = [file.problem for file in files if file.problem is not None]
    if refused:
        raise IngestError(f"refused files cannot be read: {'; '.join(refused)}")
    pieces = [piece for file in files if not file.is_empty for piece in _pieces(file)]
    if not pieces:
        return local_rows(spark, raw_schema(source))
    sizes = [piece.byte_count for piece in pieces]
    bins = pack_bins(pieces, sizes, max(spark.sparkContext.defaultParallelism, -(-sum(sizes) // TASK_BYTES)))
    tasks = spark.range(len(bins), numPartitions=len(bins))
    if source.read.format == "jsonl":
        return _from_json_lines(tasks.mapInArrow(partial(_line_batches, source.read.encoding, bins), _LINES), source)
    return tasks.mapInArrow(partial(_row_batches, source, bins), raw_schema(source))


def _pieces(found: Inspection) -> Iterator[_Piece]:
    """The whole file, but a large Parquet file by row groups: only their borders can be found without reading."""
    whole = _Piece(found.file, found.content_hash, found.is_gzip, found.columns, found.file.byte_count)
    if not found.row_groups:
        yield whole
        return
    per_piece = max(1, len(found.row_groups) * TASK_BYTES // max(1, found.file.byte_count))
    for first in range(0, len(found.row_groups), per_piece):
        groups = tuple(range(first, min(first + per_piece, len(found.row_groups))))
        share = found.file.byte_count * len(groups) // len(found.row_groups)
        before = sum(found.row_groups[:first])
        yield _Piece(found.file, found.content_hash, False, found.columns, share, groups, before)


def _line_batches(
    encoding: str, bins: Sequence[Sequence[_Piece]], batches: Iterable[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    for piece in _pieces_of(bins, batches):
        row_count = 0
        with open_file(piece.file) as stream:
            for texts in lines(utf8_stream(stream, encoding, is_gzip=piece.is_gzip)):
                numbers = np.arange(row_count + 1, row_count + 1 + len(texts), dtype=np.int64)
                row_count += len(texts)
                columns = [*_places(piece, numbers), pa.array(texts, pa.string())]
                yield pa.RecordBatch.from_arrays(columns, names=_LINES.names)


def _row_batches(
    source: Source, bins: Sequence[Sequence[_Piece]], batches: Iterable[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    for piece in _pieces_of(bins, batches):
        yield from _csv_rows(source, piece) if source.read.format == "csv" else _parquet_rows(source, piece)


def _pieces_of(bins: Sequence[Sequence[_Piece]], batches: Iterable[pa.RecordBatch]) -> Iterator[_Piece]:
    for batch in batches:
        for number in batch.column(0).to_pylist():
            yield from bins[number]


def _csv_rows(source: Source, piece: _Piece) -> Iterator[pa.RecordBatch]:
    with open_file(piece.file) as stream:
        text = utf8_stream(stream, source.read.encoding, is_gzip=piece.is_gzip)
        for batch in csv_batches(text, source.read.delimiter, piece.columns):
            if batch.columns.num_rows:
                yield _raw_batch(source, piece, batch.columns, batch.numbers)
            if batch.ragged:
                yield _malformed_batch(source, piece, batch.ragged)


def _parquet_rows(source: Source, piece: _Piece) -> Iterator[pa.RecordBatch]:
    row_count = piece.rows_before
    as_bytes = byte_columns(source, piece.columns)
    with open_file(piece.file) as stream:
        for batch in parquet_batches(stream, piece.row_groups, as_bytes):
            numbers = np.arange(row_count + 1, row_count + 1 + batch.num_rows, dtype=np.int64)
            row_count += batch.num_rows
            yield _raw_batch(source, piece, batch, numbers)


def _raw_batch(source: Source, piece: _Piece, texts: pa.RecordBatch, numbers: NDArray[np.int64]) -> pa.RecordBatch:
    """Each contract column by its name in the file, so that the order of the file's columns means nothing."""
    count = texts.num_rows
    headers = {name: column.header or name for name, column in source.columns.items()}
    own = [texts.column(h) if h in texts.schema.names else pa.nulls(count, pa.string()) for h in headers.values()]
    extra = sorted(set(texts.schema.names) - set(headers.values()))
    rescued = _rescued([texts.column(name) for name in extra], extra, count)
    arrays = [*_places(piece, numbers), pa.nulls(count, pa.string()), *own, rescued]
    return pa.RecordBatch.from_arrays(arrays, names=raw_schema(source).names)


def _malformed_batch(source: Source, piece: _Piece, ragged: Sequence[tuple[int, str]]) -> pa.RecordBatch:
    count = len(ragged)
    numbers = np.array([number for number, _ in ragged], dtype=np.int64)
    texts = pa.array([text for _, text in ragged], pa.string())
    nothing = [pa.nulls(count, pa.string())] * len(source.columns)
    arrays = [*_places(piece, numbers), texts, *nothing, _rescued([], [], count)]
    return pa.RecordBatch.from_arrays(arrays, names=raw_schema(source).names)


def _places(piece: _Piece, numbers: NDArray[np.int64]) -> tuple[pa.Array, pa.Array, pa.Array]:
    count = len(numbers)
    return pa.repeat(piece.file.path, count), pa.array(numbers), pa.repeat(piece.file_hash, count)


def _rescued(values: Sequence[pa.Array], names: Sequence[str], count: int) -> pa.Array:
    """Per row a map of name to value, without values that say nothing; null where no value says anything."""
    kind = pa.map_(pa.string(), pa.string())
    if not names:
        return pa.nulls(count, kind)
    # Column after column becomes row after row: entry (row, column) stands at column * count + row.
    by_row = (np.arange(count)[:, None] + count * np.arange(len(names))).ravel()
    texts = pa.concat_arrays([array.cast(pa.string()) for array in values]).take(pa.array(by_row))
    keys = pa.array(list(names), pa.string()).take(pa.array(np.tile(np.arange(len(names)), count)))
    says = pc.fill_null(pc.not_equal(texts, ""), False)
    per_row = says.to_numpy(zero_copy_only=False).reshape(count, len(names)).sum(axis=1)
    offsets = np.concatenate([[0], np.cumsum(per_row)]).astype(np.int32)
    return pa.MapArray.from_arrays(
        pa.array(offsets), keys.filter(says), texts.filter(says), kind, mask=pa.array(per_row == 0)
    )


def _from_json_lines(read: DataFrame, source: Source) -> DataFrame:
    """The raw rows of lines that hold one JSON object; any other line is malformed, as is one that says a key twice."""
    # In brackets, because Spark's parser takes the first value of a text and lets pass whatever follows it.
    parsed = F.from_json(F.concat(F.lit("["), "line", F.lit("]")), "array<map<string,string>>")
    places = [name for name, _ in _PLACE_COLUMNS]
    only_object = F.when(F.size(parsed) == 1, F.get(parsed, F.lit(0)))
    objects = read.select(*places, "line", only_object.alias("fields"))
    fields = F.col("fields")
    is_object = fields.isNotNull() & (F.size(F.array_distinct(F.map_keys(fields))) == F.size(fields))
    checked = objects.select(
        *places,
        F.when(~is_object, F.col("line")).alias("_malformed"),
        F.when(is_object, fields).alias("fields"),
    )
    headers = {name: column.header or name for name, column in source.columns.items()}
    own = [F.try_element_at("fields", F.lit(header)).alias(name) for name, header in headers.items()]
    rescued = _rescued_fields(F.col("fields"), headers.values())
    return checked.select(*places, "_malformed", *own, rescued.alias("_rescued"))


def _rescued_fields(fields: Column, known: Iterable[str]) -> Column:
    """The entries of unknown keys that say something; null where there are none."""
    names = list(known)
    unknown = F.map_filter(fields, lambda key, value: ~key.isin(names) & value.isNotNull() & (value != ""))
    return F.when(F.size(unknown) > 0, unknown)
