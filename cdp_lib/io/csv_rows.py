"""Rows of one CSV text, in batches of bounded size, each row with its number; what cannot be split comes apart."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import csv

BLOCK_BYTES = 4 << 20
"""Text parsed at a time: bounds a task's memory, and the length of a row."""


@dataclass(frozen=True)
class CsvBatch:
    """Rows of one block: `columns` by header name, all strings, with `numbers` beside them; and the ragged rows."""

    columns: pa.RecordBatch
    numbers: NDArray[np.int64]
    ragged: tuple[tuple[int, str], ...]
    """(row number, raw text) of rows with too many or too few fields."""


@dataclass
class _Ragged:
    """Rows that Arrow hands over because they do not fit the header, until their block is delivered."""

    delimiter: str
    waiting: list[tuple[int, str]] = field(default_factory=list)
    blank_count: int = 0

    def take(self, row: csv.InvalidRow) -> str:
        """Arrow numbers rows from the header (1) on, ragged ones included and empty lines left out."""
        if row.text.replace(self.delimiter, "").strip():
            self.waiting.append((row.number - 1 - self.blank_count, row.text))
        else:
            self.blank_count += 1
        return "skip"


def csv_batches(stream: pa.NativeFile, delimiter: str, header: Sequence[str]) -> Iterator[CsvBatch]:
    """The rows of a UTF-8 CSV stream whose first row is `header`.

    Rows are numbered from 1 behind the header; blank lines are not counted, a line break in quotes ends no row. Rows of
    bare delimiters, which spreadsheets write where a row was emptied, are no rows either, but may have a number. Raises
    pa.ArrowInvalid where a row is longer than a block, which an unclosed quote makes it, or when the header is another.
    """
    ragged = _Ragged(delimiter)
    reader = csv.open_csv(
        stream,
        read_options=csv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES),
        parse_options=csv.ParseOptions(
            delimiter=delimiter, newlines_in_values=True, invalid_row_handler=ragged.take, ignore_empty_lines=True
        ),
        # The texts stay as they are: which of them mean null is the contract's to say, also of a row read long ago.
        convert_options=csv.ConvertOptions(column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=False),
    )
    if list(reader.schema.names) != list(header):
        raise pa.ArrowInvalid("the header is not the one that was inspected")
    row_count = 0
    for batch in reader:
        numbers, passed = _numbers(batch.num_rows, row_count, [number for number, _ in ragged.waiting])
        bad, ragged.waiting = ragged.waiting[:passed], ragged.waiting[passed:]
        row_count += batch.num_rows + passed
        says = _says_something(batch)
        kept, numbers = (batch, numbers) if says.all() else (batch.filter(pa.array(says)), numbers[says])
        yield CsvBatch(kept, numbers, tuple(bad))
    if ragged.waiting:
        nothing = pa.RecordBatch.from_arrays([pa.array([], pa.string())] * len(header), names=list(header))
        yield CsvBatch(nothing, np.empty(0, np.int64), tuple(ragged.waiting))


def _says_something(batch: pa.RecordBatch) -> NDArray[np.bool_]:
    """Whether a row has any text; most are told by their first cell."""
    says: NDArray[np.bool_] = pc.not_equal(batch.column(0), "").to_numpy(zero_copy_only=False)
    silent = np.flatnonzero(~says)
    for column in batch.columns[1:] if silent.size else ():
        says[silent] |= pc.not_equal(column.take(pa.array(silent)), "").to_numpy(zero_copy_only=False)
    return says


def _numbers(good: int, before: int, bad: Sequence[int]) -> tuple[NDArray[np.int64], int]:
    """The numbers of `good` rows that follow `before` rows, `bad` ones being taken, and how many of `bad` they pass.

    Bad rows behind the last good one are not passed: the reader may be a block ahead of what it delivers.
    """
    places = np.arange(good, dtype=np.int64)
    if not bad:
        return places + (before + 1), 0
    # The i-th bad row has (its number - before - 1 - i) good ones ahead of it.
    good_ahead = np.asarray(bad, dtype=np.int64) - before - 1 - np.arange(len(bad))
    numbers: NDArray[np.int64] = places + (before + 1) + np.searchsorted(good_ahead, places, side="right")
    return numbers, int(np.searchsorted(good_ahead, good))
